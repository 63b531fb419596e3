"""A selection on a plane: outlines that are moved, turned and scaled. Pure; lengths in voxels, angles as they look."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

#: of the height of a selection: how far above it the handle lies that turns it, and voxels at least
_ABOVE, _LEAST = 0.15, 6.0
#: a selection is never made smaller than this share of itself at once
_SMALLEST = 0.05


@dataclass(frozen=True, slots=True)
class Selection:
    """Closed outlines (n, 2) of (row, column); one inside of another is a hole. ``spacing`` of rows and columns."""

    outlines: tuple[np.ndarray, ...]
    spacing: tuple[float, float] = (1.0, 1.0)

    @property
    def bounds(self) -> np.ndarray:
        """[[top, left], [bottom, right]]."""
        every = np.concatenate(self.outlines)
        return np.stack([every.min(axis=0), every.max(axis=0)])

    @property
    def centre(self) -> np.ndarray:
        return np.asarray(self.bounds.mean(axis=0))

    @property
    def handles(self) -> np.ndarray:
        """The corners (4, 2) of its bounds, clockwise from the upper left."""
        (top, left), (bottom, right) = self.bounds
        return np.array([(top, left), (top, right), (bottom, right), (bottom, left)])

    @property
    def knob(self) -> np.ndarray:
        """Where it is taken to be turned: above its middle."""
        (top, left), (bottom, right) = self.bounds
        return np.array([top - max(_LEAST, _ABOVE * (bottom - top)), (left + right) / 2])

    def holds(self, point: np.ndarray) -> bool:
        """Whether a point lies inside of an odd number of its outlines."""
        count = 0
        for line in self.outlines:
            start, end = line, np.roll(line, -1, axis=0)
            crosses = (start[:, 0] > point[0]) != (end[:, 0] > point[0])
            with np.errstate(divide="ignore", invalid="ignore"):
                at = start[:, 1] + (point[0] - start[:, 0]) / (end[:, 0] - start[:, 0]) * (end[:, 1] - start[:, 1])
            count += int((crosses & (point[1] < at)).sum())
        return count % 2 == 1

    def moved(self, by: np.ndarray) -> Selection:
        return self._mapped(lambda line: line + by)

    def scaled(self, factor: float, about: np.ndarray | None = None) -> Selection:
        """Larger or smaller about a point; None: its middle."""
        fixed = self.centre if about is None else about
        return self._mapped(lambda line: fixed + (line - fixed) * max(_SMALLEST, factor))

    def turned(self, degrees: float) -> Selection:
        """Turned about its middle, clockwise on screen; round in micrometres."""
        sine, cosine = np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees))
        turn, spacing, middle = np.array([[cosine, sine], [-sine, cosine]]), np.array(self.spacing), self.centre
        return self._mapped(lambda line: middle + ((line - middle) * spacing) @ turn.T / spacing)

    def pulled(self, corner: int, to: np.ndarray) -> Selection:
        """Scaled so that a corner of its bounds comes near a point; the opposite one stays."""
        fixed, held = self.handles[(corner + 2) % 4], self.handles[corner]
        reach = held - fixed
        length = float(reach @ reach)
        return self if length == 0 else self.scaled(float((to - fixed) @ reach) / length, fixed)

    def angle_to(self, point: np.ndarray) -> float:
        """Degrees, clockwise on screen, from straight up to a point, seen from the middle."""
        down, right = (point - self.centre) * np.array(self.spacing)
        return float(np.rad2deg(np.arctan2(right, -down)))

    def _mapped(self, function) -> Selection:  # type: ignore[no-untyped-def]
        return replace(self, outlines=tuple(np.asarray(function(line), float) for line in self.outlines))
