"""What the grid shows of every item: marks, colours of classes, which items fit a filter. Knows no widget."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from voxloop.errors import VoxloopError

if TYPE_CHECKING:
    from voxloop.store import Catalogue, ItemEntry
    from voxloop.workspace.workspace import Workspace

#: in the order of the bits of a mark (picture_grid.js)
STATUSES = ("to do", "in progress", "done")
QUALITIES = ("", "good", "unclear", "bad")
_NOTE, _LABELLED = 16, 32
#: what may be asked of training sets
IN_SETS = ("any", "training", "validation", "none")


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What takes a while to find out: labels, classes and sets, by item."""

    labelled: np.ndarray  # bool
    tints: np.ndarray  # uint8: place of the class in the palette, from 1
    sets: np.ndarray  # 0 none, 1 training, 2 validation, 3 another
    palette: tuple[Mapping[str, str], ...] = ()


@dataclass(slots=True)
class ItemFilter:
    """Which items are wanted, and in which order; empty: all."""

    words: str = ""
    status: str = ""
    quality: str = ""
    assignee: str = ""
    label: str = ""
    sets: str = IN_SETS[0]
    labelled: str = ""  # "yes", "no"
    sort: str = "name"


def nothing_known(count: int) -> ItemFacts:
    """Before anybody looked."""
    return ItemFacts(np.zeros(count, bool), np.zeros(count, np.uint8), np.zeros(count, np.uint8))


def look(ws: Workspace, catalogue: Catalogue, level: str | None, kinds: str | None, sets: tuple[str, str]) -> ItemFacts:
    """What is so now. ``level`` holds the labels, ``kinds`` the classes; ``sets`` are for training and validation."""
    count = len(catalogue)
    facts = nothing_known(count)
    facts.labelled[:] = catalogue.labelled(level)
    palette: tuple[Mapping[str, str], ...] = ()
    if kinds is not None:
        found = ws.levels[kinds].classes
        palette = tuple({"name": item.name, "color": item.color} for item in found)
        places = {item.name: at for at, item in enumerate(found, start=1) if at < 256}
        for at, name in catalogue.classes(kinds).items():
            facts.tints[at] = places.get(name, 0)
    for name in ws.sets.names:
        value = sets.index(name) + 1 if name in sets else 3
        with suppress(VoxloopError):  # it went meanwhile
            inside = catalogue.in_set(name)
            facts.sets[inside & ((facts.sets == 0) | (facts.sets == 3))] = value
    return ItemFacts(facts.labelled, facts.tints, facts.sets, palette)


def marks_of(count: int, entries: Mapping[int, ItemEntry], facts: ItemFacts) -> np.ndarray:
    """The marks that the page draws, uint16 by item."""
    marks = np.zeros(count, np.uint16)
    for at, entry in entries.items():
        marks[at] = STATUSES.index(entry.status) | QUALITIES.index(entry.quality) << 2 | (_NOTE if entry.note else 0)
    same = len(facts.labelled) == count
    if same:
        marks |= np.where(facts.labelled, _LABELLED, 0).astype(np.uint16)
        marks |= facts.sets.astype(np.uint16) << 6
    return marks


def order_of(
    catalogue: Catalogue, entries: Mapping[int, ItemEntry], facts: ItemFacts, wanted: ItemFilter
) -> np.ndarray:
    """The items that fit, in order."""
    names = catalogue.names
    count = len(names)
    keep = np.ones(count, bool)
    if wanted.status:
        keep &= _said(count, entries, "status", wanted.status, STATUSES[0])
    if wanted.quality:
        keep &= _said(count, entries, "quality", "" if wanted.quality == "none" else wanted.quality, "")
    if wanted.assignee:
        keep &= _said(count, entries, "assignee", "" if wanted.assignee == "nobody" else wanted.assignee, "")
    if wanted.words:
        keep &= _with_words(names, entries, wanted.words.lower())
    if len(facts.labelled) == count:
        if wanted.labelled:
            keep &= facts.labelled == (wanted.labelled == "yes")
        if wanted.label:
            tint = next((at for at, one in enumerate(facts.palette, start=1) if one["name"] == wanted.label), 0)
            keep &= facts.tints == tint
        if wanted.sets != IN_SETS[0]:
            keep &= facts.sets == {"training": 1, "validation": 2, "none": 0}[wanted.sets]
    order = np.flatnonzero(keep)
    if wanted.sort == "name":
        return order
    return order[np.argsort(_keys(count, entries, facts, wanted.sort)[order], kind="stable")]


def _said(count: int, entries: Mapping[int, ItemEntry], what: str, value: str, default: str) -> np.ndarray:
    out = np.full(count, value == default)
    for at, entry in entries.items():
        out[at] = getattr(entry, what) == value
    return out


def _with_words(names: list[str], entries: Mapping[int, ItemEntry], words: str) -> np.ndarray:
    out = np.fromiter((words in name.lower() for name in names), bool, len(names))
    for at, entry in entries.items():
        out[at] |= words in entry.note.lower() or words in entry.assignee.lower()
    return out


def _keys(count: int, entries: Mapping[int, ItemEntry], facts: ItemFacts, sort: str) -> np.ndarray:
    """Numbers to sort by, the least first."""
    keys = np.zeros(count)
    if sort == "class" and len(facts.tints) == count:
        return np.where(facts.tints == 0, 256, facts.tints)
    if sort == "last changed":
        for place, at in enumerate(sorted(entries, key=lambda at: entries[at].time, reverse=True)):
            keys[at] = place - count
        return keys
    if sort == "assignee":
        names = sorted({entry.assignee.lower() for entry in entries.values() if entry.assignee})
        keys[:] = len(names)
        for at, entry in entries.items():
            if entry.assignee:
                keys[at] = names.index(entry.assignee.lower())
        return keys
    for at, entry in entries.items():
        keys[at] = STATUSES.index(entry.status)
    return keys
