"""The append-only journal of instances: a line an edit, on disk before it counts. Knows no tables and no nodes.

Each line carries a checksum of itself. A crash can leave one torn line at the end, which nobody was told of: readers
leave it out and the next writer cuts it off. A damaged line in the middle keeps its number, and the lines after it are
read; ``holes`` names it.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxloop.errors import LabelError, WorkspaceError
from voxloop.plain_files import open_plain
from voxloop.store.atomic import open_to_append, sync_folder, write_all
from voxloop.store.points.instance import Step
from voxloop.store.records import seal_line, signature

VERSION = 1
_SEAL = b',"sum":"'
_SEALED = len(_SEAL) + 10


@dataclass(frozen=True, slots=True)
class MarkRecord:
    """One edit: where its line begins, and which edits it takes back (``reverse``) or makes again."""

    sequence: int
    line: int
    of: tuple[int, ...] = ()
    reverse: bool = False
    joined: bool = False
    lost: bool = False


class MarkJournal:
    """The records of one level on one image; the one of edit n is at n - 1."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: list[MarkRecord] = []
        self.end = 0  # of the last whole line that was read
        self.holes: set[int] = set()
        self._fd: int | None = None
        self._inode: int | None = None

    def __len__(self) -> int:
        return len(self.records)

    # --------------------------------------------------------------------------------------------------------- read

    def poll(self) -> list[tuple[MarkRecord, list[Step]]]:
        """Edits that came since the last call, with what each changed itself (nothing for an undo or a redo)."""
        found = []
        try:
            with open_plain(self.path) as file:
                facts = os.fstat(file.fileno())
                if self._inode not in (None, facts.st_ino) or facts.st_size < self.end:
                    raise WorkspaceError(f"{self.path} was replaced by another file; open the workspace again")
                self._inode = facts.st_ino
                file.seek(self.end)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    found.append(self._take(line[:-1]))
                    self.end += len(line)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise WorkspaceError(f"{self.path} cannot be read ({error.strerror}); put the file back") from error
        return found

    def _take(self, line: bytes) -> tuple[MarkRecord, list[Step]]:
        number = len(self.records) + 1
        try:
            record, steps = _parsed(line, number, self.end)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            record, steps = MarkRecord(number, self.end, lost=True), []
            self.holes.add(number)
        self.records.append(record)
        return record, steps

    def entry(self, sequence: int) -> dict[str, Any]:
        """The whole line of an edit. Raises LabelError where it is gone or damaged."""
        try:
            with open_plain(self.path) as file:
                file.seek(self.records[sequence - 1].line)
                line = file.readline().rstrip(b"\n")
                _parsed(line, sequence, 0)
                return dict(json.loads(line))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise LabelError(f"edit {sequence} can no longer be read from {self.path}") from None

    def steps(self, record: MarkRecord) -> list[Step]:
        """What an edit changed, in order, those of the edits that it takes back or makes again included.

        Raises LabelError where a line cannot be read.
        """
        if not record.of:
            return [] if record.lost else [_step(item) for item in self.entry(record.sequence)["steps"]]
        steps: list[Step] = []
        for number in record.of:
            pieces = self.steps(self.records[number - 1])
            steps += backwards(pieces) if record.reverse else pieces
        return steps

    def trust(self, records: list[MarkRecord], end: int, seal: str) -> bool:
        """Take up what a file beside says of the lines up to ``end``, where the last of them is the one it saw."""
        if not records:
            return end == 0
        try:
            with open_plain(self.path) as file:
                file.seek(records[-1].line)
                line = file.read(end - records[-1].line)
                self._inode = os.fstat(file.fileno()).st_ino
        except (OSError, ValueError):
            return False
        if not line.endswith(b"\n") or _checksum(line) != seal:
            return False
        self.records, self.end = list(records), end
        return True

    def seal(self) -> str:
        """What tells the last line that was read from any other."""
        if not self.records:
            return ""
        with open_plain(self.path) as file:
            file.seek(self.records[-1].line)
            return _checksum(file.read(self.end - self.records[-1].line))

    # -------------------------------------------------------------------------------------------------------- write

    def append(
        self,
        tool: str,
        arguments: dict[str, Any],
        steps: list[Step],
        *,
        of: tuple[int, ...] = (),
        reverse: bool = False,
        joined: bool = False,
    ) -> MarkRecord:
        """Put an edit on disk; when this returns, it survives anything.

        Raises WorkspaceError where the disk refuses or somebody else has written here; the file is as it was then.
        """
        number = len(self.records) + 1
        entry: dict[str, Any] = {"v": VERSION, "seq": number, "kind": "geometry", "tool": tool, "arguments": arguments}
        entry |= signature()
        if of:
            entry |= {"of": list(of), "reverse": reverse}
        else:
            entry["steps"] = steps
        if joined:
            entry["joined"] = True
        line = seal_line(entry) + b"\n"
        fd = self._open()
        try:
            write_all(fd, line)
            os.fsync(fd)
        except OSError as error:
            os.ftruncate(fd, self.end)
            raise WorkspaceError(
                f"{self.path} cannot be written: {error.strerror or error}; this edit was not made"
            ) from error
        record = MarkRecord(number, self.end, of, reverse, joined)
        self.records.append(record)
        self.end += len(line)
        return record

    def cut_tail(self) -> None:
        """Cut off what a crash left behind."""
        if self.path.exists() and self.path.stat().st_size > self.end:
            os.ftruncate(self._open(checked=False), self.end)

    def _open(self, *, checked: bool = True) -> int:
        if self._fd is None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._fd = open_to_append(self.path)
            except OSError as error:
                raise WorkspaceError(f"the journal {self.path} cannot be written: {error.strerror}") from error
            sync_folder(self.path.parent)
            self._inode = os.fstat(self._fd).st_ino
        if checked:
            self._check_alone(self._fd)
        return self._fd

    def _check_alone(self, fd: int) -> None:
        try:
            there = self.path.lstat()
        except OSError:
            there = None
        if there is None or (there.st_ino, there.st_size) != (os.fstat(fd).st_ino, self.end):
            raise WorkspaceError(
                f"{self.path} was changed, moved or deleted by somebody else; this edit was not made, open the "
                "workspace again to go on"
            )

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def backwards(steps: list[Step]) -> list[Step]:
    """Steps that take these back."""
    return [(number, after, before) for number, before, after in reversed(steps)]


def _parsed(line: bytes, number: int, at: int) -> tuple[MarkRecord, list[Step]]:
    """A line as the record of edit ``number``. Raises ValueError and its like for anything else."""
    if line[-_SEALED:-10] != _SEAL or zlib.crc32(line[:-_SEALED] + b"}") != int(line[-10:-2], 16):
        raise ValueError("damaged")
    entry = json.loads(line)
    of = tuple(int(one) for one in entry.get("of", ()))
    if entry["seq"] != number or not all(1 <= one < number for one in of):
        raise ValueError("out of order")
    steps = [] if of else [_step(item) for item in entry["steps"]]
    return MarkRecord(number, at, of, bool(entry.get("reverse")), bool(entry.get("joined"))), steps


def _step(item: Any) -> Step:
    number, before, after = item
    if not isinstance(number, int) or number < 1 or not all(one is None or "f" in one for one in (before, after)):
        raise ValueError("no step")
    return number, before, after


def _checksum(line: bytes) -> str:
    return f"{zlib.crc32(line):08x}"
