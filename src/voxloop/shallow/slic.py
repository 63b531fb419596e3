"""Supervoxels: pieces of an image that are alike in intensity and compact. Pure: knows no features, no labels.

SLIC (Achanta et al. 2012) made local: a seed starts in every cell of a fixed grid, a voxel chooses among the seeds of
its own cell and the adjacent ones, and seeds move a fixed number of times. What a voxel belongs to then depends on its
surroundings within :func:`reach` cells and on nothing else, to the last bit, so a volume may be cut anywhere. The
original looks for seeds within a window that moves with them, iterates until nothing changes and joins stray pieces;
all three depend on the whole image. A supervoxel may therefore consist of several pieces, all within three cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from voxloop.shallow.grid import SupervoxelGrid

#: times the seeds move to the middle of their voxels
ROUNDS = 2
#: percent of an image's range, from the first percentile to the last, that one unit of normalised intensity is
PERCENT = 25.0
#: voxels that are compared with the seeds at once
_CHUNK = 1 << 16

Mapper = Callable[[Callable[..., None], Iterable[tuple[int, int, int]]], Iterable[None]]


def reach(rounds: int = ROUNDS) -> int:
    """Cells to either side of a voxel's own that decide which supervoxel it belongs to.

    Once it has moved, a seed depends on the voxels of the adjacent cells, and these on the seeds of the cells beyond.
    """
    return 2 * rounds + 1


def slic(
    image: np.ndarray, grid: SupervoxelGrid, compactness: float, rounds: int = ROUNDS, mapper: Mapper = map
) -> np.ndarray:
    """The supervoxel of every voxel, int32 (z, y, x): the index of its seed's cell among all cells, x fastest.

    Parameters
    ----------
    image
        Normalised intensities (c, z, y, x) float32; begins at voxel 0 of the grid, its shape a multiple of the stride.
    compactness
        A distance of one supervoxel counts as much as this many percent of the image's range.
    mapper
        ``map``, or that of a pool of threads.
    """
    seeds = _Seeds.at_rest(image, grid)
    labels = seeds.own
    for number in range(rounds + 1):
        labels, which = _assign(image, grid, seeds, compactness, mapper)
        if number < rounds:
            seeds = _moved(image, grid, seeds, labels, which)
    return labels


@dataclass(frozen=True)
class _Seeds:
    """``color`` (c, cells) and ``shift`` (3, cells) from the centre of the cell, voxels; ``own`` (z, y, x) cells."""

    color: np.ndarray
    shift: np.ndarray
    own: np.ndarray

    @classmethod
    def at_rest(cls, image: np.ndarray, grid: SupervoxelGrid) -> _Seeds:
        shape = grid.shape(image.shape[1:])
        z, y, x = (axis.of(size) for axis, size in zip(grid.axes, image.shape[1:], strict=True))
        own = ((z[:, None, None] * shape[1] + y[:, None]) * shape[2] + x).astype(np.int32)
        count, total = _sums(grid, own, len(image), lambda layer: image[:, layer])
        return cls((total / count).astype(np.float32), np.zeros((3, count.size), np.float32), own)


def _assign(
    image: np.ndarray, grid: SupervoxelGrid, seeds: _Seeds, compactness: float, mapper: Mapper
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest seed of every voxel, and which of the grid's offsets leads there from its own cell."""
    which = np.empty(image.shape[1:], dtype=np.int8)
    job = _Nearest(image, grid, seeds, compactness, which)
    for _ in mapper(job, _chunks(grid, image.shape[1:])):
        pass
    _, rows, columns = grid.shape(image.shape[1:])
    leads = (grid.offsets @ [rows * columns, columns, 1]).astype(np.int32)
    return seeds.own + leads[which], which


def _chunks(grid: SupervoxelGrid, shape: tuple[int, ...]) -> Iterator[tuple[int, int, int]]:
    """A layer of cells and some rows of it, again and again."""
    edges = grid.axes[0].edges(shape[0])
    for layer in range(len(edges) - 1):
        rows = max(1, _CHUNK // ((edges[layer + 1] - edges[layer]) * shape[2]))
        for start in range(0, shape[1], rows):
            yield layer, start, min(start + rows, shape[1])


class _Nearest:
    """Writes which seed is nearest; every chunk by itself."""

    def __init__(
        self, image: np.ndarray, grid: SupervoxelGrid, seeds: _Seeds, compactness: float, which: np.ndarray
    ) -> None:
        shape = grid.shape(image.shape[1:])
        self._image, self._grid, self._which = image, grid, which
        self._layers, self._edges = shape[0], grid.axes[0].edges(image.shape[1])
        # distances are in supervoxels, and intensities in as many percent of the range as one supervoxel is worth
        self._step = [np.float32(step / grid.size_um) for step in grid.spacing_um]
        self._color = np.float32((PERCENT / compactness) ** 2 / len(image))
        # a rim of seeds that nothing is near to stands for those beyond the block
        rim = [(0, 0), (0, 0), (1, 1), (1, 1)]
        self._colors = np.pad(seeds.color.reshape(-1, *shape), rim, constant_values=np.inf)
        self._shifts = np.pad(seeds.shift.reshape(-1, *shape), rim)
        self._cells = [axis.of(size) for axis, size in zip(grid.axes, image.shape[1:], strict=True)]
        self._away = [
            {step: axis.from_centre(size, step) for step in (-1, 0, 1)}
            for axis, size in zip(grid.axes, image.shape[1:], strict=True)
        ]

    def __call__(self, chunk: tuple[int, int, int]) -> None:
        layer, start, stop = chunk
        planes = slice(self._edges[layer], self._edges[layer + 1])
        part = self._image[:, planes, start:stop]
        best = np.full(part.shape[1:], np.inf, dtype=np.float32)
        which = np.zeros(part.shape[1:], dtype=np.int8)
        for number, (z, y, x) in enumerate(self._grid.offsets):
            if 0 <= layer + z < self._layers:
                rows, columns = self._cells[1][start:stop] + y + 1, self._cells[2] + x + 1
                colors = self._colors[:, layer + z][:, rows][:, :, columns]
                dz, dy, dx = self._shifts[:, layer + z][:, rows][:, :, columns]
                away = (self._away[1][y][start:stop, None] - dy) * self._step[1]
                across = (self._away[2][x] - dx) * self._step[2]
                flat = away * away + across * across
                if self._grid.planar:
                    distance = np.broadcast_to(flat, best.shape).copy()
                else:
                    distance = (self._away[0][z][planes, None, None] - dz) * self._step[0]
                    distance *= distance
                    distance += flat
                for image, color in zip(part, colors, strict=True):
                    unlike = image - color
                    unlike *= unlike
                    unlike *= self._color
                    distance += unlike
                nearer = distance < best
                np.copyto(best, distance, where=nearer)
                which[nearer] = number
        self._which[planes, start:stop] = which


def _moved(image: np.ndarray, grid: SupervoxelGrid, seeds: _Seeds, labels: np.ndarray, which: np.ndarray) -> _Seeds:
    """Seeds at the mean of their voxels; those without a voxel stay where they are."""
    away = [axis.from_centre(size) for axis, size in zip(grid.axes, image.shape[1:], strict=True)]
    steps = [(grid.offsets[:, a] * axis.size).astype(np.float32) for a, axis in enumerate(grid.axes)]

    def values(layer: slice) -> Iterator[np.ndarray]:
        yield from image[:, layer]
        for along, step in zip((away[0][layer, None, None], away[1][:, None], away[2]), steps, strict=True):
            yield np.asarray(along - step[which[layer]])

    count, total = _sums(grid, labels, len(image) + 3, values)
    mean = (total / np.maximum(count, 1)).astype(np.float32)
    mean = np.where(count > 0, mean, np.concatenate([seeds.color, seeds.shift]))
    return _Seeds(mean[:-3], mean[-3:], seeds.own)


def _sums(
    grid: SupervoxelGrid, labels: np.ndarray, many: int, values: Callable[[slice], Iterable[np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Voxels of every cell's supervoxel (cells,), and the sums of ``many`` values over them (many, cells), float64.

    Layer by layer of cells: the order of the additions then does not depend on where the block begins.
    """
    cells = int(np.prod(grid.shape(labels.shape)))
    count, total = np.zeros(cells), np.zeros((many, cells))
    for start, stop in pairwise(grid.axes[0].edges(labels.shape[0])):
        layer = slice(int(start), int(stop))
        own = labels[layer].ravel()
        first, last = int(own.min()), int(own.max()) + 1
        own = own - first
        count[first:last] += np.bincount(own)
        for sums, value in zip(total, values(layer), strict=True):
            sums[first:last] += np.bincount(own, value.ravel())
    return count, total
