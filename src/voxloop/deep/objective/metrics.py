"""Measures of a contingency table, class by class. Pure: a table in, numbers out; NaN where they are not defined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

#: measures that are told for each class, in the order in which they are offered
PER_CLASS = ("iou", "dice", "precision", "recall", "accuracy")


@dataclass(frozen=True, slots=True)
class WindowScores:
    """Loss and measures of labelled voxels, class by class in the order of the classes.

    ``accuracy`` is of one class against the rest; ``pixel_accuracy`` the share of voxels that are right; ``objects``
    measures of separate objects, where they are what is learnt.
    """

    loss: float
    iou: tuple[float, ...]
    dice: tuple[float, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    accuracy: tuple[float, ...]
    pixel_accuracy: float
    objects: dict[str, float] = field(default_factory=dict)

    def to_event(self, names: Sequence[str]) -> dict[str, Any]:
        """As an epoch event carries them: a dict a measure, by class name."""
        measures = {name: dict(zip(names, getattr(self, name), strict=True)) for name in PER_CLASS}
        return {"loss": self.loss, **self.objects, **measures, "pixel_accuracy": self.pixel_accuracy}

    def mean(self, measure: str) -> float:
        """Of one of :data:`PER_CLASS` over the classes that occurred, or a measure of objects; 0 where undefined."""
        values = [self.objects[measure]] if measure in self.objects else getattr(self, measure)
        defined = [value for value in values if value == value]
        return sum(defined) / len(defined) if defined else 0.0


def scores_of(table: np.ndarray, loss: float) -> WindowScores:
    """Measures of a table (truth, predicted) of voxel counts.

    A class that has no truth is not scored (NaN), since on sparse labels its absence says nothing; precision is NaN
    as well where the class was never predicted.
    """
    table = table.astype(float)
    hit, truth, predicted, total = np.diag(table), table.sum(1), table.sum(0), table.sum()
    occurs = truth > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        measures = {
            "iou": hit / (truth + predicted - hit),
            "dice": 2 * hit / (truth + predicted),
            "precision": hit / predicted,
            "recall": hit / truth,
            "accuracy": (total - truth - predicted + 2 * hit) / total,
        }
        right = hit.sum() / total
    per_class: dict[str, Any] = {
        name: tuple(np.where(occurs, values, np.nan).tolist()) for name, values in measures.items()
    }
    return WindowScores(loss=loss, **per_class, pixel_accuracy=float(right))
