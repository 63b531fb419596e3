"""The scores of a segmentation as a value that shows itself. Computes nothing."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How good a segmentation is. Scores are 0..1; nan where a class is in neither truth nor prediction.

    ``iou``, ``dice``, ``precision`` and ``recall`` are means over foreground classes; ``iou_interval`` is the 90 %
    interval of ``iou`` by bootstrap over blocks. For instances these treat objects as one foreground, and ``ap``
    (by overlap, 0.5 to 0.95), ``pq``, ``f1``, ``arand`` and the two parts of the variation of information (bits) say
    how well objects are told apart; None for classes. ``missed`` are the voxels of classes that are in the truth and
    were not learned: they lower the scores of what they were taken for, and have no part in the means.

    Examples
    --------
    >>> report = vl.evaluate(np.where(truth > 2, 1, 2), np.where(truth > 0, 1, 2))
    >>> round(report.iou_per_class["1"], 2)
    0.5
    """

    iou: float
    iou_interval: tuple[float, float]
    dice: float
    precision: float
    recall: float
    accuracy: float
    voxels: int
    iou_per_class: dict[str, float]
    dice_per_class: dict[str, float]
    precision_per_class: dict[str, float]
    recall_per_class: dict[str, float]
    foreground: tuple[str, ...]
    excluded: int = 0
    missed: dict[str, int] = field(default_factory=dict)  # voxels of classes that were not learned
    ap: dict[float, float] | None = None
    pq: float | None = None
    f1: float | None = None
    arand: float | None = None
    voi_split: float | None = None
    voi_merge: float | None = None
    objects: tuple[int, int] | None = field(default=None)  # in truth, in prediction

    @property
    def ap50(self) -> float | None:
        """Average precision at an overlap of one half."""
        return None if self.ap is None else self.ap[0.5]

    @property
    def ap_mean(self) -> float | None:
        """Mean of the average precisions at overlaps 0.5, 0.55, ... 0.95."""
        return None if self.ap is None else sum(self.ap.values()) / len(self.ap)

    @property
    def voi(self) -> float | None:
        """Variation of information, bits."""
        return None if self.voi_split is None or self.voi_merge is None else self.voi_split + self.voi_merge

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; nan as None, overlaps as text."""
        found = {item.name: getattr(self, item.name) for item in fields(self)}
        found |= {"ap50": self.ap50, "voi": self.voi}
        return {name: _plain(value) for name, value in found.items()}

    def rows(self) -> list[tuple[str, str]]:
        """Names and values as they are shown."""
        low, high = self.iou_interval
        rows = [("IoU", f"{_number(self.iou)} (90 % {_number(low)} to {_number(high)})"), ("Dice", _number(self.dice))]
        rows += [("precision", _number(self.precision)), ("recall", _number(self.recall))]
        rows += [(f"IoU {name}", _number(value)) for name, value in self.iou_per_class.items()]
        if self.ap is not None:
            rows += [("AP@0.5", _number(self.ap50)), ("AP@0.5:0.95", _number(self.ap_mean))]
            rows += [("PQ", _number(self.pq)), ("F1", _number(self.f1)), ("ARAND", _number(self.arand))]
            rows += [("VOI split + merge", f"{_number(self.voi_split)} + {_number(self.voi_merge)} bits")]
        if self.objects is not None:
            rows.append(("objects", f"{self.objects[1]:,} for {self.objects[0]:,}"))
        rows += [
            ("not learned", f"{name}: all {count:,} voxels of it are missed") for name, count in self.missed.items()
        ]
        left_out = f", {self.excluded:,} left out" if self.excluded else ""
        return [*rows, ("voxels", f"{self.voxels:,}{left_out}")]

    def __repr__(self) -> str:
        return "Report(" + "; ".join(f"{name} {value}" for name, value in self.rows()) + ")"

    def _repr_html_(self) -> str:
        cells = (f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in self.rows())
        return f"<table class='voxloop-report'>{''.join(cells)}</table>"


def _number(value: float | None) -> str:
    return "none" if value is None or math.isnan(value) else f"{value:.3f}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
