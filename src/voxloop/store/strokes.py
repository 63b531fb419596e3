"""Turn brush strokes into masks, round in physical space. Pure: knows no labels and no files.

A stroke is a polyline in a plane; a voxel belongs to it where its centre is no further than the radius from the line.
Every capsule (one segment of the line, thickened) is convex, so each row of voxels meets it in one interval that has a
closed form; all intervals of all segments are marked at once as differences and summed along the rows. The cost is that
of the bounding box, whatever the number of points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxloop.errors import LabelError

_ROUNDING = 1e-6
#: voxels from the first one to any point that is taken for a place
FURTHEST = 1e12


@dataclass(frozen=True, slots=True)
class PlaneMask:
    """A mask and the voxel (row, column) of its first corner."""

    origin: tuple[int, int]
    mask: np.ndarray


def as_points(points: object) -> np.ndarray:
    """(n, 2) float64 from what a caller gives. Raises LabelError."""
    try:
        array = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.ndim == 1 and array.size == 2:
        array = array[None]
    if array.ndim != 2 or array.shape[1] != 2 or not len(array):
        raise LabelError("points is a list of at least one pair of voxel coordinates in the plane, such as [(10, 12)]")
    if not np.isfinite(array).all():
        raise LabelError("points holds NaN or infinity")
    if np.abs(array).max() > FURTHEST:
        raise LabelError(f"points lie up to {np.abs(array).max():.3g} voxels away, which is no place in a volume")
    return array


def segments(points: np.ndarray, *, closed: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends (n, 2) of the segments of a polyline; one point is a segment of no length."""
    ring = np.concatenate([points, points[:1]]) if closed else points
    return (ring[:-1], ring[1:]) if len(ring) > 1 else (ring, ring)


def clip(
    start: np.ndarray, end: np.ndarray, low: Sequence[float], high: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """The parts of segments inside of a rectangle: what it costs to draw them does not depend on how far they go.

    Source: Liang and Barsky 1984.
    """
    way = end - start
    enter, leave = np.zeros(len(start)), np.ones(len(start))
    with np.errstate(divide="ignore", invalid="ignore"):
        for axis in (0, 1):
            edges = np.stack([low[axis] - start[:, axis], high[axis] - start[:, axis]]) / way[:, axis]
            level = way[:, axis] == 0
            beside = level & ((start[:, axis] < low[axis]) | (start[:, axis] > high[axis]))
            enter = np.where(level, np.where(beside, np.inf, enter), np.maximum(enter, edges.min(axis=0)))
            leave = np.where(level, leave, np.minimum(leave, edges.max(axis=0)))
    keep = enter <= leave
    start, end, way, enter, leave = start[keep], end[keep], way[keep], enter[keep, None], leave[keep, None]
    return np.where(enter > 0, start + enter * way, start), np.where(leave < 1, start + leave * way, end)


def stroke(
    points: np.ndarray, radius_um: float, spacing_um: tuple[float, float], shape: tuple[int, int], *, thin: bool = True
) -> PlaneMask | None:
    """The mask of one stroke in one plane; None where it lies outside.

    Parameters
    ----------
    points
        (n, 2) voxel coordinates (row, column) of the polyline; one point is a dot.
    radius_um, spacing_um
        Micrometres; the spacing is that of (rows, columns).
    shape
        Rows and columns of the plane; the mask is cut to them.
    thin
        Cover the voxels nearest to the line even where the radius is too small to reach their centres.
    """
    reach = [radius_um / step for step in spacing_um]
    low = [max(0, int(np.floor(points[:, i].min() - reach[i]))) for i in (0, 1)]
    high = [min(shape[i] - 1, int(np.ceil(points[:, i].max() + reach[i]))) for i in (0, 1)]
    if low[0] > high[0] or low[1] > high[1]:
        return None
    size = (high[0] - low[0] + 1, high[1] - low[1] + 1)
    room = [reach[i] + 2 for i in (0, 1)]  # ends that were cut off must not show
    start, end = clip(*segments(points - low), [-n for n in room], [size[i] + room[i] for i in (0, 1)])
    if not len(start):
        return None
    mask = _capsules(start, end, radius_um, spacing_um, size)
    if thin:
        _mark_line(mask, start, end)
    return PlaneMask((low[0], low[1]), mask) if mask.any() else None


def _capsules(
    start: np.ndarray, end: np.ndarray, radius: float, spacing: tuple[float, float], size: tuple[int, int]
) -> np.ndarray:
    start, end = start * spacing, end * spacing
    segment, row = _rows(start[:, 0], end[:, 0], radius, spacing[0], size[0])
    left, right = _intervals(start[segment], end[segment], row * spacing[0], radius)
    first = np.maximum(np.ceil(left / spacing[1] - _ROUNDING), 0)
    last = np.minimum(np.floor(right / spacing[1] + _ROUNDING), size[1] - 1)
    keep = first <= last
    row, first, last = row[keep], first[keep].astype(np.intp), last[keep].astype(np.intp)
    width = size[1] + 1
    steps = np.bincount(row * width + first, minlength=size[0] * width)
    steps -= np.bincount(row * width + last + 1, minlength=size[0] * width)
    inside: np.ndarray = np.cumsum(steps).reshape(size[0], width)[:, :-1] > 0
    return inside


def _rows(start: np.ndarray, end: np.ndarray, radius: float, step: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(segment, row) of every row that each segment's capsule reaches."""
    low = np.ceil((np.minimum(start, end) - radius) / step - _ROUNDING).astype(np.intp)
    high = np.floor((np.maximum(start, end) + radius) / step + _ROUNDING).astype(np.intp)
    low, high = np.maximum(low, 0), np.minimum(high, count - 1)
    numbers = np.maximum(high - low + 1, 0)
    segment = np.repeat(np.arange(len(low)), numbers)
    before = np.cumsum(numbers) - numbers
    return segment, np.arange(len(segment)) - before[segment] + low[segment]


def _intervals(start: np.ndarray, end: np.ndarray, row: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Left and right end of (capsule meets row), in micrometres; left > right where they do not meet."""
    left, right = np.full(row.shape, np.inf), np.full(row.shape, -np.inf)
    for centre in (start, end):  # the round ends
        half = radius**2 - (row - centre[:, 0]) ** 2
        reached = half >= -_ROUNDING * radius**2
        half = np.sqrt(np.maximum(half, 0))
        left = np.where(reached, np.minimum(left, centre[:, 1] - half), left)
        right = np.where(reached, np.maximum(right, centre[:, 1] + half), right)
    along_row, along_column = (end - start).T
    length = np.hypot(along_row, along_column)
    offset = row - start[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        # no further than the radius from the line: |offset * dc - (c - c0) * dr| <= radius * length
        middle, half = offset * along_column / along_row, radius * length / np.abs(along_row)
        level = along_row == 0
        near = np.abs(offset * along_column) <= radius * length
        lower = np.where(level, np.where(near, -np.inf, np.inf), middle - half)
        upper = np.where(level, np.where(near, np.inf, -np.inf), middle + half)
        # and beside the segment, not beyond its ends: 0 <= offset * dr + (c - c0) * dc <= length^2
        a, b = -offset * along_row / along_column, (length**2 - offset * along_row) / along_column
        upright = along_column == 0
        beside = (offset * along_row >= 0) & (offset * along_row <= length**2)
        lower = np.maximum(lower, np.where(upright, np.where(beside, -np.inf, np.inf), np.minimum(a, b)))
        upper = np.minimum(upper, np.where(upright, np.where(beside, np.inf, -np.inf), np.maximum(a, b)))
    strip = (length > 0) & (lower <= upper)
    left = np.where(strip, np.minimum(left, start[:, 1] + lower), left)
    right = np.where(strip, np.maximum(right, start[:, 1] + upper), right)
    return left, right


def _mark_line(mask: np.ndarray, start: np.ndarray, end: np.ndarray) -> None:
    start, end = clip(start, end, [-1, -1], mask.shape)
    steps = np.maximum(np.ceil(np.abs(end - start).max(axis=1, initial=0) * 2), 1).astype(int)
    segment = np.repeat(np.arange(len(steps)), steps)
    share = (np.arange(len(segment)) - (np.cumsum(steps) - steps)[segment]) / steps[segment]
    line = [start[segment] + share[:, None] * (end[segment] - start[segment]), end]
    row, column = np.floor(np.concatenate(line) + 0.5).astype(int).T
    inside = (row >= 0) & (row < mask.shape[0]) & (column >= 0) & (column < mask.shape[1])
    mask[row[inside], column[inside]] = True


def ball(radius_um: float, across_um: float, reach: int, index: int, count: int) -> list[tuple[int, float]]:
    """(slice, in-plane radius in micrometres) of a ball brush drawn at slice ``index`` of ``count``.

    The line lies in the plane, so the ball's cut with a slice at distance d is a stroke of radius sqrt(r^2 - d^2).
    ``reach`` is the number of slices to either side that it may touch, ``across_um`` the distance between slices.
    """
    cuts = []
    for offset in range(-min(reach, index), min(reach, count - 1 - index) + 1):
        distance = abs(offset) * across_um
        if distance <= radius_um * (1 + _ROUNDING):
            cuts.append((index + offset, float(np.sqrt(max(0.0, radius_um**2 - distance**2)))))
    return cuts
