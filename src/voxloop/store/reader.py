"""The state of a label array for everybody but its writer: at a fixed edit, or following. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import Shape
from voxloop.store.chunks import Chunk, DamagedChunkError
from voxloop.store.layout import LabelPlace
from voxloop.store.records import Record, edits_in_words
from voxloop.store.state import LabelState, applied_to
from voxloop.store.touched import Counts, TouchedIndex
from voxloop.store.values import whole

#: edits after which a follower looks what of them the array holds already
FOLLOWED_EDITS = 64


class ReaderState(LabelState):
    """The state after edit ``at``, or the newest one that :meth:`refresh` has seen; writes nothing.

    Exact whatever the writer does meanwhile: a chunk is read first, the journal's end after it, so every voxel in the
    file comes from a known record; records up to ``at`` that the array may not have are applied forwards, those beyond
    it that the array may have are taken back, newest first.
    """

    def __init__(self, place: LabelPlace, shape: Shape, dtype: np.dtype, at: int | None = None) -> None:
        super().__init__(place, shape, dtype)
        newest = len(self.journal)
        at = None if at is None else whole("at", at)
        if at is not None and not 0 <= at <= newest:
            raise LabelError(f"there is no edit {at}; the journal holds edits 1 to {newest}")
        self._fixed = at is not None
        self.sequence = newest if at is None else at
        self._generation = self.journal.generation
        self._pending: dict[Chunk, list[Record]] = {}
        self._stale: set[Chunk] = set()
        self._from_nothing = False
        self._since = 0
        self._look_at_holes()
        self._expect_from(min(self._seen_by_both, self.sequence))

    @property
    def _seen_by_both(self) -> int:
        return 0 if self._from_nothing else min(self._applied, self.index.applied)

    def _look_at_holes(self) -> None:
        """Choose a way to the wanted state on which no edit lies that cannot be read. Raises LabelError."""
        holes = sorted(self.journal.holes)
        if not holes:
            return
        self._remark(f"{edits_in_words(holes)} cannot be read; a writer that opens the workspace repairs what it can")
        beyond = [hole for hole in holes if hole > self.sequence]
        if not beyond:
            return  # the array has them all, or they are lost
        if len(beyond) < len(holes):
            raise LabelError(
                f"the labels after edit {self.sequence} cannot be made again: {edits_in_words(holes)} cannot be read; "
                f"there are those up to edit {holes[0] - 1} and from edit {holes[-1]} on"
            )
        self._from_nothing = True
        self.index = TouchedIndex(self.place.index.with_name(".none"))

    def _expect_from(self, since: int) -> None:
        self._since, self._pending, self._stale = since, {}, set()
        self._expect(self.journal.records[since:])
        if self.index.damaged or (self.journal.holes and not self._from_nothing):
            self._stale |= {chunk for chunk, _ in self.array.stored()}
            for chunk in self._stale:
                self._pending.setdefault(chunk, [])

    def refresh(self) -> list[Record]:
        """Take up edits that the writer appended since; nothing for a state at a fixed edit."""
        with self.lock:
            if self._fixed:
                return []
            self._forget_applied()
            self._poll()
            new = self.journal.records[self.sequence :]
            for record in new:
                for chunk in self.journal.chunks(record):
                    self._stale.add(chunk)
                    if chunk in self._cache:
                        self._apply_to(self._cache[chunk], chunk, [record])
                self.sequence = record.sequence
            return new

    def _forget_applied(self) -> None:
        """Start over from what the array holds by now, so that chunks do not get dearer to load with every edit."""
        if len(self.journal) - self._since < FOLLOWED_EDITS:
            return
        applied = applied_to(self.place.array)
        index = TouchedIndex(self.place.index)
        since = min(applied, index.applied, self.sequence)
        if since > self._since:
            self._applied, self.index = applied, index
            self._expect_from(since)

    def touched(self) -> dict[Chunk, Counts]:
        self._recount()
        return super().touched()

    def totals(self) -> Counts:
        self._recount()
        return super().totals()

    def _recount(self) -> None:
        with self.lock:
            while self._stale:
                chunk = self._stale.pop()
                self.index.recount(chunk, self._load(chunk))

    def _poll(self) -> None:
        new = self.journal.poll()
        if self.journal.generation == self._generation:
            self._expect(new)
            return
        self._generation = self.journal.generation  # the journal was mended, and may know more of earlier edits now
        if not self._from_nothing:
            self._applied, self.index = applied_to(self.place.array), TouchedIndex(self.place.index)
        self.journal.reach(self._seen)
        self._expect_from(min(self._seen_by_both, self.sequence))

    def _expect(self, records: Iterable[Record]) -> None:
        for record in records:
            for chunk in self.journal.chunks(record):
                self._pending.setdefault(chunk, []).append(record)
                self._stale.add(chunk)

    def _load(self, chunk: Chunk) -> np.ndarray | None:
        if chunk not in self.index.counts and chunk not in self._pending:
            return None
        earlier = self.journal.records[: self.sequence]
        if self._from_nothing:
            return self._rebuilt(chunk, earlier)
        try:
            values = self._stored(chunk)
        except DamagedChunkError as error:
            self._remark(f"{error}; it was made again from the journal")
            return self._rebuilt(chunk, earlier)
        generation = self._generation
        self._poll()
        if self._generation != generation:
            return self._load(chunk)  # what was read belongs to what the journal said before
        pending = self._pending.get(chunk, [])
        if values is None and not pending:
            return self._rebuilt(chunk, earlier)
        if values is None:
            values = np.zeros(self.chunks, self.dtype)
        self._apply_to(values, chunk, [r for r in pending if self._applied < r.sequence <= self.sequence])
        self._apply_to(values, chunk, [r for r in reversed(pending) if r.sequence > self.sequence], back=True)
        return values

    def _rebuilt(self, chunk: Chunk, records: Iterable[Record]) -> np.ndarray:
        """A chunk from nothing but the journal. Raises LabelError where that lacks an edit."""
        records = list(records)
        missing = [record.sequence for record in records if record.sequence in self.journal.holes]
        if missing:
            raise LabelError(
                f"{self.array.file(chunk)} is lost or damaged, and so is {edits_in_words(missing)} in the journal; a "
                "writer that opens the workspace repairs what it can"
            )
        return super()._rebuilt(chunk, records)
