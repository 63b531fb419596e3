"""Boxes of an image or of labels out of a bounded cache in RAM. Knows nothing of networks or windows."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np

from voxloop.geometry import Box, Shape

#: bytes that the blocks of one array may hold in RAM
CACHE_BYTES = 512 * 2**20
Read = Callable[[Box], np.ndarray]


class Blocks:
    """Reads boxes of an array block by block and keeps the blocks last used.

    Parameters
    ----------
    read
        Box to an array whose last three axes are its voxels.
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
        self._held: OrderedDict[Box, np.ndarray] = OrderedDict()
        self._coming: dict[Box, Future[np.ndarray]] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def __call__(self, box: Box) -> np.ndarray:
        """The voxels of ``box``, which lies inside the array: leading axes as ``read`` gives them, a copy."""
        out: np.ndarray | None = None
        for part in box.blocks(self._block):
            block = part.aligned(self._block).clip(self.shape)
            voxels = self._get(block)
            if out is None:
                out = np.empty((*voxels.shape[:-3], *box.shape), voxels.dtype)
            out[..., *part.within(box).slices] = voxels[..., *part.within(block).slices]
        assert out is not None  # a box is never empty
        return out

    def read_for(self, box: Box) -> Box:
        """What is read of the array for a box."""
        return box.aligned(self._block).clip(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return self._bytes

    def _get(self, block: Box) -> np.ndarray:
        with self._lock:
            if block in self._held:
                self._held.move_to_end(block)
                return self._held[block]
            coming = self._coming.get(block)
            mine = coming is None
            if coming is None:
                coming = self._coming[block] = Future()
        if not mine:
            return coming.result()
        try:
            voxels = np.asarray(self._read(block))  # others read and decompress other blocks meanwhile
        except BaseException as error:
            with self._lock:
                del self._coming[block]
            coming.set_exception(error)
            raise
        self._hold(block, voxels)
        coming.set_result(voxels)
        return voxels

    def _hold(self, block: Box, voxels: np.ndarray) -> None:
        with self._lock:
            del self._coming[block]
            self._held[block] = voxels
            self._bytes += voxels.nbytes
            while self._bytes > self._limit and len(self._held) > 1:
                _, dropped = self._held.popitem(last=False)
                self._bytes -= dropped.nbytes
