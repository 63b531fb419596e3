"""One label array as it stands after some edit: chunks in memory, over the array on disk and the journal beyond it.

The journal is the truth and the array its cache, written behind it. What the one writer and the readers have in
common; knows no brushes, classes or levels.
"""

from __future__ import annotations

import json
import logging
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.geometry import Box, Shape
from voxloop.plain_files import read_plain
from voxloop.store.changes import Change, left_of, set_by
from voxloop.store.chunks import Chunk, ChunkedArray, ChunkFile, DamagedArrayError, DamagedChunkError
from voxloop.store.journal import Journal
from voxloop.store.layout import LabelPlace
from voxloop.store.locks import ObjectLocks
from voxloop.store.records import Record
from voxloop.store.touched import Counts, TouchedIndex

log = logging.getLogger(__name__)

#: bytes of chunks kept in memory, per label array
CACHE_BYTES = 64 << 20


class LabelState(ABC):
    """Reads chunks through a bounded cache and knows what is touched; how a chunk is loaded is up to the two kinds.

    All methods may be called from any thread.
    """

    def __init__(self, place: LabelPlace, shape: Shape, dtype: np.dtype) -> None:
        self.place = place
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.array = ChunkedArray(place.array / "0", shape, self.dtype)
        self.lock = threading.RLock()
        self.sequence = 0
        self._cache: OrderedDict[Chunk, np.ndarray] = OrderedDict()
        self.remarks: list[str] = []
        self.listeners: dict[object, Callable[[Any], None]] = {}  # called after every edit, whoever made it
        self.highest = 0  # instance number that was ever given out
        self._applied = applied_to(place.array)  # before the index and the journal: both may be newer, never older
        self._intact = self._check_array()
        self.index = TouchedIndex(place.index)
        if self.index.damaged:
            self._remark(f"{place.index.name} was damaged; it is counted again")
        self.journal = Journal(place.journal, shape, self.dtype)
        self.journal.reach(self._seen)
        self._locks = ObjectLocks(self.journal.arguments)

    @property
    def _seen(self) -> int:
        """The last edit that the array on disk holds."""
        return max(self._applied, self.index.applied)

    def _check_array(self) -> bool:
        """Whether the metadata of the array can be read. Raises LabelError where it is another array."""
        try:
            if self.array.exists:
                self.array.check()
        except DamagedArrayError as error:
            self._remark(f"{error}; its voxels are read all the same")
            return False
        return True

    def _remark(self, words: str) -> None:
        """Say what was found damaged, and what became of it."""
        if words not in self.remarks:
            log.warning("labels in %s: %s", self.place.array, words)
            self.remarks.append(words)

    @property
    def chunks(self) -> Shape:
        return self.array.chunks

    def read(self, box: Box) -> np.ndarray:
        """A copy of the voxels of ``box``."""
        out = np.zeros(box.shape, self.dtype)
        with self.lock:
            for part in box.blocks(self.chunks):
                values = self._view(part)
                if values is not None:
                    out[part.within(box).slices] = values
        return out

    def made_by(self, tools: Collection[str], box: Box, since: int = 0) -> np.ndarray:
        """The voxels of ``box`` whose last change after edit ``since`` one of ``tools`` made."""
        made = np.zeros(box.shape, bool)
        with self.lock:
            records = self.journal.records
            for record in records[since:]:
                if not record.box.meet(box):
                    continue
                chosen = (records[record.of[0] - 1] if record.of else record).tool in tools
                for patch in self.journal.patches(record):
                    if inside := patch.box.meet(box):
                        changed = patch.changed[inside.within(patch.box).slices]
                        made[inside.within(box).slices][changed] = chosen
        return made

    def changes(self, since: int, most: int) -> list[Change]:
        """What each edit after ``since`` set and nobody changed since, at most ``most`` voxels of each."""
        with self.lock:
            made = list(set_by(self.journal, self.journal.records[: self.sequence], since, most))
            return [left for change in made if (left := left_of(change, self.read))]

    def touched(self) -> dict[Chunk, Counts]:
        """Chunks that hold labels, with the voxels of every value in them."""
        with self.lock:
            return {chunk: dict(counts) for chunk, counts in sorted(self.index.counts.items())}

    def holds(self, value: int) -> bool:
        """Whether any voxel holds a value."""
        with self.lock:
            return any(value in counts for counts in self.index.counts.values())

    def holding(self, values: Collection[int] | None) -> list[Box]:
        """The chunks that hold any of these values, of any where None, in order; costs what the chunks do."""
        with self.lock:
            found = list(self.index.counts)
            if values is not None and len(values) == 1:
                (one,) = values
                found = [chunk for chunk, counts in self.index.counts.items() if one in counts]
            elif values is not None:
                wanted = frozenset(values)
                found = [chunk for chunk, counts in self.index.counts.items() if not wanted.isdisjoint(counts)]
            return [self.array.box(chunk) for chunk in sorted(found)]

    def locked(self) -> frozenset[int]:
        """Numbers of the objects that are locked after edit ``sequence``."""
        with self.lock:
            return self._locks.after(self.journal.records[: self.sequence])

    def totals(self) -> Counts:
        with self.lock:
            return self.index.totals()

    def close(self) -> None:
        self.journal.close()

    def _view(self, part: Box) -> np.ndarray | None:
        """The voxels of a block inside one chunk (not a copy); None where the chunk is empty."""
        values = self._chunk(part.cell(self.chunks))
        return None if values is None else values[self._local(part)]

    def _local(self, part: Box) -> tuple[slice, slice, slice]:
        """Where a block lies in the chunk that it begins in."""
        corner = [-index * size for index, size in zip(part.cell(self.chunks), self.chunks, strict=True)]
        return part.shift(corner).slices

    def _chunk(self, chunk: Chunk) -> np.ndarray | None:
        found = self._cache.get(chunk)
        if found is not None:
            self._cache.move_to_end(chunk)
            return found
        found = self._load(chunk)
        if found is not None:
            self._cache[chunk] = found
            self._evict()
        return found

    @abstractmethod
    def _load(self, chunk: Chunk) -> np.ndarray | None:
        """A chunk as it stands after edit ``sequence``; None where it is empty."""

    def _pinned(self, chunk: Chunk) -> bool:
        """Whether a chunk must stay in memory."""
        return False

    def _evict(self) -> None:
        room = CACHE_BYTES // (int(np.prod(self.chunks)) * self.dtype.itemsize)
        if len(self._cache) <= room:
            return
        spare = [chunk for chunk in self._cache if not self._pinned(chunk)]
        for chunk in spare[: len(self._cache) - room]:
            del self._cache[chunk]

    def _apply_to(self, values: np.ndarray, chunk: Chunk, records: Iterable[Record], *, back: bool = False) -> None:
        """Bring one chunk from one edit to another: the voxels after each record, or before it."""
        for record in records:
            patches = list(self.journal.patches(record, chunk))
            for patch in reversed(patches) if back else patches:  # those of a stroke in pieces may overlap
                view = values[self._local(patch.box)]
                np.copyto(view, patch.before if back else patch.after, where=patch.changed)

    def _stored(self, chunk: Chunk) -> np.ndarray | None:
        """A chunk as its file has it; None where there is none.

        Raises DamagedChunkError where it is not what was written: a bit flipped, with size and time as they were.
        """
        entry = self.array.read(chunk)
        if entry is None:
            return None
        values, facts = entry
        noted = self.index.files.get(chunk)
        if noted is not None and noted.crc != facts.crc:
            self._check_foreign(chunk, noted, facts)
        return values

    def _check_foreign(self, chunk: Chunk, noted: ChunkFile, facts: ChunkFile) -> None:
        """Raise DamagedChunkError unless the file of a chunk was written anew since it was noted."""
        if (noted.size, noted.modified_ns) == (facts.size, facts.modified_ns):
            raise DamagedChunkError(f"{self.array.file(chunk)} is not what was written")

    def _rebuilt(self, chunk: Chunk, records: Iterable[Record]) -> np.ndarray:
        """A chunk from nothing but the journal."""
        values = np.zeros(self.chunks, self.dtype)
        box = self.array.box(chunk)
        self._apply_to(values, chunk, (record for record in records if record.box.meet(box)))
        return values


def applied_to(array: Path) -> int:
    """The last edit that the array on disk is known to hold."""
    try:
        return int(json.loads(read_plain(array / "zarr.json"))["attributes"]["voxloop"]["applied"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0
