"""A regular grid of cells on a volume, anchored at voxel 0 and repeating with the stride. Pure: numbers only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product

import numpy as np

from voxloop.geometry import Shape, Spacing

#: how far from the size wished for a cell may be, so that the grid repeats soon
TOLERANCE = 0.1
#: voxels below which a cell has no halves
NARROW = 4.0


@dataclass(frozen=True, slots=True)
class AxisCells:
    """Cells along one axis: ``count`` of one size in ``period`` voxels."""

    period: int
    count: int

    @property
    def size(self) -> float:
        """Voxels of a cell, not always a whole number."""
        return self.period / self.count

    def of(self, voxels: int) -> np.ndarray:
        """The cell that each of the first ``voxels`` voxels lies in."""
        return np.asarray((2 * np.arange(voxels) + 1) * self.count // (2 * self.period))

    def edges(self, voxels: int) -> np.ndarray:
        """First voxel of every cell of ``voxels`` (a multiple of the period), and the end."""
        return np.searchsorted(self.of(voxels), np.arange(voxels // self.period * self.count + 1))

    def sites(self, start: int, stop: int, step: int = 1) -> AxisSites:
        """What of ``step`` voxels each lies between two multiples of it, counted in steps."""
        middles = (2 * np.arange(start, stop) + 1) * step * self.count
        cells = middles // (2 * self.period)
        return AxisSites(self, cells, middles, middles - (2 * cells + 1) * self.period)

    def count_of(self, voxels: int) -> int:
        """Cells that ``voxels`` voxels reach into."""
        return int((2 * voxels - 1) * self.count // (2 * self.period)) + 1


@dataclass(frozen=True, eq=False)
class AxisSites:
    """Places in a row along one axis, voxels or the middles of several, and the cells that they lie in.

    Attributes
    ----------
    axis : of which they are.
    cells : (n,) that each lies in, counted from voxel 0.
    middles : (n,) whole numbers: where each is, in ``1 / (2 * count)`` voxels from the first voxel's edge.
    away : (n,) the same from the centre of its cell. Whole numbers are the same however far from voxel 0.
    """

    axis: AxisCells
    cells: np.ndarray
    middles: np.ndarray
    away: np.ndarray

    @property
    def from_centre(self) -> np.ndarray:
        """Voxels from the centre of its cell, (n,) float32."""
        return (self.away / (2 * self.axis.count)).astype(np.float32)

    def runs(self) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        """Places that choose among the same cells: first, end, and which, as steps from their own.

        The own one and that on the nearer side; both sides where cells are too narrow to have halves.
        """
        key = self.cells if self.axis.size < NARROW else 2 * self.cells + (self.away >= 0)
        edges = [0, *(np.flatnonzero(np.diff(key)) + 1).tolist(), len(key)]
        for first, end in pairwise(edges):
            yield first, end, self.choice(first)

    def choice(self, at: int) -> tuple[int, ...]:
        """Steps from its own cell to those that a place chooses among."""
        if self.axis.size < NARROW:
            return (-1, 0, 1)
        return (-1, 0) if self.away[at] < 0 else (0, 1)


@dataclass(frozen=True)
class SupervoxelGrid:
    """Cells along z, y and x, and the spacing (µm) and size (µm) that distances between voxels are measured in.

    Attributes
    ----------
    planar : cells of different planes have nothing to do with each other.
    """

    axes: tuple[AxisCells, AxisCells, AxisCells]
    spacing_um: Spacing
    size_um: float
    planar: bool = False

    @property
    def stride(self) -> Shape:
        """Voxels after which the grid repeats, zyx."""
        z, y, x = (axis.period for axis in self.axes)
        return z, y, x

    @cached_property
    def offsets(self) -> np.ndarray:
        """A cell and its neighbours along edges and corners, (9 or 27, 3) steps zyx; the negative of n is -1 - n."""
        return np.array(list(product((0,) if self.planar else (-1, 0, 1), (-1, 0, 1), (-1, 0, 1))))

    def shape(self, block: tuple[int, ...]) -> Shape:
        """Cells of a block whose shape is a multiple of the stride."""
        z, y, x = (size // axis.period * axis.count for size, axis in zip(block, self.axes, strict=True))
        return z, y, x

    @property
    def binned(self) -> Shape:
        """Voxels along each axis that are one place while seeds move: at least four places a cell."""
        z, y, x = (_places(axis) for axis in self.axes)
        return (1 if self.planar else z), y, x

    def reach(self, cells: int) -> Shape:
        """Voxels that ``cells`` cells span along each axis, rounded up."""
        spans = [int(np.ceil(cells * axis.size)) for axis in self.axes]
        return (0 if self.planar else spans[0]), spans[1], spans[2]


def _places(axis: AxisCells) -> int:
    step = 1
    while axis.period % (2 * step) == 0 and axis.size / (2 * step) >= NARROW:
        step *= 2
    return step


def grid_for(size: float, spacing_um: Spacing, stride: Shape, planar: bool) -> SupervoxelGrid:
    """Cells about ``size`` voxels of the finest in-plane axis wide, alike in micrometres, that repeat with ``stride``.

    A cell is never thinner than a voxel, and within a tenth of what is asked for: the grid then repeats after a small
    multiple of the stride.
    """
    size_um = size * min(spacing_um[1:])
    wanted = [max(1.0, size_um / step) for step in spacing_um]
    z, y, x = (_fit(voxels, step) for voxels, step in zip(wanted, stride, strict=True))
    return SupervoxelGrid((AxisCells(1, 1) if planar else z, y, x), spacing_um, size_um, planar)


def _fit(wanted: float, stride: int) -> AxisCells:
    period = stride
    while True:
        count = max(1, round(period / wanted))
        if abs(period / count / wanted - 1) <= TOLERANCE:
            return AxisCells(period, count)
        period += stride
