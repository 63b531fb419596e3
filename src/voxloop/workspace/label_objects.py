"""Objects of labels and of masks, and the way back: objects that become labels. The work of the first is a run's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.config import ObjectsConfig
from voxloop.errors import LabelError, PredictionError, unknown
from voxloop.given import flag, shown
from voxloop.runs import Run
from voxloop.store import Labels
from voxloop.store.values import as_list, whole
from voxloop.workspace.choices import one_image, region_in, run_name
from voxloop.workspace.project import Project

if TYPE_CHECKING:
    from voxloop.geometry import Box
    from voxloop.objects import Objects
    from voxloop.store import Edit

#: kinds of masks: voxels of classes, or objects that have numbers
KINDS = ("semantic", "instances")


def is_labelled(project: Project, source: object) -> bool:
    """Whether objects are to be made of labels or of a mask, not of a prediction."""
    if isinstance(source, Labels) or (hasattr(source, "shape") and hasattr(source, "dtype")):
        return True
    if isinstance(source, PathLike):
        return True
    if not isinstance(source, str) or source in project.predictions:
        return False
    return source in project.levels.names or Path(source[:4096]).suffix != ""


def create_run(
    project: Project,
    source: Any,
    config: ObjectsConfig | None,
    of: str | int | None,
    region: object,
    name: str | None,
    image: str | None,
    kind: str | None,
) -> Run:
    """A run that makes objects of a level or of a mask; not started yet. Raises LabelError or PredictionError."""
    if kind is not None and kind not in KINDS:
        raise PredictionError(unknown("kind", shown(kind), KINDS))
    labels = None
    if isinstance(source, Labels):
        labels = source
    elif isinstance(source, str) and source in project.levels.names:
        labels = project.labels(source, image if image is not None else _only_image(project, region))
    if labels is not None:
        if kind is not None and kind != labels.level.kind:
            raise PredictionError(f"kind={kind!r} is of masks; level {labels.level.name!r} is {labels.level.kind}")
        return _run_of_level(project, labels, config, of, region, name)
    image = one_image(project.store, image, region)
    box = None if region is None else region_in(project.store, region, image)
    mask = _checked_mask(project, source, image)
    value = None if of is None else whole("of", of, least=1, error=PredictionError)
    about = {
        "mask": str(Path(source).absolute()) if isinstance(source, str | PathLike) else None,
        "image": image,
        "numbered": None if kind is None else kind == "instances",
        "shape": list(project.images.info(image).shape),
    }
    run = _run(project, config, value, box, name, about)
    if about["mask"] is None:
        from voxloop.objects.task import GIVEN
        from voxloop.volumes import save_volume

        save_volume(mask, run.path / GIVEN, kind="labels")
    return run


def label_objects(
    project: Project,
    objects: Objects | Run | str,
    level: str | None = None,
    *,
    value: str | int | None = None,
    classes: Mapping[int, str | int] | None = None,
    ids: Sequence[int] | None = None,
    image: str | None = None,
    overwrite: bool = False,
) -> Edit:
    """Make labels of objects: one edit that undo takes back.

    Parameters
    ----------
    objects
        What :meth:`Workspace.objects` made, its run, or the run's name.
    level
        Where to: on a level of instances objects keep apart, with numbers that were never used; on one of classes
        they take ``value``, or each the class that ``classes`` gives it. None: the only level.
    value
        Class, by name or value, of all objects; the only class where there is one.
    classes
        Object number -> class, such as :meth:`Objects.classify` returns; objects it does not name are left out.
    ids
        Only these objects; None: all.
    overwrite
        Also over voxels that are labelled already. What is locked stays as it is.

    Raises
    ------
    LabelError
        No such level, class or object, or the image of the objects has another size.

    Examples
    --------
    >>> level = ws.levels.add("cells", kind="instances")
    >>> edit = ws.label_objects("objects-1", "cells")
    >>> sorted(ws.labels("cells").counts())
    [1, 2, 3, 4]
    """
    overwrite = flag("overwrite", overwrite, error=LabelError)
    made = made_objects(project, objects)
    labels = project.labels(level, image_of(project, made) if image is None else image)
    stored = made.labels
    if tuple(stored.shape) != labels.shape:
        raise LabelError(f"the objects have {tuple(stored.shape)} voxels, image {labels.image!r} {labels.shape}")
    known = np.asarray(made.table().index, np.int64)
    chosen = known if ids is None else np.array([whole("ids", one) for one in as_list("ids", ids)], np.int64)
    gone = np.setdiff1d(chosen, known)
    if len(gone):
        raise LabelError(f"there is no object {gone[0]} in {made.name!r}; it holds {len(known)} objects")
    values = _values(labels, known, chosen, value, classes)
    names = np.zeros(int(known.max(initial=0)) + 1, labels.dtype)
    names[chosen] = values
    offset = [0, 0, 0] if made.box is None else list(made.box.start)

    def proposal(part: Box, current: np.ndarray) -> np.ndarray | None:
        there = np.asarray(stored[part.slices])
        new = names[there]
        take = new > 0 if overwrite else (new > 0) & (current == 0)
        return np.where(take, new, current) if take.any() else None

    from voxloop.geometry import Box as Bounds

    where = Bounds.whole(labels.shape) if made.box is None else made.box
    arguments = {"objects": made.name, "count": len(chosen), "from": offset, "overwrite": overwrite}
    return labels.edit("label_objects", where, proposal, arguments)


def made_objects(project: Project, objects: Objects | Run | str) -> Objects:
    """Objects, those that a run made, or those of a prediction whose network learnt them. Raises PredictionError."""
    from voxloop.objects import Objects

    if isinstance(objects, Objects):
        return objects
    if isinstance(objects, Run):
        found = objects.result
    else:
        runs = [name for name, run in project.runs.items() if run.kind == "objects"]
        if isinstance(objects, str) and objects not in runs and objects in project.predictions:
            return project.predictions[objects].objects
        if not isinstance(objects, str) or objects not in runs:
            given = objects if isinstance(objects, str) else shown(objects)
            raise PredictionError(unknown("run of objects", given, runs))
        found = project.runs[objects].result
    if not isinstance(found, Objects):
        raise PredictionError(f"run {objects!r} makes no objects")
    return found


def image_of(project: Project, made: Objects) -> str | None:
    """The image that objects lie on; None where that is not known."""
    about = made.facts.get("labelled") or {}
    if about.get("image"):
        return str(about["image"])
    name = Path(str(made.facts.get("prediction", ""))).stem
    return project.predictions[name].image if name in project.predictions else None


def _values(
    labels: Labels,
    known: np.ndarray,
    chosen: np.ndarray,
    value: str | int | None,
    classes: Mapping[int, str | int] | None,
) -> np.ndarray:
    """What each chosen object becomes, 0 where nothing."""
    if labels.level.kind == "instances":
        if value is not None or classes is not None:
            raise LabelError(f"level {labels.level.name!r} holds single objects, no classes; leave value= out")
        first = labels.next_id()
        return np.arange(first, first + len(chosen))
    if classes is not None:
        if value is not None:
            raise LabelError("give value= for all objects, or classes= for each, not both")
        named = {int(number): labels.paintable(given) for number, given in dict(classes).items()}
        gone = np.setdiff1d(np.array(list(named), np.int64), known)
        if len(gone):
            raise LabelError(f"classes= names object {gone[0]}, which is not there")
        return np.array([named.get(int(number), 0) for number in chosen], np.int64)
    if value is None:
        front = [item.value for item in labels.level.classes if not item.background]
        if len(front) != 1:
            listed = ", ".join(repr(item.name) for item in labels.level.classes)
            raise LabelError(f"name the class that objects become, with value=: there are {listed}")
        value = front[0]
    return np.full(len(chosen), labels.paintable(value), np.int64)


def _only_image(project: Project, region: object) -> str:
    return one_image(project.store, None, region)


def _run_of_level(
    project: Project, labels: Labels, config: ObjectsConfig | None, of: str | int | None, region: object,
    name: str | None,
) -> Run:  # fmt: skip
    level = labels.level
    box = None if region is None else region_in(project.store, region, labels.image)
    numbered = level.kind == "instances"
    if numbered and of is not None:
        raise PredictionError(f"of={shown(of)}: level {level.name!r} holds single objects, no classes; leave it out")
    if numbered and config is not None and config != ObjectsConfig():
        raise PredictionError(f"objects of level {level.name!r} are taken as they are; leave the settings out")
    if not labels.counts():
        raise LabelError(f"nothing is labelled on level {level.name!r} of image {labels.image!r}; paint some first")
    about = {
        "level": level.name,
        "image": labels.image,
        "sequence": labels.sequence,
        "numbered": numbered,
        "shape": list(labels.shape),
    }
    return _run(project, config, None if numbered else _class_of(labels, of), box, name, about)


def _class_of(labels: Labels, of: str | int | None) -> int:
    """The class whose voxels become objects: the one named, or the only one that is not background and has any."""
    if of is not None:
        return labels.level.value_of(of)
    painted = labels.counts()
    front = [item for item in labels.level.classes if not item.background and painted.get(item.value)]
    if len(front) != 1:
        listed = ", ".join(repr(item.name) for item in labels.level.classes)
        raise PredictionError(f"name the class to make objects of, with of=: there are {listed}")
    return front[0].value


def _checked_mask(project: Project, source: Any, image: str) -> Any:
    """A mask, opened; it must lie on the image. Raises VolumeError or PredictionError."""
    from voxloop.volumes import as_volume, open_volume, shape_zyx

    path = isinstance(source, str | PathLike)
    axes: dict[str, Any] = {} if path or hasattr(source, "dims") else {"axes": "zyx"[3 - len(np.shape(source)) :]}
    mask = open_volume(source) if path else as_volume(source, **axes)
    shape = project.images.info(image).shape
    if "c" in mask.dims:
        raise PredictionError("a mask has no channels; give one of them")
    if shape_zyx(mask) != shape:
        raise PredictionError(f"the mask has {shape_zyx(mask)} voxels, image {image!r} {shape}; they must be the same")
    if np.dtype(mask.dtype).kind not in "bui":
        raise PredictionError(
            f"a mask holds whole numbers, not {mask.dtype}; give those above a threshold, such as mask > 0.5"
        )
    if not path:
        from voxloop.volumes import spacing_of

        spacing = spacing_of(project.images.open(image))
        return as_volume(np.asarray(mask.data, _stored(mask.dtype)), spacing=spacing, axes="zyx")
    return mask


def _stored(dtype: Any) -> Any:
    return np.uint8 if np.dtype(dtype) == bool else np.dtype(dtype)


def _run(
    project: Project,
    config: ObjectsConfig | None,
    of: int | None,
    box: Box | None,
    name: str | None,
    about: dict[str, Any],
) -> Run:
    project.store.check_open_to_runs()
    return project.runs.create(
        run_name(project, name, "objects"),
        "voxloop.objects.task:run",
        (config or ObjectsConfig()).to_json(),
        kind="objects",
        result="voxloop.objects.task:open_result",
        discard="voxloop.objects.task:discard",
        image=about["image"],
        labelled=about,
        of=of,
        region=None if box is None else box.to_json(),
    )
