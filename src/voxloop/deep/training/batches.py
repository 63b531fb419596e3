"""The batch of each step: windows labelled by hand, and windows with pseudo-labels. Knows no network and no loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from voxloop.deep.begin.material import Material
from voxloop.deep.data.prefetch import Prefetcher
from voxloop.deep.networks.device import cores
from voxloop.deep.training.pseudo_labels import PseudoLabels
from voxloop.deep.training.team import Team


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingBatch:
    """This process's windows of a batch, augmented.

    Attributes
    ----------
    pixels, labels
        (n, c, y, x) and (n, y, x) uint8; with z in 3-D.
    by_hand, pseudo
        How many windows of the whole batch are labelled by hand, and how many have pseudo-labels; the former come
        first.
    """

    pixels: Tensor
    labels: Tensor
    by_hand: int
    pseudo: int


class Batches:
    """Makes the batch of a step; windows labelled by hand are cut ahead by threads.

    Parameters
    ----------
    size
        Windows of a batch, those of all processes of the team together.
    threads
        That compute in this process.
    """

    def __init__(
        self, material: Material, pseudo_labels: PseudoLabels | None, team: Team, size: int, threads: int
    ) -> None:
        self._material, self._pseudo_labels, self._team = material, pseudo_labels, team
        idle_core = material.device.type != "cpu" or threads < cores()
        configured = material.config.workers
        self._workers = int(idle_core) if configured is None else configured
        self._size = size
        self._cut_ahead = Prefetcher(self._cut, self._workers)

    def __call__(self, index: int) -> TrainingBatch:
        """The batch number ``index``, a function of seed, labels and index."""
        material, part = self._material, self._team.part(self._size)
        raw, marked = self._cut_ahead(index)
        pseudo = self._share(index)
        by_hand = self._size - pseudo
        parts = []
        if count := _overlap(part, by_hand):
            parts.append(material.prepare(raw[:count], marked[:count]))
        if self._pseudo_labels and part.stop > by_hand:
            pixels, labels = self._pseudo_labels.batch(index, pseudo)
            here = slice(max(0, part.start - by_hand), part.stop - by_hand)
            parts.append((pixels[here], labels[here]))
        pixels, labels = parts[0]
        if len(parts) > 1:
            pixels, labels = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
        pixels, labels = material.augment(pixels, labels, index * self._team.size + self._team.rank)
        return TrainingBatch(pixels=pixels, labels=labels, by_hand=by_hand, pseudo=pseudo)

    def restart(self, size: int) -> None:
        """Throw away what was cut ahead, and go on with batches of ``size``."""
        self.close()
        self._size = size
        self._cut_ahead = Prefetcher(self._cut, self._workers)

    def close(self) -> None:
        """End the threads."""
        self._cut_ahead.close()

    def _share(self, index: int) -> int:
        return self._pseudo_labels.share(index, self._size) if self._pseudo_labels else 0

    def _cut(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        # where pseudo-labels come before the batch is needed, fewer of these windows are
        part = self._team.part(self._size)
        count = max(1, _overlap(part, self._size - self._share(index)))
        return self._material.sampler.batch(index, count, part.start)


def _overlap(part: slice, by_hand: int) -> int:
    """How many windows of a part are among the first ``by_hand``."""
    last: int = min(by_hand, part.stop)
    return max(0, last - int(part.start))
