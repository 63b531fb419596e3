"""What can be shown over an image by its name: levels, predictions, objects, tracks. Reads nothing but small facts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from voxloop.errors import LabelError, PredictionError, WorkspaceError, unknown
from voxloop.given import shown
from voxloop.runs import Run
from voxloop.store.values import as_list
from voxloop.workspace.project import Project

ThingKind = Literal["classes", "objects", "marks", "pictures", "tracks"]


@dataclass(frozen=True, slots=True)
class ShownThing:
    """One of them: voxels with classes, voxels with numbers of objects, marks, classes of pictures, or tracks.

    ``values`` is what it is read from: a DataArray (z, y, x), labels of marks, or :class:`Tracks`.
    """

    name: str
    kind: ThingKind
    values: Any
    classes: tuple[Any, ...] = ()

    @property
    def volume(self) -> Any:
        """Its voxels as a lazy volume (z, y, x); of labels as they are at this moment."""
        as_volume = getattr(self.values, "as_volume", None)
        return self.values if as_volume is None else as_volume()


def things_of(project: Project, image: str, given: Sequence[Any] | None) -> list[ShownThing]:
    """What is meant by names, in their order; None: every level that holds anything on the image.

    Raises
    ------
    LabelError, PredictionError
        There is nothing of that name, it is of another image, or it is a level that holds nothing yet.
    """
    if given is None:
        levels = [_level(project, image, name) for name in project.levels.names]
        return [thing for thing in levels if _holds(thing)]
    out = []
    for item in as_list("layers", given, error=PredictionError):
        thing = _thing(project, image, item)
        if not _holds(thing):
            raise LabelError(f"level {thing.name!r} holds nothing on {image!r} yet; paint, load or accept something")
        out.append(thing)
    return out


def _thing(project: Project, image: str, item: Any) -> ShownThing:
    name = item if isinstance(item, str) else getattr(item, "name", None)
    if not isinstance(name, str):
        raise PredictionError(f"layers hold names of levels, predictions and runs, not {shown(item)}")
    if name in project.predictions:
        return _prediction(project, image, name)
    run = project.runs.get(name) if isinstance(item, Run) or name in project.runs else None
    if run is not None and run.kind in ("objects", "tracks"):
        made = run.result
        of = made.image if run.kind == "tracks" else run.config.get("image")
        _check_image(name, of, image)
        if run.kind == "tracks":
            return ShownThing(name, "tracks", made)
        return ShownThing(name, "objects", made.labels)
    if name in project.levels.names:
        return _level(project, image, name)
    runs = [run.name for run in project.runs.values() if run.kind in ("objects", "tracks")]
    raise PredictionError(unknown("layer", name, [*project.levels.names, *project.predictions, *runs]))


def _prediction(project: Project, image: str, name: str) -> ShownThing:
    prediction = project.predictions[name]
    _check_image(name, prediction.image, image)
    with suppress(PredictionError):  # its network learnt classes, or its objects are not made yet
        return ShownThing(name, "objects", prediction.objects.labels)
    classes = tuple(one for one in prediction.classes if not one.background)
    return ShownThing(name, "classes", prediction.labels, classes)


def _level(project: Project, image: str, name: str) -> ShownThing:
    level = project.levels[name]
    if level.kind == "pictures":
        return ShownThing(level.name, "pictures", project.pictures(name, image), tuple(level.classes))
    if not level.raster:
        return ShownThing(level.name, "marks", project.store.marks(None, name, image), tuple(level.classes))
    labels = project.labels(name, image)
    kind: ThingKind = "objects" if level.kind == "instances" else "classes"
    return ShownThing(level.name, kind, labels, tuple(level.classes))


def _holds(thing: ShownThing) -> bool:
    """Whether there is anything to see of a level."""
    counts = getattr(thing.values, "counts", None)
    if counts is not None:
        return bool(counts())
    return True


def _check_image(name: str, of: str | None, image: str) -> None:
    if of is not None and of != image:
        raise WorkspaceError(f"{name!r} is of image {of!r}, not of {image!r}; use image={of!r}")
