"""Where an object is cut in two: along a drawn line, between seeds, or where it falls apart already. Pure geometry.

A mask goes in, parts numbered from 1 come out. The work is bounded by the mask; the watershed between seeds is done on
coarser voxels where it is large, and the cut drawn smoothly through the fine ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import AXES, Box

#: voxels from which the watershed is done on coarser ones
FINE = 400_000
#: voxels whose side of a cut is found at once
_BLOCK = (16, 64, 64)
#: parts that are numbered one by one
_FEW = 8


def pieces(mask: np.ndarray) -> np.ndarray:
    """Connected voxels (also by corners), numbered from 1, the largest first."""
    import cc3d

    found = cc3d.connected_components(np.ascontiguousarray(mask), connectivity=26)
    sizes = np.bincount(found.ravel())
    sizes[0] = 0
    order = np.argsort(-sizes, kind="stable")
    table = np.zeros(len(sizes), np.uint32)
    table[order] = np.arange(1, len(sizes) + 1)
    table[0] = 0
    return np.asarray(table[found])


def along(mask: np.ndarray, axis: str, points: np.ndarray) -> np.ndarray:
    """Parts of a mask cut by a curtain across ``axis``: a polyline (n, 2), rows and columns of the mask's plane.

    The line is lengthened to the edge of the mask where it does not separate anything as it was drawn. Raises
    LabelError where it separates nothing even so.
    """
    across = AXES.index(axis)
    size = tuple(np.delete(mask.shape, across))
    for path in (points, _lengthened(points, size)):
        wall = _curtain(mask, _wall(path, size), across)
        if not len(wall):
            break  # beside the object
        parts = _sides(mask, wall)
        if parts.max(initial=0) > 1:
            return parts
    raise LabelError(
        "the line separates nothing: it must go all the way through the object; draw it from one side to the other, or "
        "give two seeds"
    )


def between(mask: np.ndarray, seeds: Sequence[Sequence[int]], spacing: Sequence[float]) -> np.ndarray:
    """The part of a mask that falls to each seed (zyx voxels of the mask): the watershed of its depth."""
    fewer = _coarser(mask.shape, spacing)
    coarse = _reduced(mask, fewer)
    places = [tuple(at // by for at, by in zip(seed, fewer, strict=True)) for seed in seeds]
    if len(set(places)) < len(places):
        fewer, coarse, places = (1, 1, 1), mask, [tuple(int(at) for at in seed) for seed in seeds]
    flooded = _flooded(coarse, places, [step * by for step, by in zip(spacing, fewer, strict=True)])
    if fewer == (1, 1, 1):
        return flooded
    # most blocks lie in the first part: only the others are looked at, voxel by voxel where parts meet
    parts = mask.astype(np.uint8 if len(places) < 256 else np.uint32)
    for block in Box.whole(_shape(mask)).blocks(_BLOCK):
        near = _near(flooded, block, fewer)[1]
        if near.max(initial=0) < 2:
            continue
        inside = mask[block.slices]
        if inside.any():
            np.multiply(inside, _smooth(flooded, block, fewer), out=parts[block.slices], casting="unsafe")
    return parts


def _flooded(mask: np.ndarray, places: Sequence[tuple[int, ...]], spacing: Sequence[float]) -> np.ndarray:
    import edt
    from skimage.segmentation import watershed

    depth = edt.edt(np.ascontiguousarray(np.pad(mask, 1)), anisotropy=tuple(spacing))[1:-1, 1:-1, 1:-1]
    markers = np.zeros(mask.shape, np.int32)
    for number, place in enumerate(places, 1):
        markers[place] = number
    grown = watershed(-depth, markers, connectivity=3, mask=mask).astype(np.uint32)
    grown[mask & (grown == 0)] = 1  # pieces that no seed lies on stay with the first
    return np.asarray(grown)


def _coarser(shape: Sequence[int], spacing: Sequence[float]) -> tuple[int, int, int]:
    """How many voxels become one along each axis, so that few are left, about as long on all axes."""
    by = [1, 1, 1]
    while np.prod([-(-n // k) for n, k in zip(shape, by, strict=True)]) > FINE:
        finest = min((a for a in range(3) if shape[a] > by[a]), key=lambda a: spacing[a] * by[a])
        by[finest] += 1
    return by[0], by[1], by[2]


def _reduced(mask: np.ndarray, by: Sequence[int]) -> np.ndarray:
    """Whether any voxel of each cell of ``by`` voxels is set."""
    out = mask
    for axis, step in enumerate(by):
        if step == 1:
            continue
        joined: np.ndarray | None = None
        for first in range(step):
            line: list[slice] = [slice(None)] * 3
            line[axis] = slice(first, None, step)
            part = out[tuple(line)]
            if joined is None:
                joined = part.copy()
            else:
                joined[tuple(slice(0, n) for n in part.shape)] |= part
        assert joined is not None
        out = joined
    return out


def _near(coarse: np.ndarray, block: Box, by: Sequence[int]) -> tuple[list[np.ndarray], np.ndarray]:
    """Where the voxels of a block lie among coarser ones around it, along each axis, and those."""
    at = [(np.arange(a, b) - (k - 1) / 2) / k for a, b, k in zip(block.start, block.stop, by, strict=True)]
    low = [max(0, int(np.floor(one[0]))) for one in at]
    high = [int(np.ceil(one[-1])) + 1 for one in at]
    near = coarse[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    return [one - first for one, first in zip(at, low, strict=True)], near


def _smooth(coarse: np.ndarray, block: Box, by: Sequence[int]) -> np.ndarray:
    """The part of each voxel of a block, from parts of coarser voxels; between two, that which weighs more."""
    at, near = _near(coarse, block, by)
    there = np.unique(near)
    there = there[there > 0]
    if len(there) < 2:
        return np.asarray(there[0] if len(there) else 1, np.uint32)
    weights = []
    for number in there:
        weight = (near == number).astype(np.float32)
        for axis in range(3):
            local = np.clip(at[axis], 0, near.shape[axis] - 1)
            first = np.minimum(local.astype(np.int64), max(near.shape[axis] - 2, 0))
            share = (local - first).astype(np.float32)
            share = share.reshape([-1 if a == axis else 1 for a in range(3)])
            after = np.minimum(first + 1, near.shape[axis] - 1)
            weight = weight.take(first, axis) * (1 - share) + weight.take(after, axis) * share
        weights.append(weight)
    if len(there) == 2:
        return np.asarray(np.where(weights[1] > weights[0], there[1], there[0]))
    return np.asarray(there[np.argmax(weights, axis=0)])


def _curtain(mask: np.ndarray, wall: np.ndarray, across: int) -> np.ndarray:
    """Voxels (n, 3) of a mask that lie on a wall of a plane, drawn through all slices across an axis."""
    on = np.nonzero(wall)
    depth, which = np.nonzero(np.moveaxis(mask, across, 0)[:, on[0], on[1]])
    at = np.stack([one[which] for one in on], axis=1)
    return np.insert(at, across, depth, axis=1)


def _sides(mask: np.ndarray, at: np.ndarray) -> np.ndarray:
    """What is left of a mask on either side of a wall (voxels of it), which goes to what it touches, the rest to the
    largest."""
    import cc3d
    import fastremap

    rest = mask.copy()
    rest[tuple(at.T)] = False
    found = cc3d.connected_components(rest, connectivity=26)
    step = np.array([[dz, dy, dx] for dz in (-1, 0, 1) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dz or dy or dx])
    step = step[np.argsort(np.abs(step).sum(axis=1), kind="stable")]
    touching = np.zeros(int(found.max(initial=0)) + 1, bool)
    side = np.zeros(len(at), found.dtype)
    for _ in range(len(at)):
        open_ = np.flatnonzero(side == 0)
        if not len(open_):
            break
        for by in step:
            near = at[open_] + by
            inside = ((near >= 0) & (near < mask.shape)).all(axis=1)
            value = np.zeros(len(open_), found.dtype)
            value[inside] = found[tuple(near[inside].T)]
            touching[value] = True
            side[open_] = np.where(side[open_] == 0, value, side[open_])
        won = open_[side[open_] > 0]
        if not len(won):
            break
        found[tuple(at[won].T)] = side[won]
    sizes = np.zeros(len(touching), np.int64)
    numbers, counts = fastremap.unique(found, return_counts=True)
    sizes[numbers] = counts
    touching[0] = False
    parts = np.flatnonzero(touching)
    parts = parts[np.argsort(-sizes[parts], kind="stable")]
    out = mask.astype(np.uint8 if len(parts) < 256 else np.uint32)
    if len(parts) > _FEW:
        table = np.ones(len(touching), out.dtype)
        table[0] = 0
        table[parts] = np.arange(1, len(parts) + 1)
        return np.where(mask, np.maximum(table[found], 1), 0)
    for number, part in enumerate(parts[1:], 2):  # one by one: looking all up in a table takes eight times the memory
        out[found == part] = number
    return out


def _wall(points: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """The pixels of a polyline, without a gap that corners could slip through."""
    from skimage.draw import line

    out = np.zeros(size, bool)
    whole = np.rint(points).astype(int)
    if len(whole) == 1:
        whole = np.repeat(whole, 2, axis=0)
    for (r0, c0), (r1, c1) in pairwise(whole):
        rows, columns = line(r0, c0, r1, c1)
        for row, column in ((rows, columns), (rows[1:], columns[:-1])):
            inside = (row >= 0) & (row < size[0]) & (column >= 0) & (column < size[1])
            out[row[inside], column[inside]] = True
    return out


def _lengthened(points: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """The polyline with its ends drawn out past the mask."""
    far = float(sum(size))
    ends = []
    for end, inner in ((points[0], points[min(3, len(points) - 1)]), (points[-1], points[max(-4, -len(points))])):
        way = end - inner
        length = float(np.hypot(*way))
        ends.append(end + way / length * far if length else end)
    return np.concatenate([[ends[0]], points, [ends[1]]])


def _shape(mask: np.ndarray) -> tuple[int, int, int]:
    z, y, x = mask.shape
    return z, y, x
