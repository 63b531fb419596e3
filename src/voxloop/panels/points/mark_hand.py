"""What a click or a drag over the picture does to points and boxes. Knows no widgets: its owner draws and says.

With the mouse a drag is several clicks, the last of which says so; with the keyboard every click is a last one: the
first takes hold, the next lets go.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from voxloop.geometry import AXES
from voxloop.panels.points import grip, placement
from voxloop.panels.points.grip import Grip, Spot
from voxloop.panels.points.mark_tools import BY_NAME
from voxloop.store import BoxLabels, PointLabels

if TYPE_CHECKING:
    from voxloop.store import Instance

#: seconds between two clicks that are one double click, and pixels of the screen that the hand may miss a node by
DOUBLE_SECONDS = 0.5
REACH = 10.0


class MarkOwner(Protocol):
    """The panel whose points are changed."""

    marks: Any
    mode: placement.Mode
    label: str | None
    selected: int | None

    @property
    def frame(self) -> int | None: ...
    @property
    def plane(self) -> tuple[str, int]: ...
    @property
    def shown(self) -> list[Instance]: ...
    @property
    def pixel(self) -> float: ...
    def choose(self, number: int | None, node: str | None = None) -> None: ...
    def draw(self, moved: dict[str, Spot] | None = None) -> None: ...
    def note(self, code: str) -> None: ...
    def say(self, words: str, kind: Any = "info") -> None: ...


class MarkHand:
    """One hand: what it holds, and since when."""

    def __init__(self, owner: MarkOwner) -> None:
        self._owner = owner
        self._grip: Grip | None = None
        self._corner: Spot | None = None
        self._began = False  # a drag of the mouse is under way
        self._pressed: tuple[float, int] = (0.0, -1)

    @property
    def axes(self) -> tuple[int, ...]:
        """Which axes of a place lie in the plane."""
        if self._owner.marks.framed:
            return 0, 1
        axis = self._owner.plane[0]
        return tuple(n for n, name in enumerate(AXES) if name != axis)

    def let_go(self) -> None:
        """Forget what is held: another frame is on show."""
        self._grip = self._corner = None
        self._began = False

    def click(self, message: Mapping[str, Any]) -> None:
        """Take up one click of a page."""
        at = float(message["row"]), float(message["column"])
        last = bool(message.get("last"))
        tool = str(message["tool"])
        if tool == "pick":
            self._take(at, "node")
            self._grip = None
        elif tool == "add":
            self._add(at, last)
        elif BY_NAME.get(tool) is not None and BY_NAME[tool].way is not None:
            self._drag(at, last, str(BY_NAME[tool].way))
        if last:
            self._began = False
        elif tool != "pick":
            self._began = True

    # --------------------------------------------------------------------------------------------------------- adding

    def _add(self, at: Spot, last: bool) -> None:
        owner = self._owner
        if isinstance(owner.marks, BoxLabels):
            return self._add_box(at, last)
        if not last:
            return None
        told = placement.placed(owner.marks, owner.frame, self._place(at), owner.mode)
        if owner.label is not None:
            told["label"] = owner.label
        number = owner.marks.add(owner.frame, **told)
        more = "".join(f", {name}={value!r}" for name, value in told.items() if name != "points" and value)
        owner.note(f"add({owner.frame!r}, {_written(told['points'])}{more})")
        owner.choose(number)
        return None

    def _add_box(self, at: Spot, last: bool) -> None:
        owner = self._owner
        if self._corner is None:
            owner.choose(None)
            self._corner = at
            if last:
                owner.say("First corner; go to the other one.", "quiet")
            return
        if not last:
            owner.draw({"start": self._corner, "stop": at})
            return
        start, self._corner = self._corner, None
        if abs(start[0] - at[0]) < 1 or abs(start[1] - at[1]) < 1:
            owner.draw()
            owner.say("Drag from corner to corner: a box needs an inside.", "quiet")
            return
        corners = self._place(start), self._place(at)
        number = owner.marks.add(owner.frame, corners, owner.label)
        owner.note(f"add({owner.frame!r}, {corners!r}, {owner.label!r})")
        owner.choose(number)

    # --------------------------------------------------------------------------------------------------------- moving

    def _take(self, at: Spot, way: Any) -> Grip | None:
        owner = self._owner
        reach = REACH * owner.pixel
        box = isinstance(owner.marks, BoxLabels)
        found = grip.take(owner.shown, at, reach, way, self.axes, box=box)
        owner.choose(None if found is None else found.id, None if found is None else found.node)
        return found

    def _drag(self, at: Spot, last: bool, way: str) -> None:
        owner = self._owner
        if self._grip is None:
            if self._began:
                return
            self._grip = self._take(at, way)
            if self._grip is None:
                return
            if self._is_double(self._grip.id):
                self._grip = None
                self._accept()
            elif last:
                owner.say("Taken; the next Space lets go.", "quiet")
            return
        held = self._grip
        moved = held.moved(at)
        if not last:
            owner.draw(moved)
            return
        self._grip = None
        if at == held.at:
            self._pressed = time.monotonic(), held.id
            owner.draw()
            return
        places = {name: self._place(spot, self._depth(held.id, name)) for name, spot in moved.items()}
        given: Any = (places["start"], places["stop"]) if held.box else places
        owner.marks.move(held.id, given)
        owner.note(f"move({held.id}, {_written(given)})")
        owner.choose(held.id, held.node)

    def _is_double(self, number: int) -> bool:
        """Whether a prediction that was clicked a moment ago is clicked again."""
        when, pressed = self._pressed
        recent = number == pressed and time.monotonic() - when < DOUBLE_SECONDS
        return recent and bool(self._owner.marks.instance(number).predicted)

    def _accept(self) -> None:
        owner = self._owner
        number = owner.selected
        if number is not None and owner.marks.instance(number).predicted:
            owner.marks.accept(number)
            owner.note(f"accept({number})")

    # --------------------------------------------------------------------------------------------------------- places

    def _depth(self, number: int, node: str) -> float:
        """Where along the axis through the plane a node lies."""
        if self._owner.marks.framed:
            return 0.0
        place = self._owner.marks.instance(number).points[node]
        return float(place[AXES.index(self._owner.plane[0])])

    def _place(self, spot: Spot, depth: float | None = None) -> tuple[float, ...]:
        """A spot of the plane as a place, inside of the picture and to a tenth of a voxel."""
        owner = self._owner
        marks: PointLabels | BoxLabels = owner.marks
        place = [round(spot[0], 1), round(spot[1], 1)]
        extent = list(marks.shape[1:])
        if not marks.framed:
            axis, index = owner.plane
            place.insert(AXES.index(axis), float(index) if depth is None else depth)
            extent = list(marks.shape)
        return tuple(min(max(value, -0.5), size - 0.5) for value, size in zip(place, extent, strict=True))


def _written(given: Any) -> str:
    if isinstance(given, dict):
        return "{" + ", ".join(f"{name!r}: {_short(at)}" for name, at in given.items()) + "}"
    return "(" + ", ".join(_short(at) for at in given) + ")"


def _short(place: Any) -> str:
    return "(" + ", ".join(f"{value:g}" for value in place) + ")"
