"""What lies over the picture of one plane: its instances, their trails, the class of the frame. Reads, never writes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from voxloop.geometry import AXES
from voxloop.panels.points.grip import Spot
from voxloop.panels.view.shapes import VectorShape
from voxloop.store import Instance, PictureLabels

if TYPE_CHECKING:
    from voxloop.panels.points.points_panel import PointsPanel

#: instances of one plane that are drawn; more would be one blot
MOST = 2000


class OverlayShapes:
    """Draws for one panel; what it shows is read once a plane and after every edit."""

    def __init__(self, owner: PointsPanel) -> None:
        self._owner = owner
        self.instances: list[Instance] = []
        self.trail = 0

    def read(self) -> None:
        """Take up what is on the plane now."""
        owner = self._owner
        marks = owner.marks
        if isinstance(marks, PictureLabels):
            self.instances = []
        elif marks.framed:
            self.instances = marks.read(owner.view.index)[:MOST]
        elif owner.view.axis == "z":
            self.instances = marks.near(owner.view.index, 1)[:MOST]
        else:
            through = AXES.index(owner.view.axis)
            near = [one for one in marks.read() if abs(one.centre[through] - owner.view.index) <= 1]
            self.instances = near[:MOST]
        owner.painter.tracks = marks.tracks

    def draw(self, moved: dict[str, Spot] | None = None) -> None:
        """Draw everything; ``moved`` nodes of the chosen one, or of a box under way, lie there instead."""
        owner = self._owner
        axis, index = owner.plane
        if isinstance(owner.marks, PictureLabels):
            owner.view.set_shapes(self._picture(axis, index))
            return
        plane = owner.hand.axes
        instances = self.instances
        extra: list[VectorShape] = []
        if moved:
            instances = [self._with(one, moved, plane) if one.id == owner.selected else one for one in instances]
            if owner.selected is None and {"start", "stop"} <= set(moved):
                extra.append(VectorShape("box", (moved["start"], moved["stop"]), axis, index, dashed=True))
        shapes = owner.painter.shapes(instances, index, axis, plane, owner.selected)
        if self.trail and owner.marks.framed:
            shapes = [*owner.painter.trails(self._paths(plane), index, axis), *shapes]
        owner.view.set_shapes([*shapes, *extra])

    def _with(self, one: Instance, moved: dict[str, Spot], plane: Any) -> Instance:
        points = dict(one.points)
        for name, spot in moved.items():
            place = list(points[name])
            for n, axis in enumerate(plane):
                place[axis] = spot[n]
            points[name] = tuple(place)
        return replace(one, points=points)

    def _paths(self, plane: Any) -> dict[str, list[Spot]]:
        """Middles of every track in the frames before, oldest first."""
        paths: dict[str, list[Spot]] = {}
        index = self._owner.view.index
        for frame in range(max(0, index - self.trail), index + 1):
            for one in self._owner.marks.read(frame):
                if one.track is not None:
                    a, b = (one.centre[axis] for axis in plane)
                    paths.setdefault(one.track, []).append((a, b))
        return paths

    def _picture(self, axis: str, index: int) -> list[VectorShape]:
        """The class of the frame, in words at its corner."""
        owner = self._owner
        said = owner.marks.read(owner.frame)
        if said is None or said.label is None:
            return []
        rows, columns = owner.marks.shape[1:]
        sure = "" if said.score is None else f" {said.score:.2f}"
        words = f"{said.label}{sure}{' (predicted)' if said.predicted else ''}"
        tint = owner.painter.classes.get(said.label, "#ffe16b")
        return [VectorShape("points", ((0.09 * rows, 0.03 * columns),), axis, index, tint, words, radius=5.0)]
