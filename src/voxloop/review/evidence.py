"""Places of which somebody said the truth and from which none of some models has learned. Judges no model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.geometry import Box
from voxloop.review.audit import PointAudit, audits_of
from voxloop.review.corrections import NO_STROKES
from voxloop.store import open_labels

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.review.audit import FieldAudit
    from voxloop.store.document import TrainingSet
    from voxloop.store.layout import Layout

#: pixels a side of the pieces in which a labelled set is judged: neighbours within one are no witnesses of their own
_SIDE = 64


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """A place: what is true there, and what it stands for.

    Attributes
    ----------
    at : (n, 3) voxels, zyx.
    values : (n,) class values that are true there.
    weight : how many voxels each of its voxels stands for; 1 where nobody knows.
    beside : the prediction that was on show when a stroke was painted; empty where that is not known.
    """

    at: np.ndarray
    values: np.ndarray
    weight: float = 1.0
    beside: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Units of one kind.

    Attributes
    ----------
    drawn : whether chance chose the places; else people did.
    units : the places.
    source : these in words.
    """

    drawn: bool
    units: tuple[Unit, ...]
    source: str


def drawn_units(layout: Layout, predictions: Iterable[Prediction]) -> Evidence:
    """Answers of all audits of some predictions of one image. What is said in an audit teaches no model."""
    audits = [audit for one in predictions for audit in audits_of(layout.audits, one) if audit.enough]
    points = [audit for audit in audits if isinstance(audit, PointAudit)]
    fields = [audit for audit in audits if not isinstance(audit, PointAudit)]
    units = [unit for audit in points for unit in _points(audit)]
    units += [unit for audit in fields for unit in _fields(audit)]
    words = []
    if points:
        words.append(f"{sum(len(audit.answered) for audit in points)} points checked")
    if fields:
        words.append(f"{sum(len(audit.answered) for audit in fields)} fields proof-read")
    return Evidence(True, tuple(units), " and ".join(words))


def later_strokes(layout: Layout, predictions: Sequence[Prediction], labels: Any) -> Evidence:
    """Strokes made after the latest of the models had learned, which no prediction made.

    Empty where one of the predictions does not say which labels its model saw.
    """
    seen = [seen_by(one) for one in predictions]
    known = [one for one in seen if one is not None]
    if labels is None or len(known) < len(seen):
        return Evidence(False, (), "")
    first = predictions[0]
    since = max(known)
    units = []
    with open_labels(layout.root, str(first.level), str(first.image), at=since) as before:
        for change in labels.changes(since):
            left = None if change.tool in NO_STROKES else change.unlike(before.read)
            if left is not None:
                beside = labels.history(change.sequence).get("arguments", {}).get("beside", "")
                units.append(Unit(left.at, left.values, 1.0, str(beside)))
    return Evidence(False, tuple(units), f"{len(units)} places that {_neither(len(predictions))} learned")


def units_of_set(training_set: TrainingSet, image: str, level: str, labels: Any) -> Evidence:
    """The labels of a named set on one image, in small pieces."""
    units: list[Unit] = []
    for row in training_set.rows:
        if (row.image, row.level) == (image, level):
            units += _pieces(labels, Box.whole(labels.shape) if row.box is None else row.box)
    return Evidence(True, tuple(units), f"{len(units)} places of the set {training_set.title}")


def seen_by(prediction: Prediction) -> int | None:
    """The last edit of its image that the model of a prediction may have learned from; None where nobody knows."""
    learned = prediction.lineage.get("labels") or {}
    if not learned:
        return None
    return int(learned.get(f"{prediction.level}/{prediction.image}", 0))


def _points(audit: PointAudit) -> Iterable[Unit]:
    for i, weight in audit.weights().items():
        yield Unit(np.array([audit.points[i]]), np.array([audit.said(i)]), weight)


def _fields(audit: FieldAudit) -> Iterable[Unit]:
    for i, weight in audit.weights().items():
        truth = audit.corrected(i)
        assert truth is not None
        inside = np.argwhere(truth > 0)
        origin = np.array([part.start for part in audit.fields[i]])
        yield Unit(inside + origin, truth[tuple(inside.T)].astype(np.int64), weight)


def _pieces(labels: Any, box: Box) -> Iterable[Unit]:
    """The labelled voxels of a box, cut into small squares of planes."""
    for touched in labels.touched():
        for tile in touched.box.blocks((1, _SIDE, _SIDE)):
            inner = tile.meet(box)
            if inner is None:
                continue
            values = labels.read(inner)
            inside = np.argwhere(values > 0)
            if len(inside):
                yield Unit(inside + np.array(inner.start), values[tuple(inside.T)].astype(np.int64))


def _neither(count: int) -> str:
    return "neither" if count == 2 else "none of them"
