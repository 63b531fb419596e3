"""Which items a search means, and which get the same line in the journal. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voxloop.store.catalogue.entry import ItemEntry


def group_of(
    groups: dict[str, tuple[dict[str, Any], list[str]]], fields: Mapping[str, Any], old: ItemEntry, whole: bool
) -> list[str] | None:
    """The names that get these fields; None where they say so already. ``whole``: an earlier tile said the rest."""
    if old.changed(fields, old.author, old.time) == old:
        return None
    told = {**old.to_json(), **fields} if whole else dict(fields)
    return groups.setdefault(repr(sorted(told.items(), key=str)), (told, []))[1]


def fits(name: str, entry: ItemEntry, wanted: Mapping[str, str], words: str | None) -> bool:
    """Whether this is so of an item, and the words stand in its name, its note or its assignee."""
    if any(getattr(entry, key) != value for key, value in wanted.items()):
        return False
    return words is None or any(words in one.lower() for one in (name, entry.note, entry.assignee))
