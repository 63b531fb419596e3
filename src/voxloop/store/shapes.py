"""Areas from corners, seeds and neighbouring slices. Pure: knows no labels on disk and no journal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voxloop.errors import LabelError
from voxloop.store.strokes import PlaneMask, as_points, clip, segments

#: corners of an ellipse
_ROUND = 180
#: voxels outside of a plane to which the sides of a polygon are followed as they are
_OUTSIDE = 4096


def outline(shape: str, points: np.ndarray) -> np.ndarray:
    """The corners of a shape that somebody drew: a polygon's own, or of a box or an ellipse between two opposite ones.

    Raises LabelError where a box or an ellipse has not two.
    """
    if shape == "polygon":
        return points
    if len(points) != 2:
        raise LabelError(f"a box has 2 opposite corners, not {len(points)}")
    centre, half = points.mean(axis=0), np.ptp(points, axis=0) / 2
    if shape == "box":
        return np.asarray(centre + half * [(-1, -1), (-1, 1), (1, 1), (1, -1)])
    turn = np.linspace(0, 2 * np.pi, _ROUND, endpoint=False)
    return np.asarray(centre + half * np.stack([np.sin(turn), np.cos(turn)], axis=1))


def polygon(corners: np.ndarray, shape: tuple[int, int]) -> PlaneMask | None:
    """The voxels inside a polygon and on its border; None where all of it lies outside.

    Source: ``skimage.draw.polygon`` (even-odd rule) and its outline.
    """
    from skimage.draw import line
    from skimage.draw import polygon as inside

    if len(corners) < 3:
        raise LabelError(f"a polygon has at least 3 corners, not {len(corners)}")
    low = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(corners.max(axis=0)).astype(int), np.array(shape) - 1)
    if (low > high).any():
        return None
    size = tuple(int(n) for n in high - low + 1)
    mask = np.zeros(size, bool)
    local = corners - low
    mask[inside(local[:, 0], local[:, 1], size)] = True
    near = [-_OUTSIDE] * 2, [n + _OUTSIDE for n in size]
    for start, end in zip(*clip(*segments(np.round(local), closed=True), *near), strict=True):
        row, column = line(*np.round(start).astype(int), *np.round(end).astype(int))
        seen = (row >= 0) & (row < size[0]) & (column >= 0) & (column < size[1])
        mask[row[seen], column[seen]] = True
    return PlaneMask((int(low[0]), int(low[1])), mask)


def outlines_of(points: object) -> list[np.ndarray]:
    """One list of corners, or several, from what a caller gives. Raises LabelError."""
    several = isinstance(points, list | tuple) and len(points) > 0 and isinstance(points[0], list | tuple | np.ndarray)
    if several and len(points[0]) > 0 and isinstance(points[0][0], list | tuple | np.ndarray):  # type: ignore[index]
        return [as_points(one) for one in points]  # type: ignore[attr-defined]
    return [as_points(points)]


def enclosed(outlines: Sequence[np.ndarray], shape: tuple[int, int]) -> PlaneMask | None:
    """The voxels inside one outline, border included, or inside an odd number of several; None where there are none."""
    if len(outlines) == 1:
        return polygon(outlines[0], shape)
    for one in outlines:
        if len(one) < 3:
            raise LabelError(f"a polygon has at least 3 corners, not {len(one)}")
    return inside(outlines, shape)


#: voxels to either side that say what is usual around a voxel, and how noisy it is
_AROUND = 4
#: of the noise: how far a flood goes from what is usual. More leaks through the membranes of an electron micrograph
#: (measured on mitochondria of a focused-ion-beam stack: from 1.75 on half of the floods leave the organelle), less
#: leaves holes.
_OF_NOISE = 1.4
#: of the noise: a voxel further from what is usual around it is something of its own
_OUTLIER = 3.0


def usual_around(plane: np.ndarray, place: tuple[int, int]) -> tuple[float, float]:
    """What a flood from a voxel is to take: the intensity in the middle, and how far from it, by the noise there.

    The middle is the median of the neighbourhood, since a single voxel is off by its noise; the noise is the median
    absolute deviation of the differences of neighbours, in which an edge counts little (Rousseeuw and Croux 1993).
    """
    row, column = place
    rows = slice(max(0, row - _AROUND), row + _AROUND + 1)
    columns = slice(max(0, column - _AROUND), column + _AROUND + 1)
    near = plane[rows, columns].astype(np.float64)
    steps = np.concatenate([np.diff(near, axis=0).ravel(), np.diff(near, axis=1).ravel()])
    noise = 0.0
    if steps.size:
        noise = float(1.4826 * np.median(np.abs(steps - np.median(steps))) / np.sqrt(2))
    value, usual = float(plane[place]), float(np.median(near))
    centre = usual if abs(value - usual) <= _OUTLIER * noise else value
    return centre, float(f"{_OF_NOISE * noise:.3g}")


def flood(
    values: np.ndarray, start: tuple[int, ...], tolerance: float = 0.0, centre: float | None = None
) -> np.ndarray:
    """Voxels connected to ``start`` (faces) whose values lie no further than ``tolerance`` from ``centre``.

    ``centre`` is the value of the first voxel where not given; the first voxel always belongs to it. With a ``centre``
    the first voxel may itself be off by its noise: the largest part within two voxels of it is taken.
    """
    from skimage.measure import label

    if tolerance:
        middle = float(values[start]) if centre is None else centre
        alike = np.abs(values.astype(np.float64, copy=False) - middle) <= tolerance
        alike[start] = True
    else:
        alike = values == values[start]
    parts = label(alike, connectivity=1)
    number = parts[start]
    if centre is not None:
        near = tuple(slice(max(0, at - 2), at + 3) for at in start)
        numbers = np.unique(parts[near][alike[near]])
        sizes = np.bincount(parts.ravel())
        number = numbers[np.argmax(sizes[numbers])]
    connected: np.ndarray = parts == number
    connected[start] = True
    return connected


def interpolate(
    first: np.ndarray, last: np.ndarray, values: Sequence[int], distance: int, spacing_um: Sequence[float]
) -> tuple[tuple[slice, slice], np.ndarray]:
    """Labels of the ``distance - 1`` slices between two painted ones: their box in the plane, and (n, rows, columns).

    The signed distances to each class's outlines are mixed linearly; where the class is one connected part in both
    slices, its shape also travels from one place to the other, so that one that moved further than its size does not
    vanish half way. Source: Raya and Udupa 1990 (shape-based interpolation), Herman et al. 1992 (alignment).
    """
    rows, columns = (np.flatnonzero((np.isin(first, values) | np.isin(last, values)).any(axis=axis)) for axis in (1, 0))
    box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    out = np.zeros((distance - 1, *(part.stop - part.start for part in box)), first.dtype)
    deepest = np.zeros(out.shape, np.float32)
    for value in values:
        depth = _mixed(first[box] == value, last[box] == value, distance, spacing_um)
        deeper = depth > deepest
        out[deeper] = value
        deepest[deeper] = depth[deeper]
    return box, out


def _mixed(first: np.ndarray, last: np.ndarray, distance: int, spacing_um: Sequence[float]) -> np.ndarray:
    """Signed distance (n, rows, columns) in the slices between two masks."""
    from scipy.ndimage import center_of_mass, label, shift

    way = np.zeros(2)
    if label(first)[1] == label(last)[1] == 1:
        way = np.subtract(center_of_mass(last), center_of_mass(first))
    room = np.ceil(np.abs(way)).astype(int) + 1
    ends = [_signed_distance(np.pad(mask, [(n, n) for n in room]), spacing_um) for mask in (first, last)]
    inner = tuple(slice(n, n + size) for n, size in zip(room, first.shape, strict=True))
    slices = []
    for share in np.arange(1, distance) / distance:
        moved = [
            shift(end, by * way, order=1, mode="nearest") for end, by in zip(ends, (share, share - 1), strict=True)
        ]
        slices.append(((1 - share) * moved[0] + share * moved[1])[inner])
    return np.stack(slices)


def _signed_distance(mask: np.ndarray, spacing_um: Sequence[float]) -> np.ndarray:
    """Micrometres to the outline, positive inside."""
    from scipy.ndimage import distance_transform_edt

    within, beyond = (distance_transform_edt(part, sampling=spacing_um) for part in (mask, ~mask))
    half = min(spacing_um) / 2
    signed: np.ndarray = np.where(mask, within - half, half - beyond).astype(np.float32)
    return signed


def inside(outlines: Sequence[np.ndarray], shape: tuple[int, int]) -> PlaneMask | None:
    """Voxels whose centres lie inside an odd number of closed outlines (row, column); None where there are none."""
    from skimage.draw import polygon as filled

    if not outlines:
        return None
    corners = np.concatenate(outlines)
    low = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(corners.max(axis=0)).astype(int), np.array(shape) - 1)
    if (low > high).any():
        return None
    size = tuple(int(n) for n in high - low + 1)
    mask = np.zeros(size, bool)
    for outline in outlines:
        rows, columns = filled(outline[:, 0] - low[0], outline[:, 1] - low[1], size)
        mask[rows, columns] ^= True
    return PlaneMask((int(low[0]), int(low[1])), mask) if mask.any() else None


def thick_line(
    lines: Sequence[np.ndarray], width: float, shape: tuple[int, int], *, dots: bool = False
) -> PlaneMask | None:
    """Voxels within half a width of lines (row, column), or of their corners alone; None where all lie outside."""
    if not lines:
        return None
    corners = np.concatenate(lines)
    low = np.maximum(np.floor(corners.min(axis=0) - width / 2).astype(int), 0)
    high = np.minimum(np.ceil(corners.max(axis=0) + width / 2).astype(int), np.array(shape) - 1)
    if (low > high).any():
        return None
    size = tuple(int(n) for n in high - low + 1)
    places = np.moveaxis(np.indices(size), 0, -1) + low
    mask = np.zeros(size, bool)
    for line in lines:
        starts, ends = (line, line) if dots or len(line) == 1 else (line[:-1], line[1:])
        for start, end in zip(starts, ends, strict=True):
            along = end - start
            length = float(along @ along)
            share = np.clip(((places - start) @ along) / length, 0, 1) if length else np.zeros(size)
            mask |= np.hypot(*np.moveaxis(places - (start + share[..., None] * along), -1, 0)) <= max(width, 1) / 2
    return PlaneMask((int(low[0]), int(low[1])), mask) if mask.any() else None


def parts_of(mask: np.ndarray) -> list[list[tuple[bool, np.ndarray]]]:
    """The outlines (is it a hole, corners as (row, column)) of each connected part; :func:`inside` gives it back.

    Outlines run half way between a voxel inside and its neighbour outside, so no centre lies on one.
    """
    from skimage.measure import find_contours, label, regionprops

    parts = []
    for part in regionprops(label(mask, connectivity=1)):
        origin = np.array(part.bbox[:2]) - 1
        padded = np.pad(part.image, 1).astype(np.float32)
        found = [contour + origin for contour in find_contours(padded, 0.5, fully_connected="low")]
        sizes = [_area(contour) for contour in found]
        outer = int(np.argmax(np.abs(sizes)))
        ordered = [outer, *(i for i in range(len(found)) if i != outer)]
        parts.append([(i != outer, found[i]) for i in ordered])
    return parts


def _area(corners: np.ndarray) -> float:
    rows, columns = corners.T
    return float(np.dot(rows, np.roll(columns, 1)) - np.dot(columns, np.roll(rows, 1))) / 2
