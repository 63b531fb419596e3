"""Which blocks and tiles waste least within what is allowed. Pure: integers only, no arrays, no models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from voxloop.errors import PredictionError
from voxloop.geometry import Box, Shape
from voxloop.prediction.plan import BATCH_VOXELS, Plan, seen_along, triple, up

#: blocks that waste up to this share more than the best are as good: smaller ones answer sooner and fit the caches
GOOD_ENOUGH = 0.03
#: voxels of a block (512 squared, 64 cubed) below which calling the model costs more than it computes
COMFORTABLE = 2**18
#: and this share more is taken where the best blocks would keep the user waiting
FOR_LIVELINESS = 0.08
#: voxels of an output chunk along z, y, x, at most
CHUNK: Shape = (16, 128, 128)
CHUNK_PLANE: Shape = (1, 256, 256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a model and a tile may hold at once, in voxels.

    Attributes
    ----------
    max_voxels
        Of a block, halo included.
    max_tile_voxels
        The most voxels a tile should hold; a tile is never smaller than a block.
    lively_voxels
        Blocks up to this size answer soon enough; some waste (:data:`FOR_LIVELINESS`) is taken for them.
    handy_voxels
        Among blocks that waste as little, the smallest of at least this size is taken.
    batch_voxels
        Blocks of equal shape go through the model together up to so many voxels.
    planes_per_tile
        How many planes of a planar model are written together (rounded down to a power of two, 16 at most).
    max_column
        Feed the model with rows of at most so many voxels, in blocks that span the axis of rows; None: do not.
    looked_at
        What a voxel of the halo costs of one that is kept; 1 where the model computes all of a block.
    """

    max_voxels: int
    max_tile_voxels: int | None = None
    lively_voxels: int | None = None
    handy_voxels: int = COMFORTABLE
    batch_voxels: int = BATCH_VOXELS
    planes_per_tile: int = 1
    max_column: int | None = None
    looked_at: float = 1.0


def make_plan(
    shape: Sequence[int],
    stride: Sequence[int],
    halo: Sequence[int | None],
    limits: Limits,
    *,
    region: object = None,
    planar: bool = False,
    every: int = 1,
    blend: bool = False,
) -> Plan:
    """The plan that wastes least on halos within the limits.

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
    every
        Only every n-th plane of the region; blocks and tiles are single planes then.
    blend
        Blend what overlapping blocks say; tiles are as large as the limits allow then.

    Raises
    ------
    PredictionError
        The model's stride along z is not 1, and not every plane is wanted.
        Not even the smallest block fits; says how many voxels the smallest would need.
    """
    full = triple(shape)
    box = Box.of(region, full)
    steps, halos = triple(stride), tuple(halo)
    reach = triple([size if part is None else part for part, size in zip(halos, full, strict=True)])
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
        sizes = _sizes(full[axis], box.slices[axis], steps[axis], up(smallest, steps[axis]), whole_only)
        options.append([1] if single and axis == 0 else sizes)
    rows = 1 if planar else 0
    if limits.max_column is not None:
        options[rows] = [up(full[rows], steps[rows])]
    choices = _choices(full, box, steps, reach, options, limits.looked_at)
    if limits.max_column is not None:
        choices = [choice for choice in choices if choice.column(rows) <= limits.max_column]
        if not choices:
            raise PredictionError("not even the shortest row fits")
        limits = replace(limits, lively_voxels=None)  # a row may be long: nothing comes sooner from a shorter one
    block = _best(choices, limits, reach)
    planes = 1 if every > 1 else limits.planes_per_tile
    blend = blend and any(part and size < whole for part, size, whole in zip(reach, block, full, strict=True))
    lay_out = _blended_tile if blend else _tile
    tile, chunk = lay_out(full, block, single, planes, limits.max_tile_voxels)
    return Plan(
        shape=full,
        box=box,
        stride=steps,
        halo=reach,
        tile=tile,
        block=block,
        chunk=chunk,
        batch=min(limits.batch_voxels, limits.max_voxels),
        every=every,
        by_rows=limits.max_column is not None,
        blend=blend,
    )


def _sizes(size: int, part: slice, step: int, smallest: int, whole_only: bool) -> list[int]:
    """Block sizes worth considering along one axis: the whole axis, and the smallest doubled and doubled again."""
    whole = up(size, step)
    if whole_only:
        return [whole]
    extent = part.stop - part.start
    sizes, block = [whole], smallest
    while block < min(whole, 2 * extent):
        sizes += [block, max(block, block // step * 3 // 2 * step)]
        block *= 2
    return sorted({size for size in sizes if size <= whole})


@dataclass(frozen=True, slots=True)
class _Choice:
    """A block: its size, the voxels that the model computes in all, and the sides of the largest."""

    block: Shape
    work: float
    sides: Shape

    @property
    def voxels(self) -> int:
        return prod(self.sides)

    def column(self, rows: int) -> int:
        """Voxels of a row where blocks are fed along the axis ``rows``."""
        return prod(size for axis, size in enumerate(self.sides) if axis != rows)

    def handiness(self, handy: int) -> tuple[bool, int, list[int]]:
        """Among equals the smallest that keeps a processor busy; of equal size the longest along x, read fastest."""
        small = self.voxels < handy
        return small, -self.voxels if small else self.voxels, [-size for size in reversed(self.block)]


def _choices(
    shape: Shape, box: Box, stride: Shape, halo: Shape, options: Sequence[Sequence[int]], looked_at: float
) -> list[_Choice]:
    """Every combination of the block sizes that come into question along each axis."""
    measured: list[list[tuple[int, int, int]]] = []
    for axis in range(3):
        sizes = []
        for block in options[axis]:
            cuts = seen_along(box.slices[axis], block, halo[axis], stride[axis], shape[axis])
            outers = [stop - start for start, stop in cuts]
            sizes.append((block, sum(outers), max(outers)))
        measured.append(sizes)
    choices = []
    for combination in product(*measured):
        blocks, seen, largest = zip(*combination, strict=True)
        work = box.size + looked_at * (prod(seen) - box.size)
        choices.append(_Choice(triple(blocks), work, triple(largest)))
    return choices


def _best(choices: Sequence[_Choice], limits: Limits, halo: Shape) -> Shape:
    """The block that wastes least; of about equals the one that answers soon and is handy. Raises PredictionError."""
    fitting = [choice for choice in choices if choice.voxels <= limits.max_voxels]
    if not fitting:
        needed = min(choice.voxels for choice in choices)
        raise PredictionError(
            f"the smallest block with the model's halo {halo} holds {needed:,} voxels, "
            f"{limits.max_voxels:,} are allowed"
        )
    least = min(choice.work for choice in fitting)
    soon = limits.lively_voxels or limits.max_voxels
    lively = [one for one in fitting if one.voxels <= soon and one.work <= least * (1 + FOR_LIVELINESS)]
    least = min((choice.work for choice in lively), default=least)
    good = [choice for choice in lively or fitting if choice.work <= least * (1 + GOOD_ENOUGH)]
    return min(good, key=lambda choice: choice.handiness(limits.handy_voxels)).block


def _tile(shape: Shape, block: Shape, planar: bool, planes: int, max_voxels: int | None) -> tuple[Shape, Shape]:
    """Tile and chunk: the tile is a multiple of the block, the chunk divides it unless the tile spans the axis."""
    flat = shape[0] == 1 or (planar and planes < 2)
    target_chunk = CHUNK_PLANE if flat else CHUNK
    tile, chunk = [0, 0, 0], [0, 0, 0]
    for axis in (2, 1):
        size = block[axis] * max(1, -(-target_chunk[axis] // block[axis]))
        tile[axis] = min(size, shape[axis])
        chunk[axis] = _chunk_size(size, shape[axis], target_chunk[axis])
    if planar:
        count = min(planes, target_chunk[0], shape[0])
        if max_voxels is not None:
            count = min(count, max(1, max_voxels // (tile[1] * tile[2])))
        count = 1 << max(0, count.bit_length() - 1)
        tile[0] = chunk[0] = count
    else:
        tile[0] = min(block[0], shape[0])
        chunk[0] = _chunk_size(block[0], shape[0], target_chunk[0])
    return triple(tile), triple(chunk)


def _chunk_size(tile: int, size: int, target: int) -> int:
    """Voxels of a chunk along an axis of ``size``: it divides the tile, unless that spans the axis."""
    return min(target, size) if tile >= size else _divisor(tile, target)


def _blended_tile(shape: Shape, block: Shape, planar: bool, planes: int, max_voxels: int | None) -> tuple[Shape, Shape]:
    """Tile and chunk where blocks are blended: along x, then y, then z as many blocks as fit, for a tile asks its
    neighbours' blocks anew."""
    tile, chunk = _tile(shape, block, planar, planes, max_voxels)
    grown, pieces = list(tile), list(chunk)
    target_chunk = CHUNK_PLANE if planar else CHUNK
    for axis in (2, 1) if planar else (2, 1, 0):
        others = prod(size for i, size in enumerate(grown) if i != axis)
        most = shape[axis] if max_voxels is None else max(tile[axis], max_voxels // others // tile[axis] * tile[axis])
        if most >= shape[axis]:
            grown[axis], pieces[axis] = shape[axis], min(target_chunk[axis], shape[axis])
        else:
            grown[axis] = most
    return triple(grown), triple(pieces)


def _divisor(size: int, at_most: int) -> int:
    return next(part for part in range(min(size, at_most), 0, -1) if size % part == 0)
