"""The verb ``object_classes``, and what trainings and predictions of classes of objects learn from and look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.config import PictureConfig
from voxloop.errors import LabelError, PredictionError, WorkspaceError
from voxloop.runs import Run
from voxloop.workspace.label_objects import image_of, made_objects
from voxloop.workspace.project import Project

if TYPE_CHECKING:
    from voxloop.objects import Objects
    from voxloop.objects.said_classes import ObjectClasses
    from voxloop.prediction.found_classes import FoundClasses

#: windows are so many times as wide as the largest objects, the very largest left out; and pixels, at least and most
_ROOM, _LARGE, _LEAST, _MOST = 1.5, 98, 16, 512


def object_classes(project: Project, objects: Objects | Run | str, level: str | None = None) -> ObjectClasses:
    """Classes of single objects: those that people give, and those that a network found and you took over.

    ``ws.train(vl.PictureConfig(objects="objects-1"))`` learns them from those that people gave;
    ``ws.predict(run, objects="objects-1")`` finds those of the others, ``ws.accept(found, above=0.8)`` takes these
    over. They are columns of ``objects.table(measures=["classes"])``.

    Parameters
    ----------
    objects
        What :meth:`Workspace.objects` made, its run, or the run's name.
    level
        Of kind ``"pictures"``, whose classes they are; the only one where not given.

    Returns
    -------
    ObjectClasses
        With ``assign``, ``assign_each``, ``undo``, ``redo``, ``classes`` and ``table``.

    Examples
    --------
    >>> level = ws.levels.add("shapes", classes=["round", "long"], kind="pictures")
    >>> ws.object_classes("objects-1", "shapes").classes()
    {}
    """
    from voxloop.objects.said_classes import ObjectClasses

    made = made_objects(project, objects)
    told = project.levels[project.catalogue("images").class_level(level)]
    return ObjectClasses(made.path, np.asarray(made.table().index).tolist(), told, project.store.check_writable)


def taught_objects(project: Project, config: PictureConfig) -> dict[str, Any]:
    """What a run with this config learns from the objects that people gave a class, as they are now. JSON.

    Raises LabelError where there are none, PredictionError where there are no such objects.
    """
    level = project.catalogue("images").class_level(config.level)
    found = project.levels[level]
    parts, sides = [], [1.0]
    for name in config.objects or ():
        made = made_objects(project, name)
        said = object_classes(project, made, level).classes(predicted=False)
        rows = _places(made)
        sides.append(float(np.percentile(_sides(made), _LARGE)))
        classed = [[*row, found.value_of(said[row[0]])] for row in rows if row[0] in said]
        if classed:
            parts.append({**_about(project, made), "classed": classed})
    if not parts:
        raise LabelError(
            f"no object of {', '.join(config.objects or ())} has a class yet; give some theirs "
            "(ws.object_classes(...).assign)"
        )
    window = int(np.clip(2 * np.ceil(_ROOM * max(sides) / 2), _LEAST, _MOST))
    facts = {"names": list(config.objects or ()), "window": window, "parts": parts}
    return {"level": level, "labels": {}, "objects": facts}


def objects_to_look_at(project: Project, source: Any, objects: str | Run | Objects | None) -> dict[str, Any] | None:
    """Which objects a model of their classes looks at, as facts of its run; None where it looks at something else.

    ``objects`` None: those that the run learned from, the first of them.
    """
    run = project.runs[source] if isinstance(source, str) and source in project.runs else source
    learnt = run.config.get("objects") if isinstance(run, Run) else None
    if objects is None and learnt is None:
        return None
    if isinstance(run, Run) and learnt is None:
        raise PredictionError(
            f"run {run.name!r} learned classes of pictures; ws.predict(run) without objects= looks there"
        )
    made = made_objects(project, learnt["names"][0] if objects is None and learnt else objects)  # type: ignore[arg-type]
    rows = _places(made)
    if not rows:
        raise PredictionError(f"{made.name!r} holds no objects, so there is nothing to look at")
    return {**_about(project, made), "places": rows, "frames": list(range(len(rows)))}


def accept_objects(project: Project, found: FoundClasses, above: float) -> list[int]:
    """Give objects the class that was found, those that no person gave one; the numbers of these objects.

    What was found of a class that has been removed since is left out. Raises PredictionError where the objects were
    made again since, so that numbers are of others, and LabelError where all its classes are gone.
    """
    if not looked_at_these(project.runs, str(found.objects), found.run):
        raise PredictionError(
            f"objects {found.objects!r} were made again after run {found.run!r} looked at them, and their numbers are "
            "of others now; predict again"
        )
    kinds = object_classes(project, str(found.objects), found.level)
    if not set(found.names) & set(kinds.names):
        raise LabelError(
            f"run {found.run!r} told of {', '.join(found.names)}, and level {found.level!r} has none of these classes "
            f"any more; its classes are {', '.join(kinds.names) or 'none'}"
        )
    table = found.table()
    wanted = table[(table["score"] >= above) & table["class"].isin(kinds.names)]
    rows = zip(wanted["object"].tolist(), wanted["class"], wanted["score"].tolist(), strict=True)
    return kinds.take_over(found.run, {int(number): (str(name), float(sure)) for number, name, sure in rows})


def looked_at_these(runs: Mapping[str, Run], objects: str, run: str) -> bool:
    """Whether a run looked at the objects that now have this name, not at those before them."""
    made, looked = (runs[name].config.get("created") if name in runs else None for name in (objects, run))
    return made is None or looked is None or float(made) <= float(looked)


def _about(project: Project, made: Objects) -> dict[str, Any]:
    """Where objects lie: their name, image, first voxel."""
    image = image_of(project, made)
    if image is None or image not in project.images:
        raise WorkspaceError(f"nobody knows any more on which image objects {made.name!r} lie; make them again")
    first = [0, 0, 0] if made.box is None else list(made.box.start)
    folder = str(project.layout.relative(made.path))
    return {"objects": made.name, "folder": folder, "image": image, "first": first}


def _places(made: Objects) -> list[list[int]]:
    """Number and middle (z, y, x) of each object."""
    table = made.table()
    ends = [(table[f"{axis}_from"] + table[f"{axis}_to"] - 1) // 2 for axis in "zyx"]
    rows: list[list[int]] = np.stack([np.asarray(table.index), *map(np.asarray, ends)], 1).astype(int).tolist()
    return rows


def _sides(made: Objects) -> np.ndarray:
    """The longer side of each object in its plane, in pixels."""
    table = made.table()
    if not len(table):
        return np.ones(1)
    return np.asarray(np.maximum(table["y_to"] - table["y_from"], table["x_to"] - table["x_from"]))
