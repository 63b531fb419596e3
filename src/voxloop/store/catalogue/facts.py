"""What is known of items beside what people said: whether anything is labelled there, their class, their sets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.geometry import Box
from voxloop.store.catalogue.items import Items

if TYPE_CHECKING:
    from voxloop.store.document import SetRow
    from voxloop.store.labels import Labels
    from voxloop.store.workspace import Store


def labelled(store: Store, items: Items, level: str | None = None) -> np.ndarray:
    """Which items hold a label of a level (None: of any): bool (n,). Reads the chunks that were touched."""
    found = np.zeros(len(items), bool)
    levels = [one for one in store.document.levels if level in (None, one.name)]
    for number, info in enumerate(items.infos):
        own = np.flatnonzero(items.image == number)
        for one in levels:
            place = store.layout.labels(one.folder or one.name, info.name)
            if not own.size or not place.journal.exists():
                continue
            if one.raster:
                found[own] |= _painted(store.labels(one.name, info.name), items, own)
            else:
                found[own] |= _marked(store.marks(None, one.name, info.name), items, own)
    return found


def _painted(labels: Labels, items: Items, own: np.ndarray) -> np.ndarray:
    """Whether a voxel of each box is labelled."""
    out = np.zeros(own.size, bool)
    touched = [one.box for one in labels.touched() if any(one.counts.values())]
    if items.kind == "images":
        return np.full(own.size, bool(touched))
    boxes = items.boxes[own]
    for chunk in touched:
        low, high = np.array(chunk.start), np.array(chunk.stop)
        inside = ~out & ((boxes[:, 0::2] < high) & (boxes[:, 1::2] > low)).all(axis=1)
        if not inside.any():
            continue
        voxels = labels.read(chunk.slices) != 0
        for at in np.flatnonzero(inside).tolist():
            part = Box.from_json(boxes[at].reshape(3, 2).tolist()).clip(labels.shape)
            z, y, x = (
                slice(max(start - first, 0), stop - first)
                for start, stop, first in zip(part.start, part.stop, chunk.start, strict=True)
            )
            out[at] = bool(voxels[z, y, x].any())
    return out


def _marked(marks: Any, items: Items, own: np.ndarray) -> np.ndarray:
    """Whether a person marked anything in the frames that the items are of, or in the volume."""
    if not marks.framed or items.kind == "images":
        return np.full(own.size, bool(marks.labelled if marks.framed else marks.count()))
    return np.isin(items.boxes[own, 0], np.array(marks.labelled, int))


def in_rows(items: Items, rows: Iterable[SetRow]) -> np.ndarray:
    """Which items rows of a training set mean: those that are one of them, and those whose middle lies in one."""
    found = np.zeros(len(items), bool)
    numbers = {info.name: number for number, info in enumerate(items.infos)}
    exact = {(int(one), *box): at for at, (one, box) in enumerate(zip(items.image, items.boxes.tolist(), strict=True))}
    middle = (items.boxes[:, 0::2] + items.boxes[:, 1::2]) // 2
    for row in rows:
        number = numbers.get(row.image)
        if number is None:
            continue
        own = items.image == number
        if row.box is None or items.kind == "images":
            found |= own
            continue
        flat = [edge for bounds in row.box.to_json() for edge in bounds]
        at = exact.get((number, *flat))
        if at is not None and items.kind == "tiles":
            found[at] = True
            continue
        inside = (middle >= row.box.start) & (middle < row.box.stop)
        found |= own & inside.all(axis=1)
    return found


def classes(store: Store, items: Items, level: str) -> dict[int, int]:
    """Values of the classes that people gave images or frames, by place."""
    found: dict[int, int] = {}
    folder = store.levels[level]
    for number, info in enumerate(items.infos):
        if not store.layout.labels(folder.folder or folder.name, info.name).journal.exists():
            continue
        frames, values = store.pictures(level, info.name).classes_of(predicted=False)
        said = dict(zip(frames.tolist(), values.tolist(), strict=True))
        own = np.flatnonzero(items.image == number).tolist()
        if items.kind == "images":
            # a stack of frames has a class where all of its frames have the same
            whole = len(said) == 1 and (info.z_kind != "frame" or info.shape[0] == 1)
            alike = len(said) == info.shape[0] and len(set(said.values())) == 1
            if own and said and (whole or alike):
                found[own[0]] = next(iter(said.values()))
            continue
        found |= {at: said[int(items.boxes[at, 0])] for at in own if int(items.boxes[at, 0]) in said}
    return found
