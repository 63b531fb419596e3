"""What is known of the pieces that blocks cut objects into: two files a block, its local names and a small record.

The folder is scratch. A record is written after the voxels it speaks of and appears at once, so a process that dies
leaves blocks that are done and blocks that are not, and the next one does the rest.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.geometry import Box, Shape

Index = tuple[int, int, int]


@dataclass(slots=True)
class PieceRecord:
    """The pieces ``1..n`` of a block.

    Attributes
    ----------
    first
        Number of the first voxel of each in the whole volume, counted along x, then y, then z (uint64).
    keys
        What each belongs to: the value of its voxels, or the name of its object.
    sizes
        Voxels of each in this block; empty where nobody counts.
    marked
        The pieces that are to be known again: those at a face of the volume, those that may be cut wrongly.
    low, high
        Per axis: the names in the plane before the block, as this block sees them, and in the block's last plane.
    """

    first: np.ndarray
    keys: np.ndarray
    sizes: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    marked: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    low: dict[int, np.ndarray] = field(default_factory=dict)
    high: dict[int, np.ndarray] = field(default_factory=dict)


class Pieces:
    """Scratch of one step over all blocks of a volume."""

    def __init__(self, folder: Path, shape: Shape, block: Shape) -> None:
        self.folder, self.shape, self.block = folder, shape, block
        z, y, x = (-(-n // b) for n, b in zip(shape, block, strict=True))
        self.grid: Shape = (z, y, x)
        folder.mkdir(parents=True, exist_ok=True)

    def blocks(self) -> Iterator[tuple[Index, Box]]:
        """Every block of the grid, z slowest."""
        for z, y, x in product(*(range(n) for n in self.grid)):
            yield (z, y, x), self.box((z, y, x))

    def box(self, index: Index) -> Box:
        """The voxels of a block, cut to the volume."""
        corner = [i * size for i, size in zip(index, self.block, strict=True)]
        return Box.at(corner, self.block).clip(self.shape)

    def done(self, index: Index) -> bool:
        return self._path(index).exists()

    def write(self, index: Index, names: np.ndarray, record: PieceRecord) -> None:
        """Keep a block: its local names (z, y, x), then what is known of them."""
        import imagecodecs

        short: Any = names.astype(_name_type(len(record.first)))
        self._path(index, ".lz4").write_bytes(imagecodecs.lz4_encode(short, level=1))
        planes = {f"{side}{axis}": plane for side in ("low", "high") for axis, plane in getattr(record, side).items()}
        partial = self._path(index).with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez(file, first=record.first, keys=record.keys, sizes=record.sizes, marked=record.marked, **planes)
        partial.replace(self._path(index))

    def names(self, index: Index, count: int) -> np.ndarray:
        """Local names of a block (z, y, x), uint16 where its ``count`` pieces allow, else uint32."""
        import imagecodecs

        names: Any = np.empty(self.box(index).shape, _name_type(count))
        imagecodecs.lz4_decode(self._path(index, ".lz4").read_bytes(), out=names.view(np.uint8).reshape(-1))
        return np.asarray(names)

    def record(self, index: Index) -> Any:
        """What :meth:`write` was given, an array by name, each read when it is asked for."""
        return np.load(self._path(index))

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, index: Index, suffix: str = ".npz") -> Path:
        return self.folder / f"{'-'.join(map(str, index))}{suffix}"


def _name_type(count: int) -> type[np.unsignedinteger[Any]]:
    """The narrowest type that holds names up to ``count``."""
    return np.uint16 if count < 2**16 else np.uint32
