"""Where the journals of two copies parted: the last state that both come from. Reads lines, no voxels.

A copy takes the journal along, so what is the same in both files, from the first line on, was done before. A merge
writes down how far it took the other one in; from there the next one goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from voxloop.errors import WorkspaceError
from voxloop.plain_files import open_plain
from voxloop.store.changes import standing

TOOL = "merge"
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Base:
    """The state of one of the two (``side``) after edit ``sequence`` that both come from.

    Attributes
    ----------
    copied : edits that are the same in both journals.
    numbers : of objects and instances that earlier merges numbered anew, theirs to mine.
    """

    side: Literal["theirs", "mine"]
    sequence: int
    copied: int
    numbers: Mapping[int, int] = field(default_factory=dict)

    @property
    def merged(self) -> bool:
        """An earlier merge brought them together since they parted."""
        return self.side == "mine" or self.sequence > self.copied


@dataclass(frozen=True, slots=True)
class _Note:
    """What a merge wrote down: its own number, the edit of the other one up to which it went, the seal of its line."""

    sequence: int
    edit: int
    seal: str
    numbers: dict[int, int]


def find_base(mine: Path, theirs: Path, my_records: Sequence[Any], their_records: Sequence[Any]) -> Base:
    """Where two journals parted. Raises WorkspaceError where one cannot be read."""
    shared = common_bytes(mine, theirs)
    copied = max((r.sequence for r in my_records if 0 <= r.line < shared), default=0)
    copied = min(copied, len(their_records))
    took = _fitting(_notes(mine, my_records), theirs, their_records)
    taken = _fitting(_notes(theirs, their_records), mine, my_records)
    numbers: dict[int, int] = {}
    for note in taken:
        numbers |= {ours: number for number, ours in note.numbers.items()}
    for note in took:
        numbers |= note.numbers
    inward = max((note for note in took if note.edit > copied), key=lambda note: note.edit, default=None)
    outward = max((note for note in taken if note.edit > copied), key=lambda note: note.edit, default=None)
    if outward is not None and (inward is None or inward.sequence <= outward.edit):
        return Base("mine", outward.edit, copied, numbers)
    if inward is not None:
        return Base("theirs", inward.edit, copied, numbers)
    return Base("theirs", copied, copied, numbers)


def note_of(journal: Path, records: Sequence[Any], numbers: Mapping[int, int]) -> dict[str, Any]:
    """What is written down of a merge that takes a journal in up to its last record."""
    told: dict[str, Any] = {"edit": len(records), "seal": _seal(journal, records[-1]) if records else ""}
    if numbers:
        told["numbers"] = [[int(theirs), int(ours)] for theirs, ours in numbers.items()]
    return told


def common_bytes(one: Path, other: Path) -> int:
    """How many bytes of whole lines are the same at the beginning of two files."""
    good = at = 0
    try:
        with open_plain(one) as first, open_plain(other) as second:
            while True:
                a, b = first.read(_BLOCK), second.read(_BLOCK)
                same = _equal(a, b)
                end = a.rfind(b"\n", 0, same)
                good = at + end + 1 if end >= 0 else good
                if same < _BLOCK:
                    return good
                at += same
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise WorkspaceError(f"{error.filename} cannot be read ({error.strerror}); put the file back") from error


def _equal(one: bytes, other: bytes) -> int:
    """How many bytes are the same at the beginning."""
    size = min(len(one), len(other))
    if one[:size] == other[:size]:
        return size
    low, high = 0, size  # equal up to low, not up to high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle)
    return low


def _notes(journal: Path, records: Sequence[Any]) -> list[_Note]:
    """What merges that were not taken back wrote down."""
    stands = {record.sequence for record in standing(records)}
    found = []
    try:
        with open_plain(journal) as file:
            for line in file:
                if b'"tool":"merge"' not in line:
                    continue
                try:
                    entry = json.loads(line)
                    told = entry["arguments"]["merged"]
                    numbers = {int(theirs): int(ours) for theirs, ours in told.get("numbers", ())}
                    note = _Note(int(entry["seq"]), int(told["edit"]), str(told["seal"]), numbers)
                except (ValueError, KeyError, TypeError, AttributeError):
                    continue
                if note.sequence in stands:
                    found.append(note)
    except FileNotFoundError:
        return []
    return found


def _fitting(notes: Sequence[_Note], journal: Path, records: Sequence[Any]) -> list[_Note]:
    """Those that speak of this very journal."""
    return [
        note
        for note in notes
        if 0 < note.edit <= len(records) and note.seal and _seal(journal, records[note.edit - 1]) == note.seal
    ]


def _seal(journal: Path, record: Any) -> str:
    """What tells the line of an edit from any other."""
    if record.line < 0:
        return ""
    with open_plain(journal) as file:
        file.seek(record.line)
        return file.readline().rstrip(b"\n")[-10:-2].decode(errors="replace")
