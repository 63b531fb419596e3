"""What is done where memory does not suffice in the middle of a training. Knows no windows and no files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from voxloop.deep.begin.memory import ran_out
from voxloop.deep.networks.device import give_back

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
