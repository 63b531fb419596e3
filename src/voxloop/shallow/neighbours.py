"""Which supervoxels touch, and what follows from it. Pure: arrays on the grid of their seeds.

Supervoxels are neighbours where a face of a voxel of one is a face of a voxel of the other, and their seeds come from
adjacent cells. Others touch rarely, and leaving them out keeps everything local.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from voxloop.geometry import Shape
from voxloop.supervoxels.cells import SupervoxelGrid


@dataclass(frozen=True)
class Contacts:
    """``faces`` (offsets, cells): voxel faces shared with the neighbour at each of the grid's offsets.

    ``steps`` of the same shape: the mean squared difference of intensity across them, 0 where there are none.
    """

    offsets: np.ndarray
    shape: Shape
    faces: np.ndarray
    steps: np.ndarray

    def neighbours(self, values: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """For each offset its number, which cells have a neighbour there (cells,), and ``values`` of that neighbour.

        ``values`` are (cells, n); what is given for a cell without such a neighbour means nothing.
        """
        for number, offset in enumerate(self.offsets):
            if offset.any():
                yield number, self.faces[number] > 0, move_cells(values, offset, self.shape)

    def average(self, values: np.ndarray) -> np.ndarray:
        """The mean of ``values`` (cells, n) over the neighbours of each cell; its own where it has none."""
        total, count = np.zeros_like(values), np.zeros((len(values), 1), values.dtype)
        for _, touching, theirs in self.neighbours(values):
            total += theirs * touching[:, None]
            count += touching[:, None]
        return np.where(count > 0, total / np.maximum(count, 1), values)


def contacts(image: np.ndarray, labels: np.ndarray, grid: SupervoxelGrid) -> Contacts:
    """Contacts of the supervoxels ``labels`` (z, y, x) of :func:`voxloop.supervoxels.slic.slic` of ``image``."""
    shape = grid.shape(labels.shape)
    size = (len(grid.offsets), int(np.prod(shape)))
    faces, steps = np.zeros(size), np.zeros(size)
    edges = grid.axes[0].edges(labels.shape[0])
    for start, stop in pairwise(edges):
        for axis in (1, 2) if grid.planar else (0, 1, 2):
            # the last plane of a layer of cells faces the first of the next
            part = slice(start, min(stop + 1, labels.shape[0]) if axis == 0 else stop)
            _count(image[:, part], labels[part], axis, grid, shape, faces, steps)
    # a face was seen from the side of smaller coordinates alone
    back = [
        move_cells(np.stack([f, s], axis=1), offset, shape)
        for offset, f, s in zip(grid.offsets, faces[::-1], steps[::-1], strict=True)
    ]
    faces = faces + np.stack([pair[:, 0] for pair in back])
    steps = steps + np.stack([pair[:, 1] for pair in back])
    return Contacts(grid.offsets, shape, faces, steps / np.maximum(faces, 1))


def move_cells(values: np.ndarray, offset: np.ndarray, shape: Shape) -> np.ndarray:
    """Of each cell the value (cells, n) of the cell at ``offset`` from it; 0 beyond the grid."""
    there = values.reshape(*shape, -1)
    out = np.zeros_like(there)
    to, source = [], []
    for step, size in zip(offset, shape, strict=True):
        to.append(slice(max(0, -step), size - max(0, step)))
        source.append(slice(max(0, step), size - max(0, -step)))
    out[tuple(to)] = there[tuple(source)]
    return out.reshape(values.shape)


def _count(
    image: np.ndarray,
    labels: np.ndarray,
    axis: int,
    grid: SupervoxelGrid,
    shape: Shape,
    faces: np.ndarray,
    steps: np.ndarray,
) -> None:
    """Add the faces across ``axis`` to ``faces``, and the squared steps of intensity across them to ``steps``."""
    near = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
    far = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
    differ = labels[near] != labels[far]
    one, other = labels[near][differ], labels[far][differ]
    away = np.stack(np.unravel_index(other, shape)) - np.stack(np.unravel_index(one, shape))
    adjacent = (np.abs(away) <= 1).all(axis=0)
    if not adjacent.any():
        return
    which = np.array([0 if grid.planar else 9, 3, 1]) @ away + len(grid.offsets) // 2
    step = np.zeros(one.size, dtype=np.float64)
    for channel in image:
        step += (channel[far][differ] - channel[near][differ]) ** 2 / len(image)
    first = one.min()
    own = slice(first, one.max() + 1)
    many = own.stop - own.start
    key = (which * many + one - first)[adjacent]
    size = len(faces) * many
    faces[:, own] += np.bincount(key, minlength=size).reshape(-1, many)
    steps[:, own] += np.bincount(key, step[adjacent], minlength=size).reshape(-1, many)
