"""Two layers over one picture, one on either side of a line that can be moved. Reads planes; no widgets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voxloop.geometry import plane_axes
from voxloop.panels.view.layers import ArrayLayer, LayerKind, LayerPatch
from voxloop.panels.view.planes import PlaneBox
from voxloop.panels.view.shapes import VectorShape

SWIPE = "swipe"


class SwipeLayer:
    """The ``left`` layer on one side of the line, the ``right`` one beyond it.

    Attributes
    ----------
    share
        Where the line is: 0 at the first column of a plane, 1 at the last.
    """

    kind: LayerKind = "labels"

    def __init__(self, left: ArrayLayer, right: ArrayLayer, shape: Sequence[int], name: str) -> None:
        self.id = SWIPE
        self.left, self.right = left, right
        self.shape = tuple(shape)
        self.share = 0.5
        self.sequence = 0
        self.state = {**left.state, "id": SWIPE, "name": name}

    def move(self, share: float) -> None:
        """Have the line somewhere else."""
        self.share = min(1.0, max(0.0, share))
        self.sequence += 1

    def line(self, axis: str, index: int) -> VectorShape:
        """The line, to be drawn over the plane."""
        at = self.edge(axis) - 0.5
        rows = self._size(axis, 0)
        return VectorShape("line", [(-0.5, at), (rows - 0.5, at)], axis=axis, index=index, color="#ffffff")

    def edge(self, axis: str) -> float:
        """Where the line is on planes across ``axis``, in voxel edges along the columns."""
        return self.share * self._size(axis, 1)

    def read(self, axis: str, index: int, box: PlaneBox, voxels_per_pixel: tuple[float, float]) -> LayerPatch:
        left = self.left.read(axis, index, box, voxels_per_pixel)
        right = self.right.read(axis, index, box, voxels_per_pixel)
        columns = left.indices.shape[1]
        _, start, _, stop = left.box
        middles = start + (np.arange(columns) + 0.5) * (stop - start) / max(1, columns)
        is_left = (middles < self.edge(axis))[None, :]
        alpha = None
        if left.alpha is not None or right.alpha is not None:
            alpha = np.where(is_left, _alpha(left), _alpha(right))
        return LayerPatch(np.where(is_left, left.indices, right.indices), left.box, self.sequence, alpha)

    def describe(self, point: tuple[int, int, int]) -> dict[str, str] | None:
        side = self.left if point[2] + 0.5 < self.edge("z") else self.right
        return side.describe(point)

    def _size(self, axis: str, at: int) -> int:
        return self.shape["zyx".index(plane_axes(axis)[at])]


def _alpha(patch: LayerPatch) -> np.ndarray:
    return np.full(patch.indices.shape, 255, np.uint8) if patch.alpha is None else patch.alpha
