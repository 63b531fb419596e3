"""Planes across an axis as values: where they lie in the volume and how their voxels are spaced. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import AXES, Region, Shape, Spacing, as_region, plane_axes
from voxloop.store.strokes import PlaneMask, as_points

Box = Sequence[slice] | Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Plane:
    """The plane ``index`` across ``axis``; rows and columns are its two axes in zyx order."""

    axis: str
    index: int
    shape: Shape
    spacing_um: Spacing

    def __post_init__(self) -> None:
        plane_axes(self.axis)
        if not 0 <= self.index < self.count:
            raise LabelError(
                f"index {self.index} lies outside axis {self.axis!r}, which has planes 0 to {self.count - 1}"
            )

    @property
    def at(self) -> int:
        """Position of the axis in zyx."""
        return AXES.index(self.axis)

    @property
    def count(self) -> int:
        """Planes across the axis."""
        return self.shape[self.at]

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = (self.shape[AXES.index(name)] for name in plane_axes(self.axis))
        return rows, columns

    @property
    def spacing(self) -> tuple[float, float]:
        """Micrometres between rows and between columns."""
        rows, columns = (self.spacing_um[AXES.index(name)] for name in plane_axes(self.axis))
        return rows, columns

    @property
    def across(self) -> float:
        """Micrometres between planes."""
        return self.spacing_um[self.at]

    def region(self, box: Box | None = None, planes: slice | None = None) -> Region:
        """The voxels of a box (two slices or pairs; None: all) of this plane, or of all in ``planes``."""
        parts = [part if isinstance(part, slice) else slice(int(part[0]), int(part[1])) for part in box or ()]
        rows, columns = as_region((slice(0, 1), *parts), (1, *self.size))[1:]
        return self._insert(rows, columns, planes or slice(self.index, self.index + 1))

    def place(self, found: PlaneMask, index: int | None = None) -> tuple[Region, np.ndarray]:
        """Where a mask lies in the volume, and the mask with three axes."""
        index = self.index if index is None else index
        rows, columns = (slice(o, o + n) for o, n in zip(found.origin, found.mask.shape, strict=True))
        return self._insert(rows, columns, slice(index, index + 1)), np.expand_dims(found.mask, self.at)

    def voxel(self, point: Sequence[float]) -> Shape:
        """The voxel nearest to (row, column). Raises LabelError where it lies outside."""
        row, column = (int(n) for n in np.floor(as_points([point])[0] + 0.5))
        if not (0 <= row < self.size[0] and 0 <= column < self.size[1]):
            raise LabelError(
                f"point ({row}, {column}) lies outside the plane of {self.size[0]} x {self.size[1]} voxels"
            )
        z, y, x = (part.start for part in self._insert(slice(row, row), slice(column, column), slice(self.index, 0)))
        return z, y, x

    def _insert(self, rows: slice, columns: slice, planes: slice) -> Region:
        parts = [rows, columns]
        parts.insert(self.at, planes)
        return parts[0], parts[1], parts[2]
