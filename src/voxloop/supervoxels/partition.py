"""An image cut into supervoxels: which one every voxel belongs to, read by the box, equal to the whole. Knows no files.

Numbers count from 1 in the order of the cells that seeds start in, x fastest; 0 is never used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.config.supervoxels import SupervoxelConfig
from voxloop.errors import ConfigError
from voxloop.geometry import Box, Shape, cover
from voxloop.supervoxels.cells import NARROW, SupervoxelGrid, grid_for
from voxloop.supervoxels.intensities import IntensityRange
from voxloop.supervoxels.seed_tiles import SeedTiles
from voxloop.supervoxels.slic import nearest
from voxloop.volumes import shape_zyx, spacing_of
from voxloop.volumes.view import SourceView, Viewed, dask_over
from voxloop.volumes.volume import make_volume, origin_of

if TYPE_CHECKING:
    from xarray import DataArray

#: what single voxels are smoothed with before they choose: sigma in voxels of the finest in-plane axis, and how far
_SIGMA, _TRUNCATE = 1.0, 3.0
#: voxels of a block of a lazy layer, through the stack and within planes
_BLOCK, _SLAB = (64, 256, 256), (4, 512, 512)


class Partition:
    """The supervoxels of one channel of one image.

    Parameters
    ----------
    volume
        The image.
    read
        Intensities (z, y, x) of a box of the channel.
    place
        A folder for the seeds; None: none are kept.

    Raises
    ------
    ConfigError
        They would be larger than the image, or go through the stack where planes are pictures of their own.
    """

    def __init__(
        self,
        volume: DataArray,
        config: SupervoxelConfig,
        read: Callable[[Box], np.ndarray],
        place: Path | None = None,
    ) -> None:
        self.volume, self.config = volume, config
        self.shape: Shape = shape_zyx(volume)
        self.spacing_um = spacing_of(volume)
        self.grid = grid_of(volume, config)
        #: intensities of a box as they are
        self.intensities = read
        self._range: IntensityRange | None = None
        self.tiles = SeedTiles(self._steps, self.shape, self.grid, config.compactness, place)
        sigma = [_SIGMA * min(self.spacing_um[1:]) / step for step in self.spacing_um]
        self._sigma = (0.0 if self.grid.planar else sigma[0], *sigma[1:])
        many = int(np.prod(self.tiles.cells, dtype=np.int64))
        self.dtype = np.dtype(np.int32 if many < np.iinfo(np.int32).max else np.int64)

    def read(self, box: Box) -> np.ndarray:
        """The supervoxel of every voxel of a box, (z, y, x)."""
        z, y, x = (axis.sites(first, end) for axis, first, end in zip(self.grid.axes, box.start, box.stop, strict=True))
        seeds = self.tiles.seeds(self.cells_of(box))
        found = nearest(self._smooth(box), self.grid, (z, y, x), seeds, self.config.compactness)
        rows, columns = (np.int64(many) for many in self.tiles.cells[1:])
        first, many = seeds.first, seeds.color.shape[1:]
        cz, cy, cx = (np.arange(begin, begin + size) for begin, size in zip(first, many, strict=True))
        numbers = ((cz[:, None, None] * rows + cy[:, None]) * columns + cx + 1).astype(self.dtype)
        return np.asarray(numbers.ravel()[found])

    def cells_of(self, box: Box) -> Box:
        """The cells whose seeds the voxels of a box choose among."""
        start = [int(axis.of(at + 1)[-1]) for axis, at in zip(self.grid.axes, box.start, strict=True)]
        stop = [axis.count_of(at) for axis, at in zip(self.grid.axes, box.stop, strict=True)]
        around = (0 if self.grid.planar else 1, 1, 1)
        return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])).grow(around).clip(self.tiles.cells)

    def whole(self, parts: Sequence[tuple[Box, np.ndarray]]) -> list[tuple[Box, np.ndarray]]:
        """Masks made larger until they hold the whole supervoxels that they touch, in one box.

        Of a supervoxel in several pieces, those that hang together with what is touched.
        """
        import cc3d

        if not parts:
            return []
        found = [self.read(box)[mask] for box, mask in parts]
        chosen = np.unique(np.concatenate(found))
        if not chosen.size:
            return []
        wide = cover([self._span(chosen), *(box for box, _ in parts)])
        stroke = np.zeros(wide.shape, bool)
        for box, mask in parts:
            stroke[box.within(wide).slices] |= mask
        numbers = self.read(wide)
        first = int(numbers.min())
        table = np.zeros(int(numbers.max()) - first + 1, bool)
        table[chosen - first] = True
        pieces = cc3d.connected_components(table[numbers - first], connectivity=6)
        kept = np.zeros(int(pieces.max()) + 1, bool)
        kept[np.unique(pieces[stroke])] = True
        kept[0] = False
        return [(wide, kept[pieces])]

    def _span(self, numbers: np.ndarray) -> Box:
        """A box that holds all voxels of supervoxels: their cells, and the nearer halves of those around."""
        cells = np.stack(np.unravel_index(numbers.astype(np.int64) - 1, self.tiles.cells))
        start, stop = [], []
        for axis, at in zip(self.grid.axes, cells, strict=True):
            around = axis.size / 2 if axis.size >= NARROW else axis.size
            around = 0 if self.grid.planar and axis is self.grid.axes[0] else around
            start.append(int(np.floor(at.min() * axis.size - around)))
            stop.append(int(np.ceil((at.max() + 1) * axis.size + around)))
        return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])).clip(self.shape)

    def lazy(self) -> DataArray:
        """All of it as a volume (z, y, x): slice it, and it works that out."""
        block = _SLAB if self.grid.planar else _BLOCK
        chunks = tuple(min(size, most) for size, most in zip(self.shape, block, strict=True))
        voxels = Viewed(_Numbers(self), SourceView("zyx", {}, "z"), "supervoxels")
        out = make_volume(
            dask_over(voxels, chunks),
            spacing_um=self.spacing_um,
            origin_um=origin_of(self.volume),
            name="supervoxels",
            source=f"supervoxels of {self.volume.name}",
            z_kind=str(self.volume.attrs.get("z_kind", "space")),
        )
        out.attrs["kind"] = "labels"
        return out

    def _steps(self, box: Box) -> np.ndarray:
        if self._range is None:
            self._range = IntensityRange.measured(self.intensities, self.shape)
        return self._range.steps(self.intensities(box))

    def _smooth(self, box: Box) -> np.ndarray:
        """Intensities (1, z, y, x) of a box, by a filter that gives the same to the last bit wherever it begins."""
        from scipy.ndimage import gaussian_filter1d

        reach = [int(_TRUNCATE * sigma + 0.5) for sigma in self._sigma]
        wide = box.grow(reach).clip(self.shape)
        part = self._steps(wide)
        for axis, sigma in enumerate(self._sigma):
            if reach[axis]:
                part = gaussian_filter1d(part, sigma, axis, mode="reflect", truncate=_TRUNCATE)
        return np.ascontiguousarray(part[box.within(wide).slices])[None]


def grid_of(volume: DataArray, config: SupervoxelConfig) -> SupervoxelGrid:
    """The cells that seeds start in. Raises ConfigError."""
    shape, spacing = shape_zyx(volume), spacing_of(volume)
    frames = volume.attrs.get("z_kind") == "frame"
    if config.dimensions == "3d" and frames:
        raise ConfigError(
            f"planes of {volume.name!r} are pictures of their own, so no supervoxel goes through them; "
            "leave dimensions='auto'"
        )
    finest = min(spacing[1:])
    size = config.size if config.size_um is None else config.size_um / finest
    if size < 3:
        raise ConfigError(f"size_um={size * finest:g} is less than three voxels of {finest:g} µm; make it larger")
    largest = max(length * step for length, step in zip(shape[1:], spacing[1:], strict=True)) / finest
    if size > largest:
        raise ConfigError(
            f"supervoxels of {size:g} voxels are larger than the image {volume.name!r}, which is {largest:g} wide"
        )
    planar = shape[0] == 1 or frames or config.dimensions == "2d"
    z, y, x = (_even(size * finest / step) for step in spacing)
    return grid_for(size, spacing, (1 if planar else z, y, x), planar)


def _even(voxels: float) -> int:
    """The largest power of two that is no more than a quarter of a cell."""
    return 1 << max(0, int(np.log2(max(1.0, voxels / 4))))


class _Numbers:
    """Supervoxels as an array of which boxes are read."""

    ndim = 3

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self.shape, self.dtype = partition.shape, partition.dtype

    def __getitem__(self, key: Any) -> np.ndarray:
        return self._partition.read(Box.of(key, self.shape))
