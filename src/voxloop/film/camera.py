"""Where one looks from in three dimensions: micrometres in the order x, y, z. Pure.

As in the picture of a plane, y points down: ``front`` shows the xy planes as the panels do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from voxloop.errors import VolumeError, unknown
from voxloop.given import shown

Corner = Sequence[float] | np.ndarray
#: where each preset looks to, and what is up
VIEWS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "front": ((0, 0, 1), (0, -1, 0)),
    "back": ((0, 0, -1), (0, -1, 0)),
    "side": ((-1, 0, 0), (0, -1, 0)),
    "top": ((0, 1, 0), (0, 0, 1)),
    "isometric": ((-0.55, 0.5, 0.9), (0, -1, 0)),
}
#: degrees from the lower edge of the picture to the upper one
FIELD_OF_VIEW = 35.0


@dataclass(frozen=True)
class Camera3D:
    """A camera: ``position``, ``target`` and ``up`` (x, y, z), ``fov`` degrees."""

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    up: tuple[float, float, float]
    fov: float = FIELD_OF_VIEW

    @classmethod
    def of_view(cls, view: str, low: Corner, high: Corner, aspect: float = 4 / 3) -> Camera3D:
        """The camera of a preset that sees all of a box. Raises VolumeError for an unknown one."""
        if not isinstance(view, str) or view not in VIEWS:
            raise VolumeError(unknown("view", view if isinstance(view, str) else shown(view), VIEWS))
        forward, up = (np.array(part, float) for part in VIEWS[view])
        forward /= np.linalg.norm(forward)
        corners = np.array(np.meshgrid(*zip(list(low), list(high), strict=True))).reshape(3, -1).T
        middle = (np.asarray(low) + np.asarray(high)) / 2
        right = np.cross(forward, up)
        right /= np.linalg.norm(right)
        above = np.cross(right, forward)
        away = corners - middle
        tangent = math.tan(math.radians(FIELD_OF_VIEW / 2)) * 0.9  # a rim of a tenth
        beside = np.maximum(np.abs(away @ above), np.abs(away @ right) / aspect)
        distance = float((beside / tangent - away @ forward).max())
        position = middle - distance * forward
        return cls(_three(position), _three(middle), _three(above))

    @property
    def axes(self) -> np.ndarray:
        """(3, 3): right, up, forward, of length 1."""
        forward = np.subtract(self.target, self.position)
        forward = forward / max(1e-12, float(np.linalg.norm(forward)))
        right = np.cross(forward, self.up)
        right = right / max(1e-12, float(np.linalg.norm(right)))
        return np.stack([right, np.cross(right, forward), forward])

    @property
    def distance(self) -> float:
        """Micrometres to the target."""
        return float(np.linalg.norm(np.subtract(self.target, self.position)))

    def turned(self, degrees: float) -> Camera3D:
        """The camera after a turn about the upright axis through the target."""
        axis = np.asarray(self.up) / np.linalg.norm(self.up)
        away = np.subtract(self.position, self.target)
        angle = math.radians(degrees)
        cos, sin = math.cos(angle), math.sin(angle)
        turned = away * cos + np.cross(axis, away) * sin + axis * (axis @ away) * (1 - cos)
        return replace(self, position=_three(np.asarray(self.target) + turned))

    def tilted(self, degrees: float) -> Camera3D:
        """The camera after a turn about what is right of it: seen more from above, or from below."""
        right, above, forward = self.axes
        angle = math.radians(degrees)
        way = forward * math.cos(angle) - above * math.sin(angle)
        up = np.cross(right, way)
        return replace(self, position=_three(np.asarray(self.target) - self.distance * way), up=_three(up))

    def nearer(self, factor: float) -> Camera3D:
        """The camera ``factor`` times as near."""
        away = np.subtract(self.position, self.target) / factor
        return replace(self, position=_three(np.asarray(self.target) + away))

    def project(self, points: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, 3) as pixels (n, 2: x, y) of a picture (columns, rows), and their depth along the view."""
        right, above, forward = self.axes.astype(np.float32)
        away = points.astype(np.float32) - np.asarray(self.position, np.float32)
        depth = away @ forward
        safe = np.maximum(depth, 1e-6)
        focal = np.float32(size[1] / 2 / math.tan(math.radians(self.fov / 2)))
        x = size[0] / 2 + focal * (away @ right) / safe
        y = size[1] / 2 - focal * (away @ above) / safe
        return np.stack([x, y], axis=1), depth

    def rays(self, size: tuple[int, int]) -> np.ndarray:
        """(rows, columns, 3): the way through the middle of each pixel, as long as one step along the view."""
        right, above, forward = self.axes.astype(np.float32)
        focal = size[1] / 2 / math.tan(math.radians(self.fov / 2))
        x = ((np.arange(size[0], dtype=np.float32) + 0.5 - size[0] / 2) / focal)[None, :, None]
        y = ((size[1] / 2 - np.arange(size[1], dtype=np.float32) - 0.5) / focal)[:, None, None]
        return np.asarray(x * right + y * above + forward, np.float32)


def _three(values: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
