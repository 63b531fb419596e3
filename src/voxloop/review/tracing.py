"""Strokes as geometry: a path inside a mask, as fat as there is room for. Pure; knows no classes and no volumes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

Window = tuple[slice, slice]
#: a voxel is painted up to the radius from the line; a path of voxels strays from it by less than this
MARGIN = 1.2
#: pixels below which a stroke is not worth setting the brush down
SMALLEST = 12


@dataclass(frozen=True, slots=True)
class Stroke:
    """A polyline on a plane in voxels (row, column), its radius, the value it paints; ``covers``: what it may touch."""

    points: tuple[tuple[float, float], ...]
    radius: float
    value: int
    window: Window
    covers: np.ndarray

    @property
    def length(self) -> float:
        """Voxels along the line."""
        steps = np.diff(np.asarray(self.points), axis=0)
        return float(np.hypot(*steps.T).sum()) if len(steps) else 0.0


def depth_in(mask: np.ndarray, sampling: tuple[float, float]) -> np.ndarray:
    """Distance of every pixel of ``mask`` to the nearest outside it, in units of the finer pixel side."""
    import edt

    found: np.ndarray = edt.edt(np.ascontiguousarray(mask), anisotropy=sampling, black_border=False)
    return np.asarray(np.where(np.isfinite(found), found, np.float32(max(mask.shape))))


def trace(
    suits: np.ndarray, start: tuple[int, int], length: int, *, rng: np.random.Generator | None = None
) -> np.ndarray:
    """A path (n, 2) of at most ``length`` pixels from ``start`` through where ``suits`` is high, never where it is 0.

    With ``rng`` it ends somewhere far away; without, the path is the longest way through the whole of the shape.
    """
    window = around(start, length, suits.shape)
    corner = np.array([part.start for part in window])
    part = suits[window]
    origin = tuple(np.array(start) - corner)
    path = _far_away(part, origin, rng)
    if rng is None:
        path = _far_away(part, tuple(path[-1]), rng)
    return np.asarray(path[: max(2, length)] + corner)


def around(point: tuple[int, int], reach: int, shape: tuple[int, ...]) -> Window:
    """The pixels up to ``reach`` from a point."""
    rows, columns = (
        slice(max(0, int(p) - reach), min(n, int(p) + reach + 1)) for p, n in zip(point, shape, strict=True)
    )
    return rows, columns


def _far_away(suits: np.ndarray, start: tuple[int, ...], rng: np.random.Generator | None) -> np.ndarray:
    """The easiest way to the farthest pixel (or one of the far ones) that suits half as well as the best or better."""
    from skimage.graph import MCP_Geometric

    costs = np.where(suits > 0, 1 / np.maximum(suits, 1e-3), np.inf)
    walker = MCP_Geometric(costs)
    reached, _ = walker.find_costs([start])
    open_ = np.isfinite(reached)
    ends = np.argwhere(open_ & (suits >= 0.5 * suits.max()))
    if not len(ends) or np.abs(ends - start).max() < 16:  # an island: walk over to the next
        ends = np.argwhere(open_)
    away = ((ends - start) ** 2).sum(axis=1)
    far = ends[away.argmax() if rng is None else rng.choice(np.flatnonzero(away >= 0.5 * away.max()))]
    return np.array(walker.traceback(tuple(far)))


def fatten(
    path: np.ndarray, depth: np.ndarray, value: int, widest: float, sampling: tuple[float, float]
) -> Stroke | None:
    """The stroke along a stretch of ``path`` that covers most; None where there is no room for one worth drawing.

    ``depth`` is the distance to the outside of what may be painted; no pixel outside is covered. A long thin stroke may
    cover more than a short fat one.
    """
    room = depth[tuple(path.T)] - MARGIN
    sizes = [widest * share for share in (1.0, 0.8, 0.6, 0.45, 0.3, 0.2, 0.1, 0.0) if widest * share <= room.max()]
    if not sizes:
        return None
    stretches = [(size, _longest_run(path, room >= size)) for size in sizes]
    radius, path = max(stretches, key=lambda item: (2 * item[0] + 1) * len(item[1]))
    for step, shrink in ((4, 1.0), (2, 0.8), (1, 0.6), (1, 0.0)):
        points = path[sorted({*range(0, len(path), step), len(path) - 1})]
        size = radius * shrink
        window, covers = _covered(points, size, depth.shape, sampling)
        if (depth[window][covers] > 0).all():
            if covers.sum() < SMALLEST:
                return None
            return Stroke(tuple((float(y), float(x)) for y, x in points), size, value, window, covers)
    return None


def _longest_run(path: np.ndarray, good: np.ndarray) -> np.ndarray:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(np.int8)))
    if not len(edges):
        return path[:1]
    starts, ends = edges[::2], edges[1::2]
    best = (ends - starts).argmax()
    return path[starts[best] : ends[best]]


def _covered(
    points: np.ndarray, radius: float, shape: tuple[int, ...], sampling: tuple[float, float]
) -> tuple[Window, np.ndarray]:
    """Pixels that a brush of ``radius`` along the polyline may touch, and the window they lie in."""
    from skimage.draw import line

    reach = int(np.ceil(radius + 2))
    low, high = points.min(axis=0) - reach, points.max(axis=0) + reach + 1
    rows, columns = (slice(max(0, int(a)), min(n, int(b))) for a, b, n in zip(low, high, shape, strict=True))
    drawn = np.ones((rows.stop - rows.start, columns.stop - columns.start), bool)
    moved = points - (rows.start, columns.start)
    drawn[tuple(moved.T)] = False
    for (y0, x0), (y1, x1) in itertools.pairwise(moved):
        drawn[line(int(y0), int(x0), int(y1), int(x1))] = False
    return (rows, columns), depth_in(drawn, sampling) <= radius + (0.75 if radius > 0 else 0.0)
