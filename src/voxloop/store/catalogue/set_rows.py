"""Items as rows of training sets. Knows the sets of a workspace; opens no labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError, WorkspaceError
from voxloop.geometry import Box
from voxloop.store.catalogue.items import Items

if TYPE_CHECKING:
    from voxloop.store.document import SetRow, TrainingSet
    from voxloop.store.workspace import Store


def rows_of(store: Store, items: Items, places: Sequence[int], level: str | None) -> list[tuple[Any, ...]]:
    """Rows (image, level, region) for items; frames that are neighbours make one row."""
    name = _level(store, level)
    if items.kind == "images":
        return [(items.info(at).name, name) for at in places]
    if items.kind == "tiles":
        return [(items.info(at).name, name, items.box(at).slices) for at in places]
    out: list[tuple[Any, ...]] = []
    by_image: dict[str, list[int]] = {}
    for at in places:
        by_image.setdefault(items.info(at).name, []).append(int(items.boxes[at, 0]))
    for image, frames in by_image.items():
        out += [(image, name, (slice(first, stop),)) for first, stop in _spans(frames)]
    return out


def with_rows(store: Store, items: Items, places: Sequence[int], name: str, level: str | None) -> TrainingSet:
    """The set with these items in it too."""
    if name not in store.sets:
        return store.sets.add(name, rows_of(store, items, places, level))
    old = store.sets[name].rows
    level = _level(store, level if level is not None else old[0].level)
    kept, frames = _apart(store, items, old, level)
    if items.kind != "frames":
        return store.sets.edit(name, [*old, *rows_of(store, items, places, level)])
    for at in places:
        frames.setdefault(items.info(at).name, set()).add(int(items.boxes[at, 0]))
    return store.sets.edit(name, [*kept, *_frame_rows(frames, level)])


def without_rows(
    store: Store, items: Items, places: Sequence[int], name: str, *, may_end: bool = False
) -> TrainingSet | None:
    """The set without these items; None where nothing is left, and it may end. Raises WorkspaceError.

    An item that is part of a larger row cannot be taken out of it: that row is named.
    """
    old = store.sets[name].rows
    level = store.levels[old[0].level].name
    kept, frames = _apart(store, items, old, level)
    if items.kind == "frames":
        for at in places:
            frames.get(items.info(at).name, set()).discard(int(items.boxes[at, 0]))
        left: list[Any] = [*kept, *_frame_rows(frames, level)]
    else:
        gone = {(items.info(at).name, _key(items, at)) for at in places}
        left = [row for row in old if (row.image, None if row.box is None else row.box) not in gone]
    wanted = _boxes_by_image(items, places)
    for row in left:
        if not isinstance(row, tuple) and items.kind != "images" and _holds(wanted, row):
            where = "the whole image" if row.box is None else row.region or f"the region {row.box.code()}"
            raise WorkspaceError(
                f"training set {name!r} holds {where} of {row.image!r} as one row; change that row in the training sets"
            )
    if not left and may_end:
        store.sets.remove(name)
        return None
    return store.sets.edit(name, left)


def _key(items: Items, at: int) -> Box | None:
    return None if items.kind == "images" else items.box(at)


def _boxes_by_image(items: Items, places: Sequence[int]) -> dict[str, np.ndarray]:
    """Boxes of these items (n, 6), first voxel and the one after the last along z, y, x, by the name of their image."""
    boxes, image = items.boxes[list(places)], items.image[list(places)]
    return {items.infos[int(one)].name: boxes[image == one] for one in np.unique(image)}


def _holds(wanted: Mapping[str, np.ndarray], row: SetRow) -> bool:
    """Whether a row that stays holds one of these items."""
    own = wanted.get(row.image)
    if own is None or row.box is None:
        return own is not None
    inside = (own[:, 0::2] >= row.box.start) & (own[:, 1::2] <= row.box.stop)
    return bool(inside.all(axis=1).any())


def _apart(store: Store, items: Items, rows: Sequence[SetRow], level: str) -> tuple[list[SetRow], dict[str, set[int]]]:
    """Rows that are no whole frames of this level, and the frames of the others by image."""
    shapes = {info.name: info.shape for info in items.infos}
    kept: list[SetRow] = []
    frames: dict[str, set[int]] = {}
    for row in rows:
        shape = shapes.get(row.image)
        whole = shape is not None and row.box is not None and row.box.shape[1:] == shape[1:] and row.region is None
        if items.kind == "frames" and whole and row.box is not None and store.levels[row.level].name == level:
            frames.setdefault(row.image, set()).update(range(row.box.start[0], row.box.stop[0]))
        else:
            kept.append(row)
    return kept, frames


def _frame_rows(frames: dict[str, set[int]], level: str) -> list[tuple[Any, ...]]:
    return [
        (image, level, (slice(first, stop),)) for image, own in frames.items() for first, stop in _spans(sorted(own))
    ]


def _spans(frames: Iterable[int]) -> list[tuple[int, int]]:
    """First frame and the one after the last of each run of neighbours."""
    out: list[tuple[int, int]] = []
    for frame in sorted(frames):
        if out and out[-1][1] == frame:
            out[-1] = out[-1][0], frame + 1
        else:
            out.append((frame, frame + 1))
    return out


def _level(store: Store, level: str | None) -> str:
    if level is not None:
        return store.levels[level].name
    names = store.levels.painted
    if len(names) != 1:
        raise LabelError(f"say which level: there are {', '.join(map(repr, names)) or 'none'}")
    return names[0]
