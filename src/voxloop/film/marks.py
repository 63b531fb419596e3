"""What marks and tracks look like plane by plane: bodies, boxes, spots, trails, ids. Reads marks; draws nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from voxloop.film.colors import color
from voxloop.film.instance_shapes import ColorBy, InstancePainter, Spot
from voxloop.film.shapes import VectorShape
from voxloop.geometry import AXES

#: instances of one plane that are drawn; more would be one blot
MOST = 2000


class MarkSource(Protocol):
    """Something that knows its shapes on every plane across one axis."""

    def shapes(self, index: int) -> list[VectorShape]: ...


class InstanceMarks:
    """Points, bodies or boxes of a level, in the colours of the panel.

    Parameters
    ----------
    marks
        Points or boxes of a level on an image.
    axis
        Across what the planes lie.
    color_by
        What colours tell apart.
    trail
        So many frames before the one on show, over which the middles of tracks are joined; 0: none.
    names
        Track, class and score beside each.
    """

    def __init__(self, marks: Any, axis: str, *, color_by: ColorBy = "track", trail: int = 0, names: bool = False):
        self._marks, self._axis, self._trail = marks, axis, trail
        level = marks.level
        painter = self._painter = InstancePainter()
        painter.color_by, painter.names, painter.box = color_by, names, level.kind == "boxes"
        painter.classes = {item.name: item.color for item in level.classes}
        painter.tracks = marks.tracks
        if level.skeleton:
            painter.nodes, painter.edges = level.skeleton.nodes, level.skeleton.edges
        places = 2 if marks.framed else 3
        plane = [n for n, name in enumerate(AXES) if name != axis]
        self._plane = (plane[0] - 3 + places, plane[1] - 3 + places)
        self._middles: dict[int, list[tuple[str, Spot]]] = {}

    def shapes(self, index: int) -> list[VectorShape]:
        """Everything of one plane: trails below, instances above."""
        instances = self._read(index)[:MOST]
        drawn = self._painter.shapes(instances, index, self._axis, self._plane, None)
        if self._trail and self._marks.framed:
            return [*self._painter.trails(self._paths(index), index, self._axis), *drawn]
        return drawn

    def _read(self, index: int) -> list[Any]:
        if self._marks.framed or self._axis == "z":
            return list(self._marks.near(index, 1))
        through = AXES.index(self._axis)
        return [one for one in self._marks.read() if abs(one.centre[through] - index) <= 1]

    def _paths(self, index: int) -> dict[str, list[Spot]]:
        first = max(0, index - self._trail)
        self._middles = {frame: places for frame, places in self._middles.items() if first <= frame <= index}
        paths: dict[str, list[Spot]] = defaultdict(list)
        a, b = self._plane
        for frame in range(first, index + 1):
            if frame not in self._middles:
                there = [one for one in self._marks.read(frame) if one.track is not None and one.points]
                self._middles[frame] = [(one.track, (one.centre[a], one.centre[b])) for one in there]
            for track, place in self._middles[frame]:
                paths[track].append(place)
        return dict(paths)


class FrameClass:
    """The class of each frame, in words at its corner."""

    def __init__(self, marks: Any, axis: str) -> None:
        self._marks, self._axis = marks, axis
        self._colors = {item.name: item.color for item in marks.level.classes}

    def shapes(self, index: int) -> list[VectorShape]:
        """One word, where the frame has a class."""
        said = self._marks.read(index if self._marks.framed else None)
        if said is None or said.label is None:
            return []
        rows, columns = self._marks.shape[1:]
        sure = "" if said.score is None else f" {said.score:.2f}"
        words = f"{said.label}{sure}{' (predicted)' if said.predicted else ''}"
        place = (0.09 * rows, 0.03 * columns)
        tint = self._colors.get(said.label, "#ffe16b")
        return [VectorShape("points", (place,), self._axis, index, tint, words, radius=5.0)]


class TrackMarks:
    """Tracks of a run: where each is and came from, with its number.

    ``table`` has a row an instance (``track``, ``frame``, ``y um``, ``x um``), as ``tracks.table()`` gives it.
    """

    def __init__(self, table: Any, spacing_um: Sequence[float], *, trail: int = 0, names: bool = True) -> None:
        self._trail, self._names = trail, names
        track, frame = (table[name].to_numpy() for name in ("track", "frame"))
        places = table[["y um", "x um"]].to_numpy() / np.asarray(spacing_um[-2:])
        order = np.lexsort((frame, track))
        self._track, self._frame, self._place = track[order], frame[order], places[order]

    def shapes(self, index: int) -> list[VectorShape]:
        """Trails, and a spot with its number at the end of each that is there."""
        seen = (self._frame <= index) & (self._frame >= index - self._trail)
        out: list[VectorShape] = []
        tracks, frames, places = self._track[seen], self._frame[seen], self._place[seen]
        begins = [n for n in range(len(tracks)) if n == 0 or tracks[n] != tracks[n - 1]]
        for first, last in zip(begins, [*begins[1:], len(tracks)], strict=True):
            if frames[last - 1] != index:  # it has ended, or is not seen here
                continue
            number = int(tracks[first])
            path = [(float(y), float(x)) for y, x in places[first:last]]
            if len(path) > 1:
                out.append(VectorShape("line", path, "z", index, color(number), width=1.5))
            words = f"#{number}" if self._names else ""
            out.append(VectorShape("points", path[-1:], "z", index, color(number), words, radius=2.5))
        return out
