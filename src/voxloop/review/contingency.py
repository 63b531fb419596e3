"""How often each value of the truth meets each value of a prediction: gathered block by block. Pure numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

_DENSE = 1 << 16  # products of value ranges up to this are counted without renumbering


@dataclass(frozen=True, slots=True)
class ContingencyTable:
    """Pairs of values and how many voxels have them; each pair once, sorted by truth, then prediction."""

    truth: np.ndarray
    prediction: np.ndarray
    voxels: np.ndarray

    @property
    def total(self) -> int:
        return int(self.voxels.sum())

    def without_truth(self, value: int) -> ContingencyTable:
        """The table of the voxels whose truth is another."""
        keep = self.truth != value
        return ContingencyTable(self.truth[keep], self.prediction[keep], self.voxels[keep])


def count(truth: np.ndarray, prediction: np.ndarray) -> ContingencyTable:
    """The table of two arrays of one shape, whole numbers from 0."""
    if truth.size == 0:
        return empty()
    rows, columns = int(truth.max()) + 1, int(prediction.max()) + 1
    if rows * columns <= _DENSE:
        return _bins(truth, prediction, np.arange(rows), np.arange(columns))
    import fastremap

    few_truth, names = fastremap.renumber(np.ascontiguousarray(truth).ravel(), in_place=False)
    few_prediction, others = fastremap.renumber(np.ascontiguousarray(prediction).ravel(), in_place=False)
    return _bins(few_truth, few_prediction, _originals(names), _originals(others))


def count_on_labelled(truth: np.ndarray, made: np.ndarray, labelled: np.ndarray) -> ContingencyTable:
    """The table of objects (z, y, x) on labelled voxels; 0 is no object.

    An object that lies mostly where nobody labelled, in the planes that hold labels, is neither right nor wrong: it
    counts as none.
    """
    planes = labelled.any(axis=(1, 2))
    highest = int(made.max(initial=0)) + 1
    inside = np.bincount(made[labelled], minlength=highest)
    whole = np.bincount(made[planes].ravel(), minlength=highest)
    judged = np.where((2 * inside < whole)[made], 0, made)
    return count(truth[labelled], judged[labelled])


def _originals(names: Any) -> np.ndarray:
    values = np.zeros(max(names.values()) + 1, np.int64)
    values[list(names.values())] = list(names.keys())
    return values


def _bins(truth: np.ndarray, prediction: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> ContingencyTable:
    code = truth.ravel().astype(np.int64)
    code *= len(columns)
    code += prediction.ravel().astype(np.int64)
    if len(rows) * len(columns) <= 1 << 22:
        voxels = np.bincount(code, minlength=len(rows) * len(columns))
        found = np.flatnonzero(voxels)
        voxels = voxels[found]
    else:
        found, voxels = np.unique(code, return_counts=True)
    return merge([ContingencyTable(rows[found // len(columns)], columns[found % len(columns)], voxels)])


def empty() -> ContingencyTable:
    return ContingencyTable(*(np.zeros(0, np.int64) for _ in range(3)))


def merge(tables: list[ContingencyTable]) -> ContingencyTable:
    """The table of all voxels of several."""
    truth = np.concatenate([t.truth for t in tables]) if tables else np.zeros(0, np.int64)
    prediction = np.concatenate([t.prediction for t in tables]) if tables else np.zeros(0, np.int64)
    voxels = np.concatenate([t.voxels for t in tables]) if tables else np.zeros(0, np.int64)
    if not len(truth):
        return empty()
    pairs, where = np.unique(np.stack([truth, prediction]).astype(np.int64), axis=1, return_inverse=True)
    sums = np.zeros(pairs.shape[1], np.int64)
    np.add.at(sums, where.ravel(), voxels)
    return ContingencyTable(pairs[0], pairs[1], sums)
