"""The batch of each step: windows labelled by hand, and windows with pseudo-labels. Knows no network and no loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from voxloop.deep.begin.material import Material
from voxloop.deep.data.prefetch import Prefetcher
from voxloop.deep.networks.device import cores
from voxloop.deep.training.pseudo_labels import PseudoLabels
from voxloop.deep.training.team import Team
from voxloop.deep.transfer import pinned, runtime

#: threads beside a GPU that cut windows of classes, and that prepare batches of objects, at most
_CLASSES, _OBJECTS = 4, 8


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
    made
        What is learnt of these labels, where that was found beforehand (:meth:`Criterion.targets`).
    """

    pixels: Tensor
    labels: Tensor
    by_hand: int
    pseudo: int
    made: Any = None


class Batches:
    """Makes the batch of a step; windows labelled by hand are cut ahead by threads.

    Where objects are learnt these threads do all of it, targets included: that takes longer than a step of a GPU. Of
    classes the windows alone are cut ahead, since which pseudo-labels join them is known late.

    Parameters
    ----------
    size
        Windows of a batch, those of all processes of the team together.
    threads
        That compute in this process.
    targets
        What is learnt of labels, or None: :meth:`Criterion.targets`.
    """

    def __init__(
        self,
        material: Material,
        pseudo_labels: PseudoLabels | None,
        team: Team,
        size: int,
        threads: int,
        targets: Callable[[Tensor], Any],
    ) -> None:
        self._material, self._pseudo_labels, self._team, self._targets = material, pseudo_labels, team, targets
        self._beside = runtime(material.device) is not None  # a device of its own, which must not wait
        self._whole = material.data.instances and pseudo_labels is None and team.size == 1
        configured = material.config.workers
        self._workers = self._enough(threads) if configured is None else configured
        self._size = size
        self._ahead = self._prefetcher()

    def __call__(self, index: int) -> TrainingBatch:
        """The batch number ``index``, a function of seed, labels and index."""
        made = self._ahead(index)
        return made if isinstance(made, TrainingBatch) else self._joined(index, *made)

    def _enough(self, threads: int) -> int:
        """Threads that prepare batches where nobody says how many."""
        if not self._beside:
            return int(self._material.device.type != "cpu" or threads < cores())
        return max(1, min(_OBJECTS if self._whole else _CLASSES, cores() - 1))

    def _prefetcher(self) -> Prefetcher[Any]:
        return Prefetcher(self._make if self._whole else self._cut, self._workers)

    def _make(self, index: int) -> TrainingBatch:
        """A batch with what is learnt of it."""
        batch = self._joined(index, *self._cut(index))
        return replace(batch, made=self._targets(batch.labels))

    def _joined(self, index: int, raw: Any, marked: Any) -> TrainingBatch:
        """Windows that were cut, and those with pseudo-labels, prepared and augmented."""
        material, part = self._material, self._team.part(self._size)
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
        self._ahead = self._prefetcher()

    def close(self) -> None:
        """End the threads."""
        self._ahead.close()

    def _share(self, index: int) -> int:
        return self._pseudo_labels.share(index, self._size) if self._pseudo_labels else 0

    def _cut(self, index: int) -> tuple[Any, Any]:
        """Raw windows: arrays, or tensors from which a GPU copies while it computes."""
        # where pseudo-labels come before the batch is needed, fewer of these windows are
        part = self._team.part(self._size)
        count = max(1, _overlap(part, self._size - self._share(index)))
        raw, marked = self._material.sampler.batch(index, count, part.start)
        return (pinned(raw), pinned(marked)) if self._beside else (raw, marked)


def _overlap(part: slice, by_hand: int) -> int:
    """How many windows of a part are among the first ``by_hand``."""
    last: int = min(by_hand, part.stop)
    return max(0, last - int(part.start))
