"""Supervoxels: pieces of an image that are alike in intensity and compact. Pure: knows no features, no labels.

SLIC (Achanta et al. 2012) made local: a seed starts in every cell of a fixed grid, a voxel chooses among the seeds of
its own cell and those on the nearer side of it along each axis, and seeds move a fixed number of times, by places of
two voxels' width. What a voxel belongs to then depends on its surroundings within :func:`reach` cells and on nothing
else, to the last bit, so a volume may be cut anywhere. The original looks for seeds within a window that moves with
them, iterates until nothing changes and joins stray pieces; all three depend on the whole image. A supervoxel may
therefore consist of several pieces, all within three cells.

Of two seeds the nearer one is known without the terms that both distances share, so a distance is a sum of a multiple
of the intensity and of numbers that change along one axis each: a few passes over rows of voxels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from voxloop.geometry import Shape
from voxloop.supervoxels.cells import AxisSites, SupervoxelGrid

#: times the seeds move to the middle of their voxels
ROUNDS = 2
#: percent of an image's range, from the first percentile to the last, that one unit of normalised intensity is
PERCENT = 25.0
#: voxels that are compared with the seeds at once
_AT_ONCE = 1 << 16

Sites = tuple[AxisSites, AxisSites, AxisSites]
Mapper = Callable[[Callable[..., None], Iterable[tuple[int, int, tuple[int, ...]]]], Iterable[None]]


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
    shape = image.shape[1:]
    z, y, x = (axis.sites(0, size) for axis, size in zip(grid.axes, shape, strict=True))
    seeds = seeds_of(binned(image, grid.binned), grid, (0, 0, 0), compactness, rounds)
    return nearest(image, grid, (z, y, x), seeds, compactness, mapper)


@dataclass(frozen=True, eq=False)
class Seeds:
    """Seeds of a box of cells: where they are and what intensity they stand for.

    Attributes
    ----------
    first : cell (zyx) that the arrays begin with.
    color : (c, z, y, x) float32; not a number where a cell has no seed.
    shift : (3, z, y, x) float32, voxels from the centre of the cell.
    """

    first: Shape
    color: np.ndarray
    shift: np.ndarray


def binned(image: np.ndarray, step: Shape) -> np.ndarray:
    """Sums of an image (c, z, y, x) over ``step`` voxels; those left over at the end are repeated."""
    for axis, size in enumerate(step, start=1):
        if size == 1:
            continue
        left = -image.shape[axis] % size
        if left:
            image = np.concatenate([image, image.take([-1] * left, axis)], axis)
        parts = [image[tuple([slice(None)] * axis + [slice(at, None, size)])] for at in range(size)]
        image = parts[0] + parts[1]
        for part in parts[2:]:
            image += part
    return image


def seeds_of(
    image: np.ndarray, grid: SupervoxelGrid, start: Sequence[int], compactness: float, rounds: int = ROUNDS
) -> Seeds:
    """Seeds of the cells that a part of an image reaches into.

    Parameters
    ----------
    image
        (c, z, y, x) float32, summed by :func:`binned` with ``grid.binned``. Of whole numbers the sums are exact, and
        the seeds the same whatever the part, from twice ``rounds`` cells inside of it.
    start
        Where the part begins, in steps of ``grid.binned``.
    """
    step = grid.binned
    parts = zip(grid.axes, start, image.shape[1:], step, strict=True)
    z, y, x = (axis.sites(first, first + size, by) for axis, first, size, by in parts)
    sites = z, y, x
    # distances as if an intensity were that of one voxel
    image = image * np.float32(1 / np.prod(step)) if max(step) > 1 else image
    first = tuple(int(one.cells[0]) for one in sites)
    many = tuple(int(one.cells[-1]) + 1 - begin for one, begin in zip(sites, first, strict=True))
    own = _index([one.cells - begin for one, begin in zip(sites, first, strict=True)], many)
    color, _ = _means(image, sites, own, many)
    seeds = Seeds((first[0], first[1], first[2]), color, np.zeros((3, *many), np.float32))
    for _ in range(rounds):
        labels = nearest(image, grid, sites, seeds, compactness)
        color, shift = _means(image, sites, labels, many, seeds)
        seeds = Seeds(seeds.first, color, shift)
    return seeds


def nearest(
    image: np.ndarray, grid: SupervoxelGrid, sites: Sites, seeds: Seeds, compactness: float, mapper: Mapper = map
) -> np.ndarray:
    """The nearest seed of every place, int32 (z, y, x): its index among ``seeds``, x fastest."""
    out = np.empty(image.shape[1:], np.int32)
    job = _Nearest(image, grid, sites, seeds, compactness, out)
    runs = [(at, at + 1, (0,)) for at in range(len(sites[0].cells))] if grid.planar else sites[0].runs()
    for _ in mapper(job, runs):
        pass
    return out


class _Nearest:
    """Writes which seed is nearest; every layer of half cells by itself."""

    def __init__(
        self,
        image: np.ndarray,
        grid: SupervoxelGrid,
        sites: Sites,
        seeds: Seeds,
        compactness: float,
        out: np.ndarray,
    ) -> None:
        self._image, self._out = image, out
        self._layers, self._rows, self._columns = (
            one.cells - first for one, first in zip(sites, seeds.first, strict=True)
        )
        self._shape = seeds.color.shape[1:]
        # distances are in supervoxels, and intensities in as many percent of the range as one supervoxel is worth
        self._across = [np.float32((step / grid.size_um) ** 2) for step in grid.spacing_um]
        self._color = np.float32((PERCENT / compactness) ** 2 / len(image))
        self._away = [one.from_centre for one in sites]
        self._sizes = [np.float32(axis.size) for axis in grid.axes]
        runs = list(sites[1].runs())
        #: rows that choose among the same cells, one after the other: the first, and its number for every row
        self._halves = np.array([first for first, _, _ in runs])
        self._half = np.repeat(np.arange(len(runs)), [end - first for first, end, _ in runs])
        self._beside = np.array([choice for _, _, choice in runs]).T
        self._across_columns = np.array([sites[2].choice(at) for at in range(len(self._columns))]).T
        self._colors, self._shifts = seeds.color, seeds.shift

    def __call__(self, run: tuple[int, int, tuple[int, ...]]) -> None:
        first, end, deep = run
        layer = int(self._layers[first])
        planes = slice(first, end)
        candidates = [
            self._candidate(planes, layer, down, along, columns)
            for down in deep
            if 0 <= layer + down < self._shape[0]
            for along in self._beside
            for columns in self._across_columns
        ]
        rows = max(1, _AT_ONCE // ((end - first) * len(self._columns)))
        for start in range(0, len(self._rows), rows):
            self._choose(planes, slice(start, min(start + rows, len(self._rows))), candidates)

    def _candidate(self, planes: slice, layer: int, down: int, along: np.ndarray, across: np.ndarray) -> _Candidate:
        """One of the cells that voxels choose among, for every half row of cells (h) and column (x)."""
        rows, columns = self._rows[self._halves] + along, self._columns + across
        there = ((rows >= 0) & (rows < self._shape[1]))[:, None] & ((columns >= 0) & (columns < self._shape[2]))
        at = (np.where(there.any(axis=1), rows, 0)[:, None], np.where(there.any(axis=0), columns, 0))
        colors = self._colors[:, layer + down][:, *at]
        there &= np.isfinite(colors).all(axis=0)
        colors = np.where(there, colors, np.float32(0))
        dz, dy, dx = self._shifts[:, layer + down][:, *at]
        z, y, x = self._across
        dz = np.float32(down) * self._sizes[0] + dz
        dy = along.astype(np.float32)[:, None] * self._sizes[1] + dy
        dx = across.astype(np.float32) * self._sizes[2] + dx
        base = z * dz * dz + y * dy * dy + x * dx * (dx - 2 * self._away[2])
        base += self._color * (colors * colors).sum(axis=0)
        base[~there] = np.inf
        owners = ((layer + down) * self._shape[1] + at[0]) * self._shape[2] + at[1]
        return _Candidate(owners.astype(np.int32), base, (-2 * z) * dz, (-2 * y) * dy, (-2 * self._color) * colors)

    def _choose(self, planes: slice, rows: slice, candidates: list[_Candidate]) -> None:
        part = self._image[:, planes, rows]
        half = self._half[rows]
        best = np.full(part.shape[1:], np.inf, np.float32)
        which = np.zeros(best.shape, np.uint8)
        distance, other, nearer = np.empty_like(best), np.empty_like(best), np.empty(best.shape, bool)
        away = self._away[1][rows, None]
        across = self._away[0][planes, None, None]
        # where cells are one plane high nothing is added; elsewhere the order of additions is the same for every cut
        deep = bool(across.any())
        for number, one in enumerate(candidates):
            np.multiply(part[0], one.color[0][half], out=distance)
            for image, color in zip(part[1:], one.color[1:], strict=True):
                np.multiply(image, color[half], out=other)
                distance += other
            distance += one.base[half] + one.by_row[half] * away
            if deep:
                np.multiply(one.by_plane[half], across, out=other)
                distance += other
            np.less(distance, best, out=nearer)
            np.minimum(distance, best, out=best)
            # numbers grow, so the larger one is the later one
            chosen = nearer.view(np.uint8)
            chosen *= number
            np.maximum(which, chosen, out=which)
        owners = np.array([one.owners for one in candidates])
        size, width = owners[0].size, owners.shape[-1]
        at = which.astype(np.int32)
        at *= size
        at += (half * width)[:, None].astype(np.int32) + np.arange(width, dtype=np.int32)
        self._out[planes, rows] = owners.ravel()[at]


@dataclass(frozen=True, eq=False)
class _Candidate:
    """Squared distances to one seed, less what all seeds share, for every half row of cells (h) and column (x).

    ``base`` (h, x), plus ``by_plane`` (h, x) times the plane's and ``by_row`` (h, x) times the row's distance from the
    middle of their cells, plus ``color`` (c, h, x) times the intensities.
    """

    owners: np.ndarray
    base: np.ndarray
    by_plane: np.ndarray
    by_row: np.ndarray
    color: np.ndarray


def _means(
    image: np.ndarray, sites: Sites, labels: np.ndarray, many: tuple[int, ...], before: Seeds | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Intensity (c, z, y, x) and place (3, z, y, x) of seeds; those without a voxel stay as they were.

    Places are whole numbers, so their sums are exact.
    """
    owner, size = labels.ravel(), int(np.prod(many))
    count = np.bincount(owner, minlength=size)
    divisor = np.where(count > 0, count, 1)
    color = np.stack([np.bincount(owner, channel.ravel(), size) for channel in image]) / divisor
    color = np.where(count > 0, color, np.nan if before is None else before.color.reshape(len(image), -1))
    shift = np.zeros((3, size))
    for axis, one in enumerate(sites if before is not None else ()):
        places = np.broadcast_to(one.middles[tuple(slice(None) if a == axis else None for a in range(3))], labels.shape)
        total = np.bincount(owner, places.ravel(), size)
        assert before is not None
        home = np.arange(many[axis]) + before.first[axis]
        centre = np.broadcast_to(
            ((2 * home + 1) * one.axis.period)[tuple(slice(None) if a == axis else None for a in range(3))], many
        )
        shift[axis] = (total - count * centre.ravel()) / (divisor * (2 * one.axis.count))
    if before is not None:
        shift = np.where(count > 0, shift, before.shift.reshape(3, -1))
    return color.astype(np.float32).reshape(-1, *many), shift.astype(np.float32).reshape(3, *many)


def _index(cells: Sequence[np.ndarray], many: Sequence[int]) -> np.ndarray:
    """Which of ``many`` cells every place lies in, (z, y, x), x fastest."""
    z, y, x = cells
    return np.asarray((z[:, None, None] * many[1] + y[:, None]) * many[2] + x)
