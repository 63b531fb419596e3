"""What can be taken back and made again, as a fold over the records of a journal. Pure: knows no files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar


class Undoable(Protocol):
    """What is read of a record: its number, the edits that it takes back or makes again, whether it goes on."""

    @property
    def sequence(self) -> int: ...

    @property
    def of(self) -> tuple[int, ...]: ...

    @property
    def reverse(self) -> bool: ...

    @property
    def joined(self) -> bool: ...

    @property
    def lost(self) -> bool: ...


Edited = TypeVar("Edited", bound=Undoable)


class UndoStacks(Generic[Edited]):
    """The edits that undo takes back, and those that redo makes again; the next ones last."""

    def __init__(self) -> None:
        self.undo: list[Edited] = []
        self.redo: list[Edited] = []

    def fold(self, records: Sequence[Edited]) -> None:
        """Start over from all records of a journal; that of edit n is the one at n - 1."""
        self.undo.clear()
        self.redo.clear()
        for record in records:
            self.remember(record, records)

    def remember(self, record: Edited, records: Sequence[Edited]) -> None:
        """Take up the next record. An undo of an edit that is not known is none."""
        if record.lost:
            return
        if not record.of:
            self.undo.append(record)
            self.redo.clear()
            return
        here, there = (self.undo, self.redo) if record.reverse else (self.redo, self.undo)
        for number in record.of:
            place = next((n for n in range(len(here) - 1, -1, -1) if here[n].sequence == number), None)
            if place is not None:
                there.append(here.pop(place))
            elif not records[number - 1].lost:
                there.append(records[number - 1])

    def next_undo(self) -> list[Edited]:
        """The pieces of the last stroke, in the order in which they are taken back; empty where there is none."""
        pieces: list[Edited] = []
        for piece in reversed(self.undo):
            pieces.append(piece)
            if not piece.joined:
                break
        return pieces

    def next_redo(self) -> list[Edited]:
        """The pieces of the stroke that was taken back last, in the order in which they are made again."""
        pieces: list[Edited] = []
        for piece in reversed(self.redo):
            if pieces and not piece.joined:
                break
            pieces.append(piece)
        return pieces
