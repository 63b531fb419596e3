"""The instances of one level on one image after some edit: the table, over the journal. Knows no rules and no names.

One class for the writer and for readers: a writer was given ``permit``, which raises where it may not write any more.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from voxloop.errors import LabelError, ReadOnlyError
from voxloop.store.layout import LabelPlace
from voxloop.store.points import table_file
from voxloop.store.points.instance import Step
from voxloop.store.points.mark_journal import MarkJournal, MarkRecord, backwards
from voxloop.store.points.table import MarkTable
from voxloop.store.undo import UndoStacks
from voxloop.store.values import whole

log = logging.getLogger(__name__)

#: bytes of journal beyond the table's file from which that is written anew when a writer opens or closes
STALE_BYTES = 100_000
#: bytes from which that is done at once, after an import
LARGE_BYTES = 8_000_000
#: instances that one line of the journal holds; more are several lines, undone as one
PIECE = 5000


class MarkState:
    """All methods may be called from any thread."""

    def __init__(
        self, place: LabelPlace, dims: int, permit: Callable[[], None] | None = None, at: int | None = None
    ) -> None:
        self.place = place
        self.lock = threading.RLock()
        self.listeners: dict[object, Callable[[Any], None]] = {}
        self.remarks: list[str] = []
        self.stacks: UndoStacks[MarkRecord] = UndoStacks()
        self._permit = permit
        self._fixed = at is not None
        self.journal = MarkJournal(place.journal)
        self.table = table_file.read(place.marks, self.journal, dims) or MarkTable(dims)
        self._filed = self.journal.end
        self.stacks.fold(self.journal.records)
        for record, steps in self.journal.poll():
            self._follow(record, steps)
        self.sequence = len(self.journal)
        self._say_what_is_damaged()
        if at is not None:
            self._go_back(whole("at", at))
        elif permit is not None:
            self.journal.cut_tail()
            self._file()

    @property
    def writable(self) -> bool:
        return self._permit is not None

    def apply(self, tool: str, arguments: dict[str, Any], steps: list[Step], *, joined: bool = False) -> int:
        """Make an edit; its number, when it is on disk. Steps must be right: they are what undo goes by."""
        with self.lock:
            journal = self._writer()
            for start in range(0, len(steps), PIECE):
                piece = steps[start : start + PIECE]
                record = journal.append(tool, arguments if not start else {}, piece, joined=joined or start > 0)
                self._follow(record, piece)
            if journal.end - self._filed > LARGE_BYTES:
                self._file()
            return self.sequence

    def note(self, tool: str, arguments: dict[str, Any]) -> None:
        """Write down something that changes no instance; it is undone as edits are."""
        with self.lock:
            self._follow(self._writer().append(tool, arguments, []), [])

    def undo(self) -> list[Step] | None:
        """Take the last edit back; what that changed, None where there is none."""
        return self._again("undo", reverse=True)

    def redo(self) -> list[Step] | None:
        """Make the edit that was taken back last again; what that changed, None where there is none."""
        return self._again("redo", reverse=False)

    def _again(self, tool: str, *, reverse: bool) -> list[Step] | None:
        with self.lock:
            journal = self._writer()
            pieces = self.stacks.next_undo() if reverse else self.stacks.next_redo()
            if not pieces:
                return None
            steps: list[Step] = []
            for piece in pieces:
                made = journal.steps(piece)
                steps += backwards(made) if reverse else made
            record = journal.append(tool, {}, [], of=tuple(piece.sequence for piece in pieces), reverse=reverse)
            self._follow(record, steps)
            return steps

    def refresh(self) -> list[Step]:
        """Take up what the writer in another process appended; what that changed."""
        with self.lock:
            if self._fixed or self.writable:
                return []
            changed: list[Step] = []
            for record, steps in self.journal.poll():
                changed += self._follow(record, steps)
            self._say_what_is_damaged()
            return changed

    def close(self) -> None:
        with self.lock:
            if self.writable:
                self._file()
            self.journal.close()

    # ------------------------------------------------------------------------------------------------------- helpers

    def _writer(self) -> MarkJournal:
        if self._permit is None:
            raise ReadOnlyError("these were opened read-only")
        self._permit()
        return self.journal

    def _follow(self, record: MarkRecord, steps: list[Step]) -> list[Step]:
        """Bring table and stacks to the next record."""
        if record.of:
            try:
                steps = steps or self.journal.steps(record)
            except LabelError as error:
                self._remark(str(error))
        self._set(steps)
        self.stacks.remember(record, self.journal.records)
        self.sequence = record.sequence
        return steps

    def _set(self, steps: list[Step]) -> None:
        for number, _, after in steps:
            try:
                self.table.set(number, after)
            except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
                self._remark(f"instance {number} cannot be read ({error})")

    def _go_back(self, at: int) -> None:
        if not 0 <= at <= self.sequence:
            raise LabelError(f"there is no edit {at}; the journal holds edits 1 to {self.sequence}")
        for record in reversed(self.journal.records[at:]):
            self._set(backwards(self.journal.steps(record)))
        self.sequence = at

    def _file(self) -> None:
        """Write the table's file where the journal has gone on by much since."""
        if self.journal.end - self._filed < STALE_BYTES:
            return
        try:
            table_file.write(self.place.marks, self.table, self.journal)
            self._filed = self.journal.end
        except OSError as error:
            log.warning("%s could not be written (%s); the journal has everything", self.place.marks, error)

    def _say_what_is_damaged(self) -> None:
        for hole in sorted(self.journal.holes):
            self._remark(f"edit {hole} in {self.journal.path.name} cannot be read; what it changed is not known")

    def _remark(self, words: str) -> None:
        if words not in self.remarks:
            log.warning("%s: %s", self.place.journal, words)
            self.remarks.append(words)
