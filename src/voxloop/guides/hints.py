"""What was pointed at on a plane: clicks and strokes inside and outside of an object, a box around it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np

from voxloop.errors import LabelError
from voxloop.given import shown

#: marks of a grid of seeds
INSIDE, OUTSIDE = 1, 2
#: voxels around hints that an object may reach; around a box; around the object of the slice before
REACH, AROUND_BOX, AROUND_BEFORE = 96, 12, 24
#: voxels around a click or stroke that belong to it
_THICK = 2.0
#: of the depth of the object in the slice before: deeper in, the next one has it too; further out it has not
_CORE, _BEYOND = 0.6, 0.5
#: of the sides of a box: the half axes of the ellipse in its middle that is taken for the object
_MIDDLE = 0.3

Window = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class Spot:
    """A mask somewhere on a plane: the (row, column) of its corner, and bool (rows, columns)."""

    origin: tuple[int, int]
    mask: np.ndarray

    @property
    def ends(self) -> tuple[int, int]:
        """One past its last row and column."""
        return self.origin[0] + self.mask.shape[0], self.origin[1] + self.mask.shape[1]

    def on(self, window: Window) -> np.ndarray:
        """What of it lies on a window of the plane, as large as that."""
        out = np.zeros([part.stop - part.start for part in window], bool)
        low = [max(first, part.start) for first, part in zip(self.origin, window, strict=True)]
        high = [min(end, part.stop) for end, part in zip(self.ends, window, strict=True)]
        if low[0] < high[0] and low[1] < high[1]:
            to = tuple(slice(a - part.start, b - part.start) for a, b, part in zip(low, high, window, strict=True))
            out[to] = self.mask[tuple(slice(a - o, b - o) for a, b, o in zip(low, high, self.origin, strict=True))]
        return out

    def trimmed(self) -> Spot | None:
        """Without empty rows and columns at its edges; None where nothing is left."""
        rows, columns = (np.flatnonzero(self.mask.any(axis=axis)) for axis in (1, 0))
        if not rows.size:
            return None
        part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        return Spot((self.origin[0] + int(rows[0]), self.origin[1] + int(columns[0])), self.mask[part])


@dataclass(frozen=True, slots=True)
class Hints:
    """Polylines (n, 2) of (row, column) voxels inside and outside of an object; a click is one of a single point.

    ``box`` is (top, left, bottom, right); ``before`` what the object is on the slice beside.
    """

    inside: tuple[np.ndarray, ...] = ()
    outside: tuple[np.ndarray, ...] = ()
    box: tuple[float, float, float, float] | None = None
    before: Spot | None = None

    @classmethod
    def of(
        cls,
        size: tuple[int, int],
        positive: object = (),
        negative: object = (),
        box: object = None,
        scribble: object = None,
        against: object = None,
    ) -> Self:
        """Hints on a plane of ``size`` from what a caller gives. Raises LabelError."""
        inside = [_points("positive", [point]) for point in _listed("positive", positive)]
        outside = [_points("negative", [point]) for point in _listed("negative", negative)]
        inside += _lines("scribble", scribble)
        outside += _lines("against", against)
        corners = None if box is None else _points("box", box)
        if corners is not None and (len(corners) != 2 or (np.ptp(corners, axis=0) < 1).any()):
            raise LabelError("a box has 2 opposite corners, (row, column) each, at least a voxel apart")
        if not inside and corners is None:
            raise LabelError("point at the object: positive=[(row, column)], a scribble inside of it, or a box")
        for line in (*inside, *outside):
            if not ((line > -0.5) & (line < np.array(size) - 0.5)).all():
                at = tuple(round(float(n), 1) for n in line[0])
                raise LabelError(f"{at} lies outside of the plane of {size[0]} x {size[1]} voxels")
        around = None
        if corners is not None:
            low, high = np.maximum(corners.min(axis=0), 0), np.minimum(corners.max(axis=0), np.array(size) - 1)
            if (high - low < 1).any():
                raise LabelError(f"the box lies outside of the plane of {size[0]} x {size[1]} voxels")
            around = float(low[0]), float(low[1]), float(high[0]), float(high[1])
        return cls(tuple(inside), tuple(outside), around)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        lines = (tuple(np.asarray(line, float) for line in data.get(name) or ()) for name in ("inside", "outside"))
        inside, outside = lines
        box = data.get("box")
        return cls(inside, outside, None if box is None else (box[0], box[1], box[2], box[3]))

    def to_json(self) -> dict[str, Any]:
        """Without what the slice beside says."""
        lines = {"inside": self.inside, "outside": self.outside}
        said: dict[str, Any] = {name: [line.tolist() for line in these] for name, these in lines.items()}
        return {**said, "box": None if self.box is None else list(self.box)}

    def window(self, size: tuple[int, int]) -> Window:
        """The part of a plane of ``size`` that is looked at."""
        corners = [*self.inside, *self.outside]
        by: float = REACH
        if self.before is not None:
            corners, by = [np.array([self.before.origin, self.before.ends])], AROUND_BEFORE
        elif self.box is not None:
            corners, by = [*corners, np.array(self.box).reshape(2, 2)], AROUND_BOX
        every = np.concatenate(corners)
        low = np.clip(np.floor(every.min(axis=0) - by).astype(int), 0, np.array(size) - 1)
        high = np.clip(np.ceil(every.max(axis=0) + by).astype(int) + 1, low + 1, size)
        return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))

    def seeds(self, window: Window, size: tuple[int, int], step: int = 1) -> np.ndarray:
        """uint8 over every ``step``-th voxel of a window: INSIDE, OUTSIDE, or 0 where nothing is known.

        What lies outside of a box is outside; without one, so is the rim of the window.
        """
        shape = tuple(-(-(part.stop - part.start) // step) for part in window)
        out = np.zeros(shape, np.uint8)
        start = np.array([part.start for part in window])
        if self.before is not None:
            self._seed_before(out, window, step)
        elif self.box is not None:
            corners = (np.array(self.box).reshape(2, 2) - start) / step
            low, high = np.floor(corners[0]).astype(int), np.ceil(corners[1]).astype(int) + 1
            beyond = np.ones(shape, bool)
            beyond[max(0, low[0]) : high[0], max(0, low[1]) : high[1]] = False
            out[beyond] = OUTSIDE
            if not self.inside:
                middle, half = corners.mean(axis=0), np.maximum(np.ptp(corners, axis=0) * _MIDDLE, 1)
                y, x = np.ogrid[: shape[0], : shape[1]]
                out[((y - middle[0]) / half[0]) ** 2 + ((x - middle[1]) / half[1]) ** 2 <= 1] = INSIDE
        else:
            _fence(out, window, size)
        for lines, mark in ((self.outside, OUTSIDE), (self.inside, INSIDE)):
            for line in lines:
                _draw(out, (line - start + 0.5) / step - 0.5, _THICK / step, mark)
        return out

    def _seed_before(self, out: np.ndarray, window: Window, step: int) -> None:
        from scipy.ndimage import distance_transform_edt

        assert self.before is not None
        there = self.before.on(window)[::step, ::step]
        depth = distance_transform_edt(np.pad(there, 1))[1:-1, 1:-1]
        deepest = float(depth.max())
        away = distance_transform_edt(~there) if not there.all() else np.zeros(there.shape)
        out[away > max(3.0 / step, _BEYOND * deepest)] = OUTSIDE
        out[depth > _CORE * deepest] = INSIDE


def _fence(out: np.ndarray, window: Window, size: tuple[int, int]) -> None:
    """Mark the rim of a window; not where the plane ends, for an object may go on there."""
    rows, columns = window
    everywhere = window == (slice(0, size[0]), slice(0, size[1]))
    for edge, index in ((rows.start > 0, 0), (rows.stop < size[0], -1)):
        if edge or everywhere:
            out[index] = OUTSIDE
    for edge, index in ((columns.start > 0, 0), (columns.stop < size[1], -1)):
        if edge or everywhere:
            out[:, index] = OUTSIDE


def _draw(out: np.ndarray, line: np.ndarray, radius: float, mark: int) -> None:
    """Mark what lies within a radius of a polyline."""
    steps = [line[:1]]
    for start, end in pairwise(line):
        count = max(1, int(np.ceil(np.abs(end - start).max())))
        steps.append(start + (end - start) * (np.arange(1, count + 1) / count)[:, None])
    reach = int(np.ceil(radius))
    offsets = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
    offsets = offsets[(offsets**2).sum(axis=1) <= max(radius, 0.5) ** 2]
    middle = np.round(np.concatenate(steps)).astype(int)
    places = (middle[:, None] + offsets[None]).reshape(-1, 2)
    places = places[((places >= 0) & (places < out.shape)).all(axis=1)]
    out[places[:, 0], places[:, 1]] = mark


def _listed(what: str, given: object) -> Sequence[Any]:
    if given is None:
        return ()
    if isinstance(given, np.ndarray):
        given = given.tolist()
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        raise LabelError(f"{what}={shown(given)} is no list of points (row, column)")
    if len(given) == 2 and all(isinstance(one, int | float) for one in given):
        return [given]
    return given


def _points(what: str, given: object) -> np.ndarray:
    try:
        points = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        points = np.empty(0)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points) or not np.isfinite(points).all():
        raise LabelError(f"{what}={shown(given)} is no list of points (row, column)")
    return np.round(points, 2)  # as the journal and lines of Python have them


def _lines(what: str, given: object) -> list[np.ndarray]:
    """One polyline, or several."""
    listed = _listed(what, given)
    if not len(listed):
        return []
    first = listed[0]
    several = isinstance(first, Sequence | np.ndarray) and len(first) > 0 and np.ndim(first[0]) > 0
    return [_points(what, line) for line in listed] if several else [_points(what, listed)]
