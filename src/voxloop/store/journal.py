"""The append-only journal of one label array: what every edit changed, on disk before it counts. Knows no tools.

Two files: ``.jsonl`` holds one line an edit (who, when, which tool with which arguments, where), ``.bin`` the voxels
before and after in run-length code. Both are synced before an edit is acknowledged. A crash can leave at most one torn
record at the end, which nobody was told of; it is ignored by readers and cut off by the next writer. Edits too large
for that keep their voxels in ``blobs/<name>.<sequence>.zarr`` (arrays ``before`` and ``after``, equal where untouched).
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import shutil
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.errors import LabelError, WorkspaceError
from voxloop.geometry import Box, Shape
from voxloop.store.atomic import sync_folder, write_all
from voxloop.store.chunks import Chunk, ChunkedArray, chunk_shape
from voxloop.store.patches import Patch, decode, encode

VERSION = 1


@dataclass(frozen=True, slots=True)
class Record:
    """One edit. ``of`` names the edit whose voxels this one takes over, ``reverse`` the other way round (an undo).

    ``line`` is where it stands in the ``.jsonl``; arguments stay there, so that memory does not grow with strokes.
    """

    sequence: int
    tool: str
    box: Box
    voxels: int
    offset: int
    length: int
    crc: int
    blob: str | None
    of: int | None
    reverse: bool
    joined: bool
    line: int


class Journal:
    """The records of one label array. ``writable`` for its one writer; readers poll."""

    def __init__(self, path: Path, shape: Shape, dtype: np.dtype, *, writable: bool) -> None:
        self.path = path
        self.binary = path.with_suffix(".bin")
        self.blobs = path.parent / "blobs"
        self.records: list[Record] = []
        self._array = (shape, np.dtype(dtype))
        self._writable = writable
        self._end = 0  # of the last whole line read
        self._fds: tuple[int, int] | None = None
        self._decoded: dict[int, list[Patch]] = {}
        self.poll()
        if writable:
            self._cut_tail()

    def __len__(self) -> int:
        return len(self.records)

    # ------------------------------------------------------------------------------------------------------- read

    def poll(self) -> list[Record]:
        """Records that came since the last call, oldest first."""
        try:
            if self.path.stat().st_size <= self._end:
                return []
            with self.path.open("rb") as file:
                file.seek(self._end)
                data = file.read()
            stored = self.binary.stat().st_size if self.binary.exists() else 0
        except FileNotFoundError:
            return []
        new: list[Record] = []
        start = 0
        while (stop := data.find(b"\n", start)) >= 0:
            record = _parse(data[start:stop], len(self.records) + len(new) + 1, self._end + start, stored)
            if record is None:
                break
            new.append(record)
            start = stop + 1
        if new and not self._whole(new[-1]):
            last = new.pop()
            start = last.line - self._end
        self._end += start
        self.records += new
        return new

    def arguments(self, sequence: int) -> dict[str, Any]:
        """The whole line of an edit: tool, arguments, author, time."""
        with self.path.open("rb") as file:
            file.seek(self.records[sequence - 1].line)
            return dict(json.loads(file.readline()))

    def patches(self, record: Record, chunk: Chunk | None = None) -> Iterator[Patch]:
        """What a record changed, chunk by chunk; of one chunk only where given."""
        if record.blob is not None:
            for patch in self._blob_patches(record.blob, chunk):
                yield patch.reversed if record.reverse else patch
            return
        size = chunk_shape(self._array[0])
        for patch in self._inline(record):
            if chunk is None or patch.box.cell(size) == chunk:
                yield patch.reversed if record.reverse else patch

    def chunks(self, record: Record) -> list[Chunk]:
        """Every chunk that a record may have touched."""
        size = chunk_shape(self._array[0])
        if record.blob is not None:
            return list(self._blob_chunks(record.blob))
        return [part.cell(size) for part in record.box.blocks(size)]

    def _inline(self, record: Record) -> list[Patch]:
        key = record.offset
        if key not in self._decoded:
            with self.binary.open("rb") as file:
                file.seek(record.offset)
                data = file.read(record.length)
            if zlib.crc32(data) != record.crc:
                raise LabelError(f"{self.binary} is damaged at byte {record.offset} (edit {record.sequence})")
            while len(self._decoded) >= 16:
                self._decoded.pop(next(iter(self._decoded)))
            self._decoded[key] = decode(data, self._array[1])
        return self._decoded[key]

    def _whole(self, record: Record) -> bool:
        """Whether the voxels of a record are all on disk (only the last one can be torn)."""
        if record.blob is not None:
            return (self.blobs / record.blob).exists()
        with self.binary.open("rb") as file:
            file.seek(record.offset)
            return zlib.crc32(file.read(record.length)) == record.crc

    # ------------------------------------------------------------------------------------------------------ write

    def append(
        self,
        tool: str,
        arguments: dict[str, Any],
        box: Box,
        voxels: int,
        *,
        patches: list[Patch] | None = None,
        blob: str | None = None,
        same: Record | None = None,
        reverse: bool = False,
        joined: bool = False,
    ) -> Record:
        """Put an edit on disk; when this returns, it survives anything.

        The voxels come from ``patches``, lie in ``blob`` already, or are those of an earlier record (``same``).
        Raises WorkspaceError where the disk refuses; both files are then as they were.
        """
        payload = encode(patches) if patches else b""
        json_fd, bin_fd = self._open()
        line_at, bytes_at = self._end, os.fstat(bin_fd).st_size
        entry: dict[str, Any] = {
            "v": VERSION,
            "seq": len(self.records) + 1,
            "kind": "voxels",
            "tool": tool,
            "arguments": arguments,
            "author": author(),
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "box": [edge for bounds in box.to_json() for edge in bounds],
            "voxels": voxels,
        }
        if same is not None:
            blob = same.blob
            entry |= {"of": same.sequence, "reverse": reverse}
            entry["bytes"] = [same.offset, same.length, same.crc]
        else:
            entry["bytes"] = [bytes_at, len(payload), zlib.crc32(payload)]
        if blob is not None:
            entry["blob"] = blob
        if joined:
            entry["joined"] = True
        line = json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode()
        record = _parse(line, entry["seq"], line_at, bytes_at + len(payload))
        if record is None:
            raise LabelError(f"edit {entry['seq']} ({tool}) cannot be written down")
        try:
            if payload:
                write_all(bin_fd, payload)
            write_all(json_fd, line + b"\n")
            if payload:
                os.fsync(bin_fd)
            os.fsync(json_fd)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(json_fd, line_at)
            with contextlib.suppress(OSError):
                os.ftruncate(bin_fd, bytes_at)
            raise WorkspaceError(
                f"the edit could not be saved in {self.path.parent} ({error.strerror}); it was not made, all earlier "
                "edits are safe; free some space and do it again"
            ) from error
        self.records.append(record)
        self._end = line_at + len(line) + 1
        return record

    def blob(self, sequence: int) -> Blob:
        """A new, empty blob for the edit that will have this number."""
        self.blobs.mkdir(parents=True, exist_ok=True)
        return Blob(self.blobs / f"{self.path.stem}.{sequence}.zarr", *self._array, create=True)

    def close(self) -> None:
        if self._fds is not None:
            for fd in self._fds:
                os.close(fd)
            self._fds = None

    def _open(self) -> tuple[int, int]:
        if self._fds is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._fds = os.open(self.path, flags, 0o644), os.open(self.binary, flags, 0o644)
            sync_folder(self.path.parent)
        return self._fds

    def _cut_tail(self) -> None:
        """Cut off what a crash left behind; more than one line is kept aside, because it may be worth a look."""
        if not self.path.exists():
            return
        stop = max((r.offset + r.length for r in self.records if r.blob is None), default=0)
        tail = self.path.read_bytes()[self._end :]
        if tail.count(b"\n") > 1:
            shutil.copy(self.path, self.path.with_suffix(f".damaged-{int(time.time())}.jsonl"))
            shutil.copy(self.binary, self.path.with_suffix(f".damaged-{int(time.time())}.bin"))
        if tail:
            os.truncate(self.path, self._end)
        if self.binary.exists() and self.binary.stat().st_size > stop:
            os.truncate(self.binary, stop)
        used = {record.blob for record in self.records}
        for path in self.blobs.glob(f"{self.path.stem}.*.zarr"):
            if path.name not in used:
                shutil.rmtree(path, ignore_errors=True)

    # ------------------------------------------------------------------------------------------------------ blobs

    def _blob_chunks(self, name: str) -> set[Chunk]:
        blob = Blob(self.blobs / name, *self._array)
        return blob.chunks()

    def _blob_patches(self, name: str, chunk: Chunk | None) -> Iterator[Patch]:
        blob = Blob(self.blobs / name, *self._array)
        for one in sorted(blob.chunks()) if chunk is None else [chunk]:
            patch = blob.read(one)
            if patch is not None:
                yield patch


class Blob:
    """The voxels of one large edit: a zarr group of two sparse arrays, readable with zarr alone."""

    def __init__(self, path: Path, shape: Shape, dtype: np.dtype, *, create: bool = False) -> None:
        self.path = path
        self.before = ChunkedArray(path / "before", shape, dtype)
        self.after = ChunkedArray(path / "after", shape, dtype)
        if create:
            import zarr

            shutil.rmtree(path, ignore_errors=True)
            zarr.create_group(store=path, zarr_format=3)
            self.before.create()
            self.after.create()

    def write(self, patch: Patch) -> None:
        """Add one patch; the patches of a chunk must come in one piece. Raises OSError."""
        size = self.before.chunks
        chunk = patch.box.cell(size)
        corner = [-index * n for index, n in zip(chunk, size, strict=True)]
        inside = patch.box.shift(corner).slices
        changed = patch.changed
        for array, values in ((self.before, patch.before), (self.after, patch.after)):
            full = np.zeros(size, array.dtype)
            full[inside] = np.where(changed, values, 0)
            array.write(chunk, full)

    def sync(self) -> None:
        """Wait until all of it is on the disk."""
        for array in (self.before, self.after):
            array.sync()
        sync_folder(self.path)
        sync_folder(self.path.parent)

    def chunks(self) -> set[Chunk]:
        return {chunk for array in (self.before, self.after) for chunk, _ in array.stored()}

    def read(self, chunk: Chunk) -> Patch | None:
        found = [array.read(chunk) for array in (self.before, self.after)]
        if found[0] is None and found[1] is None:
            return None
        box = self.before.box(chunk)
        cut = box.within(box).slices
        before, after = (
            np.zeros(self.before.chunks, self.before.dtype)[cut] if one is None else one[0][cut] for one in found
        )
        return Patch(box.start, before, after)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


@cache
def author() -> str:
    """Who is editing, as the system knows them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _parse(line: bytes, sequence: int, at: int, stored: int) -> Record | None:
    """The record on a line; None where it is torn, out of order, or its voxels are not all there."""
    try:
        entry = json.loads(line)
        offset, length, crc = entry["bytes"]
        if entry["seq"] != sequence or offset + length > stored:
            return None
        a, b, c, d, e, f = entry["box"]
        return Record(
            sequence,
            entry["tool"],
            Box((a, c, e), (b, d, f)),
            entry["voxels"],
            offset,
            length,
            crc,
            entry.get("blob"),
            entry.get("of"),
            entry.get("reverse", False),
            entry.get("joined", False),
            at,
        )
    except (ValueError, KeyError, TypeError):
        return None
