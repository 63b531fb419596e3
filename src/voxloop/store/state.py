"""One label array as it stands after some edit: chunks in memory, over the array on disk and the journal beyond it.

The journal is the truth and the array its cache, written behind it. What the one writer and the readers have in
common; knows no brushes, classes or levels.
"""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voxloop.geometry import Region, Shape, blocks, intersect, region_shape
from voxloop.store.chunks import Chunk, ChunkedArray
from voxloop.store.journal import Journal, Record
from voxloop.store.patches import relative
from voxloop.store.touched import Counts, TouchedIndex

#: bytes of chunks kept in memory, per label array
CACHE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where the files of one label array lie."""

    array: Path  # the OME-Zarr group
    journal: Path

    @property
    def index(self) -> Path:
        return self.array.with_suffix(".index.jsonl")


class LabelState(ABC):
    """Reads chunks through a bounded cache and knows what is touched; how a chunk is loaded is up to the two kinds.

    All methods may be called from any thread.
    """

    def __init__(self, place: Place, shape: Shape, dtype: np.dtype, *, writable: bool) -> None:
        self.place = place
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.array = ChunkedArray(place.array / "0", shape, self.dtype)
        self.lock = threading.RLock()
        self.sequence = 0
        self._cache: OrderedDict[Chunk, np.ndarray] = OrderedDict()
        self._applied = applied_to(place.array)  # before the index and the journal: both may be newer, never older
        if self.array.exists:
            self.array.check()
        self.index = TouchedIndex(place.index)
        self.journal = Journal(place.journal, shape, self.dtype, writable=writable)

    @property
    def chunks(self) -> Shape:
        return self.array.chunks

    def read(self, region: Region) -> np.ndarray:
        """A copy of the voxels of ``region``."""
        out = np.zeros(region_shape(region), self.dtype)
        with self.lock:
            for part in blocks(region, self.chunks):
                values = self._view(part)
                if values is not None:
                    out[relative(part, region)] = values
        return out

    def made_by(self, tools: Collection[str], region: Region, since: int = 0) -> np.ndarray:
        """The voxels of ``region`` whose last change after edit ``since`` one of ``tools`` made."""
        made = np.zeros(region_shape(region), bool)
        with self.lock:
            records = self.journal.records
            for record in records[since:]:
                if not intersect(record.region, region):
                    continue
                chosen = (records[record.of - 1] if record.of else record).tool in tools
                for patch in self.journal.patches(record):
                    if inside := intersect(patch.region, region):
                        changed = patch.changed[relative(inside, patch.region)]
                        made[relative(inside, region)][changed] = chosen
        return made

    def touched(self) -> dict[Chunk, Counts]:
        """Chunks that hold labels, with the voxels of every value in them."""
        with self.lock:
            return {chunk: dict(counts) for chunk, counts in sorted(self.index.counts.items())}

    def totals(self) -> Counts:
        with self.lock:
            return self.index.totals()

    def close(self) -> None:
        self.journal.close()

    def _view(self, part: Region) -> np.ndarray | None:
        """The voxels of a block inside one chunk (not a copy); None where the chunk is empty."""
        chunk = self._chunk_of(part)
        values = self._chunk(chunk)
        return None if values is None else values[self._local(part, chunk)]

    def _chunk_of(self, part: Region) -> Chunk:
        z, y, x = (p.start // n for p, n in zip(part, self.chunks, strict=True))
        return z, y, x

    def _local(self, part: Region, chunk: Chunk) -> Region:
        z, y, x = (slice(p.start - i * n, p.stop - i * n) for p, i, n in zip(part, chunk, self.chunks, strict=True))
        return z, y, x

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
            for patch in self.journal.patches(record, chunk):
                view = values[self._local(patch.region, chunk)]
                np.copyto(view, patch.before if back else patch.after, where=patch.changed)

    def _rebuilt(self, chunk: Chunk, records: Iterable[Record]) -> np.ndarray:
        """A chunk from nothing but the journal."""
        values = np.zeros(self.chunks, self.dtype)
        box = self.array.region(chunk)
        self._apply_to(values, chunk, (record for record in records if intersect(record.region, box)))
        return values


def applied_to(array: Path) -> int:
    """The last edit that the array on disk is known to hold."""
    try:
        return int(json.loads((array / "zarr.json").read_text())["attributes"]["voxloop"]["applied"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0
