"""Which chunks of a label array hold anything, and how much of each class: counts, sampling and export walk this, never
the grid. On disk an append-only log beside the array; a cache, made again from the array where it is missing.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.store.atomic import replace_bytes, write_all
from voxloop.store.chunks import Chunk, ChunkFile

Counts = dict[int, int]


class TouchedIndex:
    """Class counts and file facts per chunk, valid for the edits up to number ``applied``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: dict[Chunk, Counts] = {}
        self.files: dict[Chunk, ChunkFile] = {}
        self.applied = 0
        self._lines = 0
        self.load()

    def load(self) -> None:
        """Read the log; what stands after its last mark is not known to be complete and is left out."""
        self.counts, self.files, self.applied, self._lines = {}, {}, 0, 0
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return
        waiting: list[list] = []
        for entry in _entries(data):
            self._lines += 1
            if isinstance(entry, list):
                waiting.append(entry)
                continue
            for z, y, x, counts, file in waiting:
                self._set((z, y, x), {int(value): n for value, n in counts.items()}, file and ChunkFile(*file))
            waiting.clear()
            self.applied = entry["applied"]

    def append(self, chunks: Iterable[Chunk], applied: int) -> None:
        """Write down the given chunks as they are now. Not synced: a lost line costs a recount, not a label."""
        self.applied = applied
        text = "".join(self._line(chunk) for chunk in chunks) + _mark(applied)
        self._lines += text.count("\n")
        if self._lines > 2 * len(self.counts) + 4096:
            self.compact()
            return
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            write_all(fd, text.encode())
        finally:
            os.close(fd)

    def compact(self) -> None:
        """Write the log anew, one line a chunk."""
        text = "".join(self._line(chunk) for chunk in self.counts) + _mark(self.applied)
        self._lines = text.count("\n")
        replace_bytes(self.path, text.encode())

    def remember(self, chunk: Chunk, file: ChunkFile | None) -> None:
        """Note what a chunk's file looks like now."""
        if file is None:
            self.files.pop(chunk, None)
        else:
            self.files[chunk] = file

    def change(self, chunk: Chunk, before: np.ndarray, after: np.ndarray) -> None:
        """Count voxels that went from ``before`` to ``after`` (1-D, one entry a changed voxel)."""
        counts = self.counts.setdefault(chunk, {})
        for values, sign in ((before, -1), (after, 1)):
            for value, number in count(values).items():
                left = counts.get(value, 0) + sign * number
                if left:
                    counts[value] = left
                else:
                    counts.pop(value, None)
        if not counts:
            del self.counts[chunk]

    def recount(self, chunk: Chunk, values: np.ndarray | None) -> None:
        """Count a whole chunk anew."""
        counts = {} if values is None else count(values)
        if counts:
            self.counts[chunk] = counts
        else:
            self.counts.pop(chunk, None)

    def totals(self) -> Counts:
        """Voxels of every value but 0."""
        total: Counts = {}
        for counts in self.counts.values():
            for value, number in counts.items():
                total[value] = total.get(value, 0) + number
        return dict(sorted(total.items()))

    def remove(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()

    def _set(self, chunk: Chunk, counts: Counts, file: ChunkFile | None) -> None:
        if counts:
            self.counts[chunk] = counts
        else:
            self.counts.pop(chunk, None)
        self.remember(chunk, file)

    def _line(self, chunk: Chunk) -> str:
        file = self.files.get(chunk)
        facts = None if file is None else [file.size, file.modified_ns, file.crc]
        counts = {str(value): number for value, number in self.counts.get(chunk, {}).items()}
        return json.dumps([*chunk, counts, facts], separators=(",", ":")) + "\n"


def _entries(data: bytes) -> list[Any]:
    """The whole lines before the first that is torn; parsed at one go, because there may be very many."""
    lines = data.split(b"\n")[:-1]
    try:
        return list(json.loads(b"[" + b",".join(lines) + b"]"))
    except ValueError:
        entries = []
        with contextlib.suppress(ValueError):
            for line in lines:
                entries.append(json.loads(line))
        return entries


def _mark(applied: int) -> str:
    return json.dumps({"applied": applied}) + "\n"


def count(values: np.ndarray) -> Counts:
    """Voxels of every value but 0."""
    if values.dtype == np.uint8:
        numbers = np.bincount(values.ravel())
        return {int(value): int(numbers[value]) for value in np.flatnonzero(numbers) if value}
    found, numbers = np.unique(values, return_counts=True)
    return {int(value): int(number) for value, number in zip(found, numbers, strict=True) if value}
