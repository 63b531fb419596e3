"""One zarr array on disk, chunk by chunk: atomic, durable, with a checksum of every file. Knows no journal.

zarr makes the array and its metadata; chunks are read and written here, because the flusher behind a brush needs three
things that the library does not give: fsync, the checksum of the bytes on disk, and to leave the interpreter alone.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import Box, Shape
from voxloop.plain_files import open_plain, read_plain
from voxloop.store.atomic import replace_bytes, sync_folder, walk

Chunk = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class ChunkFile:
    """What a chunk's file looked like when it was last written: a foreign change shows as a difference."""

    size: int
    modified_ns: int
    crc: int


class DamagedChunkError(LabelError):
    """A chunk file that cannot be decoded, or that is not what was written."""


class DamagedArrayError(LabelError):
    """Metadata of an array that cannot be read; its chunks may be whole."""


def chunk_shape(shape: Sequence[int]) -> Shape:
    """Chunks of label arrays: 16 x 128 x 128, or 1 x 256 x 256 for a single picture."""
    return (1, 256, 256) if shape[0] == 1 else (16, 128, 128)


class ChunkedArray:
    """A zarr 3 array of one resolution: regular chunks, little-endian, zstd, empty chunks absent."""

    def __init__(self, path: Path, shape: Shape, dtype: np.dtype, chunks: Shape | None = None) -> None:
        self.path = path
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.chunks = chunks or chunk_shape(shape)
        self._unsynced: set[Path] = set()

    @property
    def exists(self) -> bool:
        """Whether there is anything of it: a folder that a crash left empty is nothing."""
        return (self.path / "zarr.json").exists() or (self.path / "c").exists()

    def create(self) -> None:
        """Write the metadata, in one step. Raises OSError."""
        self.path.mkdir(parents=True, exist_ok=True)
        replace_bytes(self.path / "zarr.json", self._metadata())

    def _metadata(self) -> bytes:
        """What ``zarr.json`` holds."""
        import zarr
        from zarr.codecs import ZstdCodec

        made: dict[str, Any] = {}
        zarr.create_array(
            store=made,
            shape=self.shape,
            chunks=self.chunks,
            dtype=self.dtype,
            fill_value=0,
            zarr_format=3,
            compressors=ZstdCodec(level=1, checksum=True),
            dimension_names=("z", "y", "x"),
        )
        return bytes(made["zarr.json"].to_bytes())

    def check(self) -> None:
        """Raise LabelError where the array on disk is not the one expected here (another program wrote it anew).

        Raises DamagedArrayError where its metadata cannot be read.
        """
        try:
            text = read_plain(self.path / "zarr.json")
            meta = json.loads(text)
            found = (
                tuple(meta["shape"]),
                tuple(meta["chunk_grid"]["configuration"]["chunk_shape"]),
                np.dtype(meta["data_type"]),
                [codec["name"] for codec in meta["codecs"]],
            )
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise DamagedArrayError(f"the metadata of {self.path} are damaged ({error})") from error
        if found != (self.shape, self.chunks, self.dtype, ["bytes", "zstd"]):
            if _nearly(text, self._metadata()):
                raise DamagedArrayError(f"the metadata of {self.path} are damaged")
            raise LabelError(
                f"{self.path} was written again by another program (shape, chunks, type, codecs: {found}); "
                "move it away, reopen, and load it with labels.load(path, zero='unlabelled')"
            )

    def box(self, chunk: Chunk) -> Box:
        """The voxels of a chunk, cut to the array."""
        corner = [index * size for index, size in zip(chunk, self.chunks, strict=True)]
        return Box.at(corner, self.chunks).clip(self.shape)

    def file(self, chunk: Chunk) -> Path:
        return self.path / "c" / str(chunk[0]) / str(chunk[1]) / str(chunk[2])

    def read(self, chunk: Chunk) -> tuple[np.ndarray, ChunkFile] | None:
        """A writable array of the full chunk shape and its file's facts; None where the chunk is empty.

        Raises DamagedChunkError where the file cannot be decoded.
        """
        path = self.file(chunk)
        try:
            with open_plain(path) as file:
                data = file.read()
                facts = _facts(os.fstat(file.fileno()), data)
        except FileNotFoundError:
            return None
        try:
            values = np.frombuffer(_zstd().decode(data), self.dtype.newbyteorder("<")).reshape(self.chunks)
        except Exception as error:  # numcodecs raises plain RuntimeError, numpy ValueError
            raise DamagedChunkError(f"{path} cannot be decoded: {error}") from error
        return values.astype(self.dtype, copy=True), facts

    def write(self, chunk: Chunk, values: np.ndarray) -> ChunkFile | None:
        """Replace a chunk (full chunk shape) in one step; None where it is empty and removed. Raises OSError.

        The values are on disk when this returns; :meth:`sync` makes the names so, once for many chunks.
        """
        path = self.file(chunk)
        self._unsynced.add(path.parent)
        if not values.any():
            path.unlink(missing_ok=True)
            return None
        data = bytes(_zstd().encode(np.ascontiguousarray(values.astype(self.dtype.newbyteorder("<"), copy=False))))
        try:
            replace_bytes(path, data, name_durable=False)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._unsynced.update(path.parents[1:3])
            replace_bytes(path, data, name_durable=False)
        return _facts(path.stat(), data)

    def sync(self) -> None:
        """Make durable that chunks were made, replaced or removed."""
        while self._unsynced:
            sync_folder(self._unsynced.pop())

    def stored(self) -> Iterator[tuple[Chunk, os.stat_result]]:
        """Every chunk that has a file, with the file's stat. Raises LabelError for links."""
        root = self.path / "c"
        for entry in walk(root):
            if entry.is_symlink():
                raise LabelError(
                    f"{entry.path} is a link, and labels are not written through links; put the file there"
                )
            parts = entry.path.rsplit(os.sep, 3)[1:]  # pathlib is ten times slower, and there may be very many
            if len(parts) == 3 and all(part.isdigit() for part in parts):
                yield (int(parts[0]), int(parts[1]), int(parts[2])), entry.stat()

    def facts(self, chunk: Chunk) -> ChunkFile:
        """Facts of a chunk's file, read now. Raises FileNotFoundError."""
        path = self.file(chunk)
        return _facts(path.stat(), read_plain(path))

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def _nearly(found: bytes, written: bytes) -> bool:
    """Whether all but a byte is as it was written: no program writes another array so."""
    return len(found) == len(written) and sum(a != b for a, b in zip(found, written, strict=True)) == 1


def _facts(stat: os.stat_result, data: bytes) -> ChunkFile:
    return ChunkFile(len(data), stat.st_mtime_ns, zlib.crc32(data))


@cache
def _zstd() -> Any:
    from numcodecs.zstd import Zstd

    return Zstd(level=1, checksum=True)  # a flipped bit is noticed by whoever reads the chunk
