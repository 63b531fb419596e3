"""Classes of images and frames, written where ``ws.pictures`` keeps them. Changes nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from voxloop.errors import LabelError
from voxloop.given import shown
from voxloop.store.catalogue.items import Items
from voxloop.store.classes import Level
from voxloop.store.values import text

if TYPE_CHECKING:
    from voxloop.store.workspace import Store


def values_of(labels: object, level: Level) -> dict[str, int]:
    """The values of the classes that items are given, by their names. Raises LabelError."""
    if not isinstance(labels, Mapping):
        raise LabelError(f"labels={shown(labels)} is no dict of items and their classes")
    return {label: level.class_of(text("label", label)).value for label in labels.values() if text("label", label)}


def give_class(store: Store, items: Items, places: Sequence[int], level: str, label: str | None) -> int:
    """Say of which class these images or frames are: one edit an image. How many were changed.

    Of an image that is a stack of frames, every frame gets the class.
    """
    by_image: dict[str, list[int | None]] = {}
    for at in places:
        info = items.info(at)
        frames: list[int | None] = [None]
        if info.z_kind == "frame":
            frames = list(range(info.shape[0])) if items.kind == "images" else [int(items.boxes[at, 0])]
        by_image.setdefault(info.name, []).extend(frames)
    changed = 0
    for image, frames in by_image.items():
        marks = store.pictures(level, image)
        if label is None:
            there = set(marks.labelled)
            known = [frame or 0 for frame in frames if (frame or 0) in there]
            if known:
                marks.clear(known if marks.framed and None not in frames else None)
            changed += len(known)
            continue
        said = {frame: marks.read(frame) for frame in frames}
        new: dict[int | None, int | str] = {
            frame: label for frame, was in said.items() if was is None or was.predicted or was.label != label
        }
        if new:
            marks.assign_many(new)
        changed += len(new)
    return changed
