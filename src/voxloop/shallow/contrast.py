"""How much neighbours differ as a rule, from the places that were labelled. Knows no classifier, no files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voxloop.shallow.features import FeatureBank
from voxloop.shallow.gathering import BlockSource, features_at
from voxloop.shallow.lattice import choose_compared
from voxloop.shallow.pieces import LabelledSupervoxels
from voxloop.shallow.refinement import Kind

#: voxels that are compared with their neighbours
_COMPARED = 2000


def of_voxels(
    bank: FeatureBank, kind: Kind, seen: Sequence[tuple[BlockSource, np.ndarray]], threads: int = 1
) -> tuple[float, ...]:
    """Mean squared difference of each number that voxels are compared by, between neighbours within planes.

    ``seen`` are images and voxels (n, 3) of theirs, some of which are looked at.
    """
    if kind == "potts":
        return ()
    compared = choose_compared(bank, kind)
    step = max(1, sum(len(at) for _, at in seen) // _COMPARED)
    squares = [np.empty((0, compared.count))]
    for source, every in seen:
        at = every[::step]
        for axis in (1, 2):
            there = at[at[:, axis] + 1 < source.shape[axis]]
            next_one = there + np.eye(3, dtype=np.int64)[axis]
            both = features_at(source, compared, np.concatenate([there, next_one]), threads)
            squares.append((both[: len(there)] - both[len(there) :]) ** 2)
    return _mean(np.concatenate(squares).sum(axis=0), sum(map(len, squares)))


def of_supervoxels(kind: Kind, found: Sequence[LabelledSupervoxels]) -> tuple[float, ...]:
    """The same of supervoxels that touch: their descriptors, or the intensity across their common face."""
    if kind == "potts":
        return ()
    many, steps, *numbers = np.sum([pieces.pairs for pieces in found], axis=0)
    return _mean(np.array([steps] if kind == "edge" else numbers), many)


def _mean(total: np.ndarray, many: float) -> tuple[float, ...]:
    return tuple(float(value) / max(many, 1) for value in total)
