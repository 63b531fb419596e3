"""Where the annotator of the benchmark goes next: ours, by chance, by doubt alone, or to the largest errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import PredictionError
from voxloop.geometry import Box

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace

FIELD = 64


@dataclass(frozen=True, slots=True)
class Place:
    """A field of a plane across z, as a suggestion says it."""

    region: tuple[slice, slice, slice]
    axis: str
    index: int


#: (workspace, prediction, truth, how many, seed) to places, the first one first
Strategy = Callable[["Workspace", Any, np.ndarray, int, int], Sequence[Any]]


def strategy_named(name: str) -> Strategy:
    """One of :data:`STRATEGIES`; any other name is a strategy that ``ws.suggest`` knows."""
    if name in STRATEGIES:
        return STRATEGIES[name]
    return lambda ws, prediction, truth, n, seed: _suggested(ws, prediction, n, strategy=name)


def _suggested(ws: Workspace, prediction: Any, n: int, **settings: Any) -> Sequence[Any]:
    from voxloop.review import suggest

    try:
        return suggest(prediction, n, labels=ws.labels(prediction.level, prediction.image), **settings)
    except TypeError as error:
        if not settings:
            raise
        raise PredictionError(
            f"there is no strategy {settings['strategy']!r}; use one of {', '.join(WORDS)}"
        ) from error


def _ours(ws: Workspace, prediction: Any, truth: np.ndarray, n: int, seed: int) -> Sequence[Any]:
    return _suggested(ws, prediction, n)


def _random(ws: Workspace, prediction: Any, truth: np.ndarray, n: int, seed: int) -> Sequence[Place]:
    chosen = np.random.default_rng([seed, n]).permutation(len(fields(truth.shape)))[:n]
    return [_place(fields(truth.shape)[at]) for at in chosen]


def _unsure(ws: Workspace, prediction: Any, truth: np.ndarray, n: int, seed: int) -> Sequence[Place]:
    """The least sure fields by the mean margin, however close together."""
    from voxloop.review.confidence import Confidence

    confidence = Confidence(prediction)
    labels = ws.labels(prediction.level, prediction.image)

    def doubt(box: Box) -> float:
        return float(np.where(labels.read(box) > 0, 0, confidence.unsure(box)).mean())

    return _best(truth.shape, doubt, n)


def _oracle(ws: Workspace, prediction: Any, truth: np.ndarray, n: int, seed: int) -> Sequence[Place]:
    """The fields with most voxels that are wrong: nobody knows these but who knows the truth."""
    wrong = (np.asarray(prediction.labels) != truth) & (truth > 0)
    return _best(truth.shape, lambda box: float(wrong[box.slices].sum()), n)


def _best(shape: Sequence[int], worth: Callable[[Box], float], n: int) -> list[Place]:
    boxes = fields(shape)
    values = np.array([worth(box) for box in boxes])
    return [_place(boxes[at]) for at in np.argsort(-values, kind="stable")[:n]]


def fields(shape: Sequence[int]) -> list[Box]:
    """All fields of all planes across z."""
    return list(Box.whole(shape).blocks((1, FIELD, FIELD)))


def _place(box: Box) -> Place:
    return Place(box.slices, "z", box.start[0])


STRATEGIES: Mapping[str, Strategy] = {
    "ours": _ours,
    "random": _random,
    "uncertainty": _unsure,
    "oracle": _oracle,
}
#: strategies in words
WORDS = {
    "ours": "ws.suggest as it opens",
    "random": "fields drawn by chance",
    "uncertainty": "the least sure fields, however close together",
    "oracle": "the fields with most errors",
}
