"""Linking frame by frame: where each track should be by now, and what lies nearest to that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from scipy.optimize import linear_sum_assignment

from voxloop.errors import PredictionError
from voxloop.tracks.chains import Link
from voxloop.tracks.places import Sightings

#: of the Kalman filter, in micrometres: how unsteady a velocity is, and how sure a place, as shares of the furthest way
_UNSTEADY, _UNSURE = 0.1, 0.05
#: pixels around a node, and halvings of the picture, in which the flow is looked for
_WINDOW, _HALVINGS = 21, 3


class Foresight(Protocol):
    """Says where tracks should be."""

    def expect(self, row: int, frame: int) -> np.ndarray:
        """Where the nodes of the track whose newest instance is ``row`` should be in a frame (nodes, axes), µm."""
        ...

    def saw(self, row: int, before: int | None) -> None:
        """An instance was linked to an earlier one of its track; None: a track begins."""
        ...


def follow(
    places: Sightings, furthest: float, max_gap: int, foresight: Foresight, tell: Callable[[int, int], None]
) -> list[Link]:
    """Pairs of rows that are the same: of each frame the cheapest assignment to the tracks that are alive."""
    links: list[Link] = []
    alive: list[int] = []
    frames = np.unique(places.frame).tolist()
    for done, frame in enumerate(frames, 1):
        rows = np.flatnonzero(places.frame == frame)
        alive = [row for row in alive if frame - places.frame[row] <= max_gap + 1]
        pairs = _nearest(places, alive, rows, frame, furthest, foresight)
        for old, new in pairs:
            links.append((old, new))
            foresight.saw(new, old)
        taken_old, taken_new = {old for old, _ in pairs}, {new for _, new in pairs}
        for row in rows.tolist():
            if row not in taken_new:
                foresight.saw(row, None)
        alive = [row for row in alive if row not in taken_old] + rows.tolist()
        tell(done, len(frames))
    return links


def _nearest(
    places: Sightings, alive: list[int], rows: np.ndarray, frame: int, furthest: float, foresight: Foresight
) -> list[Link]:
    if not alive or not len(rows):
        return []
    there = np.stack([foresight.expect(row, frame) for row in alive])
    ways = np.sqrt(((there[:, None] - places.at[rows][None]) ** 2).sum(axis=3).mean(axis=2))
    steps = np.sqrt(frame - places.frame[alive])[:, None]
    allowed = ways <= furthest * steps
    costs = np.where(allowed, ways / steps, 1e6 * furthest)
    chosen = zip(*linear_sum_assignment(costs), strict=True)
    return [(alive[a], int(rows[b])) for a, b in chosen if allowed[a, b]]


class Steady:
    """What moves goes on as it did: a Kalman filter of place and velocity for each track (OpenCV's)."""

    def __init__(self, places: Sightings, furthest: float) -> None:
        self._places, self._furthest = places, furthest
        self._filters: dict[int, tuple[Any, int]] = {}

    def expect(self, row: int, frame: int) -> np.ndarray:
        filter_, seen = self._filters[row]
        steps = frame - seen
        axes = self._places.at.shape[2]
        return np.asarray(self._places.at[row] + steps * filter_.statePost[axes:, 0])

    def saw(self, row: int, before: int | None) -> None:
        middle = self._places.middle[row].astype(np.float32)[:, None]
        frame = int(self._places.frame[row])
        if before is None:
            self._filters[row] = self._new(middle), frame
            return
        filter_, seen = self._filters.pop(before)
        axes = len(middle)
        ahead = (frame - seen) * np.eye(2 * axes, k=axes, dtype=np.float32)
        filter_.transitionMatrix = np.eye(2 * axes, dtype=np.float32) + ahead
        filter_.predict()
        filter_.correct(middle)
        self._filters[row] = filter_, frame

    def _new(self, middle: np.ndarray) -> Any:
        import cv2

        axes = len(middle)
        unit = np.eye(2 * axes, dtype=np.float32)
        made = cv2.KalmanFilter(2 * axes, axes)
        made.measurementMatrix = unit[:axes]
        made.processNoiseCov = unit * np.float32((_UNSTEADY * self._furthest) ** 2)
        made.measurementNoiseCov = unit[:axes, :axes] * np.float32((_UNSURE * self._furthest) ** 2)
        made.errorCovPost = unit * np.float32(self._furthest**2)
        made.statePost = np.concatenate([middle, np.zeros_like(middle)])
        return made


class Flow:
    """What moves goes where the picture went: Lucas and Kanade's optical flow around each node (OpenCV's).

    ``read`` gives a frame (y, x); ``spacing``: µm (y, x).
    """

    def __init__(self, places: Sightings, read: Callable[[int], np.ndarray], spacing: np.ndarray) -> None:
        self._places, self._read, self._spacing = places, read, spacing
        self._pictures: dict[int, np.ndarray] = {}
        self._limits: tuple[float, float] | None = None

    def expect(self, row: int, frame: int) -> np.ndarray:
        import cv2

        at = (self._places.at[row] / self._spacing)[:, ::-1].astype(np.float32)[:, None]
        for step in range(int(self._places.frame[row]), frame):
            old, new = self._picture(step), self._picture(step + 1)
            guess: Any = None
            went, found, _ = cv2.calcOpticalFlowPyrLK(
                old, new, at, guess, winSize=(_WINDOW, _WINDOW), maxLevel=_HALVINGS
            )
            # of all nodes the middle way: what crosses takes some of them along
            ways = (went - at)[found[:, 0] > 0]
            at = at + np.median(ways, axis=0) if len(ways) else at
        return np.asarray(at[:, 0, ::-1] * self._spacing, float)

    def saw(self, row: int, before: int | None) -> None:
        """Pictures that no track looks back to are forgotten."""
        newest = int(self._places.frame[row])
        for frame in [one for one in self._pictures if one < newest - 64]:
            del self._pictures[frame]

    def _picture(self, frame: int) -> np.ndarray:
        if frame not in self._pictures:
            picture = np.asarray(self._read(frame), np.float32)
            if self._limits is None:
                low, high = np.percentile(picture, [0.5, 99.5])
                self._limits = float(low), max(float(high), float(low) + 1e-6)
            low, high = self._limits
            self._pictures[frame] = (np.clip((picture - low) / (high - low), 0, 1) * 255).astype(np.uint8)
        return self._pictures[frame]


def check_cv2() -> None:
    """Raise PredictionError where OpenCV is missing."""
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        raise PredictionError(
            "methods 'kalman' and 'flow' need OpenCV: pip install opencv-python-headless; method='lap' works without"
        ) from error
