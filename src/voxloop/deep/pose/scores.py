"""How good places are: distances, PCK, object keypoint similarity (OKS), precision and recall of points. Pure numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

#: how exactly people place a node, as a share of the size of an animal; that of SLEAP
KEYPOINT_SPREAD = 0.025
#: similarities above which an instance counts as found, over which mAP is the mean
THRESHOLDS = np.arange(0.5, 0.96, 0.05)
_RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True, slots=True, eq=False)
class FramePairs:
    """Instances of one frame, those that are true and those that were predicted, matched to each other.

    Attributes
    ----------
    pairs
        (pair, 2): number of the true one, number of the predicted one.
    similarity
        (true, predicted) OKS, 0 to 1.
    distances
        (pair, node) pixels; NaN where either is not placed.
    """

    true: int
    scores: np.ndarray
    pairs: np.ndarray
    similarity: np.ndarray
    distances: np.ndarray
    sizes: np.ndarray


@dataclass(frozen=True, slots=True)
class PlaceScores:
    """Loss and measures of an epoch, as its event carries them."""

    loss: float
    measures: dict[str, float] = field(default_factory=dict)

    def to_event(self, names: Sequence[str]) -> dict[str, Any]:
        """Loss and measures by name; ``names`` of channels are in those of the measures already."""
        return {"loss": self.loss, **self.measures}


def oks(true: np.ndarray, predicted: np.ndarray, spread: float = KEYPOINT_SPREAD) -> np.ndarray:
    """Object keypoint similarity (true, predicted) of two sets of instances (instance, node, axis), NaN: not placed.

    As COCO defines it: the mean over the true nodes of exp(-d^2 / (2 s^2 (2 spread)^2)), where s^2 is the area of the
    box around the true instance; a node that was not predicted counts 0.
    """
    area = _areas(true)
    away = ((true[:, None] - predicted[None]) ** 2).sum(3)
    with np.errstate(invalid="ignore"):
        close = np.exp(-away / (2 * area[:, None, None] * (2 * spread) ** 2))
    placed = ~np.isnan(true).any(2)
    close = np.where(np.isnan(close), 0, close) * placed[:, None]
    return np.asarray(close.sum(2) / np.maximum(1, placed.sum(1))[:, None])


def match(true: np.ndarray, predicted: np.ndarray, scores: np.ndarray) -> FramePairs:
    """Pair the instances of a frame so that they agree best over all (Hungarian over OKS)."""
    similarity = oks(true, predicted)
    rows, columns = linear_sum_assignment(-similarity)
    real = similarity[rows, columns] > 0
    pairs = np.column_stack([rows[real], columns[real]])
    distances = np.linalg.norm(true[pairs[:, 0]] - predicted[pairs[:, 1]], axis=2)
    return FramePairs(len(true), scores, pairs, similarity, distances, np.sqrt(_areas(true)))


def summary(frames: Sequence[FramePairs], nodes: Sequence[str]) -> dict[str, float]:
    """Measures over frames, by name.

    ``oks_map`` and ``oks_mar`` (mean average precision and recall over OKS 0.5 to 0.95), ``pck`` (share of true nodes
    within a fifth of the size of their animal), ``median_px``, ``p95_px``, ``within_3px`` and one ``median_px/node``
    each. NaN where nothing is there to measure.
    """
    found = [average_precision(frames, threshold) for threshold in THRESHOLDS]
    distances = np.concatenate([frame.distances.ravel() for frame in frames]) if frames else np.empty(0)
    shares = [frame.distances / frame.sizes[frame.pairs[:, 0], None] for frame in frames if len(frame.pairs)]
    known = distances[~np.isnan(distances)]
    out = {
        "oks_map": float(np.mean([precision for precision, _ in found])),
        "oks_mar": float(np.mean([recall for _, recall in found])),
        "pck": _mean(np.concatenate([s[~np.isnan(s)] for s in shares]) < 0.2) if shares else float("nan"),
        "median_px": float(np.median(known)) if len(known) else float("nan"),
        "p95_px": float(np.percentile(known, 95)) if len(known) else float("nan"),
        "within_3px": _mean(known <= 3),
    }
    for number, name in enumerate(nodes):
        own = np.concatenate([frame.distances[:, number] for frame in frames]) if frames else np.empty(0)
        own = own[~np.isnan(own)]
        out[f"median_px/{name}"] = float(np.median(own)) if len(own) else float("nan")
    return out


def average_precision(frames: Sequence[FramePairs], threshold: float) -> tuple[float, float]:
    """Average precision (101 recalls) and recall of instances at an OKS threshold; NaN without true ones."""
    right, sure, total = [], [], sum(frame.true for frame in frames)
    if not total:
        return float("nan"), float("nan")
    for frame in frames:
        hit = np.zeros(len(frame.scores), bool)
        for one, other in frame.pairs:
            hit[other] = frame.similarity[one, other] >= threshold
        right.append(hit)
        sure.append(frame.scores)
    order = np.argsort(-np.concatenate(sure), kind="stable")
    hits = np.cumsum(np.concatenate(right)[order])
    recall = hits / total
    precision = hits / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, _RECALLS, side="left")
    values = np.where(at < len(best), best[np.minimum(at, max(0, len(best) - 1))], 0.0) if len(best) else np.zeros(101)
    return float(values.mean()), float(recall[-1]) if len(recall) else 0.0


def found_points(true: np.ndarray, predicted: np.ndarray, tolerance: float) -> tuple[int, int, int]:
    """Points that were found, made up, missed: each true one has at most one predicted within ``tolerance``.

    ``true`` and ``predicted`` are (point, axis) in the unit of ``tolerance``.
    """
    if not len(true) or not len(predicted):
        return 0, len(predicted), len(true)
    away = np.linalg.norm(true[:, None] - predicted[None], axis=2)
    close = away <= tolerance
    rows, columns = linear_sum_assignment(np.where(close, away - 1e6, 0.0))
    hits = int(close[rows, columns].sum())
    return hits, len(predicted) - hits, len(true) - hits


def f_score(hits: int, made_up: int, missed: int) -> float:
    """F1; NaN where there is neither."""
    total = 2 * hits + made_up + missed
    return 2 * hits / total if total else float("nan")


def _areas(instances: np.ndarray) -> np.ndarray:
    """Of the box around each instance, in square pixels; at least 1."""
    if not len(instances):
        return np.ones(0)
    with np.errstate(all="ignore"):
        sides = np.nanmax(instances, axis=1) - np.nanmin(instances, axis=1)
    return np.asarray(np.maximum(1.0, np.nan_to_num(np.prod(sides, axis=1), nan=1.0)))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
