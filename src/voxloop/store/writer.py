"""The state of a label array that its one writer changes: edits, undo, and the array following the journal.

An edit is proposed block by block, written into the journal, and only then made in memory; the array on disk follows in
the background. Knows no brushes, classes or levels.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import numpy as np

from voxloop.errors import ReadOnlyError, VoxloopError, WorkspaceError
from voxloop.geometry import Box, Shape, cover
from voxloop.store.atomic import replace_json
from voxloop.store.chunks import Chunk, DamagedChunkError
from voxloop.store.journal import Record
from voxloop.store.patches import Patch
from voxloop.store.state import CACHE_BYTES, LabelState, Place

log = logging.getLogger(__name__)

#: voxels of an edit from which its values go to a blob instead of the run-length file
BLOB_VOXELS = 1 << 23
#: seconds that the array may lag behind the journal
LAG_SECONDS = 0.4

#: (a block, its current values) -> new values of the same shape, or None to leave it
Proposal = Callable[[Box, np.ndarray], np.ndarray | None]


class WriterState(LabelState):
    """The state that its one writer changes."""

    def __init__(self, place: Place, shape: Shape, dtype: np.dtype, header: Callable[[], dict[str, Any]]) -> None:
        super().__init__(place, shape, dtype, writable=True)
        self._header = header
        self._dirty: dict[Chunk, int] = {}  # chunk -> the last edit that changed it
        self._foreign: set[Chunk] = set()  # chunks whose file is not ours: their truth is the journal
        self._flushing = threading.RLock()  # taken before the lock, never after it
        self._following = False
        self._closed = False
        self.failure: OSError | None = None
        self._undo: list[Record] = []
        self._redo: list[Record] = []
        for record in self.journal.records:
            self._remember(record)
        self._catch_up()

    # ------------------------------------------------------------------------------------------------------ edits

    def edit(
        self,
        tool: str,
        arguments: dict[str, Any],
        boxes: Sequence[Box],
        proposal: Proposal,
        *,
        joined: bool = False,
    ) -> Record | None:
        """Make one edit of whatever size: propose block by block, write down, then change memory.

        ``boxes`` do not overlap. None where no voxel changes.
        Raises WorkspaceError where it cannot be saved; then nothing has changed.
        """
        large = sum(box.size for box in boxes) > BLOB_VOXELS
        with self._changing(large):
            record, patches = self._write_down(tool, arguments, boxes, proposal, joined, large)
            if record is not None:
                self._take(record, patches, large)
        self._hold_back()
        return record

    def _write_down(
        self,
        tool: str,
        arguments: dict[str, Any],
        boxes: Sequence[Box],
        proposal: Proposal,
        joined: bool,
        large: bool,
    ) -> tuple[Record | None, Iterable[Patch]]:
        """The journal's record of an edit, with its patches; nothing in memory has changed yet."""
        patches: list[Patch] = []
        touched: list[Box] = []
        voxels = 0
        blob = None
        try:
            blob = self.journal.blob(self.sequence + 1) if large else None
            for patch, changed in self._proposed(boxes, proposal):
                touched.append(patch.box)
                voxels += changed
                if blob is None:
                    patches.append(patch)
                else:
                    blob.write(patch)
            if touched:
                if blob is not None:
                    blob.sync()
                name = None if blob is None else blob.path.name
                record = self.journal.append(
                    tool, arguments, cover(touched), voxels, patches=patches, blob=name, joined=joined
                )
                return record, patches if blob is None else self.journal.patches(record)
        except BaseException as error:
            if blob is not None:
                blob.remove()
            if isinstance(error, OSError) and not isinstance(error, VoxloopError):
                raise WorkspaceError(
                    f"the edit could not be saved ({error.strerror}); it was not made, all earlier edits are safe"
                ) from error
            raise
        if blob is not None:
            blob.remove()
        return None, ()

    def _proposed(self, boxes: Sequence[Box], proposal: Proposal) -> Iterator[tuple[Patch, int]]:
        for part in (part for box in boxes for part in box.blocks(self.chunks)):
            current = self._view(part)
            before = np.zeros(part.shape, self.dtype) if current is None else current.copy()
            before.setflags(write=False)
            after = proposal(part, before)
            if after is None:
                continue
            changed = int(np.count_nonzero(before != after))
            if changed:
                yield Patch(part.start, before, np.asarray(after, dtype=self.dtype)), changed

    @contextmanager
    def _changing(self, large: bool) -> Iterator[None]:
        """Hold what an edit needs. A large one flushes on its way, so it takes the flusher's turn first."""
        with ExitStack() as held:
            if large:
                held.enter_context(self._flushing)
            held.enter_context(self.lock)
            if self._closed:
                raise ReadOnlyError("this workspace was closed; open it again to change labels")
            yield

    def undo(self) -> list[Record]:
        """Take back the last edit, and what it was joined to; empty where there is none."""
        return self._again(self._undo, "undo", reverse=True)

    def redo(self) -> list[Record]:
        """Make the last edit taken back again."""
        return self._again(self._redo, "redo", reverse=False)

    def _again(self, stack: list[Record], tool: str, *, reverse: bool) -> list[Record]:
        done: list[Record] = []
        more = True
        while more and stack:
            large = stack[-1].blob is not None
            with self._changing(large):
                edit = stack[-1]
                record = self.journal.append(tool, {}, edit.box, edit.voxels, same=edit, reverse=reverse)
                self._take(record, self.journal.patches(record), large)
                done.append(record)
                more = edit.joined if reverse else bool(stack and stack[-1].joined)
        return done

    @property
    def can_undo(self) -> bool:
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        return bool(self._redo)

    def _remember(self, record: Record) -> None:
        """Keep the stacks of undo and redo, as a fold over the records."""
        if record.of is None:
            self._undo.append(record)
            self._redo.clear()
        elif record.reverse:
            self._redo.append(self._undo.pop())
        else:
            self._undo.append(self._redo.pop())

    def _take(self, record: Record, patches: Iterable[Patch], large: bool) -> None:
        """Bring an edit that is on disk into memory."""
        self._remember(record)
        for patch in patches:
            self._put(patch, record.sequence)
            if large and self._overfull:
                self.flush()
        self.sequence = record.sequence
        self._follow()

    def _put(self, patch: Patch, sequence: int) -> None:
        chunk = patch.box.cell(self.chunks)
        values = self._chunk(chunk)
        if values is None:
            values = np.zeros(self.chunks, self.dtype)
        view = values[self._local(patch.box)]
        changed = patch.changed
        after = patch.after[changed]
        self.index.change(chunk, view[changed], after)
        view[changed] = after
        self._cache[chunk] = values  # a full cache may have dropped it again
        self._dirty[chunk] = sequence

    @property
    def _overfull(self) -> bool:
        return len(self._dirty) * math.prod(self.chunks) * self.dtype.itemsize > CACHE_BYTES

    def _hold_back(self) -> None:
        """Let the disk catch up where edits come faster than it takes them; the journal has them already."""
        if self._overfull:
            with suppress(OSError):
                self.flush()

    # ------------------------------------------------------------------------------------- from disk and to disk

    def _load(self, chunk: Chunk) -> np.ndarray | None:
        if chunk not in self.index.counts:
            return None
        if chunk in self._foreign:
            return self._rebuilt(chunk, self.journal.records)
        found = self._from_disk(chunk)
        if found is None:
            log.warning("chunk %s of %s was lost; rebuilt from the journal", chunk, self.place.array)
            found = self._rebuilt(chunk, self.journal.records)
            self._dirty[chunk] = self.sequence
            self._follow()
        return found

    def _from_disk(self, chunk: Chunk) -> np.ndarray | None:
        try:
            found = self.array.read(chunk)
        except DamagedChunkError:
            return None
        return None if found is None else found[0]

    def _pinned(self, chunk: Chunk) -> bool:
        return chunk in self._dirty

    def _catch_up(self) -> None:
        """Replay what the array has not seen, then look for changes by others."""
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
        self._adopt_foreign(stale)
        if self._dirty:
            self._follow()

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
            found = self.array.read(chunk)
        except DamagedChunkError:
            return self._rebuilt(chunk, self.journal.records)
        return np.zeros(self.chunks, self.dtype) if found is None else found[0]

    def _adopt_foreign(self, known: set[Chunk]) -> None:
        """Write down what another program changed in the array, as an edit that can be undone."""
        looked_at = []
        for chunk, stat in self.array.stored():
            noted = self.index.files.get(chunk)
            if chunk in known or (noted and (noted.size, noted.modified_ns) == (stat.st_size, stat.st_mtime_ns)):
                continue
            facts = self.array.facts(chunk)
            self.index.remember(chunk, facts)
            looked_at.append(chunk)
            if noted is None or noted.crc != facts.crc:
                self._foreign.add(chunk)
        if looked_at:
            self.index.append(looked_at, self.index.applied)
        if self._foreign:
            boxes = [self.array.box(chunk) for chunk in sorted(self._foreign)]
            self.edit("foreign", {}, boxes, self._theirs)
            self._foreign.clear()

    def _theirs(self, part: Box, current: np.ndarray) -> np.ndarray | None:
        chunk = part.cell(self.chunks)
        found = self._from_disk(chunk)
        if found is None:  # not theirs but damaged: write ours again
            ours = self._chunk(chunk)
            self._cache[chunk] = np.zeros(self.chunks, self.dtype) if ours is None else ours
            self._dirty[chunk] = self.sequence
            return None
        return found[self._local(part)]

    def flush(self) -> None:
        """Bring the array up to the last edit. Raises OSError where the disk refuses (the journal has it all)."""
        with self._flushing:
            with self.lock:
                sequence = self.sequence
                if not self._dirty and self._applied == sequence == self.index.applied:
                    return
            self._write_dirty(sequence)

    def _write_dirty(self, sequence: int) -> None:
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
