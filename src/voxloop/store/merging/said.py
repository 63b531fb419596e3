"""What is said of images, frames or tiles in two copies, brought together: status, quality, note, assignee, classes.

What only one of the two changed since they parted holds. Where both changed the same to something else, the later one
does, and it is said which that was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from voxloop.errors import WorkspaceError
from voxloop.plain_files import open_plain
from voxloop.store.catalogue.catalogue import Catalogue
from voxloop.store.catalogue.entry import FIELDS, NOTHING, ItemEntry
from voxloop.store.catalogue.log import ItemLog
from voxloop.store.merging.base import common_bytes
from voxloop.store.signing import signed_as

#: items that are named in words
_NAMED = 3


class SaidMerge:
    """One catalogue of both.

    Parameters
    ----------
    mine
        The catalogue here.
    theirs
        The journal of the same one in the copy.
    rename
        What an item of theirs is called here; empty where it is of an image that is not here.
    values
        Values of classes there and here, by the folder of their level; what is not in it is left out.
    """

    def __init__(
        self, mine: Catalogue, theirs: Path, rename: Callable[[str], str], values: Mapping[str, Mapping[int, int]]
    ) -> None:
        self.catalogue, self._theirs, self._rename, self._values = mine, theirs, rename, values
        self._applied: list[int] = []
        self.look()

    def look(self) -> None:
        """Compare with what is said by now."""
        log, own = self.catalogue.log, ItemLog(self._theirs, _nobody_writes)
        own.refresh()
        log.refresh()
        before = _parted(log.path, self._theirs)
        places = self.catalogue.items.places
        self.changes: dict[str, list[tuple[dict[str, Any], str]]] = {}  # by author
        self.contested: list[str] = []
        self.elsewhere = 0
        for their_name, theirs in own.entries.items():
            was = before.get(their_name, NOTHING)
            if theirs == was:
                continue
            name = self._rename(their_name)
            if name not in places:
                self.elsewhere += 1
                continue
            ours = log.entries.get(name, NOTHING)
            fields = self._fields(name, theirs, ours, was)
            if fields:
                self.changes.setdefault(theirs.author, []).append((fields, name))

    @property
    def items(self) -> int:
        """Of how many items something comes from the copy."""
        return sum(map(len, self.changes.values()))

    @property
    def words(self) -> str:
        """In a line; empty where nothing comes, and nothing is contested."""
        parts = [f"{self.items:,} items are said something else of"] if self.items else []
        if self.contested:
            more = f" and {len(self.contested) - _NAMED:,} more" if len(self.contested) > _NAMED else ""
            listed = "; ".join(self.contested[:_NAMED])
            parts.append(f"both said something else of {len(self.contested):,}, the later holds: {listed}{more}")
        if self.elsewhere:
            parts.append(f"{self.elsewhere:,} are of items that are not here and were left out")
        return f"{self.catalogue.name}: {', '.join(parts)}" if parts else ""

    def apply(self) -> int:
        """Say it here, signed by who said it there: one change, for undo, of each. Of how many items."""
        self._applied = []
        total = 0
        for who, changes in self.changes.items():
            with signed_as(who):
                total += self.catalogue.say_each(changes)
            self._applied.append(self.catalogue.sequence)
        return total

    def undo(self) -> bool:
        """Take it back, where nothing was said since; whether it did."""
        if not self._applied or self.catalogue.sequence != self._applied[-1]:
            return False
        taken = [self.catalogue.undo() for _ in self._applied]
        self._applied = []
        return all(taken)

    def _fields(self, name: str, theirs: ItemEntry, ours: ItemEntry, was: ItemEntry) -> dict[str, Any]:
        """What the copy says that is to hold here."""
        later = theirs.time > ours.time
        fields: dict[str, Any] = {}
        for key in FIELDS:
            there, here, old = (getattr(one, key) for one in (theirs, ours, was))
            if there in (old, here):
                continue
            if here != old:
                mine, other = here or "nothing", there or "nothing"
                self.contested.append(f"{name} is {mine!r} here, {other!r} there")
                if not later:
                    continue
            fields[key] = there
        labels = self._labels(theirs, ours, was, later)
        return {**fields, "labels": labels} if labels else fields

    def _labels(self, theirs: ItemEntry, ours: ItemEntry, was: ItemEntry, later: bool) -> dict[str, int]:
        found: dict[str, int] = {}
        for folder, values in self._values.items():
            there, old = (values.get(one.labels.get(folder, 0)) for one in (theirs, was))
            here = ours.labels.get(folder, 0)
            if there is not None and there not in (old, here) and (here == old or later):
                found[folder] = there
        return found


def _parted(mine: Path, theirs: Path) -> dict[str, ItemEntry]:
    """What was said when the copies parted."""
    shared = common_bytes(mine, theirs)
    log = ItemLog(mine, _nobody_writes)
    if shared:
        try:
            with open_plain(mine) as file:
                log.replay(file.read(shared))
        except OSError as error:
            raise WorkspaceError(f"{mine} cannot be read ({error.strerror}); put the file back") from error
    return log.entries


def _nobody_writes() -> None:
    raise WorkspaceError("a copy is only read")
