"""Planes across an axis as values: where they lie in the volume and how their voxels are spaced. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import AXES, Box, Shape, Spacing, plane_axes
from voxloop.store.strokes import PlaneMask, as_points
from voxloop.store.values import whole

#: a rectangle in a plane: two slices, or two pairs (start, stop), in zyx order of the plane's axes
Rectangle = Sequence[slice] | Sequence[Sequence[int]]


def _edges(part: object) -> Sequence[Any]:
    if isinstance(part, list | tuple) and len(part) == 2:
        return part
    raise LabelError(f"a part of a plane is two slices or two pairs (start, stop), not {str(part)[:40]!r}")


def _edge(edge: Any) -> slice:
    if isinstance(edge, slice):
        return edge
    first, last = _edges(edge)
    return slice(whole("box", first), whole("box", last))


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

    def box(self, part: Rectangle | None = None, planes: tuple[int, int] | None = None) -> Box:
        """The voxels of a part of this plane (None: all of it), or of the same part of all planes start to stop."""
        edges = [] if part is None else [_edge(edge) for edge in _edges(part)]
        _, rows, columns = Box.of((0, *edges), (1, *self.size)).to_json()
        return self._insert(rows, columns, planes or (self.index, self.index + 1))

    def place(self, drawn: PlaneMask, index: int | None = None) -> tuple[Box, np.ndarray]:
        """Where a mask lies in the volume, and the mask with three axes."""
        index = self.index if index is None else index
        rows, columns = ((first, first + n) for first, n in zip(drawn.origin, drawn.mask.shape, strict=True))
        return self._insert(rows, columns, (index, index + 1)), np.expand_dims(drawn.mask, self.at)

    def voxel(self, point: Sequence[float]) -> Shape:
        """The voxel nearest to (row, column). Raises LabelError where it lies outside."""
        row, column = (int(n) for n in np.floor(as_points([point])[0] + 0.5))
        if not (0 <= row < self.size[0] and 0 <= column < self.size[1]):
            raise LabelError(
                f"point ({row}, {column}) lies outside the plane of {self.size[0]} x {self.size[1]} voxels"
            )
        return self._insert((row, row + 1), (column, column + 1), (self.index, self.index + 1)).start

    def _insert(self, rows: Sequence[int], columns: Sequence[int], planes: Sequence[int]) -> Box:
        bounds = [rows, columns]
        bounds.insert(self.at, planes)
        return Box.from_json(bounds)
