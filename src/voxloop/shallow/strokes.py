"""Which stroke each labelled voxel is of, by the journal. Knows no classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from voxloop.geometry import Shape
from voxloop.shallow.samples import LabelledVoxels
from voxloop.store.changes import Change

#: tools that draw nothing by hand
BY_NO_HAND = ("accept", "load", "write", "restore", "doctor")
#: edits beyond which none of them decides anything, and nobody asks which voxel is of which
MOST_EDITS = 2000
#: voxels beyond which an edit is no stroke
_LARGEST = 1 << 16


class StrokeSource(Protocol):
    """What is needed of a label array."""

    @property
    def sequence(self) -> int: ...
    @property
    def shape(self) -> Shape: ...
    def changes(self, since: int = 0, most: int = 4096) -> Sequence[Change]: ...


def with_strokes(labelled: LabelledVoxels, labels: StrokeSource) -> LabelledVoxels:
    """The labelled voxels of an image with the strokes that they are of; without them where edits are very many."""
    if labels.sequence > MOST_EDITS or not len(labelled):
        return labelled
    codes = _codes(labelled.at, labels.shape)
    order = np.argsort(codes)
    strokes = np.zeros(len(labelled), np.int64)
    for change in labels.changes(0, _LARGEST):
        if change.tool in BY_NO_HAND or len(change.at) >= _LARGEST:
            continue
        painted = _codes(change.at, labels.shape)
        rows = order[np.minimum(np.searchsorted(codes, painted, sorter=order), len(codes) - 1)]
        strokes[rows[codes[rows] == painted]] = change.sequence
    return LabelledVoxels(labelled.at, labelled.values, strokes)


def _codes(at: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """One number a voxel."""
    return np.asarray(np.ravel_multi_index(tuple(at.T), tuple(shape)))
