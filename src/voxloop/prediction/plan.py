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

#: blocks that waste up to this share more than the best are as good: smaller ones answer sooner and fit the caches
GOOD_ENOUGH = 0.03
#: voxels of a block (512 squared, 64 cubed) below which calling the model costs more than it computes
COMFORTABLE = 2**18
#: blocks of equal shape go through a model together up to so many voxels
BATCH_VOXELS = 2**16
#: and this share more is taken where the best blocks would keep the user waiting
FOR_LIVELINESS = 0.08
#: voxels of an output chunk along z, y, x, at most
CHUNK: Shape = (16, 128, 128)
CHUNK_PLANE: Shape = (1, 256, 256)

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
        z, y, x = (_up(size, step) for size, step in zip(self.shape, self.stride, strict=True))
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
        found = []
        for core in cores:
            outer = self.outer(axis, core)
            if outer.start < part.stop and part.start < outer.stop:
                found.append(core)
        return found

    @property
    def work(self) -> int:
        """Voxels that the model sees in all, halos counted as often as they are computed."""
        if self.blend:
            return prod(self._blended_work(axis) for axis in range(3))
        parts = zip(self.box.slices, self.block, self.halo, self.stride, self.shape, (self.every, 1, 1), strict=True)
        return prod(sum(b - a for a, b in _axis(*part)[::step]) for *part, step in parts)

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
        return prod(max(b - a for a, b in _axis(*part)) for part in parts)

    @property
    def column(self) -> int:
        """Voxels of the largest row that is fed: of a line of a planar model, of a plane of another."""
        parts = zip(self.box.slices, self.block, self.halo, self.stride, self.shape, strict=True)
        sizes = [max(b - a for a, b in _axis(*part)) for part in parts]
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


def make_plan(
    shape: Sequence[int],
    stride: Sequence[int],
    halo: Sequence[int | None],
    *,
    max_voxels: int,
    region: object = None,
    planar: bool = False,
    planes_per_tile: int = 1,
    max_tile_voxels: int | None = None,
    lively_voxels: int | None = None,
    handy_voxels: int = COMFORTABLE,
    batch_voxels: int = BATCH_VOXELS,
    every: int = 1,
    max_column: int | None = None,
    blend: bool = False,
) -> Plan:
    """The plan that wastes least on halos among those whose blocks hold at most ``max_voxels``.

    Parameters
    ----------
    shape
        Voxels of the volume, zyx.
    stride, halo
        Of the model; a halo of None on an axis asks for blocks that span the whole axis.
    region
        What is to be predicted; None: all.
    planar
        The model looks at one plane at a time, so blocks are single planes.
    planes_per_tile
        How many planes of a planar model are written together (rounded down to a power of two, 16 at most).
    max_tile_voxels
        The most voxels a tile should hold; a tile is never smaller than a block.
    lively_voxels
        Blocks up to this size answer soon enough; some waste (:data:`FOR_LIVELINESS`) is taken for them.
    handy_voxels
        Among blocks that waste as little, the smallest of at least this size is taken.
    batch_voxels
        Blocks of equal shape go through the model together up to so many voxels.
    every
        Only every n-th plane of the region; blocks and tiles are single planes then.
    max_column
        Feed the model with rows of at most so many voxels, in blocks that span the axis of rows; None: do not.
    blend
        Blend what overlapping blocks say; tiles are as large as ``max_tile_voxels`` allows then.

    Raises
    ------
    PredictionError
        The model's stride along z is not 1, and not every plane is wanted.
        Not even the smallest block fits; says how many voxels the smallest would need.
    """
    full = _triple(shape)
    box = Box.of(region, full)
    steps, halos = _triple(stride), tuple(halo)
    reach = _triple([size if part is None else part for part, size in zip(halos, full, strict=True)])
    if planar and (steps[0], reach[0]) != (1, 0):
        raise PredictionError(f"a planar model has stride 1 and halo 0 along z, not {steps[0]} and {reach[0]}")
    if every > 1 and steps[0] != 1:
        raise PredictionError(
            f"every={every} is for models that can predict a single plane; this one steps by {steps[0]} planes. Choose "
            f"a region of {steps[0]} planes instead"
        )
    single = planar or every > 1
    options = []
    for axis in range(3):
        whole_only = halos[axis] is None
        smallest = 1 if axis == 0 else 32
        sizes = _sizes(full[axis], box.slices[axis], steps[axis], _up(smallest, steps[axis]), whole_only)
        options.append([1] if single and axis == 0 else sizes)
    rows = 1 if planar else 0
    if max_column is not None:
        options[rows] = [_up(full[rows], steps[rows])]
        lively_voxels = None  # a row may be long: nothing comes sooner from a shorter one
    block = _choose(
        full,
        box,
        steps,
        reach,
        options,
        max_voxels,
        lively_voxels or max_voxels,
        handy_voxels,
        None if max_column is None else (rows, max_column),
    )
    planes = 1 if every > 1 else planes_per_tile
    blend = blend and any(part and size < whole for part, size, whole in zip(reach, block, full, strict=True))
    tile, chunk = (_blended_tile if blend else _tile)(full, block, single, planes, max_tile_voxels)
    return Plan(
        shape=full,
        box=box,
        stride=steps,
        halo=reach,
        tile=tile,
        block=block,
        chunk=chunk,
        batch=min(batch_voxels, max_voxels),
        every=every,
        by_rows=max_column is not None,
        blend=blend,
    )


def order(
    plan: Plan,
    focus: Sequence[float],
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    given: Callable[[Shape], bool] = lambda index: False,
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
            if not given((z, y, x)):
                yield plan.tile_at((z, y, x))


def _up(value: int, step: int) -> int:
    return -(-value // step) * step


def _triple(values: Sequence[int]) -> Shape:
    z, y, x = (int(value) for value in values)
    return z, y, x


def _outer(start: int, stop: int, halo: int, step: int, size: int) -> tuple[int, int]:
    low = max(0, start - halo) // step * step
    return low, min(_up(size, step), _up(stop + halo, step))


def _axis(part: slice, block: int, halo: int, step: int, size: int) -> list[tuple[int, int]]:
    """The outer ranges of all blocks along one axis of a region."""
    starts = range(part.start // block * block, part.stop, block)
    return [_outer(max(part.start, s), min(part.stop, s + block), halo, step, size) for s in starts]


def _sizes(size: int, part: slice, step: int, smallest: int, whole_only: bool) -> list[int]:
    """Block sizes worth considering along one axis: the whole axis, and the smallest doubled and doubled again."""
    whole = _up(size, step)
    if whole_only:
        return [whole]
    extent = part.stop - part.start
    found, block = [whole], smallest
    while block < min(whole, 2 * extent):
        found += [block, max(block, block // step * 3 // 2 * step)]
        block *= 2
    return sorted({size for size in found if size <= whole})


def _choose(
    shape: Shape,
    box: Box,
    stride: Shape,
    halo: Shape,
    options: Sequence[Sequence[int]],
    max_voxels: int,
    lively_voxels: int,
    handy_voxels: int,
    fed: tuple[int, int] | None = None,
) -> Shape:
    measured = []
    for axis in range(3):
        rows = []
        for block in options[axis]:
            cuts = _axis(box.slices[axis], block, halo[axis], stride[axis], shape[axis])
            outers = [stop - start for start, stop in cuts]
            rows.append((block, sum(outers), max(outers)))
        measured.append(rows)
    found = [
        (prod(row[1] for row in rows), prod(row[2] for row in rows), tuple(row[0] for row in rows))
        for rows in product(*measured)
        if fed is None or prod(row[2] for axis, row in enumerate(rows) if axis != fed[0]) <= fed[1]
    ]
    if not found:
        raise PredictionError("not even the shortest row fits")
    fitting = [item for item in found if item[1] <= max_voxels]
    if not fitting:
        needed = min(found, key=lambda item: item[1])
        raise PredictionError(
            f"the smallest block with the model's halo {halo} holds {needed[1]:,} voxels, {max_voxels:,} are allowed"
        )
    best = min(work for work, _, _ in fitting)
    lively = [item for item in fitting if item[1] <= lively_voxels and item[0] <= best * (1 + FOR_LIVELINESS)]
    best = min((work for work, _, _ in lively), default=best)
    good = [item for item in lively or fitting if item[0] <= best * (1 + GOOD_ENOUGH)]
    return min(good, key=lambda item: _handiness(item, handy_voxels))[2]  # type: ignore[return-value]


def _handiness(item: tuple[int, int, tuple[int, ...]], handy: int) -> tuple[bool, int, list[int]]:
    """Among equals the smallest block that keeps a processor busy; of equal size the longest along x, read fastest."""
    _, voxels, block = item
    small = voxels < handy
    return small, -voxels if small else voxels, [-size for size in reversed(block)]


def _tile(shape: Shape, block: Shape, planar: bool, planes: int, max_voxels: int | None) -> tuple[Shape, Shape]:
    """Tile and chunk: the tile is a multiple of the block, the chunk divides it unless the tile spans the axis."""
    flat = shape[0] == 1 or (planar and planes < 2)
    wanted = CHUNK_PLANE if flat else CHUNK
    tile, chunk = [0, 0, 0], [0, 0, 0]
    for axis in (2, 1):
        size = block[axis] * max(1, -(-wanted[axis] // block[axis]))
        tile[axis] = min(size, shape[axis])
        chunk[axis] = min(wanted[axis], shape[axis]) if size >= shape[axis] else _divisor(size, wanted[axis])
    if planar:
        count = min(planes, wanted[0], shape[0])
        if max_voxels is not None:
            count = min(count, max(1, max_voxels // (tile[1] * tile[2])))
        count = 1 << max(0, count.bit_length() - 1)
        tile[0] = chunk[0] = count
    else:
        tile[0] = min(block[0], shape[0])
        chunk[0] = min(wanted[0], shape[0]) if block[0] >= shape[0] else _divisor(block[0], wanted[0])
    return _triple(tile), _triple(chunk)


def _blended_tile(shape: Shape, block: Shape, planar: bool, planes: int, max_voxels: int | None) -> tuple[Shape, Shape]:
    """Tile and chunk where blocks are blended: along x, then y, then z as many blocks as fit, for a tile asks its
    neighbours' blocks anew."""
    tile, chunk = _tile(shape, block, planar, planes, max_voxels)
    grown, pieces = list(tile), list(chunk)
    for axis in (2, 1) if planar else (2, 1, 0):
        others = prod(size for i, size in enumerate(grown) if i != axis)
        most = shape[axis] if max_voxels is None else max(tile[axis], max_voxels // others // tile[axis] * tile[axis])
        if most >= shape[axis]:
            grown[axis], pieces[axis] = shape[axis], min((CHUNK if not planar else CHUNK_PLANE)[axis], shape[axis])
        else:
            grown[axis] = most
    return _triple(grown), _triple(pieces)


def _divisor(size: int, at_most: int) -> int:
    return next(part for part in range(min(size, at_most), 0, -1) if size % part == 0)


def whole(shape: Sequence[int], stride: Sequence[int]) -> Block:
    """The one block of the untiled forward."""
    full = Box.whole(shape)
    return Block(full, full.aligned(stride))
