"""The seeds of a whole image, tile by tile: worked out where they are asked for, kept on disk, the same in any order.

A tile of cells needs the image around it (:func:`voxloop.supervoxels.slic.seeds_of`); what comes out is a thousandth of
the voxels, and all that is needed to say of any voxel which supervoxel it belongs to.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path

import numpy as np

from voxloop.geometry import Box, Shape
from voxloop.plain_files import read_plain
from voxloop.store.atomic import replace_bytes
from voxloop.supervoxels.cells import SupervoxelGrid
from voxloop.supervoxels.slic import ROUNDS, Seeds, binned, seeds_of

#: cells of a tile, zyx, where supervoxels go through the stack and where they lie within planes
_DEEP, _FLAT = (16, 32, 32), (1, 96, 96)
#: cells around a tile that its seeds depend on
_AROUND = 2 * ROUNDS
#: voxels that are read at once
_SLAB = 2**23
#: tiles that are remembered
_KEPT = 64
#: of a seed: its intensity, and how far it lies from the middle of its cell along z, y and x
_NUMBERS = 4


class SeedTiles:
    """The seeds of one image.

    Parameters
    ----------
    read
        Intensities (z, y, x) of a box, in whole steps.
    shape
        Voxels of the image.
    place
        A folder for what was worked out; None: none.
    """

    def __init__(
        self,
        read: Callable[[Box], np.ndarray],
        shape: Shape,
        grid: SupervoxelGrid,
        compactness: float,
        place: Path | None,
    ) -> None:
        self._read, self._shape, self._grid = read, shape, grid
        self._compactness, self._place = compactness, place
        z, y, x = (axis.count_of(size) for axis, size in zip(grid.axes, shape, strict=True))
        #: cells of the whole image, zyx
        self.cells: Shape = (z, y, x)
        self._size: Shape = _FLAT if grid.planar else _DEEP
        self._kept: OrderedDict[Shape, np.ndarray] = OrderedDict()
        self._guard = threading.Lock()

    def all(self) -> Iterator[Shape]:
        """Every tile there is."""
        yield from product(*(range(-(-many // size)) for many, size in zip(self.cells, self._size, strict=True)))

    def around(self, cells: Box) -> list[Shape]:
        """The tiles that a box of cells lies in."""
        spans = (
            range(first // size, (end - 1) // size + 1)
            for first, end, size in zip(cells.start, cells.stop, self._size, strict=True)
        )
        return [(z, y, x) for z, y, x in product(*spans)]

    def ready(self, tile: Shape) -> bool:
        """Whether a tile need not be worked out any more."""
        return tile in self._kept or self._stored(tile) is not None

    def seeds(self, cells: Box) -> Seeds:
        """The seeds of a box of cells, worked out where they are not known yet. Raises what reading the image does."""
        out = np.empty((_NUMBERS, *cells.shape), np.float32)
        for tile in self.around(cells):
            box = self._box(tile)
            both = box.meet(cells)
            if both is not None:
                out[:, *both.within(cells).slices] = self.tile(tile)[:, *both.within(box).slices]
        return Seeds(cells.start, out[:1], out[1:])

    def tile(self, tile: Shape) -> np.ndarray:
        """Numbers (4, z, y, x) of the seeds of one tile."""
        with self._guard:
            found = self._kept.get(tile)
            if found is None:
                found = self._stored(tile)
            if found is None:
                found = self._worked_out(tile)
                self._store(tile, found)
            self._kept[tile] = found
            self._kept.move_to_end(tile)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return found

    def _box(self, tile: Shape) -> Box:
        start = [at * size for at, size in zip(tile, self._size, strict=True)]
        return Box.at(start, self._size).clip(self.cells)

    def _worked_out(self, tile: Shape) -> np.ndarray:
        box = self._box(tile)
        around = (0 if self._grid.planar else _AROUND, _AROUND, _AROUND)
        wide = box.grow(around).clip(self.cells)
        step = self._grid.binned
        sums, start = self._sums(wide, step)
        found = seeds_of(sums, self._grid, start, self._compactness)
        inner = [slice(a - f, b - f) for a, b, f in zip(box.start, box.stop, found.first, strict=True)]
        return np.concatenate([found.color, found.shift])[:, *inner]

    def _sums(self, cells: Box, step: Shape) -> tuple[np.ndarray, Shape]:
        """Sums (1, z, y, x) over ``step`` voxels of all that a box of cells holds, and where they begin."""
        start, stop = [], []
        for axis, first, end, by, size in zip(self._grid.axes, cells.start, cells.stop, step, self._shape, strict=True):
            start.append(int(first * axis.size) // by)
            stop.append(min(-(-size // by), -(-int(np.ceil(end * axis.size)) // by)))
        out = np.empty((1, *(b - a for a, b in zip(start, stop, strict=True))), np.float32)
        area = int(np.prod([(b - a) * by for a, b, by in zip(start[1:], stop[1:], step[1:], strict=True)]))
        many = max(1, _SLAB // (area * step[0]))
        for first in range(start[0], stop[0], many):
            end = min(first + many, stop[0])
            part = Box(
                (first * step[0], start[1] * step[1], start[2] * step[2]),
                (end * step[0], stop[1] * step[1], stop[2] * step[2]),
            ).clip(self._shape)
            out[:, first - start[0] : end - start[0]] = binned(self._read(part)[None], step)
        return out, (start[0], start[1], start[2])

    # ---------------------------------------------------------------------------------------------------------- disk

    def _file(self, tile: Shape) -> Path | None:
        return None if self._place is None else self._place / "{}.{}.{}.seeds".format(*tile)

    def _stored(self, tile: Shape) -> np.ndarray | None:
        """A tile as it was kept; None where there is none, or it is not whole."""
        file, shape = self._file(tile), (_NUMBERS, *self._box(tile).shape)
        if file is None:
            return None
        try:
            data = read_plain(file)
        except OSError:
            return None
        if len(data) != 4 * int(np.prod(shape)):
            return None
        return np.frombuffer(data, "<f4").reshape(shape).astype(np.float32)

    def _store(self, tile: Shape, seeds: np.ndarray) -> None:
        """Keep a tile; a workspace that cannot be written keeps none, and works it out again another day."""
        file = self._file(tile)
        if file is None:
            return
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            replace_bytes(file, seeds.astype("<f4").tobytes(), name_durable=False)
