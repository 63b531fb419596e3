"""Scores from a contingency table. Pure; memory grows with pairs of values, never with voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxloop.review.contingency import ContingencyTable


@dataclass(frozen=True, slots=True)
class Counts:
    """True positives, false positives, false negatives of each class, voxels."""

    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray

    @property
    def iou(self) -> np.ndarray:
        """Intersection over union; nan where a class is in neither."""
        return _ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def dice(self) -> np.ndarray:
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def precision(self) -> np.ndarray:
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> np.ndarray:
        return _ratio(self.tp, self.tp + self.fn)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(whole > 0, part / whole, np.nan))


def class_counts(table: ContingencyTable, values: Sequence[int]) -> Counts:
    """Counts of the classes ``values``, in their order."""
    same = table.truth == table.prediction
    tp, fp, fn = (np.zeros(len(values), np.int64) for _ in range(3))
    for i, value in enumerate(values):
        tp[i] = table.voxels[same & (table.truth == value)].sum()
        fn[i] = table.voxels[~same & (table.truth == value)].sum()
        fp[i] = table.voxels[~same & (table.prediction == value)].sum()
    return Counts(tp, fp, fn)


def accuracy(table: ContingencyTable) -> float:
    """Share of voxels that are right; nan of none."""
    right = table.voxels[table.truth == table.prediction].sum()
    return float(right / table.total) if table.total else float("nan")


def _sums(names: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    """Voxels of each name."""
    _, where = np.unique(names, return_inverse=True)
    return np.bincount(where, weights=voxels)


def rand_error(table: ContingencyTable) -> float:
    """Adapted Rand error (SNEMI3D): 1 - F1 of pairs of voxels that belong together; truth 0 is left out."""
    inside = table.without_truth(0)
    pairs = float((inside.voxels.astype(float) ** 2).sum()) - inside.total
    truth = float((_sums(inside.truth, inside.voxels) ** 2).sum()) - inside.total
    prediction = float((_sums(inside.prediction, inside.voxels) ** 2).sum()) - inside.total
    return 1 - 2 * pairs / (truth + prediction) if truth + prediction > 0 else 0.0


def information(table: ContingencyTable) -> tuple[float, float]:
    """Variation of information, bits: (split, merge) = (H(prediction | truth), H(truth | prediction)); no truth 0."""
    inside = table.without_truth(0)
    if not inside.total:
        return 0.0, 0.0
    joint, truth, prediction = (
        _entropy(sums, inside.total)
        for sums in (
            inside.voxels.astype(float),
            _sums(inside.truth, inside.voxels),
            _sums(inside.prediction, inside.voxels),
        )
    )
    return max(0.0, joint - truth), max(0.0, joint - prediction)


def _entropy(sums: np.ndarray, total: int) -> float:
    share = sums / total
    return float(-(share * np.log2(share)).sum())


@dataclass(frozen=True, slots=True)
class Matching:
    """Objects of truth and prediction that are one another at some overlap."""

    matched: int
    missed: int
    extra: int
    overlap: float  # sum of IoU over matched pairs

    @property
    def precision(self) -> float:
        """Average precision of the data science bowl: matched / (matched + missed + extra); 1 of nothing."""
        whole = self.matched + self.missed + self.extra
        return self.matched / whole if whole else 1.0

    @property
    def f1(self) -> float:
        whole = 2 * self.matched + self.missed + self.extra
        return 2 * self.matched / whole if whole else 1.0

    @property
    def quality(self) -> float:
        """Panoptic quality (Kirillov et al. 2019)."""
        whole = self.matched + 0.5 * (self.missed + self.extra)
        return self.overlap / whole if whole else 1.0


def match(table: ContingencyTable, threshold: float = 0.5) -> Matching:
    """Match objects one to one where their IoU reaches ``threshold``; 0 is no object on either side."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    truths, rows = np.unique(table.truth, return_inverse=True)
    predictions, columns = np.unique(table.prediction, return_inverse=True)
    size_truth, size_prediction = _sums(table.truth, table.voxels), _sums(table.prediction, table.voxels)
    overlap = table.voxels / (size_truth[rows] + size_prediction[columns] - table.voxels)
    good = (table.truth > 0) & (table.prediction > 0) & (overlap >= threshold)
    count_truth, count_prediction = int((truths > 0).sum()), int((predictions > 0).sum())
    if not good.any():
        return Matching(0, count_truth, count_prediction, 0.0)
    shape = (len(truths), len(predictions))
    places = rows[good].astype(np.int32), columns[good].astype(np.int32)  # older SciPy matches no wider ones
    graph = csr_array((np.ones(good.sum(), np.int8), places), shape=shape)
    partner = maximum_bipartite_matching(graph, perm_type="column")
    chosen = good & (partner[rows] == columns)
    matched = int(chosen.sum())
    return Matching(matched, count_truth - matched, count_prediction - matched, float(overlap[chosen].sum()))


def bootstrap(counts: np.ndarray, chosen: Sequence[int], *, draws: int = 1000, seed: int = 0) -> tuple[float, float]:
    """90 % interval of the mean IoU over the classes ``chosen`` by drawing blocks with replacement.

    ``counts`` is (blocks, classes, 3): tp, fp, fn. Blocks, not voxels, because neighbouring voxels are no independent
    evidence. (nan, nan) of fewer than two blocks.
    """
    counts = counts[counts.sum(axis=(1, 2)) > 0][:, list(chosen)]
    if len(counts) < 2 or not len(chosen):
        return float("nan"), float("nan")
    often = np.random.default_rng(seed).multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=draws)
    drawn = np.tensordot(often, counts, 1)
    iou = Counts(drawn[..., 0], drawn[..., 1], drawn[..., 2]).iou
    iou = iou[np.isfinite(iou).any(axis=1)]
    low, high = np.percentile(np.nanmean(iou, axis=1), [5, 95])
    return float(low), float(high)
