"""Weights and how a step changes them, whatever is learned: optimiser, running average, scaled gradients, checkpoints.

Knows no batches, epochs, files or orders.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from voxloop.config.deep import DeepConfig
from voxloop.deep.networks.device import tune
from voxloop.deep.objective.optimisers import clip_gradient
from voxloop.deep.objective.optimisers import optimiser as make_optimiser
from voxloop.deep.training import checkpoint
from voxloop.deep.training.averaging import WeightAverage
from voxloop.deep.training.shortage import within_memory

T = TypeVar("T")


class WeightSteps:
    """A network (or several), its running average, and the optimiser that moves it.

    Parameters
    ----------
    network
        On its device, in training mode.
    settings
        What the optimiser reads.
    alone
        No other process takes part; only then can a step be made again where memory did not suffice.
    """

    def __init__(
        self, network: nn.Module, settings: DeepConfig, device: torch.device, precision: torch.dtype, *, alone: bool
    ) -> None:
        self._network, self._settings, self._alone = network, settings, alone
        self._device, self._precision = device, precision
        self.kernels = tune(device, settings.precision)
        self.average = WeightAverage(network, settings.average_weights)
        self._optimiser = make_optimiser(settings, network)
        self._scaler = self._new_scaler()

    def begin(self, rate: float) -> None:
        """Forget the gradients; the next step is taken at a learning rate."""
        for group in self._optimiser.param_groups:
            group["lr"] = rate * group.get("share", 1.0)
        self._optimiser.zero_grad(set_to_none=True)

    def add_gradient(self, loss: Tensor, parts: int) -> Tensor:
        """Add the gradient of a loss, one of so many that make a step; its share of the step's loss, detached."""
        self._scaler.scale(loss / parts).backward()
        return loss.detach() / parts

    def apply_gradient(self, step: int) -> bool:
        """Take the step; False where memory did not suffice, and what the optimiser keeps may be half made."""
        return self.within_memory(lambda: self._apply(step)) is not None

    def within_memory(self, act: Callable[[], T]) -> T | None:
        """What ``act`` gives; None where there was not enough memory for it, which is given back."""
        return within_memory(act, self._optimiser, self._device) if self._alone else act()

    def pack(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and state for a checkpoint."""
        tensors, groups = checkpoint.pack(self._network, self.average.module, self._optimiser)
        return tensors, {"groups": groups, "scaler": self._scaler.state_dict() if self._scaler.is_enabled() else None}

    def restore(self, tensors: dict[str, Tensor], saved: dict[str, Any]) -> None:
        """Put back what :meth:`pack` gave."""
        checkpoint.unpack(tensors, saved["groups"], self._network, self.average.module, self._optimiser)
        self._scaler = self._new_scaler()  # one that failed in the middle of a step knows of half a step
        if saved.get("scaler") and self._scaler.is_enabled():
            self._scaler.load_state_dict(saved["scaler"])

    def _new_scaler(self) -> GradScaler:
        """Keeps gradients within what float16 can hold; idle in any other format."""
        return GradScaler(self._device.type, enabled=self._precision == torch.float16)

    def _apply(self, step: int) -> bool:
        self._scaler.unscale_(self._optimiser)
        if self._settings.gradient_clip:
            clip_gradient(self._network, self._settings.gradient_clip)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self.average.update(step)
        return True
