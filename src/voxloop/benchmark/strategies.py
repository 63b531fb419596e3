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


@dataclass(frozen=True, slots=True)
class FieldPlace:
    """A field of a plane across z, as a suggestion says it."""

    region: tuple[slice, slice, slice]
    axis: str
    index: int


#: (workspace, prediction, truth, how many, seed) to places, the first one first
Placing = Callable[["Workspace", Any, np.ndarray, int, int], Sequence[Any]]


def placing_named(name: str) -> Placing:
    """How places are chosen: ``ours``, ``oracle``, or a strategy of ``ws.suggest``. Raises PredictionError."""
    from voxloop.review import STRATEGIES

    if name == ORACLE:
        return _oracle
    if name != OURS and name not in STRATEGIES:
        raise PredictionError(unknown("strategy", name, (OURS, ORACLE, "all", *STRATEGIES)))
    return partial(_suggested, {} if name == OURS else {"strategy": name})


def _suggested(
    settings: dict[str, Any], ws: Workspace, prediction: Any, truth: np.ndarray, n: int, seed: int
) -> Sequence[Any]:
    """What ``ws.suggest`` says, of predictions in memory too."""
    from voxloop.review import Ground, suggest
    from voxloop.volumes import read_block

    info = ws.images.info(prediction.image)
    ground = Ground(
        image=prediction.image,
        read=partial(read_block, ws.images.open(prediction.image)),
        shape=info.shape,
        spacing_um=info.spacing_um,
        frames=info.z_kind == "frame",
        predictions=[prediction],
        labels=ws.labels(prediction.level, prediction.image),
    )
    return suggest([ground], n, seed=seed, **settings)


def _oracle(ws: Workspace, prediction: Any, truth: np.ndarray, n: int, seed: int) -> Sequence[FieldPlace]:
    """The fields with most voxels that are wrong."""
    wrong = (np.asarray(prediction.labels) != truth) & (truth > 0)
    boxes = fields(truth.shape)
    errors = np.array([wrong[box.slices].sum() for box in boxes])
    return [FieldPlace(boxes[at].slices, "z", boxes[at].start[0]) for at in np.argsort(-errors, kind="stable")[:n]]


def fields(shape: Sequence[int]) -> list[Box]:
    """All fields of all planes across z."""
    return list(Box.whole(shape).blocks((1, FIELD, FIELD)))
