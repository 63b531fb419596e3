"""Which chunks of a label array hold anything, and how much of each class: counts, sampling and export walk this, never
the grid. On disk an append-only log beside the array; a cache, made again from journal and array where it is missing or
damaged. Each mark carries a checksum of the lines before it.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.geometry import Box
from voxloop.plain_files import read_plain
from voxloop.store.atomic import open_to_append, replace_bytes, write_all
from voxloop.store.chunks import Chunk, ChunkFile

Counts = dict[int, int]
#: of marks that were written before there were checksums
_NONE = "none"


@dataclass(frozen=True, slots=True)
class Touched:
    """A chunk that holds labels: its voxels and how many of them hold each value (0 left out)."""

    box: Box
    counts: dict[int, int]

    @property
    def region(self) -> tuple[slice, slice, slice]:
        """The box as slices (z, y, x), for indexing."""
        return self.box.slices


class TouchedIndex:
    """Class counts and file facts per chunk, valid for the edits up to number ``applied``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: dict[Chunk, Counts] = {}
        self.files: dict[Chunk, ChunkFile] = {}
        self.applied = 0
        self.damaged = False
        self._lines = 0
        self._end = 0  # of the last mark in the file; what a crash left behind it is cut off
        self.load()

    def load(self) -> None:
        """Read the log; what stands after its last mark is not known to be complete and is left out.

        Of a damaged log nothing is believed: it reads as empty, and ``damaged`` is true.
        """
        self.counts, self.files, self.applied = {}, {}, 0
        self._lines = self._end = 0
        self.damaged = False
        try:
            data = read_plain(self.path)
        except FileNotFoundError:
            return
        except OSError:
            self.damaged = True
            return
        try:
            self._read(data)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self.counts, self.files, self.applied, self.damaged = {}, {}, 0, True

    def _read(self, data: bytes) -> None:
        """Take up whole groups of lines. Raises what parsing raises where one is damaged."""
        lines = [line + b"\n" for line in data.split(b"\n")[:-1]]
        waiting: list[list] = []
        at = 0
        for line, entry in zip(lines, _entries(lines), strict=True):
            at += len(line)
            if isinstance(entry, list):
                waiting.append(entry)
                continue
            applied = int(entry["applied"])
            if entry.get("sum", _NONE) not in (_NONE, _sum(data[self._end : at - len(line)], applied)):
                raise ValueError("a checksum differs")
            self._lines += len(waiting) + 1
            for z, y, x, counts, file in waiting:
                self._set((z, y, x), {int(value): int(n) for value, n in counts.items()}, file and ChunkFile(*file))
            waiting.clear()
            self.applied, self._end = applied, at

    def append(self, chunks: Iterable[Chunk], applied: int) -> None:
        """Write down the given chunks as they are now. Not synced: a lost line costs a recount, not a label."""
        self.applied = applied
        data = _sealed("".join(self._line(chunk) for chunk in chunks), applied).encode()
        self._lines += data.count(b"\n")
        if self.damaged or self._lines > 2 * len(self.counts) + 4096:
            self.compact()
            return
        fd = open_to_append(self.path)
        try:
            whole = os.fstat(fd).st_size >= self._end
            if whole:
                os.ftruncate(fd, self._end)
                write_all(fd, data)
                self._end += len(data)
        finally:
            os.close(fd)
        if not whole:  # somebody took away what we wrote
            self.compact()

    def compact(self) -> None:
        """Write the log anew, one line a chunk."""
        chunks = dict.fromkeys([*self.counts, *self.files])
        data = _sealed("".join(self._line(chunk) for chunk in chunks), self.applied).encode()
        replace_bytes(self.path, data)
        self._lines, self._end = data.count(b"\n"), len(data)
        self.damaged = False

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


def _entries(lines: list[bytes]) -> list[Any]:
    """Lines, parsed at one go because there may be very many. Raises ValueError where one is damaged.

    The last lines may be what a crash tore; those that no mark follows are left out by whoever asks.
    """
    try:
        return list(json.loads(b"[" + b",".join(lines) + b"]"))
    except ValueError:
        marks = [number for number, line in enumerate(lines) if line.startswith(b'{"applied"')]
        whole = lines[: marks[-1] + 1] if marks else []
        return [*(json.loads(line) for line in whole), *([] for _ in lines[len(whole) :])]


def _sealed(text: str, applied: int) -> str:
    mark = {"applied": applied, "sum": _sum(text.encode(), applied)}
    return text + json.dumps(mark) + "\n"


def _sum(lines: bytes, applied: int) -> str:
    return f"{zlib.crc32(str(applied).encode(), zlib.crc32(lines)):08x}"


def count(values: np.ndarray) -> Counts:
    """Voxels of every value but 0."""
    if values.dtype == np.uint8:
        numbers = np.bincount(values.ravel())
        return {int(value): int(numbers[value]) for value in np.flatnonzero(numbers) if value}
    found, numbers = np.unique(values, return_counts=True)
    return {int(value): int(number) for value, number in zip(found, numbers, strict=True) if value}
