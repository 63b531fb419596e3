"""``doctor``: strokes contradicted by models that had not seen them. Reads what a training kept; fits nothing.

Strokes that somebody looked at and kept are on record, and are not asked about again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voxloop.geometry import Box
from voxloop.shallow.record import LearningRecord, load
from voxloop.store.kept_strokes import keep_stroke, kept_strokes
from voxloop.store.values import whole

if TYPE_CHECKING:
    from voxloop.runs import Run
    from voxloop.store import Edit, Labels, Store
    from voxloop.store.changes import Change

#: voxels of a stroke that models must have been asked about
_FEWEST = 5


@dataclass(frozen=True, slots=True)
class Doubt:
    """A stroke that may be on the wrong thing.

    Attributes
    ----------
    sequence : number of its edit in the journal.
    level : name of the label level.
    image : name of the image.
    region : slices (z, y, x) of its voxels.
    label : class that was painted.
    said : class that models say which had not learned from it.
    confidence : how sure they are, 0 to 1.
    left_out : whether the training did not learn it, since all others contradict it; after ``keep`` the next one does.
    """

    sequence: int
    level: str
    image: str
    region: tuple[slice, slice, slice]
    label: str
    said: str
    confidence: float
    left_out: bool = False
    _labels: Labels = field(kw_only=True, repr=False, compare=False)
    _change: Change = field(kw_only=True, repr=False, compare=False)
    _record: Path | None = field(default=None, repr=False, compare=False)

    def keep(self) -> None:
        """The stroke is right, whatever models say: it is not asked about again. On disk when this returns."""
        if self._record is not None:
            keep_stroke(self._record, self.level, self.image, self.sequence)

    def drop(self) -> Edit:
        """Take the labels of this stroke away, as one edit that undo takes back; what others painted over it stays."""
        at, value = self._change.at, int(self._change.values[0])
        box = Box.around(at)

        def without(part: Box, current: np.ndarray) -> np.ndarray:
            inside = ((at >= part.start) & (at < part.stop)).all(axis=1)
            left = current.copy()
            z, y, x = (at[inside] - np.array(part.start)).T
            left[z, y, x] = np.where(left[z, y, x] == value, 0, left[z, y, x])
            return left

        return self._labels.edit("doctor", box, without, {"of": self.sequence})


def doubts_of(store: Store, run: Run, n: int = 20) -> list[Doubt]:
    """Doubts by what a training kept; none where it could hold nothing out. Raises ModelError where that is damaged."""
    n = whole("n", n, 0)
    record = load(run.path)
    if record is None:
        return []
    upto, labels = {}, {}
    for key, sequence in run.config["labels"].items():
        level, _, image = key.partition("/")
        if level == run.config["level"] and image in record.images:
            labels[image] = store.labels(level=level, image=image)
            upto[image] = int(sequence)
    path = store.layout.kept_strokes
    contradicted = doubts(record, labels, upto, n, kept=kept_strokes(path))
    return [replace(doubt, _record=path) for doubt in contradicted]


def doubts(
    record: LearningRecord,
    labels: Mapping[str, Labels],
    upto: Mapping[str, int],
    n: int = 20,
    *,
    kept: Collection[tuple[str, str, int]] = (),
) -> list[Doubt]:
    """Strokes that are contradicted: those that were not learned, then the others, the surest contradiction first.

    Parameters
    ----------
    record
        What the training kept.
    labels
        By name of the image.
    upto
        The last edit that the training saw, by name of the image; later strokes it cannot judge.
    kept
        Level, image and edit of strokes that are not to be asked about.
    """
    contradicted: list[Doubt] = []
    for number, image in enumerate(record.images):
        if image in labels:
            inside = record.image == number
            left_out = set(record.left_out[record.left_out[:, 0] == number, 1].tolist())
            of_image = _of_image(record, inside, labels[image], upto[image])
            contradicted += [replace(doubt, left_out=doubt.sequence in left_out) for doubt in of_image]
    asked = [doubt for doubt in contradicted if (doubt.level, doubt.image, doubt.sequence) not in kept]
    return sorted(asked, key=lambda doubt: (not doubt.left_out, -doubt.confidence))[:n]


def _of_image(record: LearningRecord, inside: np.ndarray, labels: Labels, upto: int) -> list[Doubt]:
    """Strokes on one image, up to the edit ``upto``, that the voxels ``inside`` of the record contradict."""
    if not inside.any():
        return []
    codes = _codes(record.at[inside], labels.shape)
    order = np.argsort(codes)
    codes = codes[order]
    probabilities = record.probabilities[inside][order] / np.float32(255)
    doubts_of_image = []
    for change in labels.changes(most=1 << 16):
        if change.sequence > upto:
            continue
        painted = _codes(change.at, labels.shape)
        rows = np.minimum(np.searchsorted(codes, painted), len(codes) - 1)
        rows = rows[codes[rows] == painted]
        if len(rows) < _FEWEST:
            continue
        judgement = _judged(probabilities[rows], int(change.values[0]), record.values)
        if judgement is not None:
            doubts_of_image.append(_doubt(labels, change, *judgement))
    return doubts_of_image


def _doubt(labels: Labels, change: Change, value: int, confidence: float) -> Doubt:
    """That the stroke ``change`` is of the class ``value``."""
    names = {info.value: info.name for info in labels.level.classes}
    painted = int(change.values[0])
    return Doubt(
        sequence=change.sequence,
        level=labels.level.name,
        image=labels.image,
        region=Box.around(change.at).slices,
        label=names.get(painted, str(painted)),
        said=names.get(value, str(value)),
        confidence=confidence,
        _labels=labels,
        _change=change,
    )


def _judged(probabilities: np.ndarray, painted: int, values: Sequence[int] | np.ndarray) -> tuple[int, float] | None:
    """The class that a stroke is said to be and how surely; None where it is not contradicted."""
    mean = probabilities.mean(axis=0)
    best = int(mean.argmax())
    most = int(np.bincount(probabilities.argmax(axis=1), minlength=len(mean)).argmax())
    if int(values[best]) == painted or most != best:
        return None
    return int(values[best]), float(mean[best])


def _codes(at: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """One number a voxel."""
    return np.asarray(np.ravel_multi_index(tuple(at.T), tuple(shape)))
