"""Windows around single objects: the grays there, and which voxels of them are the object. Knows no workspace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from voxloop.geometry import Box
from voxloop.volumes.volume import read_block, shape_zyx

#: what the channel of the object holds where it is
INSIDE = 255


class ObjectWindows:
    """Reads the plane through the middle of objects, as a network of their classes sees them.

    Parameters
    ----------
    image
        Grays; beyond its edge the last ones go on.
    labels
        Numbers of the objects (z, y, x), which begin at voxel ``first`` of the image.
    side
        Of a window, in pixels.
    """

    def __init__(self, image: Any, labels: Any, first: Sequence[int], side: int) -> None:
        self._image, self._labels, self._first, self.side = image, labels, tuple(first), side

    def read(self, number: int, middle: Sequence[int]) -> np.ndarray:
        """Grays and, as one channel more, the object (c + 1, side, side) float32, around a voxel (z, y, x)."""
        z, *at = middle
        low = [side - self.side // 2 for side in at]
        grays = self._part(self._image, (0, 0, 0), z, low, "edge")
        inside = self._part(self._labels, self._first, z, low, "constant")[:1] == number
        return np.concatenate([grays.astype(np.float32), INSIDE * inside.astype(np.float32)])

    def _part(self, volume: Any, first: Sequence[int], z: int, low: Sequence[int], beyond: Any) -> np.ndarray:
        """One plane of a volume (c, side, side), filled up where it ends."""
        depth, *sides = shape_zyx(volume)
        begin = [a - f for a, f in zip(low, first[1:], strict=True)]
        start = [min(max(0, a), n - 1) for a, n in zip(begin, sides, strict=True)]
        stop = [max(s + 1, min(n, a + self.side)) for a, s, n in zip(begin, start, sides, strict=True)]
        plane = min(max(0, z - first[0]), depth - 1)
        block = read_block(volume, Box((plane, *start), (plane + 1, *stop)))[:, 0]  # type: ignore[arg-type]
        around = [(s - a, a + self.side - e) for a, s, e in zip(begin, start, stop, strict=True)]
        if any(a < 0 or b < 0 for a, b in around):  # the window does not meet the volume
            return np.zeros((len(block), self.side, self.side), block.dtype)
        return np.pad(block, [(0, 0), *around], mode=beyond)
