"""Triangles, image planes and lines as a picture, without a screen or a graphics card. Numpy only.

A buffer of depths, as graphics cards have it: fragments of all triangles of alike size at once, opaque ones by the
nearest, transparent ones sorted and mixed from the farthest to the nearest. A picture of 960 x 720 of 300,000 triangles
takes about half a second on one core; a graphics library that does it without a screen would be 100 MB and need
drivers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from voxloop.film.camera import Camera3D, Corner

#: fragments that are looked at together
_AT_ONCE = 2**19
_AMBIENT = 0.35


@dataclass(frozen=True)
class Surface:
    """Triangles in one colour, or in one for each vertex.

    ``vertices`` (n, 3) float32 micrometres (x, y, z), ``normals`` (n, 3), ``faces`` (m, 3) int32, ``colors`` (3,) or
    (n, 3) uint8; ``words`` say how fine it is; ``numbers`` (n,) of which object each vertex is, of classes None.
    """

    name: str
    vertices: np.ndarray
    normals: np.ndarray
    faces: np.ndarray
    colors: np.ndarray
    opacity: float = 1.0
    words: str = ""
    numbers: np.ndarray | None = None


@dataclass(frozen=True)
class ImagePlane:
    """A picture across axis 0 (x), 1 (y) or 2 (z), between two corners in micrometres.

    ``picture`` (rows, columns, 3): the earlier of the other two axes goes along its columns.
    """

    axis: int
    picture: np.ndarray
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    opacity: float = 1.0


class DepthBuffer:
    """A picture that is being made (columns, rows); what lies outside of ``low`` to ``high`` is cut away."""

    def __init__(
        self,
        camera: Camera3D,
        size: tuple[int, int],
        background: Sequence[int],
        low: Corner | None = None,
        high: Corner | None = None,
    ) -> None:
        self.camera, self.size = camera, size
        pixels = size[0] * size[1]
        self._near = np.full(pixels, np.inf, np.float32)
        self._rgb = np.empty((pixels, 3), np.uint8)
        self._rgb[:] = background
        self._rays = camera.rays(size).reshape(-1, 3)
        self._cut = None if low is None or high is None else (np.asarray(low, "f4"), np.asarray(high, "f4"))
        self._clear: list[tuple[np.ndarray, np.ndarray, np.ndarray, float]] = []

    def add_surface(self, surface: Surface) -> None:
        """Draw triangles, lit from where one looks."""
        if not len(surface.faces) or surface.opacity <= 0:
            return
        places, depth = self.camera.project(surface.vertices, self.size)
        light = _light(surface.normals, self.camera)
        for pixel, away, weights, corners in _fragments(places, depth, surface.faces, self.size):
            seen = self._inside(pixel, away)
            pixel, away, weights, corners = pixel[seen], away[seen], weights[seen], corners[seen]
            shade = (light[corners] * weights).sum(axis=1)[:, None]
            if surface.colors.ndim == 1:
                rgb = shade * surface.colors.astype(np.float32)
            else:
                rgb = shade * surface.colors[corners[:, 0]].astype(np.float32)
            self._put(pixel, away, np.minimum(rgb, 255), surface.opacity)

    def add_plane(self, plane: ImagePlane) -> None:
        """Draw a picture that stands in the scene."""
        if plane.opacity <= 0:
            return
        for first in range(0, len(self._near), _AT_ONCE // 2):
            self._add_part(plane, slice(first, first + _AT_ONCE // 2))

    def _add_part(self, plane: ImagePlane, part: slice) -> None:
        """What of an image plane is seen in some of the pixels."""
        origin = np.asarray(self.camera.position, np.float32)
        toward = self._rays[part, plane.axis]
        with np.errstate(divide="ignore", invalid="ignore"):
            away = (np.float32(plane.low[plane.axis]) - origin[plane.axis]) / toward
        pixel = np.flatnonzero((away > 0) & np.isfinite(away))
        away = away[pixel]
        pixel += part.start
        place = origin + self._rays[pixel] * away[:, None]
        columns, rows = (axis for axis in range(3) if axis != plane.axis)
        low, high = np.asarray(plane.low, "f4"), np.asarray(plane.high, "f4")
        share = (place - low) / np.where(high > low, high - low, 1)
        seen = ((share[:, [columns, rows]] >= 0) & (share[:, [columns, rows]] < 1)).all(axis=1)
        seen &= self._inside(pixel, away)
        height, width = plane.picture.shape[:2]
        row = (share[seen, rows] * height).astype(int)
        column = (share[seen, columns] * width).astype(int)
        self._put(pixel[seen], away[seen], plane.picture[row, column].astype(np.float32), plane.opacity)

    def add_line(self, first: Corner, last: Corner, color: Sequence[int]) -> None:
        """Draw a line of a pixel."""
        steps = np.linspace(0, 1, 2 * max(self.size), dtype=np.float32)[:, None]
        points = np.asarray(first, "f4") * (1 - steps) + np.asarray(last, "f4") * steps
        places, depth = self.camera.project(points, self.size)
        at = np.floor(places).astype(np.int64)
        seen = ((at >= 0) & (at < self.size)).all(axis=1) & (depth > 0)
        pixel = at[seen, 1] * self.size[0] + at[seen, 0]
        away = depth[seen] * np.float32(1 - 1e-4)  # before the surface that it lies on
        self._put(pixel, away, np.broadcast_to(np.asarray(color, "f4"), (len(pixel), 3)), 1.0)

    def picture(self) -> np.ndarray:
        """(rows, columns, 3) uint8: what is opaque, and over it what is not, the farthest first."""
        if self._clear:
            self._mix()
        return self._rgb.reshape(self.size[1], self.size[0], 3)

    def _inside(self, pixel: np.ndarray, away: np.ndarray) -> np.ndarray:
        """Which fragments are not cut away."""
        if self._cut is None:
            return np.ones(len(pixel), bool)
        low, high = self._cut
        seen = np.ones(len(pixel), bool)
        for axis in range(3):
            place = np.float32(self.camera.position[axis]) + self._rays[pixel, axis] * away
            seen &= (place >= low[axis]) & (place <= high[axis])
        return seen

    def _put(self, pixel: np.ndarray, away: np.ndarray, rgb: np.ndarray, opacity: float) -> None:
        if opacity < 1:
            self._clear.append((pixel, away, rgb, opacity))
            return
        np.minimum.at(self._near, pixel, away)
        first = away <= self._near[pixel]
        self._rgb[pixel[first]] = rgb[first].astype(np.uint8)

    def _mix(self) -> None:
        pixel = np.concatenate([part[0] for part in self._clear])
        away = np.concatenate([part[1] for part in self._clear])
        rgb = np.concatenate([part[2] for part in self._clear])
        opacity = np.concatenate([np.full(len(part[0]), part[3], np.float32) for part in self._clear])
        self._clear = []
        seen = away < self._near[pixel]
        pixel, away, rgb, opacity = pixel[seen], away[seen], rgb[seen], opacity[seen]
        order = np.lexsort((-away, pixel))
        pixel, rgb, opacity = pixel[order], rgb[order], opacity[order]
        begins = np.flatnonzero(np.r_[True, pixel[1:] != pixel[:-1]]) if len(pixel) else np.empty(0, int)
        counts = np.diff(np.r_[begins, len(pixel)])
        mixed = self._rgb.astype(np.float32)
        for layer in range(int(counts.max(initial=0))):
            at = begins[counts > layer] + layer
            where = pixel[at]
            part = opacity[at, None]
            mixed[where] = mixed[where] * (1 - part) + rgb[at] * part
        self._rgb = mixed.astype(np.uint8)


def _light(normals: np.ndarray, camera: Camera3D) -> np.ndarray:
    """How bright each vertex is: lit by what stands beside the camera, from both sides of a surface."""
    right, above, forward = camera.axes
    lamp = -forward - 0.35 * right + 0.45 * above
    lamp /= np.linalg.norm(lamp)
    return np.asarray(_AMBIENT + (1 - _AMBIENT) * np.abs(normals @ lamp.astype(np.float32)), np.float32)


def _fragments(
    places: np.ndarray, depth: np.ndarray, faces: np.ndarray, size: tuple[int, int]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Pixels that triangles cover: pixel, depth, weights (n, 3) of the corners, and which corners; many at a time."""
    x, y = places[faces, 0], places[faces, 1]
    limit = np.array(size, np.float32) - 1
    left = np.ceil(x.min(axis=1) - 0.5).clip(0, limit[0] + 1)
    top = np.ceil(y.min(axis=1) - 0.5).clip(0, limit[1] + 1)
    wide = np.floor(x.max(axis=1) - 0.5).clip(-1, limit[0]) - left + 1
    high = np.floor(y.max(axis=1) - 0.5).clip(-1, limit[1]) - top + 1
    area = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0])
    shown = (wide > 0) & (high > 0) & (np.abs(area) > 1e-12) & (depth[faces] > 0).all(axis=1)
    kept = np.flatnonzero(shown)
    power = np.ceil(np.log2(np.maximum(wide, high)[kept])).astype(int)
    for step in np.unique(power):
        side = 2 ** int(step)
        chosen = kept[power == step]
        for first in range(0, len(chosen), max(1, _AT_ONCE // side**2)):
            some = chosen[first : first + max(1, _AT_ONCE // side**2)]
            rows, columns = np.divmod(np.arange(side * side, dtype=np.float32), side)
            px = left[some, None] + columns
            py = top[some, None] + rows
            dx, dy, scale = px + 0.5, py + 0.5, 1 / area[some, None]
            ax, ay = x[some, :, None], y[some, :, None]
            w1 = ((dx - ax[:, 0]) * (ay[:, 2] - ay[:, 0]) - (ax[:, 2] - ax[:, 0]) * (dy - ay[:, 0])) * scale
            w2 = ((ax[:, 1] - ax[:, 0]) * (dy - ay[:, 0]) - (dx - ax[:, 0]) * (ay[:, 1] - ay[:, 0])) * scale
            inside = (w1 >= 0) & (w2 >= 0) & (w1 + w2 <= 1) & (px <= limit[0]) & (py <= limit[1])
            number, at = np.nonzero(inside)
            corners = faces[some[number]]
            weights = np.stack([1 - w1[number, at] - w2[number, at], w1[number, at], w2[number, at]], axis=1)
            away = 1 / (weights / depth[corners]).sum(axis=1)  # depths of a plane are even in their inverse
            pixel = py[number, at].astype(np.int64) * size[0] + px[number, at].astype(np.int64)
            yield pixel, away, weights, corners
