"""Where the annotator of the benchmark goes next: as ``ws.suggest`` says, or to the largest errors. Paints nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import PredictionError, unknown
from voxloop.geometry import Box

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace

FIELD = 64
#: what ``ws.suggest`` does by itself, and what nobody can do who does not know the truth
OURS, ORACLE = "ours", "oracle"
#: strategies that say nothing before there is a prediction
_AFTER_AN_ANSWER = ("uncertainty", "score")


@dataclass(frozen=True, slots=True)
class FieldPlace:
    """A field of a plane across z, as a suggestion says it."""

    region: tuple[slice, slice, slice]
    axis: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceWish:
    """What places are looked for.

    Attributes
    ----------
    prediction : what is to be corrected; None before any.
    truth : (z, y, x), for who may know it.
    count : how many places at most.
    seed : of what is drawn by chance.
    right : regions of places that were found right so far.
    """

    prediction: Any
    truth: np.ndarray
    count: int
    seed: int
    right: Sequence[tuple[slice, slice, slice]] = ()


#: to places, the first one first
Placing = Callable[["Workspace", PlaceWish], Sequence[Any]]


def placing_named(name: str) -> Placing:
    """How places are chosen: ``ours``, ``oracle``, or a strategy of ``ws.suggest``. Raises PredictionError."""
    from voxloop.review import STRATEGIES

    if name == ORACLE:
        return _oracle
    if name != OURS and name not in STRATEGIES:
        raise PredictionError(unknown("strategy", name, (OURS, ORACLE, "all", *STRATEGIES)))
    return partial(_suggested, "gain" if name == OURS else name)


def _suggested(strategy: Any, ws: Workspace, wish: PlaceWish) -> Sequence[Any]:
    """What ``ws.suggest`` says, of predictions in memory too; by chance where a strategy needs a prediction first."""
    from voxloop.review import Ground, suggest
    from voxloop.volumes import read_block

    if wish.prediction is None and strategy in _AFTER_AN_ANSWER:
        strategy = "random"
    labels = ws.labels()
    info = ws.images.info(labels.image)
    ground = Ground(
        image=labels.image,
        read=partial(read_block, ws.images.open(labels.image)),
        shape=info.shape,
        spacing_um=info.spacing_um,
        frames=info.z_kind == "frame",
        predictions=[] if wish.prediction is None else [wish.prediction],
        labels=labels,
        # the same tool for each way to choose: what was found right is not gone to again
        seen=[Box.of(region, info.shape) for region in wish.right],
    )
    return suggest([ground], wish.count, strategy=strategy, seed=wish.seed)


def _oracle(ws: Workspace, wish: PlaceWish) -> Sequence[Any]:
    """The fields with most voxels that are wrong; before an answer, those of ``ours``."""
    if wish.prediction is None:
        return _suggested("gain", ws, wish)
    wrong = (np.asarray(wish.prediction.labels) != wish.truth) & (wish.truth > 0)
    boxes = fields(wish.truth.shape)
    errors = np.array([wrong[box.slices].sum() for box in boxes])
    order = np.argsort(-errors, kind="stable")[: wish.count]
    return [FieldPlace(boxes[at].slices, "z", boxes[at].start[0]) for at in order]


def fields(shape: Sequence[int]) -> list[Box]:
    """All fields of all planes across z."""
    return list(Box.whole(shape).blocks((1, FIELD, FIELD)))
