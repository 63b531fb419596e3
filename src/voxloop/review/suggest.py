"""``suggest``: where a correction would teach most. Streams over the uncertainty; keeps a few candidates, no volume."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from voxloop.errors import PredictionError
from voxloop.geometry import Box, Shape
from voxloop.review.confidence import Confidence
from voxloop.review.reading import Readable, readable, same_shape, walk

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.store import Labels

_FIELD = 64  # pixels a side of what is looked at together
_CANDIDATES = 512
_BLOCK = (16, 256, 256)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A place to correct: a piece of the plane across ``axis`` at ``index``.

    ``box`` in voxels, ``centre`` the middle of what is unsure in it; ``score`` 0..1 falls along the list; ``reason`` is
    a sentence.
    """

    axis: str
    index: int
    box: Box
    centre: tuple[float, float, float]
    score: float
    reason: str

    @property
    def region(self) -> tuple[slice, slice, slice]:
        """The box as slices (z, y, x), for indexing."""
        return self.box.slices


@dataclass(frozen=True, slots=True)
class _Candidate:
    score: float
    box: Box
    centre: tuple[float, float, float]
    share: float


def suggest(
    prediction: Prediction,
    n: int = 8,
    *,
    labels: Labels | None = None,
    region: object = None,
) -> list[Suggestion]:
    """Where to correct next, best first: the least sure pieces of planes, no two of them close together.

    Parameters
    ----------
    n
        How many at most.
    labels
        Voxels labelled here are known and count as sure.
    region
        Slices (z, y, x) in which to look; None for all that was predicted.

    Raises
    ------
    PredictionError
        ``n`` is not positive, or the prediction kept neither probabilities nor uncertainty.
    """
    if n < 1:
        raise PredictionError(f"n={n} suggestions are none; ask for at least one")
    ours = readable(prediction, "the prediction")
    known = None if labels is None else readable(labels, "the labels")
    if known is not None:
        same_shape(known, ours, ("the labels", "the prediction"))
    box = Box.of(region, ours.shape)
    inside = box if ours.box is None else box.meet(ours.box)
    if inside is None:
        return []
    best: list[tuple[float, int, _Candidate]] = []
    for order, candidate in enumerate(_candidates(Confidence(prediction), ours, known, inside)):
        heapq.heappush(best, (candidate.score, -order, candidate))
        if len(best) > _CANDIDATES:
            heapq.heappop(best)
    spread = _spread([candidate for *_, candidate in sorted(best, reverse=True)], n, ours)
    names = {info.value: info.name for info in prediction.classes}
    return [Suggestion("z", c.box.start[0], c.box, c.centre, score, _reason(c, ours, names)) for c, score in spread]


def _candidates(confidence: Confidence, ours: Readable, known: Readable | None, inside: Box) -> Iterator[_Candidate]:
    for block in walk(inside, block=_BLOCK, at_most=2**62):
        unsure = confidence.unsure(block)
        sure = ours.read(block) == 0  # not predicted (yet)
        if known is not None:
            sure |= known.read(block) != 0
        unsure = np.where(sure, 0, unsure)
        for z, plane in enumerate(unsure):
            yield from _in_plane(plane, block, z)


def _in_plane(plane: np.ndarray, block: Box, z: int) -> Iterator[_Candidate]:
    """The fields of one plane that hold anything unsure. A field counts by its mean, and its worst voxels twice."""
    for top in range(0, plane.shape[0], _FIELD):
        for left in range(0, plane.shape[1], _FIELD):
            part = plane[top : top + _FIELD, left : left + _FIELD]
            total = float(part.sum(dtype=np.int64))
            if total == 0:
                continue
            doubtful = part >= 128
            score = (total + float(part[doubtful].sum(dtype=np.int64))) / (2 * 255 * part.size)
            rows, columns = (part.sum(axis=axis, dtype=np.int64) for axis in (1, 0))
            box = Box.at((z, top, left), (1, *part.shape)).shift(block.start)
            y = box.start[1] + float(rows @ np.arange(len(rows))) / total
            x = box.start[2] + float(columns @ np.arange(len(columns))) / total
            yield _Candidate(score, box, (float(box.start[0]), y, x), float(doubtful.mean()))


def _spread(candidates: list[_Candidate], n: int, ours: Readable) -> list[tuple[_Candidate, float]]:
    """Take the best, discount what lies near it (a correction there teaches the same), and so on."""
    if not candidates:
        return []
    reach = _reach(ours.shape, ours)
    places = np.array([c.centre for c in candidates]) / reach
    scores = np.array([c.score for c in candidates])
    chosen: list[tuple[_Candidate, float]] = []
    while len(chosen) < min(n, len(candidates)):
        best = int(scores.argmax())
        if scores[best] <= 0:
            break
        chosen.append((candidates[best], float(scores[best])))
        away = ((places - places[best]) ** 2).sum(axis=1)
        scores = scores * (1 - np.exp(-0.5 * away))
        scores[best] = 0
    return chosen


def _reach(shape: Shape, ours: Readable) -> np.ndarray:
    """How far a correction tells about its surroundings: a field in the plane, as far across it in micrometres."""
    z, y, x = ours.spacing_um or (1.0, 1.0, 1.0)
    return np.array([max(1.0, min(_FIELD * min(y, x) / z, shape[0] / 8)), _FIELD, _FIELD])


def _reason(candidate: _Candidate, ours: Readable, names: dict[int, str]) -> str:
    values, counts = np.unique(ours.read(candidate.box), return_counts=True)
    common = [names[int(v)] for v in values[np.argsort(counts)[::-1]] if int(v) in names][:2]
    between = f"between {common[0]} and {common[1]}" if len(common) == 2 else f"about {common[0]}" if common else ""
    return f"unsure {between} in {max(candidate.share, 0.01):.0%} of this field".replace("  ", " ")
