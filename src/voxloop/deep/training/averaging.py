"""A running average of a network's weights, which generalises better than its last step. Knows no files."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

#: steps between looks at the weights, once an average of them is older than so many steps
_APART, _YOUNG = 4, 40


class WeightAverage:
    """Exponential moving average of parameters and buffers; young averages forget faster, so the start does not linger.

    Every fourth step is looked at, at its fourfold weight: weights hardly move in between, and to average them costs
    as much as half an optimiser step.

    Integer buffers are copied. With ``keep`` 0 the average is the network itself.
    """

    def __init__(self, network: nn.Module, keep: float) -> None:
        self.keep = keep
        self.module = copy.deepcopy(network).requires_grad_(False) if keep else network
        # looked up once: their identity does not change, and walking a network takes as long as the average itself
        self._own, self._new = list(_tensors(self.module)), list(_tensors(network))

    @torch.no_grad()
    def update(self, step: int) -> None:
        if not self.keep or (step >= _YOUNG and step % _APART):
            return
        keep = min(self.keep, (1 + step) / (10 + step)) ** (1 if step < _YOUNG else _APART)
        floats = [(a, b) for a, b in zip(self._own, self._new, strict=True) if a.is_floating_point()]
        torch._foreach_lerp_([a for a, _ in floats], [b.detach() for _, b in floats], 1 - keep)
        for a, b in zip(self._own, self._new, strict=True):
            if not a.is_floating_point():
                a.copy_(b)

    @contextmanager
    def evaluating(self) -> Iterator[nn.Module]:
        """The averaged network in evaluation mode, without gradients."""
        training = self.module.training
        self.module.eval()
        try:
            with torch.inference_mode():
                yield self.module
        finally:
            self.module.train(training)


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    yield from module.parameters()
    yield from module.buffers()
