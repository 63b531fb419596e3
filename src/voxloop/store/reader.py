"""The state of a label array for everybody but its writer: at a fixed edit, or following. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import Shape
from voxloop.store.chunks import Chunk, DamagedChunkError
from voxloop.store.journal import Record
from voxloop.store.state import LabelState, Place, applied_to
from voxloop.store.touched import Counts, TouchedIndex

#: edits after which a follower looks what of them the array holds already
FOLLOWED_EDITS = 64


class ReaderState(LabelState):
    """The state after edit ``at``, or the newest one that :meth:`refresh` has seen; writes nothing.

    Exact whatever the writer does meanwhile: a chunk is read first, the journal's end after it, so every voxel in the
    file comes from a known record; records up to ``at`` that the array may not have are applied forwards, those beyond
    it that the array may have are taken back, newest first.
    """

    def __init__(self, place: Place, shape: Shape, dtype: np.dtype, at: int | None = None) -> None:
        super().__init__(place, shape, dtype, writable=False)
        known = len(self.journal)
        if at is not None and not 0 <= at <= known:
            raise LabelError(f"there is no edit {at}; the journal holds edits 1 to {known}")
        self._fixed = at is not None
        self.sequence = known if at is None else at
        self._since = min(self._applied, self.index.applied, self.sequence)
        self._pending: dict[Chunk, list[Record]] = {}
        self._stale: set[Chunk] = set()
        self._expect(self.journal.records[self._since :])

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
            self._applied, self.index, self._since = applied, index, since
            self._pending, self._stale = {}, set()
            self._expect(self.journal.records[since:])

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
        self._expect(self.journal.poll())

    def _expect(self, records: Iterable[Record]) -> None:
        for record in records:
            for chunk in self.journal.chunks(record):
                self._pending.setdefault(chunk, []).append(record)
                self._stale.add(chunk)

    def _load(self, chunk: Chunk) -> np.ndarray | None:
        if chunk not in self.index.counts and chunk not in self._pending:
            return None
        try:
            found = self.array.read(chunk)
        except DamagedChunkError:
            return self._rebuilt(chunk, self.journal.records[: self.sequence])
        self._poll()
        pending = self._pending.get(chunk, [])
        if found is None and not pending:
            return self._rebuilt(chunk, self.journal.records[: self.sequence])
        values = np.zeros(self.chunks, self.dtype) if found is None else found[0]
        self._apply_to(values, chunk, [r for r in pending if self._applied < r.sequence <= self.sequence])
        self._apply_to(values, chunk, [r for r in reversed(pending) if r.sequence > self.sequence], back=True)
        return values
