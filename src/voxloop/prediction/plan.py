"""How a volume is cut into tiles and blocks. Pure: integers only, no arrays, no models.

A *tile* is what is written, recorded and, after a crash, repeated at once; tiles form a grid anchored at voxel 0. A
*block* is what the model sees at once: its core lies in one tile, its outer box is larger by the halo and begins and
ends at multiples of the stride. A volume is taken to go on past its far faces, mirrored, up to the next multiple of
the stride, and nowhere else; the untiled forward sees the very same, so a tile whose halo is the model's field equals
it. Whole planes, long strips or large blocks are not cases here: they are what wastes least within the memory allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from math import prod
from typing import Any

from voxloop.errors import PredictionError
from voxloop.geometry import Box, Shape

#: blocks of equal shape go through a model together up to so many voxels
BATCH_VOXELS = 2**16

#: what a block needs to see beyond its core; None: the whole axis
Halo = tuple[int | None, int | None, int | None]


@dataclass(frozen=True, slots=True)
class Block:
    """One call of the model: ``outer`` goes in (it may reach past the volume's far faces), ``core`` is kept."""

    core: Box
    outer: Box

    @property
    def cut(self) -> Box:
        """The core within the block's own output."""
        return self.core.within(self.outer)


@dataclass(frozen=True, slots=True)
class Tile:
    """One cell of the grid, cut to the region: what one worker writes, alone in its output chunks."""

    index: Shape
    core: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The tiles of ``box`` in a volume of ``shape``, and the blocks of each tile; voxels, zyx.

    ``batch``: blocks of equal shape go through the model together up to so many voxels. ``every``: of the box's
    planes only every n-th, from its first on; tiles are single planes then. ``by_rows``: blocks span the axis of rows
    (y of a planar model, z of another), and the model is fed with rows instead of the whole block at once. ``blend``:
    what overlapping blocks say is blended (:mod:`voxloop.prediction.blending`) instead of cut, for which a tile asks
    the blocks of its neighbours too.
    """

    shape: Shape
    box: Box
    stride: Shape
    halo: Shape
    tile: Shape
    block: Shape
    chunk: Shape
    batch: int = BATCH_VOXELS
    every: int = 1
    by_rows: bool = False
    blend: bool = False

    @property
    def grid(self) -> Shape:
        """Tiles along each axis of the whole volume."""
        z, y, x = (-(-size // part) for size, part in zip(self.shape, self.tile, strict=True))
        return z, y, x

    @property
    def padded(self) -> Shape:
        """The volume's shape rounded up to the stride."""
        z, y, x = (up(size, step) for size, step in zip(self.shape, self.stride, strict=True))
        return z, y, x

    def tiles(self) -> Iterator[Tile]:
        """Every tile that the region touches, z slowest."""
        for z, y, x in product(*(range(part.start, part.stop, part.step) for part in self.cells)):
            yield self.tile_at((z, y, x))

    def tile_at(self, index: Shape) -> Tile:
        corner = [i * size for i, size in zip(index, self.tile, strict=True)]
        core = Box.at(corner, self.tile).meet(self.box)
        if core is None:
            raise PredictionError(f"tile {index} does not touch the region")
        return Tile(index, core)

    def blocks(self, tile: Tile) -> Iterator[Block]:
        for core in tile.core.blocks(self.block):
            yield self.block_of(core)

    @property
    def first(self) -> Block:
        """The first block of the first tile."""
        return next(self.blocks(next(self.tiles())))

    def block_of(self, core: Box) -> Block:
        """The block that keeps ``core``: grown by the halo, rounded to the stride, clipped to the padded volume."""
        return Block(core, core.grow(self.halo).aligned(self.stride).clip(self.padded))

    def outer(self, axis: int, part: slice) -> slice:
        """What a block with a core sees along an axis."""
        return slice(*_outer(part.start, part.stop, self.halo[axis], self.stride[axis], self.shape[axis]))

    def reaching(self, axis: int, part: slice) -> list[slice]:
        """Along an axis, the cores of all blocks that look at a part of the region."""
        bounds, size = self.box.slices[axis], self.block[axis]
        if size == 1:
            return [part] if part.stop - part.start == 1 else [slice(i, i + 1) for i in range(part.start, part.stop)]
        cores = (
            slice(max(bounds.start, start), min(bounds.stop, start + size))
            for start in range(bounds.start // size * size, bounds.stop, size)
        )
        cores_in_reach = []
        for core in cores:
            outer = self.outer(axis, core)
            if outer.start < part.stop and part.start < outer.stop:
                cores_in_reach.append(core)
        return cores_in_reach

    @property
    def work(self) -> int:
        """Voxels that the model sees in all, halos counted as often as they are computed."""
        if self.blend:
            return prod(self._blended_work(axis) for axis in range(3))
        parts = zip(self.box.slices, self.block, self.halo, self.stride, self.shape, (self.every, 1, 1), strict=True)
        return prod(sum(b - a for a, b in seen_along(*part)[::step]) for *part, step in parts)

    def _blended_work(self, axis: int) -> int:
        cells, size, bounds = self.cells[axis], self.tile[axis], self.box.slices[axis]
        total = 0
        for i in range(cells.start, cells.stop, cells.step):
            part = slice(max(bounds.start, i * size), min(bounds.stop, (i + 1) * size, self.shape[axis]))
            outers = (self.outer(axis, core) for core in self.reaching(axis, part))
            total += sum(outer.stop - outer.start for outer in outers)
        return total

    @property
    def count(self) -> int:
        """How many tiles there are."""
        return prod(len(range(part.start, part.stop, part.step)) for part in self.cells)

    @property
    def cells(self) -> tuple[slice, slice, slice]:
        """The part of the grid that is to be predicted; slices with a step."""
        z, y, x = (
            slice(part.start // size, -(-part.stop // size), step)
            for part, size, step in zip(self.box.slices, self.tile, (self.every, 1, 1), strict=True)
        )
        return z, y, x

    @property
    def voxels(self) -> int:
        """Voxels that are kept."""
        z, y, x = self.box.shape
        return -(-z // self.every) * y * x

    @property
    def largest(self) -> int:
        """Voxels of the largest block."""
        parts = zip(self.box.slices, self.block, self.halo, self.stride, self.shape, strict=True)
        return prod(max(b - a for a, b in seen_along(*part)) for part in parts)

    @property
    def column(self) -> int:
        """Voxels of the largest row that is fed: of a line of a planar model, of a plane of another."""
        parts = zip(self.box.slices, self.block, self.halo, self.stride, self.shape, strict=True)
        sizes = [max(b - a for a, b in seen_along(*part)) for part in parts]
        return sizes[2] if self.block[0] == 1 else sizes[1] * sizes[2]

    def to_json(self) -> dict[str, Any]:
        facts = asdict(self)
        del facts["box"]
        return {**facts, "region": self.box.to_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Plan:
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list | tuple) else value for name, value in data.items()
        }
        del values["region"]
        return cls(**values, box=Box.from_json(data["region"]))


def order_tiles(
    plan: Plan,
    focus: Sequence[float],
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    done: Callable[[Shape], bool] = lambda index: False,
) -> Iterator[Tile]:
    """Tiles from the focus outwards: the plane at the focus first, within a plane the nearest first.

    Parameters
    ----------
    focus
        A voxel (z, y, x); distances are physical.
    given
        Whether the tile at an index is to be left out; asked when its turn comes.
    """
    away = []
    for axis, cells in enumerate(plan.cells):
        bounds, size = plan.box.slices[axis], plan.tile[axis]
        near: dict[int, float] = {}
        for i in range(cells.start, cells.stop, cells.step):
            start, stop = max(bounds.start, i * size), min(bounds.stop, (i + 1) * size)
            near[i] = max(start - focus[axis], focus[axis] - (stop - 1), 0) * spacing[axis]
        away.append(near)
    plane = sorted(product(away[1], away[2]), key=lambda at: (away[1][at[0]] ** 2 + away[2][at[1]] ** 2, at))
    for z in sorted(away[0], key=lambda i: (away[0][i], i)):
        for y, x in plane:
            if not done((z, y, x)):
                yield plan.tile_at((z, y, x))


def whole(shape: Sequence[int], stride: Sequence[int]) -> Block:
    """The one block of the untiled forward."""
    full = Box.whole(shape)
    return Block(full, full.aligned(stride))


def up(value: int, step: int) -> int:
    """The next multiple of ``step``."""
    return -(-value // step) * step


def triple(values: Sequence[int]) -> Shape:
    """Three plain integers."""
    z, y, x = (int(value) for value in values)
    return z, y, x


def _outer(start: int, stop: int, halo: int, step: int, size: int) -> tuple[int, int]:
    low = max(0, start - halo) // step * step
    return low, min(up(size, step), up(stop + halo, step))


def seen_along(part: slice, block: int, halo: int, step: int, size: int) -> list[tuple[int, int]]:
    """The outer ranges of all blocks along one axis of a region."""
    starts = range(part.start // block * block, part.stop, block)
    return [_outer(max(part.start, s), min(part.stop, s + block), halo, step, size) for s in starts]
