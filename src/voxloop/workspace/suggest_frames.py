"""Which frames to label next on a level of points, boxes or classes of frames. The work is done by review/."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import PredictionError
from voxloop.prediction.found_batch import FoundBatch
from voxloop.runs import Run
from voxloop.workspace.choices import one_image
from voxloop.workspace.places import found_of, frames_of
from voxloop.workspace.project import Project

if TYPE_CHECKING:
    from voxloop.review import Suggestion


def is_of_frames(project: Project, prediction: Any, level: str | None) -> bool:
    """Whether frames of marks are meant: a run that found places, or a level that holds none of voxels."""
    if level is not None:
        return project.levels[level].kind in ("points", "boxes", "pictures")
    if prediction is None:
        return bool(project.levels.names) and not project.levels.painted
    run = project.runs.get(prediction) if isinstance(prediction, str) else prediction
    return (isinstance(run, Run) and run.kind == "places") or getattr(run, "kind", "") in (
        "points",
        "boxes",
        "pictures",
    )


def suggest_frames(
    project: Project,
    prediction: Any,
    n: int,
    strategy: str,
    seed: int,
    level: str | None,
    image: str | None,
    frames: object,
) -> list[Suggestion]:
    """See :meth:`Workspace.suggest`."""
    from voxloop.review import FrameGround
    from voxloop.review import suggest_frames as best
    from voxloop.volumes import read_block

    found = None if prediction is None else found_of(project, prediction)
    if isinstance(found, FoundBatch):
        raise PredictionError("this was found in several images; say where: ws.suggest(run.result[image])")
    if found is not None and level not in (None, found.level):
        raise PredictionError(f"this was found for level {found.level!r}; leave level out")
    image = one_image(project.store, image) if found is None else found.image
    marks: Any = project.store.marks(None, level if found is None else found.level, image)
    if not marks.framed:
        raise PredictionError(f"image {image!r} is a volume, which has no frames; nothing can be suggested in it")
    labelled = set(marks.labelled)
    chosen = frames_of(marks, frames) or []
    volume = project.images.open(image)
    ground = FrameGround(
        image=image,
        read=partial(read_block, volume),
        shape=marks.shape,
        frames=[frame for frame in chosen if frame not in labelled],
        places=_places(marks, found),
        about=prediction.name if isinstance(prediction, Run) else None,
    )
    # what is best for voxels asks how sure each of them is
    return best(ground, n, "kmeans" if strategy == "gain" else strategy, seed)


def _places(marks: Any, found: Any) -> Mapping[str, np.ndarray] | None:
    """Where things are: what was found, else what is on the level; None of classes of frames."""
    if marks.level.kind == "pictures":
        return None
    if found is None:
        columns: Mapping[str, np.ndarray] = marks.arrays()
        return columns
    return {**found.arrays()}
