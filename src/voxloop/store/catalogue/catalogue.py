"""The list of images, frames or tiles of a workspace, and what people say of them. Every change is a line on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError, WorkspaceError, unknown
from voxloop.geometry import Box
from voxloop.given import flag, path_of, shown
from voxloop.store.catalogue import facts
from voxloop.store.catalogue.class_edits import give_class, values_of
from voxloop.store.catalogue.entry import NOTHING, STATUSES, ItemEntry, checked
from voxloop.store.catalogue.grouping import fits, group_of
from voxloop.store.catalogue.items import Items, frames_of, images_of, tiles_of
from voxloop.store.catalogue.log import Group, ItemLog
from voxloop.store.catalogue.meant import places_of
from voxloop.store.catalogue.places import inherited
from voxloop.store.catalogue.set_rows import rows_of, with_rows, without_rows
from voxloop.store.catalogue.sheet import read_sheet, save_table, table_of
from voxloop.store.values import text

if TYPE_CHECKING:
    import pandas as pd

    from voxloop.store.catalogue.tiles import Tiles
    from voxloop.store.document import TrainingSet
    from voxloop.store.workspace import Store


class Catalogue:
    """Items to work through: ``ws.catalogue("images")``, ``("frames")``, or the name of a grid of tiles.

    Verbs take items by name, several, or ``"*"`` for all: an image is called by its name, a frame ``"movie/12"``, a
    tile ``"slide/0:512,512:1024"`` (rows, columns). What is said is on disk when a verb returns; :meth:`undo` takes it
    back, also after the workspace was opened again.

    Examples
    --------
    >>> frames = film.catalogue("frames")
    >>> frames.set(["film/0", "film/1"], status="done", assignee="Ada")
    2
    >>> frames.find(assignee="Ada"), frames.words
    (['film/0', 'film/1'], '2 of 4 done')
    >>> frames.undo()
    True
    """

    def __init__(self, store: Store, tiles: Tiles, name: str) -> None:
        self._store, self._tiles = store, tiles
        self.name = name
        self.log = ItemLog(store.layout.catalogue(name), store.check_writable)
        self._seen: tuple[Any, ...] | None = None
        self._items: Items
        self._inherited: dict[int, ItemEntry] = {}
        self._lost = 0
        self._look()

    # --------------------------------------------------------------------------------------------------- what there is

    @property
    def items(self) -> Items:
        """The items as they are now, with their places."""
        self._look()
        return self._items

    @property
    def names(self) -> list[str]:
        """What the items are called, in order."""
        return self.items.names

    def __len__(self) -> int:
        return len(self.items)

    @property
    def sequence(self) -> int:
        """Number of the last change."""
        self._look()
        return self.log.sequence

    @property
    def read_only(self) -> bool:
        return self._store.read_only

    def read(self, item: str) -> ItemEntry:
        """What is said of an item: ``.status``, ``.quality``, ``.note``, ``.assignee``, ``.author``, ``.time``."""
        return self._entry(self._one(item))

    def entries(self) -> dict[int, ItemEntry]:
        """What is said, by place of the item; those of which nothing is said are left out."""
        self._look()
        places = self._items.places
        own = {places[name]: entry for name, entry in self.log.entries.items() if name in places}
        return {**self._inherited, **own}

    def region(self, item: str) -> tuple[slice, slice, slice]:
        """The voxels of an item as slices (z, y, x) of its image, which ``ws.labels().read`` and others take."""
        return self._items.box(self._one(item)).slices

    def place(self, item: str) -> tuple[str, Box]:
        """Image and box of an item."""
        at = self._one(item)
        return self._items.info(at).name, self._items.box(at)

    def counts(self) -> dict[str, int]:
        """How many items are to do, in progress, done."""
        found = Counter(entry.status for entry in self.entries().values())
        rest = len(self) - sum(found.values())
        return {status: found[status] + (rest if status == STATUSES[0] else 0) for status in STATUSES}

    @property
    def words(self) -> str:
        """``12 of 300 done, 3 in progress``, and what is on record for items that are gone."""
        counts = self.counts()
        said = f"{counts['done']:,} of {len(self):,} done"
        if counts["in progress"]:
            said += f", {counts['in progress']:,} in progress"
        if self._lost:
            said += f"; {self._lost:,} on record of items that are not here now"
        return said

    def find(
        self,
        words: str | None = None,
        *,
        status: str | None = None,
        quality: str | None = None,
        assignee: str | None = None,
        label: str | None = None,
        level: str | None = None,
    ) -> list[str]:
        """Names of the items of which all of this is so.

        Parameters
        ----------
        words
            Stands in the name, the note or the assignee, small or capital.
        status, quality, assignee
            As they were said; empty for none.
        label
            Name of the class, empty for none; ``level`` is the level of pictures, where there are several.
        """
        wanted = {**checked(status, quality, None, assignee)}
        low = None if words is None else text("words", words).lower()
        said = self.entries()
        classes = {} if label is None else self.classes(level)
        if isinstance(label, str) and not label:
            pass  # those without a class
        elif label is not None:
            self._store.levels[self.class_level(level)].class_of(text("label", label))
        return [
            name
            for at, name in enumerate(self._items.names)
            if fits(name, said.get(at, NOTHING), wanted, low) and (label is None or classes.get(at, "") == label)
        ]

    def table(self) -> pd.DataFrame:
        """A row an item: where it is, what is said of it, by whom and when, class, training sets."""
        return table_of(self, self._store)

    def labelled(self, level: str | None = None) -> np.ndarray:
        """Which items hold a label of a level (None: of any): bool (n,)."""
        level = None if level is None else self._store.levels[level].name
        return facts.labelled(self._store, self.items, level)

    def in_set(self, name: str) -> np.ndarray:
        """Which items a training set holds, or more: bool (n,)."""
        return facts.in_rows(self.items, self._store.sets[name].rows)

    # ------------------------------------------------------------------------------------------------ what is said

    def set(
        self,
        items: object,
        *,
        status: str | None = None,
        quality: str | None = None,
        note: str | None = None,
        assignee: str | None = None,
    ) -> int:
        """Say something of items; what is not given stays. How many it changed.

        Parameters
        ----------
        items
            Names, a name, or ``"*"``.
        status
            ``"to do"``, ``"in progress"`` or ``"done"``.
        quality
            ``"good"``, ``"unclear"``, ``"bad"``, or empty.
        note, assignee
            Any words; empty takes them away.

        Raises
        ------
        LabelError
            There is no such item, status or quality; nothing is changed.
        """
        fields = checked(status, quality, note, assignee)
        if not fields:
            raise LabelError("say what is to be set: status=, quality=, note= or assignee=")
        return self._say([(fields, at) for at in self._places(items)])

    def assign(self, items: object, label: str | None, level: str | None = None) -> int:
        """Say of which class items are; None takes it away. How many it changed.

        Classes of images and frames are those of ``ws.pictures(level, image)``, with its undo; classes of tiles are
        kept here. ``level``: of pictures, the only one where not given.
        """
        level = self.class_level(level)
        item = None if label is None else self._store.levels[level].class_of(text("label", label))
        places = self._places(items)
        if self._items.kind != "tiles":
            return give_class(self._store, self._items, places, level, None if item is None else item.name)
        folder = self._store.levels[level].folder or level
        fields = {"labels": {folder: 0 if item is None else item.value}}
        return self._say([(fields, at) for at in places])

    def assign_each(self, labels: Mapping[str, str], level: str | None = None) -> int:
        """Give tiles a class each, as one change; images and frames as :meth:`assign`. How many it changed."""
        level = self.class_level(level)
        values = values_of(labels, self._store.levels[level])
        places = {name: self._one(name) for name in labels}
        if self._items.kind != "tiles":
            return sum(self.assign([name for name in labels if labels[name] == one], one, level) for one in values)
        folder = self._store.levels[level].folder or level
        fields = {label: {"labels": {folder: value}} for label, value in values.items()}
        return self._say([(fields[label], places[name]) for name, label in labels.items()])

    def classes(self, level: str | None = None) -> dict[int, str]:
        """Names of the classes that people gave the items, by place."""
        name = self.class_level(level)
        found = self._store.levels[name]
        names = {item.value: item.name for item in found.classes}
        self._look()
        if self._items.kind == "tiles":
            values = {at: entry.labels.get(found.folder or name, 0) for at, entry in self.entries().items()}
        else:
            values = facts.classes(self._store, self._items, name)
        return {at: names[value] for at, value in values.items() if value in names}

    def class_level(self, level: str | None = None) -> str:
        """The level of pictures that is meant; None: the only one. Raises LabelError."""
        there = self._store.levels.of_kind("pictures")
        if level is None and len(there) == 1:
            return there[0]
        if level is None:
            how = "ws.levels.add('kinds', classes=[...], kind='pictures') makes one"
            raise LabelError(f"say which level of pictures: there are {', '.join(map(repr, there)) or f'none; {how}'}")
        if not isinstance(level, str) or level not in there:
            raise LabelError(unknown("level of pictures", shown(level) if not isinstance(level, str) else level, there))
        return level

    def undo(self) -> bool:
        """Take the last change of this catalogue back; whether there was one."""
        return self.log.undo()

    def redo(self) -> bool:
        """Make the change again that was taken back last; whether there was one."""
        return self.log.redo()

    @property
    def can_undo(self) -> bool:
        return self.log.can_undo

    # ------------------------------------------------------------------------------------------------ training sets

    def rows(self, items: object, level: str | None = None) -> list[tuple[Any, ...]]:
        """What ``ws.sets.add(name, rows)`` takes for these items; frames side by side make one row."""
        return rows_of(self._store, self._items, self._places(items), level)

    def add_to_set(
        self, name: str, items: object, level: str | None = None, *, out_of: str | None = None
    ) -> TrainingSet:
        """Put items into a training set, which is made where there is none; a new version of it.

        ``out_of`` is a set that they leave, such as the one to validate on.
        """
        places = self._places(items)
        if out_of is not None and out_of in self._store.sets:
            if out_of == name:
                raise WorkspaceError(f"items cannot be put into {name!r} and out of it at once")
            without_rows(self._store, self._items, places, out_of, may_end=True)
        return with_rows(self._store, self._items, places, name, level)

    def take_out_of_set(self, name: str, items: object) -> TrainingSet | None:
        """Take items out of a training set; None where nothing is left of it, which ends it."""
        return without_rows(self._store, self._items, self._places(items), name, may_end=True)

    # ------------------------------------------------------------------------------------------------------- tables

    def save(self, path: str | Path) -> Path:
        """Write :meth:`table` as CSV (or Excel, by the ending); texts that would be formulas stay texts."""
        return save_table(self.table(), path_of(path, error=WorkspaceError))

    def load(self, path: str | Path, *, skip_unknown: bool = False) -> int:
        """Say what a CSV file says: columns ``item`` and any of ``status``, ``quality``, ``note``, ``assignee`` and
        ``class``. One change, for undo; how many items it changed.

        Raises
        ------
        LabelError
            An item, a status or a class is not known; nothing is changed. ``skip_unknown`` leaves such items out.
        """
        self._store.check_writable()
        skip = flag("skip_unknown", skip_unknown, error=LabelError)
        rows = read_sheet(path_of(path, error=LabelError), self.items.places, skip_unknown=skip)
        said = [(fields, self._items.places[name]) for fields, name in rows]
        classed = [(fields.pop("class"), at) for fields, at in said if "class" in fields]
        if any(label for label, _ in classed):
            level = self.class_level()
            for label in {label for label, _ in classed if label}:
                self._store.levels[level].class_of(label)
            names = self._items.names
            before = self.classes(level)
            for label in dict.fromkeys(label for label, _ in classed):
                meant = [names[at] for one, at in classed if one == label and before.get(at, "") != label]
                if meant:
                    self.assign(meant, label or None, level)
        return self._say([(fields, at) for fields, at in said if fields])

    # ------------------------------------------------------------------------------------------------------ helpers

    def _look(self) -> None:
        """Take up other images, another grid, and what others said."""
        document = self._store.document
        self.log.refresh()
        there = (document.images, document.tiles)
        same = self._seen is not None and self._seen[:2] == there
        if not same:
            self._items = self._make()
        said = (self.log.sequence, id(self.log.entries))
        if self._seen is None or not same or self._seen[2:] != said:
            self._inherited, self._lost = inherited(self._items, self.log.entries)
        self._seen = (*there, *said)

    def _make(self) -> Items:
        infos = self._store.document.images
        if self.name == "images":
            return images_of(infos)
        if self.name == "frames":
            return frames_of(infos)
        return tiles_of(self._tiles[self.name], self._tiles.infos(self.name))

    def _entry(self, at: int) -> ItemEntry:
        own = self.log.entries.get(self._items.names[at])
        return own or self._inherited.get(at, NOTHING)

    def say_each(self, changes: Sequence[tuple[Mapping[str, Any], str]]) -> int:
        """Say fields that were checked of items, each its own, as one change. How many it changed."""
        places = self.items.places
        return self._say([(fields, places[name]) for fields, name in changes])

    def _say(self, said: list[tuple[Mapping[str, Any], int]]) -> int:
        """Write what differs from what is so already."""
        self._store.check_writable()
        groups: dict[str, tuple[dict[str, Any], list[str]]] = {}
        meant: dict[tuple[int, int], list[str] | None] = {}  # thousands of items share what was and what is said
        names, total = self._items.names, 0
        for fields, at in said:
            old = self._entry(at)
            new = names[at] not in self.log.entries
            key = (id(fields), id(old) if new else -id(old))
            if key not in meant:
                meant[key] = group_of(groups, fields, old, new and old is not NOTHING)
            group = meant[key]
            if group is not None:
                group.append(names[at])
                total += 1
        if total:
            written: list[Group] = list(groups.values())
            self.log.write(written)
        return total

    def _one(self, item: str) -> int:
        """Where one item stands."""
        if not isinstance(item, str):
            raise LabelError(f"item={shown(item)}: give its name")
        return self._places([item])[0]

    def _places(self, items: object) -> list[int]:
        """Where the items that are meant stand. Raises LabelError, naming what is not there."""
        self._look()
        return places_of(self._items, items, self.name)

    def __repr__(self) -> str:
        return f"<Catalogue {self.name!r}: {self.words}>"
