"""The journal of what is said of items: one line a change, synced before it is acknowledged; undo and redo are lines.

The file is the truth, and read on from where the last look ended, so that all who have it open see the same.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from voxloop.errors import WorkspaceError
from voxloop.store.atomic import open_to_read
from voxloop.store.catalogue.entry import NOTHING, ItemEntry, read_fields
from voxloop.store.json_lines import append_line, parse_lines
from voxloop.store.records import signature

#: names of items that get the same fields
Group = tuple[Mapping[str, Any], Sequence[str]]


class ItemLog:
    """What is said of items, by their names; ``permit`` raises where nothing may be written."""

    def __init__(self, path: Path, permit: Callable[[], None]) -> None:
        self.path = path
        self._permit = permit
        self._lock = threading.RLock()
        self._forget()

    def _forget(self) -> None:
        self.entries: dict[str, ItemEntry] = {}
        self.sequence = 0
        self._file: tuple[int, int] | None = None
        self._read_to = 0
        self._done: list[tuple[int, list[Group], dict[str, ItemEntry]]] = []
        self._undone: list[tuple[int, list[Group]]] = []

    # ----------------------------------------------------------------------------------------------------- changing

    def write(self, groups: Sequence[Group]) -> int:
        """Note a change; on disk when this returns. Gives its number."""
        plain = [[dict(fields), list(names)] for fields, names in groups if names]
        return self._append({"kind": "set", "changes": plain})

    def undo(self) -> bool:
        """Take the last change back; whether there was one."""
        return self._step("undo", self._done)

    def redo(self) -> bool:
        """Make the change again that was taken back last; whether there was one."""
        return self._step("redo", self._undone)

    def _step(self, kind: str, stack: list[Any]) -> bool:
        with self._lock:
            self._permit()
            self.refresh()
            stack = self._done if kind == "undo" else self._undone
            if not stack:
                return False
            self._append({"kind": kind, "of": stack[-1][0]})
            return True

    @property
    def can_undo(self) -> bool:
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        return bool(self._undone)

    def _append(self, record: dict[str, Any]) -> int:
        with self._lock:
            self._permit()
            self.refresh()
            try:
                self.path.parent.mkdir(exist_ok=True)
            except OSError as error:
                raise WorkspaceError(f"{self.path} cannot be written: {error.strerror or error}") from error
            append_line(self.path, {"v": 1, "n": self.sequence + 1, **record, **signature()})
            self.refresh()
            return self.sequence

    # ------------------------------------------------------------------------------------------------------ reading

    def refresh(self) -> bool:
        """Take up what was written since the last look, by whomever; whether there was anything."""
        with self._lock:
            before = self.sequence
            try:
                fd = open_to_read(self.path)
            except FileNotFoundError:
                if self._file is not None:
                    self._forget()
                return self.sequence != before
            except OSError as error:
                raise WorkspaceError(f"{self.path} cannot be read: {error.strerror or error}") from error
            with os.fdopen(fd, "rb") as file:
                facts = os.fstat(fd)
                if self._file != (facts.st_dev, facts.st_ino) or facts.st_size < self._read_to:
                    self._forget()
                    self._file = facts.st_dev, facts.st_ino
                if facts.st_size == self._read_to:
                    return self.sequence != before
                file.seek(self._read_to)
                data = file.read()
            whole = data.rfind(b"\n") + 1  # a line that is being written, or that a crash cut
            self._read_to += whole
            self.replay(data[:whole])
            return self.sequence != before

    def replay(self, data: bytes) -> None:
        """Take up whole lines of a journal."""
        for record in parse_lines(data.split(b"\n")):
            self._take(record)

    def _take(self, record: dict[str, Any]) -> None:
        self.sequence += 1
        author, time = str(record.get("author", "")), str(record.get("time", ""))
        kind = record.get("kind")
        if kind == "set":
            self._undone.clear()
            self._apply(self.sequence, _groups(record.get("changes")), author, time)
        elif kind == "undo" and self._done and self._done[-1][0] == record.get("of"):
            number, groups, before = self._done.pop()
            for name, entry in before.items():
                if entry is NOTHING:
                    self.entries.pop(name, None)
                else:
                    self.entries[name] = entry
            self._undone.append((number, groups))
        elif kind == "redo" and self._undone and self._undone[-1][0] == record.get("of"):
            number, groups = self._undone.pop()
            self._apply(number, groups, author, time)

    def _apply(self, number: int, groups: list[Group], author: str, time: str) -> None:
        before: dict[str, ItemEntry] = {}
        for fields, names in groups:
            made: dict[int, ItemEntry] = {}  # what thousands of items share is there once
            for name in names:
                old = self.entries.get(name, NOTHING)
                before.setdefault(name, old)
                if id(old) not in made:
                    made[id(old)] = old.changed(fields, author, time)
                self.entries[name] = made[id(old)]
        self._done.append((number, groups, before))


def _groups(given: Any) -> list[Group]:
    """The changes of a line; what is malformed is left out."""
    found: list[Group] = []
    for one in given if isinstance(given, list) else ():
        if isinstance(one, list) and len(one) == 2 and isinstance(one[1], list):
            fields = read_fields(one[0])
            names = [name for name in one[1] if isinstance(name, str)]
            if fields and names:
                found.append((fields, names))
    return found
