"""What is done where memory does not suffice in the middle of a training. Knows no windows and no files."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TypeVar

import torch

from voxloop.deep.begin.memory import ran_out
from voxloop.deep.networks.device import give_back
from voxloop.deep.training.state import TrainingState
from voxloop.machine import memory_kills
from voxloop.runs.context import TaskContext
from voxloop.runs.failures import ended_for_memory

T = TypeVar("T")


def within_memory(act: Callable[[], T], optimiser: torch.optim.Optimizer, device: torch.device) -> T | None:
    """What ``act`` gives; None where there was not enough memory for it, which is given back with all gradients."""
    try:
        return act()
    except RuntimeError as error:
        if not ran_out(error):
            raise
    # here, since an error that is handled holds the tensors of what failed
    optimiser.zero_grad(set_to_none=True)
    give_back(device)
    return None


def halve_after_kill(context: TaskContext, state: TrainingState) -> bool:
    """Smaller batches where the kernel ended the process before this one for lack of memory; whether that was so.

    The effective batch, and so what is learnt, stays what it was up to the statistics of normalisation.
    """
    if not ended_for_memory(context.history, memory_kills(), socket.gethostname()):
        return False
    reason = "the process before this one was ended by the system for lack of memory"
    if state.batch == 1:
        text = f"{reason}, and a batch is a single window already; use a smaller window, or a smaller network"
        context.emit("warning", text=text)
        return False
    state.halve()
    text = f"{reason}: goes on with batch_size {state.batch} and accumulation {state.accumulation}"
    context.emit("warning", text=f"{text}, the same number of windows a step")
    return True
