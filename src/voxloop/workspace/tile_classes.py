"""Classes of tiles: what a training learns of them, where a model looks for them, and what it found made labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.config import PictureConfig
from voxloop.errors import LabelError, PredictionError, WorkspaceError, unknown
from voxloop.runs import Run
from voxloop.workspace.project import Project

if TYPE_CHECKING:
    from voxloop.prediction.found_classes import FoundClasses
    from voxloop.store import Catalogue


def taught_tiles(project: Project, config: PictureConfig) -> dict[str, Any]:
    """What a run with this config learns from the tiles that people gave a class, as they are now. JSON.

    Raises LabelError where there are none, WorkspaceError where there is no such grid or image.
    """
    name = str(config.tiles)
    if name not in project.tiles:
        raise WorkspaceError(unknown("grid of tiles", name, project.tiles.names))
    catalogue = project.catalogue(name)
    level = catalogue.class_level(config.level)
    for image in config.images or ():
        project.images.info(image)
    items, classes = catalogue.items, catalogue.classes(level)
    found = project.levels[level]
    teaching, judging = (_tiles_in(catalogue, one) for one in (config.training_set, config.validation_set))
    if judging is not None:
        teaching = ~judging if teaching is None else teaching & ~judging
    parts: dict[bool, list[list[Any]]] = {False: [], True: []}  # those that teach, and those that judge
    for at, label in sorted(classes.items()):
        judges = judging is not None and bool(judging[at])
        meant = judges or teaching is None or bool(teaching[at])
        if meant and (config.images is None or items.info(at).name in config.images):
            window = _window(items.boxes[at].tolist())
            parts[judges].append([items.info(at).name, *window, found.value_of(label)])
    for judges, given in ((False, config.training_set), (True, config.validation_set)):
        if not parts[judges] and (given or not judges):
            where = f"of {name!r}" + (f" in set {given!r}" if given else "")
            raise LabelError(f"no tile {where} has a class yet; give some theirs (ws.catalogue({name!r}).assign)")
    facts = {"name": name, "sequence": catalogue.sequence, "classed": parts[False] + parts[True]}
    sets = {
        key: {"name": one.name, "version": one.version}
        for key, given in (("set", config.training_set), ("validation_set", config.validation_set))
        if given and (one := project.sets[given])
    }
    return {"level": level, "labels": {}, "tiles": {**facts, "judges": len(parts[True])}, **sets}


def _tiles_in(catalogue: Catalogue, name: str | None) -> np.ndarray | None:
    """Which tiles a training set holds; None where none is named."""
    return catalogue.in_set(name) if name else None


def tiles_to_look_at(project: Project, source: Any, tiles: str | None, image: str) -> dict[str, Any] | None:
    """Where a model of tiles looks on an image, as facts of its run; None where it looks at whole frames.

    ``tiles`` None: the grid that the run learned from, where that lies over the image.
    """
    if tiles is None:
        run = project.runs[source] if isinstance(source, str) and source in project.runs else source
        learnt = run.config.get("tiles") if isinstance(run, Run) else None
        tiles = str(learnt["name"]) if isinstance(learnt, dict) and learnt.get("name") in project.tiles else None
        if tiles is None or image not in [info.name for info in project.tiles.infos(tiles)]:
            return None
    items = project.catalogue(project.tiles[tiles].name).items
    boxes = [_window(items.boxes[at].tolist()) for at in items.of_image(image).tolist()]
    if not boxes:
        raise PredictionError(f"tiles {tiles!r} do not lie over image {image!r}; choose another image, or grid")
    return {"tiles": tiles, "boxes": boxes, "frames": list(range(len(boxes)))}


def accept_tiles(project: Project, found: FoundClasses, above: float) -> list[int]:
    """Give tiles the class that was found, those that nobody gave one; the numbers of these tiles.

    One change of the catalogue, which its undo takes back. Raises WorkspaceError where the grid is another one now.
    """
    name = str(found.tiles)
    if name not in project.tiles:
        raise WorkspaceError(f"the grid of tiles {name!r} is gone; make it again to take its classes over")
    catalogue = project.catalogue(name)
    items = catalogue.items
    own = items.of_image(found.image).tolist()
    if [_window(items.boxes[at].tolist()) for at in own] != found.boxes:
        raise WorkspaceError(f"tiles {name!r} are others than when they were looked at; predict again")
    table = found.table()
    said = catalogue.classes(found.level)
    wanted = table[table["score"] >= above]
    new = {
        own[number]: label
        for number, label in zip(wanted["frame"].tolist(), wanted["class"], strict=True)
        if own[number] not in said
    }
    catalogue.assign_each({items.names[at]: label for at, label in new.items()}, found.level)
    return [own.index(at) for at in new]


def _window(box: list[int]) -> list[int]:
    """The plane of a tile that is looked at, its top, bottom, left and right."""
    first, stop, top, bottom, left, right = box
    return [(first + stop - 1) // 2, top, bottom, left, right]
