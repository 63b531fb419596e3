"""Which voxels a region holds: all of its box, or of that what lies within an outline. Pure: knows no files."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from voxloop.errors import WorkspaceError
from voxloop.geometry import AXES, Box
from voxloop.store.strokes import PlaneMask

if TYPE_CHECKING:
    from voxloop.store.document import NamedRegion

Corners = tuple[tuple[float, float], ...]
#: corners of an outline at most: every side is held against every other one
MOST_CORNERS = 4000


def mask_of(region: NamedRegion, part: Box) -> np.ndarray:
    """Where a box lies inside of a region: bool (z, y, x)."""
    out = np.zeros(part.shape, bool)
    both = region.box.meet(part)
    if both is None:
        return out
    seen = out[both.within(part).slices]
    if not region.outline:
        seen[:] = True
        return out
    at = AXES.index(region.axis)
    rows, columns = (both.along(axis) for axis in AXES if axis != region.axis)
    seen[:] = np.expand_dims(_within(region.outline, rows, columns), at)
    return out


def holds(region: NamedRegion, part: Box) -> bool:
    """Whether a region holds every voxel of a box, as far as its box alone tells."""
    return not region.outline and region.box.covers(part)


def _within(outline: Corners, rows: slice, columns: slice) -> np.ndarray:
    """The voxels of a piece of a plane that an outline holds: bool (rows, columns)."""
    found = _filled(outline)
    out = np.zeros((rows.stop - rows.start, columns.stop - columns.start), bool)
    top, left = found.origin
    height, width = found.mask.shape
    first, last = max(rows.start, top), min(rows.stop, top + height)
    begin, end = max(columns.start, left), min(columns.stop, left + width)
    if first < last and begin < end:
        piece = found.mask[first - top : last - top, begin - left : end - left]
        out[first - rows.start : last - rows.start, begin - columns.start : end - columns.start] = piece
    return out


@lru_cache(maxsize=8)
def _filled(outline: Corners) -> PlaneMask:
    from voxloop.store.shapes import polygon

    corners = np.array(outline, float)
    low = np.maximum(np.floor(corners.min(axis=0)), 0)
    size = np.maximum(np.ceil(corners.max(axis=0)) - low + 1, 1).astype(int)
    found = polygon(corners - low, (int(size[0]), int(size[1])))
    if found is None:
        return PlaneMask((0, 0), np.zeros((1, 1), bool))
    return PlaneMask((found.origin[0] + int(low[0]), found.origin[1] + int(low[1])), found.mask)


def as_outline(points: object) -> Corners:
    """Corners (row, column) of a polygon that does not cross itself. Raises WorkspaceError."""
    try:
        corners = np.asarray(points, float)
    except (TypeError, ValueError, OverflowError):
        raise WorkspaceError(f"outline={str(points)[:40]!r} is no list of corners (row, column)") from None
    if corners.ndim != 2 or corners.shape[1:] != (2,) or not np.isfinite(corners).all():
        raise WorkspaceError("an outline is a list of corners (row, column), numbers of voxels")
    corners = np.round(corners, 2)
    moved = np.any(corners != np.roll(corners, 1, axis=0), axis=1)
    corners = corners[moved]
    if len(corners) < 3:
        raise WorkspaceError(f"an outline has at least 3 corners, not {len(corners)}")
    if len(corners) > MOST_CORNERS:
        raise WorkspaceError(f"an outline has {MOST_CORNERS} corners at most, not {len(corners)}; draw it simpler")
    place = crossing(corners)
    if place is not None:
        row, column = place
        raise WorkspaceError(
            f"this outline crosses itself near ({row:.0f}, {column:.0f}), so what is inside of it is not clear; draw "
            "it so that no two sides cross"
        )
    return tuple((float(row), float(column)) for row, column in corners)


def crossing(corners: np.ndarray) -> tuple[float, float] | None:
    """Where two sides of a closed polygon (n, 2) cross each other; None where none do. Touching is no crossing."""
    start, stop = corners, np.roll(corners, -1, axis=0)

    def side(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
        first, second = b - a, c - a
        return np.asarray(np.sign(first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]))

    for i in range(len(corners) - 1):
        a, b = start[i], stop[i]
        c, d = start[i + 1 :], stop[i + 1 :]
        apart = side(a, b, c) * side(a, b, d) < 0
        crossed = apart & (side(c, d, a[None]) * side(c, d, b[None]) < 0)
        if crossed.any():
            j = int(np.argmax(crossed))
            return _meeting(a, b, c[j], d[j])
    return None


def _meeting(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> tuple[float, float]:
    """Where two sides that cross meet."""
    along, across = b - a, d - c
    share = (
        np.cross(np.append(c - a, 0), np.append(across, 0))[2] / np.cross(np.append(along, 0), np.append(across, 0))[2]
    )
    row, column = a + share * along
    return float(row), float(column)
