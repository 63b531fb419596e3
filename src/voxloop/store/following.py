"""The state of a label array whose files this process keeps in order: the journal mended, and the array following it.

At opening, what the journal has beyond the array is replayed; after that, changed chunks are written in the background.
Knows how no edit is made.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

import numpy as np

from voxloop.errors import WorkspaceError
from voxloop.geometry import Shape
from voxloop.store.atomic import replace_json
from voxloop.store.chunks import Chunk, DamagedChunkError
from voxloop.store.journal import DamagedEditError
from voxloop.store.layout import LabelPlace
from voxloop.store.mending import mend
from voxloop.store.records import Record
from voxloop.store.state import CACHE_BYTES, LabelState
from voxloop.store.undo import UndoStacks

log = logging.getLogger(__name__)

#: seconds that the array may lag behind the journal
LAG_SECONDS = 0.4


class FollowingState(LabelState):
    """The state at the journal's end, and an array on disk that comes to be the same.

    ``permit`` raises where somebody else may write by now; it is asked before anything is written.
    """

    def __init__(
        self,
        place: LabelPlace,
        shape: Shape,
        dtype: np.dtype,
        header: Callable[[], dict[str, Any]],
        permit: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(place, shape, dtype)
        self._header = header
        self._permit = permit
        self._dirty: dict[Chunk, int] = {}  # chunk -> the last edit that changed it
        self._foreign: set[Chunk] = set()  # chunks whose file is not ours: their truth is the journal
        self._flushing = threading.RLock()  # taken before the lock, never after it
        self._following = False
        self._closed = False
        self.failure: OSError | None = None
        self._stacks: UndoStacks[Record] = UndoStacks()
        self.journal.verify()
        self._mend()
        self.journal.cut_tail()
        self._replayed_chunks = self._catch_up()
        if not self._intact:
            self.array.create()

    # ------------------------------------------------------------------------------------------------- from disk

    def _mend(self, damaged: Collection[int] = ()) -> None:
        """Fill the holes of the journal, and fold it anew. Raises WorkspaceError where the disk refuses."""
        self.journal.holes |= set(damaged)
        try:
            for words in mend(self.journal, self.array, self._truth, self._seen):
                self._remark(words)
        except OSError as error:
            raise WorkspaceError(
                f"the journal {self.place.journal} is damaged and could not be repaired ({error.strerror}); nothing "
                "was changed, free some space and open the workspace again"
            ) from error
        self._stacks.fold(self.journal.records)

    def _truth(self, chunk: Chunk) -> np.ndarray | None:
        """What the array holds of a chunk for sure."""
        if not self.array.exists:
            return None
        try:
            values = self._stored(chunk)
        except DamagedChunkError:
            return None
        if values is None and chunk not in self.index.files:
            return np.zeros(self.chunks, self.dtype)
        return values

    def _load(self, chunk: Chunk) -> np.ndarray | None:
        if chunk not in self.index.counts:
            return None
        if chunk in self._foreign:
            return self._rebuilt(chunk, self.journal.records)
        values = self._from_disk(chunk)
        if values is None:
            self._remark(f"chunk {chunk} was lost or damaged; it was made again from the journal")
            values = self._rebuilt(chunk, self.journal.records)
            self._dirty[chunk] = self.sequence
            self._follow()
        return values

    def _rebuilt(self, chunk: Chunk, records: Iterable[Record]) -> np.ndarray:
        try:
            return super()._rebuilt(chunk, records)
        except DamagedEditError as error:
            self._mend({error.sequence})
            return self._rebuilt(chunk, self.journal.records)

    def _from_disk(self, chunk: Chunk) -> np.ndarray | None:
        try:
            return self._stored(chunk)
        except DamagedChunkError:
            return None

    def _pinned(self, chunk: Chunk) -> bool:
        return chunk in self._dirty

    def _catch_up(self) -> set[Chunk]:
        """Replay what the array has not seen; the chunks that were changed."""
        while True:
            try:
                return self._replay()
            except DamagedEditError as error:
                self._mend({error.sequence})

    def _replay(self) -> set[Chunk]:
        """Bring memory from what the array has seen to the journal's end; the chunks that were changed."""
        self.sequence = min(self._applied, self.index.applied, len(self.journal))
        stale: set[Chunk] = set()
        for record in self.journal.records[self.sequence :]:
            for patch in self.journal.patches(record):
                chunk = patch.box.cell(self.chunks)
                stale.add(chunk)
                values = self._replayed(chunk)
                np.copyto(values[self._local(patch.box)], patch.after, where=patch.changed)
                self._dirty[chunk] = record.sequence
                if self._overfull:
                    self._recount_dirty()
                    self._write_dirty(self.sequence)
            self.sequence = record.sequence
        self._recount_dirty()
        return stale

    def _recount_dirty(self) -> None:
        for chunk in self._dirty:
            self.index.recount(chunk, self._cache[chunk])

    def _replayed(self, chunk: Chunk) -> np.ndarray:
        """A chunk while edits are being replayed: as the array has it, whatever the index says."""
        values = self._cache.get(chunk)
        if values is None:
            values = self._cache[chunk] = self._on_disk_or_rebuilt(chunk)
        return values

    def _on_disk_or_rebuilt(self, chunk: Chunk) -> np.ndarray:
        try:
            values = self._stored(chunk)
        except DamagedChunkError:
            self._remark(f"chunk {chunk} was damaged; it was made again from the journal")
            return self._rebuilt(chunk, self.journal.records)
        return np.zeros(self.chunks, self.dtype) if values is None else values

    # --------------------------------------------------------------------------------------------------- to disk

    @property
    def _overfull(self) -> bool:
        return self._waiting_bytes > CACHE_BYTES

    @property
    def _far_behind(self) -> bool:
        return self._waiting_bytes > 2 * CACHE_BYTES

    @property
    def _waiting_bytes(self) -> int:
        """What memory holds of chunks that are not on disk yet."""
        return len(self._dirty) * math.prod(self.chunks) * self.dtype.itemsize

    def flush(self) -> None:
        """Bring the array up to the last edit. Raises OSError where the disk refuses (the journal has it all)."""
        with self._flushing:
            with self.lock:
                sequence = self.sequence
                if not self._dirty and self._applied == sequence == self.index.applied:
                    return
            self._write_dirty(sequence)

    def _write_dirty(self, sequence: int) -> None:
        self._permit()
        if not self.array.exists:
            self.array.create()
        with self.lock:
            waiting = list(self._dirty)
        for chunk in waiting:
            with self.lock:
                edit, values = self._dirty[chunk], self._cache[chunk].copy()
            facts = self.array.write(chunk, values)
            with self.lock:
                self.index.remember(chunk, facts)
                if self._dirty[chunk] == edit:
                    del self._dirty[chunk]
        self.array.sync()
        with self.lock:
            self.index.append(waiting, sequence)
            self._evict()
        replace_json(self.place.array / "zarr.json", group_metadata(self._header(), sequence))
        self._applied = sequence

    def write_header(self) -> None:
        """Write the metadata of the OME-Zarr group again (colours, names), where there is one."""
        with self._flushing:
            if self.array.exists:
                replace_json(self.place.array / "zarr.json", group_metadata(self._header(), self._applied))

    def _follow(self) -> None:
        """See to it that the array follows soon."""
        with self.lock:
            if not self._following:
                self._following = True
                threading.Thread(target=self._flush_soon, name="voxloop-labels", daemon=True).start()

    def _flush_soon(self) -> None:
        while True:
            time.sleep(LAG_SECONDS)
            try:
                if not self._closed:
                    self.flush()
                self.failure = None
            except OSError as error:
                log.warning("labels in %s lag behind the journal: %s", self.place.array, error)
                self.failure = error
                time.sleep(5 * LAG_SECONDS)
            with self.lock:
                if self._closed or not self._dirty:
                    self._following = False
                    return

    def close(self) -> None:
        """Flush and let go. A disk that refuses loses nothing: the journal is replayed at the next opening."""
        if self._closed:
            return
        try:
            self.flush()
        except OSError as error:
            log.warning("labels in %s were not flushed: %s; the journal has them", self.place.array, error)
        self._closed = True
        super().close()


def group_metadata(header: dict[str, Any], sequence: int) -> dict[str, Any]:
    """The zarr.json of the OME-Zarr group around the array."""
    attributes = {**header, "voxloop": {"applied": sequence}}
    return {"zarr_format": 3, "node_type": "group", "attributes": attributes}
