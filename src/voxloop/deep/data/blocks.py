"""Boxes of an image or of labels out of a bounded cache in RAM. Knows nothing of networks or windows."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

import numpy as np

from voxloop.geometry import Region, Shape, blocks, intersect, region_shape, shift

#: bytes that the blocks of one array may hold in RAM
CACHE_BYTES = 512 * 2**20
Read = Callable[[Region], np.ndarray]


class Blocks:
    """Reads boxes of an array block by block and keeps the blocks last used.

    Parameters
    ----------
    read
        Region (zyx) to an array whose last three axes are that region.
    shape
        Voxels zyx.
    block
        Size zyx of what is read at once: a multiple of the chunks on disk where that is known.
    limit
        Bytes kept; the block being read is kept beyond it.
    """

    def __init__(self, read: Read, shape: Shape, block: Shape, limit: int = CACHE_BYTES) -> None:
        self.shape = shape
        self._read = read
        self._block = block
        self._limit = limit
        self._held: OrderedDict[tuple[int, int, int], np.ndarray] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __call__(self, region: Region) -> np.ndarray:
        """The voxels of ``region``, which lies inside the array: leading axes as ``read`` gives them, a copy."""
        out: np.ndarray | None = None
        for cell in blocks(region, self._block):
            held = self._get(tuple(part.start // size for part, size in zip(cell, self._block, strict=True)))
            if out is None:
                out = np.empty((*held.shape[:-3], *region_shape(region)), held.dtype)
            origin = [part.start // size * size for part, size in zip(cell, self._block, strict=True)]
            out[(..., *shift(cell, [-part.start for part in region]))] = held[(..., *shift(cell, [-o for o in origin]))]
        assert out is not None  # a region is never empty
        return out

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return self._bytes

    def _get(self, key: tuple[int, int, int]) -> np.ndarray:
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
            start = [index * size for index, size in zip(key, self._block, strict=True)]
            z, y, x = (slice(a, a + size) for a, size in zip(start, self._block, strict=True))
            whole = intersect((z, y, x), (slice(0, self.shape[0]), slice(0, self.shape[1]), slice(0, self.shape[2])))
            assert whole is not None
            found = np.asarray(self._read(whole))
            self._held[key] = found
            self._bytes += found.nbytes
            while self._bytes > self._limit and len(self._held) > 1:
                _, dropped = self._held.popitem(last=False)
                self._bytes -= dropped.nbytes
            return found
