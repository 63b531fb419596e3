"""The hull of one object: its corners, its volume in voxels, its widths. Pure; a mask comes in.

The hull is that of the middles of the outer faces of voxels, as scikit-image takes it. It is a voxel's diamond added to
the hull of the middles of voxels, so that only voxels at the end of their line along every axis can be corners of it:
few points go to Qhull, and voxels inside are counted line by line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.spatial import ConvexHull

#: how far outside of a side of the hull, in voxels, a voxel still counts, as scikit-image has it
_TOLERANCE = 1e-10
#: sides that are level: they say nothing of where along a line its voxels are inside
_LEVEL = 1e-12
#: numbers held at once while voxels are counted
_AT_ONCE = 2**22
#: corners of which all distances are taken; larger hulls have more than matter
_CORNERS = 3000


@dataclass(frozen=True, eq=False)
class ObjectHull:
    """The hull of an object.

    Attributes
    ----------
    equations
        Sides in voxels (n, d + 1): a point is inside where ``equations[:, :-1] @ point + equations[:, -1] <= 0``.
    corners
        Its corners in voxels (m, d), the middle of the first voxel of the mask being 0.
    spacing
        Voxel size, micrometres.
    shape
        Of the mask.
    """

    equations: np.ndarray
    corners: np.ndarray
    spacing: np.ndarray
    shape: tuple[int, ...]

    @cached_property
    def points(self) -> np.ndarray:
        """Corners in micrometres (m, d)."""
        return np.asarray(self.corners * self.spacing)

    @cached_property
    def normals(self) -> np.ndarray:
        """Directions of its sides in micrometres (n, d), length 1."""
        across = self.equations[:, :-1] / self.spacing
        return np.asarray(across / np.sqrt(np.einsum("ij,ij->i", across, across))[:, None])

    @property
    def widths(self) -> np.ndarray:
        """How wide it is across each of its sides, micrometres."""
        reach = self.normals @ self.points.T
        return np.asarray(reach.max(axis=1) - reach.min(axis=1))

    @property
    def longest(self) -> float:
        """The largest distance of two corners, micrometres."""
        from scipy.spatial.distance import pdist

        points = self.points
        while len(points) > _CORNERS:
            points = points[::2]
        return float(pdist(points).max())

    @property
    def smallest_rectangle(self) -> list[float]:
        """Sides of the smallest rectangle around it, of two dimensions: one of them lies on a side of the hull."""
        along = np.stack([-self.normals[:, 1], self.normals[:, 0]], axis=1)
        sides = np.stack([np.ptp(way @ self.points.T, axis=1) for way in (self.normals, along)], axis=1)
        return [float(side) for side in sides[np.argmin(sides.prod(axis=1))]]

    @property
    def voxels(self) -> int:
        """Voxels of the mask's box whose middles lie inside."""
        size, last = self.shape[-1], self.equations[:, -2]
        lines = np.stack(np.meshgrid(*map(np.arange, self.shape[:-1]), indexing="ij"), axis=-1)
        lines = lines.reshape(-1, len(self.shape) - 1).astype(np.float64)
        sides = [self.equations[last > _LEVEL], self.equations[last < -_LEVEL], self.equations[np.abs(last) <= _LEVEL]]
        total, step = 0, max(1, _AT_ONCE // len(last))
        for first in range(0, len(lines), step):
            up, down, level = (
                _TOLERANCE - side[:, -1] - lines[first : first + step] @ side[:, :-2].T for side in sides
            )
            high = np.floor((up / sides[0][:, -2]).min(axis=1, initial=size - 1))
            low = np.ceil((down / sides[1][:, -2]).max(axis=1, initial=0))
            total += int(np.maximum(high - low + 1, 0)[(level > 0).all(axis=1)].sum())
        return total


def hull_of(mask: np.ndarray, at: np.ndarray, spacing: Sequence[float]) -> ObjectHull:
    """The hull of a mask; ``at``: its voxels, as ``np.argwhere`` gives them."""
    ends = []
    corner = np.ones(len(at), bool)
    for axis in range(mask.ndim):
        others = tuple(at[:, one] for one in range(mask.ndim) if one != axis)
        first = mask.argmax(axis=axis)[others] == at[:, axis]
        last = mask.shape[axis] - 1 - np.flip(mask, axis).argmax(axis=axis)[others] == at[:, axis]
        ends.append((first, last))
        corner &= first | last
    points = []
    for axis, both in enumerate(ends):
        for way, end in zip((-0.5, 0.5), both, strict=True):
            some = at[end & corner].astype(np.float64)
            some[:, axis] += way
            points.append(some)
    hull = _qhull(np.concatenate(points))
    return ObjectHull(hull.equations, hull.points[hull.vertices], np.asarray(spacing, np.float64), mask.shape)


def _qhull(points: np.ndarray) -> ConvexHull:
    """The hull of points that are halves of whole numbers, so that sides are off by rounding alone.

    Most of Qhull's time goes into merging sides that lie in one plane, which nothing here needs; where it cannot do
    without, it says so and merges.
    """
    from scipy.spatial import ConvexHull, QhullError

    try:
        return ConvexHull(points, qhull_options="Q0")
    except QhullError:
        return ConvexHull(points)
