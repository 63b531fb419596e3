"""Classes of tiles: what a training learns of them, where a model looks for them, and what it found made labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voxloop.config import PictureConfig
from voxloop.errors import LabelError, PredictionError, WorkspaceError, unknown
from voxloop.runs import Run
from voxloop.workspace.project import Project

if TYPE_CHECKING:
    from voxloop.prediction.found_classes import FoundClasses


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
    classed = [
        [items.info(at).name, *_window(items.boxes[at].tolist()), found.value_of(label)]
        for at, label in sorted(classes.items())
        if config.images is None or items.info(at).name in config.images
    ]
    if not classed:
        raise LabelError(f"no tile of {name!r} has a class yet; give some theirs (ws.catalogue({name!r}).assign)")
    return {"level": level, "labels": {}, "tiles": {"name": name, "sequence": catalogue.sequence, "classed": classed}}


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
