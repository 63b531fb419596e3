"""The append-only journal of one label array: what every edit changed, on disk before it counts. Knows no tools.

Two files: ``.jsonl`` holds one line an edit (who, when, which tool with which arguments, where), ``.bin`` the voxels
before and after in run-length code. Both are synced before an edit is acknowledged. A crash can leave at most one torn
record at the end, which nobody was told of; it is ignored by readers and cut off by the next writer. Edits too large
for that keep their voxels in ``blobs/<name>.<sequence>.zarr`` (arrays ``before`` and ``after``, equal where untouched).

A damaged line in the middle is a *hole*: its number stays taken, and records after it are read. :mod:`mending` fills
holes.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import struct
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.errors import LabelError, WorkspaceError
from voxloop.geometry import Box, Shape
from voxloop.plain_files import open_plain, read_plain
from voxloop.store.atomic import open_to_append, refusal, replace_bytes, sync_folder, write_all
from voxloop.store.blobs import Blob
from voxloop.store.chunks import Chunk, DamagedChunkError, chunk_shape
from voxloop.store.patches import Patch, decode, encode
from voxloop.store.records import VERSION, Record, lost, parse, parse_all, seal_line, signature

#: what a disk says that has no room left
FULL = {errno.ENOSPC, errno.EDQUOT}
#: the largest file of voxels that is looked through whenever a writer opens it; a larger one, edit by edit when needed
VERIFIED_BYTES = 1 << 28
#: numbers that a journal is ever taken to have lost at its end; more is no loss but a damaged file beside it
MAX_LOST = 1_000_000


class DamagedEditError(LabelError):
    """An edit whose voxels cannot be read; ``sequence`` is its number."""

    def __init__(self, sequence: int, where: Path) -> None:
        super().__init__(f"the voxels of edit {sequence} are damaged in {where}")
        self.sequence = sequence


class Journal:
    """The records of one label array. ``writable`` for its one writer; readers poll."""

    def __init__(self, path: Path, shape: Shape, dtype: np.dtype) -> None:
        self.path = path
        self.binary = path.with_suffix(".bin")
        self.blobs = path.parent / "blobs"
        self.records: list[Record] = []  # the record of edit n is the one at n - 1
        self.holes: set[int] = set()  # numbers of edits that cannot be read
        self.generation = 0  # rises when the file was written anew
        self._array = (shape, np.dtype(dtype))
        self._end = 0  # of the last whole line read
        self._unreadable = 0  # whole lines behind it that are no records
        self._inode: int | None = None
        self._fds: tuple[int, int] | None = None
        self._decoded: dict[int, list[Patch]] = {}
        self.poll()

    def __len__(self) -> int:
        return len(self.records)

    @property
    def shape(self) -> Shape:
        """Of the label array (z, y, x)."""
        return self._array[0]

    # ------------------------------------------------------------------------------------------------------- read

    def poll(self) -> list[Record]:
        """Records that came since the last call, oldest first."""
        data, stored = self._unread()
        new: list[Record] = []
        start = good = unreadable = 0
        while (stop := data.find(b"\n", start)) >= 0:
            unreadable += 1
            for record in parse_all(data[start:stop], self._end + start, self._array[0]):
                last = len(self.records) + len(new)
                if self._follows(record, last, unreadable - 1):
                    new += [*self._before(record, last), record]
                    good, unreadable = stop + 1, 0
            start = stop + 1
        damaged = bool(self.holes or unreadable)
        self.holes |= {one.sequence for one in new[:-1] if one.end > stored}
        if new and not self._whole(new[-1]):
            if damaged or self.holes:
                self.holes.add(new[-1].sequence)
            else:  # torn by a crash, or still being written
                good = new.pop().line - self._end
        self._end += good
        self._unreadable = unreadable
        self.records += new
        return new

    def _unread(self) -> tuple[bytes, int]:
        """The bytes behind the last whole line, and how long the file of voxels is."""
        try:
            facts = self.path.stat()
            if self._inode not in (None, facts.st_ino):
                self._forget()
            self._inode = facts.st_ino
            if facts.st_size <= self._end:
                return b"", 0
            with open_plain(self.path) as file:
                file.seek(self._end)
                data = file.read()
        except FileNotFoundError:
            return b"", 0
        except OSError as error:
            raise WorkspaceError(f"{self.path} cannot be read ({error.strerror}); put the file back") from error
        return data, self.binary.stat().st_size if self.binary.exists() else 0

    def _forget(self) -> None:
        """Another file lies here now: a writer has mended it."""
        self.records, self.holes, self._end = [], set(), 0
        self._decoded.clear()
        self.generation += 1

    def _follows(self, record: Record, last: int, unreadable: int) -> bool:
        """Whether a record is what comes next; a line without a checksum is not believed to skip more than was lost."""
        if record.sealed:
            return record.first > last
        return last + 1 <= record.first <= last + 1 + unreadable

    def _before(self, record: Record, last: int) -> list[Record]:
        """What stands for the numbers between the last record and this one."""
        self.holes |= set(range(last + 1, record.first))
        return [lost(number) for number in range(last + 1, record.sequence)]

    def reach(self, number: int) -> None:
        """Take numbers up to this one as used: the label array has seen edits that are not written here any more."""
        burnt = len(self.records) + self._unreadable
        for sequence in range(len(self.records) + 1, min(max(number, burnt), burnt + MAX_LOST) + 1):
            self.records.append(lost(sequence))
            self.holes.add(sequence)

    def arguments(self, sequence: int) -> dict[str, Any]:
        """The whole line of an edit: tool, arguments, author, time. Raises LabelError where it is gone."""
        record = self.records[sequence - 1]
        if record.line < 0:
            return {"v": VERSION, "seq": sequence, "tool": record.tool, "arguments": {}, "voxels": record.voxels}
        with contextlib.suppress(OSError, ValueError, TypeError), open_plain(self.path) as file:
            file.seek(record.line)
            return dict(json.JSONDecoder().raw_decode(file.readline().decode(errors="replace"))[0])
        raise LabelError(f"edit {sequence} can no longer be read from {self.path}")  # gone, or moved aside

    def patches(self, record: Record, chunk: Chunk | None = None) -> Iterator[Patch]:
        """What a record changed, chunk by chunk; of one chunk only where given. Raises DamagedEditError."""
        pieces = [self.records[number - 1] for number in record.of] if len(record.of) > 1 else [record]
        for piece in pieces:
            for patch in self._voxels(piece, chunk):
                yield patch.reversed if record.reverse else patch

    def chunks(self, record: Record) -> list[Chunk]:
        """Every chunk that a record may have touched."""
        size = chunk_shape(self._array[0])
        if record.blob is not None:
            return list(Blob(self.blobs / record.blob, *self._array).chunks())
        return [part.cell(size) for part in record.box.blocks(size)]

    def check(self, record: Record) -> None:
        """Raise DamagedEditError where the voxels of a record cannot be read."""
        for _ in self.patches(record):
            pass

    def _voxels(self, record: Record, chunk: Chunk | None) -> Iterator[Patch]:
        """The patches that lie in the files for a record, whichever way round it took them."""
        origin = record.of[0] if record.of else record.sequence
        if record.blob is not None:
            blob = Blob(self.blobs / record.blob, *self._array)
            if not blob.path.is_dir():
                raise DamagedEditError(origin, blob.path)
            try:
                for one in sorted(blob.chunks()) if chunk is None else [chunk]:
                    patch = blob.read(one)
                    if patch is not None:
                        yield patch
            except DamagedChunkError as error:
                raise DamagedEditError(origin, blob.path) from error
            return
        size = chunk_shape(self._array[0])
        for patch in self._inline(record, origin):
            if chunk is None or patch.box.cell(size) == chunk:
                yield patch

    def _inline(self, record: Record, origin: int) -> list[Patch]:
        if not record.length:
            return []
        key = record.offset
        if key not in self._decoded:
            try:
                data = self.bytes_between(record.offset, record.offset + record.length)
                if zlib.crc32(data) != record.crc:
                    raise ValueError("another checksum")
                patches = self.decode(data)
            except (OSError, ValueError, zlib.error, struct.error) as error:
                raise DamagedEditError(origin, self.binary) from error
            while len(self._decoded) >= 16:
                self._decoded.pop(next(iter(self._decoded)))
            self._decoded[key] = patches
        return self._decoded[key]

    def verify(self) -> None:
        """Compare the checksums of all voxels in the ``.bin``, where it is not too large: damaged ones are holes."""
        blobs = {path.name for path in self.blobs.glob(f"{self.path.stem}.*.zarr")}
        self.holes |= {r.sequence for r in self.records if r.blob is not None and not r.of and r.blob not in blobs}
        if not self.binary.exists() or self.binary.stat().st_size > VERIFIED_BYTES:
            return
        try:
            data = memoryview(read_plain(self.binary))
        except OSError as error:
            raise WorkspaceError(f"{self.binary} cannot be read ({error.strerror}); put the file back") from error
        for record in self.records:
            if record.end and zlib.crc32(data[record.offset : record.end]) != record.crc:
                self.holes.add(record.sequence)

    def bytes_between(self, start: int, stop: int | None) -> bytes:
        """Bytes of the file of voxels. Raises OSError."""
        with open_plain(self.binary) as file:
            file.seek(start)
            return file.read() if stop is None else file.read(stop - start)

    def decode(self, data: bytes) -> list[Patch]:
        """Patches from bytes. Raises ValueError, zlib.error or struct.error where they are none of this array."""
        shape, dtype = self._array
        return decode(data, dtype, (shape, chunk_shape(shape)))

    def _whole(self, record: Record) -> bool:
        """Whether the voxels of a record are all on disk (only the last one can be torn)."""
        if record.blob is not None:
            return (self.blobs / record.blob).exists()
        if not record.length:
            return True
        try:
            data = self.bytes_between(record.offset, record.offset + record.length)
        except OSError:
            return False
        return zlib.crc32(data) == record.crc

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
        same: Sequence[Record] = (),
        reverse: bool = False,
        joined: bool = False,
    ) -> Record:
        """Put an edit on disk; when this returns, it survives anything.

        The voxels come from ``patches``, lie in ``blob`` already, or are those of earlier records (``same``, in the
        order in which they are made or taken back). Raises WorkspaceError where the disk refuses, or where somebody
        else has written here; both files are then as they were.
        """
        payload = encode(patches) if patches else b""
        json_fd, bin_fd = self._open()
        self._check_alone(json_fd)
        line_at, bytes_at = self._end, os.fstat(bin_fd).st_size
        entry: dict[str, Any] = {
            "v": VERSION,
            "seq": len(self.records) + 1,
            "kind": "voxels",
            "tool": tool,
            "arguments": arguments,
            **signature(),
            "box": [edge for bounds in box.to_json() for edge in bounds],
            "voxels": voxels,
        }
        entry["bytes"] = [bytes_at, len(payload), zlib.crc32(payload)]
        if len(same) == 1:
            (one,) = same
            blob = one.blob
            entry |= {"of": one.sequence, "reverse": reverse, "bytes": [one.offset, one.length, one.crc]}
        elif same:
            entry |= {"of": [one.sequence for one in same], "reverse": reverse, "bytes": [0, 0, 0]}
        if blob is not None:
            entry["blob"] = blob
        if joined:
            entry["joined"] = True
        line = seal_line(entry)
        record = parse(line, line_at, self._array[0])
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
                f"edits are safe{'; free some space and do it again' if error.errno in FULL else ''}"
            ) from error
        self.records.append(record)
        self._end = line_at + len(line) + 1
        return record

    def blob(self, sequence: int, *, create: bool = True) -> Blob:
        """The blob of the edit that has this number; a new, empty one for one that will."""
        if create:
            self.blobs.mkdir(parents=True, exist_ok=True)
        return Blob(self.blobs / f"{self.path.stem}.{sequence}.zarr", *self._array, create=create)

    def close(self) -> None:
        if self._fds is not None:
            for fd in self._fds:
                os.close(fd)
            self._fds = None

    def _open(self) -> tuple[int, int]:
        if self._fds is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lines = _opened(self.path)
            try:
                self._fds = lines, _opened(self.binary)
            except WorkspaceError:
                os.close(lines)
                raise
            sync_folder(self.path.parent)
            self._inode = os.fstat(lines).st_ino
        return self._fds

    def _check_alone(self, fd: int) -> None:
        """Raise WorkspaceError where the file at our path is not the one that we wrote last."""
        ours = os.fstat(fd)
        try:
            there = self.path.lstat()
        except OSError:
            there = None
        if there is None or (there.st_ino, there.st_size) != (ours.st_ino, self._end):
            raise WorkspaceError(
                f"{self.path} was changed, moved or deleted by somebody else; this edit was not made, open the "
                "workspace again to go on"
            )

    def cut_tail(self) -> None:
        """Cut off what a crash left behind, and blobs that no record names."""
        if self.path.exists():
            lines, voxels = self._open()
            stop = max((record.offset + record.length for record in self.records if record.blob is None), default=0)
            if os.fstat(lines).st_size > self._end:
                os.ftruncate(lines, self._end)
            if os.fstat(voxels).st_size > stop:
                os.ftruncate(voxels, stop)
        used = {record.blob for record in self.records}
        for path in self.blobs.glob(f"{self.path.stem}.*.zarr"):
            if path.name not in used and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)

    # ------------------------------------------------------------------------------------------------------- mend

    def add_voxels(self, patches: list[Patch]) -> tuple[int, int, int]:
        """Append voxels that no line names yet: where they begin, how many bytes, their checksum. Raises OSError."""
        payload = encode(patches)
        _, voxels = self._open()
        start = os.fstat(voxels).st_size
        write_all(voxels, payload)
        os.fsync(voxels)
        return start, len(payload), zlib.crc32(payload)

    def rewrite(self, lines: list[bytes]) -> None:
        """Put whole lines in the place of all there are, in one step; what was there is kept aside. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            shutil.copy(self.path, self.path.with_suffix(f".damaged-{time.time_ns()}.jsonl"))
        replace_bytes(self.path, b"".join(line + b"\n" for line in lines))
        self.close()
        self._forget()
        self._inode = None
        self.poll()


def _opened(path: Path) -> int:
    try:
        return open_to_append(path)
    except OSError as error:
        raise WorkspaceError(f"the journal {path} cannot be written: {refusal(path, error)}") from error
