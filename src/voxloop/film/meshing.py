"""Surfaces of classes and of objects within a budget of triangles: of coarser voxels where the volume is large.

Volumes are read block by block; what is kept is a grid of at most six million cells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.film.brush import in_words
from voxloop.film.colors import hue, rgb
from voxloop.film.contrast import palette_indices
from voxloop.film.raster import Surface
from voxloop.geometry import Box, Shape
from voxloop.volumes import read_block, scales, shape_zyx, spacing_of
from voxloop.volumes.volume import origin_of

if TYPE_CHECKING:
    from xarray import DataArray

#: cells of a grid that surfaces are made of
CELLS = 6_000_000
#: triangles of all surfaces of a scene
BUDGET = 300_000
#: objects that are shown, the largest first
MOST_OBJECTS = 500
#: voxels that are read at once
_BLOCK = 2**24

#: asked between blocks; what it raises ends the work
Check = Callable[[], object]


def class_surfaces(
    labels: DataArray, classes: Sequence[Any], *, budget: int = BUDGET, opacity: float = 1.0, check: Check | None = None
) -> list[Surface]:
    """The surface of each class that has any voxel, smooth: where half of a cell is of the class.

    ``classes`` have ``value``, ``name`` and ``color``.
    """
    volume = _readable(labels)
    factors = _factors(shape_zyx(volume), spacing_of(volume), CELLS)
    shares = _shares(volume, [item.value for item in classes], factors, check)
    found = [(item, shares[item.value]) for item in classes if item.value in shares]
    made = []
    for item, share in found:
        surface = _surface(item.name, share, volume, factors, rgb(item.color), budget // len(found), opacity)
        if surface is not None:
            made.append(surface)
    return made


def object_surfaces(
    labels: DataArray, *, name: str, budget: int = BUDGET, most: int = MOST_OBJECTS, check: Check | None = None
) -> Surface | None:
    """The largest objects as one surface, each in its colour; None where there is none.

    Numbers cannot be averaged, so a cell is of the object in its middle.
    """
    from scipy import ndimage as ndi

    volume = _readable(labels)
    factors = _factors(shape_zyx(volume), spacing_of(volume), CELLS // 4)
    grid = _middles(volume, factors, check)
    numbers, small, counts = np.unique(grid, return_inverse=True, return_counts=True)
    small = small.reshape(grid.shape)
    order = np.argsort(-np.where(numbers == 0, 0, counts), kind="stable")[:most]
    order = order[numbers[order] > 0]
    boxes = ndi.find_objects(small + 1, len(numbers))
    while True:
        parts, room = [], budget
        for place in order.tolist():
            if check is not None:
                check()
            box = boxes[place]
            mask = np.pad(small[box] == place, 2).astype(np.float32)
            made = _marched(ndi.gaussian_filter(mask, 0.7), [part.start - 2 for part in box], volume, factors)
            if made is None:
                continue
            parts.append((made, int(numbers[place])))
            room -= len(made[2])
            if room < 0:
                break
        if room >= 0 or max(grid.shape) < 16:
            break
        small, factors = small[::2, ::2, ::2], _times(factors, 2)
        boxes = ndi.find_objects(small + 1, len(numbers))
        boxes = [box or (slice(0, 1),) * 3 for box in boxes]
        grid = small
    if not parts:
        return None
    vertices, normals, faces, colors, of, first = [], [], [], [], [], 0
    for (points, normal, triangles), number in parts:
        vertices.append(points)
        normals.append(normal)
        faces.append(triangles + first)
        colors.append(np.broadcast_to(_tint(number), points.shape))
        of.append(np.full(len(points), number, np.int64))
        first += len(points)
    words = _words(volume, factors, sum(len(part) for part in faces))
    if len(parts) < int((numbers > 0).sum()):
        words = f"the largest {len(parts):,} of {int((numbers > 0).sum()):,} objects, {words}"
    return Surface(
        name,
        np.concatenate(vertices),
        np.concatenate(normals),
        np.concatenate(faces),
        np.concatenate(colors),
        1.0,
        words,
        np.concatenate(of),
    )


def _tint(number: int) -> np.ndarray:
    """The colour of an object, as in the picture of a plane."""
    return np.array(hue(int(palette_indices(np.array([number], np.uint64))[0])), np.uint8)


def _readable(labels: DataArray) -> DataArray:
    """The coarsest resolution of the source's own that still has more voxels than there will be cells."""
    if labels.attrs.get("scale_count", 1) < 2:
        return labels
    own = [volume for volume in scales(labels) if prod(shape_zyx(volume)) >= 2 * CELLS]
    return own[-1] if own else labels


def _factors(shape: Shape, spacing: Sequence[float], cells: int) -> Shape:
    """Voxels of a cell along each axis, so that cells are about as long as wide and not too many."""
    edge = min(spacing)
    while True:
        z, y, x = (max(1, min(n, round(edge / step))) for n, step in zip(shape, spacing, strict=True))
        if prod(-(-n // f) for n, f in zip(shape, (z, y, x), strict=True)) <= cells:
            return z, y, x
        edge *= 1.1


def _times(factors: Shape, by: int) -> Shape:
    z, y, x = (factor * by for factor in factors)
    return z, y, x


def _blocks(shape: Shape, factors: Shape) -> list[Box]:
    """Boxes of whole cells, of few voxels each."""
    size = [min(-(-n // f) * f, f * max(1, 256 // f)) for n, f in zip(shape, factors, strict=True)]
    while prod(size) > _BLOCK and size[0] > factors[0]:
        size[0] = max(factors[0], size[0] // 2 // factors[0] * factors[0])
    return list(Box.whole(shape).blocks(size))


def _shares(volume: DataArray, values: Sequence[int], factors: Shape, check: Check | None) -> dict[int, np.ndarray]:
    """For each value that is there the share of every cell, 0 to 255."""
    shape = shape_zyx(volume)
    cells = [-(-n // f) for n, f in zip(shape, factors, strict=True)]
    shares: dict[int, np.ndarray] = {}
    for box in _blocks(shape, factors):
        if check is not None:
            check()
        block = read_block(volume, box)[0]
        if not block.any():
            continue
        there = set(np.unique(block).tolist())
        pads = [(0, -n % f) for n, f in zip(block.shape, factors, strict=True)]
        block = np.pad(block, pads, mode="edge")
        split = [part for n, f in zip(block.shape, factors, strict=True) for part in (n // f, f)]
        place = tuple(
            slice(start // f, start // f + n // f) for start, n, f in zip(box.start, block.shape, factors, strict=True)
        )
        for value in values:
            if value in there:
                part = (block == value).reshape(split).mean(axis=(1, 3, 5), dtype=np.float32)
                share = shares.setdefault(value, np.zeros(cells, np.uint8))
                share[place] = (255 * part).round().astype(np.uint8)
    return shares


def _middles(volume: DataArray, factors: Shape, check: Check | None) -> np.ndarray:
    """The value in the middle of every cell."""
    shape = shape_zyx(volume)
    first = [min(f // 2, n - 1) for f, n in zip(factors, shape, strict=True)]
    cells = [len(range(a, n, f)) for a, n, f in zip(first, shape, factors, strict=True)]
    grid = np.zeros(cells, np.uint32)
    for box in _blocks(shape, factors):
        if check is not None:
            check()
        block = read_block(volume, box)[0]
        part = block[tuple(slice(a, None, f) for a, f in zip(first, factors, strict=True))]
        place = tuple(slice(s // f, s // f + n) for s, f, n in zip(box.start, factors, part.shape, strict=True))
        grid[place] = part
    return grid


def _surface(
    name: str,
    share: np.ndarray,
    volume: DataArray,
    factors: Shape,
    color: tuple[int, int, int],
    budget: int,
    opacity: float,
) -> Surface | None:
    """The surface of a class; of cells twice as large as long as it has too many triangles."""
    from scipy import ndimage as ndi

    while True:
        # a little wider than the steps of cells, which nobody wants to see
        field = ndi.gaussian_filter(np.pad(share, 2).astype(np.float32) / 255, 0.7)
        made = _marched(field, (-2, -2, -2), volume, factors)
        if made is None:
            return None
        vertices, normals, faces = made
        if len(faces) <= budget or max(share.shape) < 16:
            words = _words(volume, factors, len(faces))
            return Surface(name, vertices, normals, faces, np.array(color, np.uint8), opacity, words)
        pads = [(0, n % 2) for n in share.shape]
        even = np.pad(share, pads, mode="edge")
        split = [part for n in even.shape for part in (n // 2, 2)]
        share = even.reshape(split).mean(axis=(1, 3, 5), dtype=np.float32).round().astype(np.uint8)
        factors = _times(factors, 2)


def _marched(
    field: np.ndarray, corner: Sequence[int], volume: DataArray, factors: Shape
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Vertices and normals in micrometres (x, y, z), and faces; None where nothing reaches a half."""
    from skimage.measure import marching_cubes

    if field.max(initial=0) <= 0.5 or field.min(initial=1) >= 0.5 or min(field.shape) < 2:
        return None
    steps = np.multiply(spacing_of(volume), factors)
    points, faces, normals, _ = marching_cubes(field, 0.5, spacing=tuple(steps), allow_degenerate=False)
    first = np.asarray(origin_of(volume)) + (np.asarray(factors) - 1) / 2 * spacing_of(volume)
    points = points + first + np.asarray(corner) * steps
    return (
        np.ascontiguousarray(points[:, ::-1], np.float32),
        np.ascontiguousarray(normals[:, ::-1], np.float32),
        np.ascontiguousarray(faces, np.int32),
    )


def _words(volume: DataArray, factors: Shape, triangles: int) -> str:
    """How fine a surface is."""
    edge = max(step * factor for step, factor in zip(spacing_of(volume), factors, strict=True))
    return f"{triangles:,} triangles of cells of {in_words(edge)}"
