"""The selection in the hand: drawn or clicked, moved, turned, scaled, then painted or copied. Paints nothing itself."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Protocol

import ipywidgets as w
import numpy as np

from voxloop.errors import LabelError
from voxloop.guides.selections import Selection
from voxloop.panels.base.panel import button, column, labelled, row, text
from voxloop.panels.label.tools import Call
from voxloop.panels.view.shapes import VectorShape
from voxloop.store import shapes

if TYPE_CHECKING:
    from voxloop.panels.label.tool_box import ToolBox
    from voxloop.panels.label.tools import ToolState
    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.store import Labels

#: screen pixels around a handle that hold it; of a drag that is none
_GRIP, _STILL = 9.0, 3.0
#: degrees and factor of one press of a key
_TURN, _GROW = 5.0, 1.1
_COLOR = "#ffe16b"
#: corners of a freehand outline that are kept
_CORNERS = 400


class SelectionOwner(Protocol):
    """The panel whose labels are selected."""

    labels: Labels
    view: PlaneView
    state: ToolState
    tools: ToolBox

    def edit(self, call: Call) -> None: ...


class Selecting:
    """One selection on one plane. A drag begins on a handle, inside of it, or makes a new one."""

    def __init__(self, owner: Any) -> None:
        self._owner: SelectionOwner = owner
        self._panel = owner
        self.selection: Selection | None = None
        self.plane: tuple[str, int] | None = None
        self._begun: tuple[str, np.ndarray, Selection | None] | None = None
        self._path: list[np.ndarray] = []
        self._shape = w.Dropdown(
            options=["box", "ellipse", "freehand"], **labelled("Drag a", "A click takes the object under it")
        )
        self._depth = w.BoundedIntText(0, min=0, max=999, **labelled("Slices", "To either side, changed alike"))
        take = button("Apply", owner.handler(self.take), tooltip="What Shape says (Enter); it stays, to be used again")
        drop = button("Drop", owner.handler(self.drop), tooltip="Forget the selection (Esc)")
        self._words = text("", "vx-dim", "vx-small")
        owner.tools.add("selecting", column(self._shape, self._depth, row(take, drop), self._words))
        self._tell()

    @property
    def points(self) -> list[Any] | None:
        """Its corners as a line of Python has them; None where there is no selection."""
        if self.selection is None:
            return None
        lines = [[(round(float(y), 1), round(float(x), 1)) for y, x in line] for line in self.selection.outlines]
        return lines[0] if len(lines) == 1 else lines

    # ------------------------------------------------------------------------------------------------------- pointer

    def point(self, message: dict[str, Any]) -> None:
        """The pointer is pressed, dragged, or (``last``) let go."""
        axis, index = str(message["axis"]), int(message["index"])
        if self.plane != (axis, index):
            self.drop()
            self.plane = axis, index
        place = np.array([float(message["row"]), float(message["column"])])
        if self._begun is None:
            self._begun = self._begin(place)
            self._path = [place]
        what, start, before = self._begun
        self._path.append(place)
        self.selection = self._dragged(what, start, before, place)
        if message.get("last"):
            self._begun = None
            if what == "new" and self._near(place, start, _STILL):
                self.selection = None
                self._take_object(axis, index, place)
        self._draw()

    def _begin(self, place: np.ndarray) -> tuple[str, np.ndarray, Selection | None]:
        now = self.selection
        if now is None:
            return "new", place, None
        if self._near(place, now.knob, _GRIP):
            return "turn", place, now
        for corner, handle in enumerate(now.handles):
            if self._near(place, handle, _GRIP):
                return f"corner {corner}", place, now
        return ("move" if now.holds(place) else "new"), place, now

    def _dragged(self, what: str, start: np.ndarray, before: Selection | None, place: np.ndarray) -> Selection | None:
        if what == "new" or before is None:
            return self._drawn(start, place)
        if what == "move":
            return before.moved(place - start)
        if what == "turn":
            return before.turned(before.angle_to(place) - before.angle_to(start))
        return before.pulled(int(what[-1]), place)

    def _drawn(self, start: np.ndarray, place: np.ndarray) -> Selection | None:
        if self._shape.value == "freehand":
            if len(self._path) < 3:
                return None
            step = -(-len(self._path) // _CORNERS)
            return Selection((np.array(self._path[::step]),), self._spacing)
        if (np.abs(place - start) < 0.5).any():
            return None
        corners = shapes.outline(self._shape.value, np.stack([start, place]))
        return Selection((corners,), self._spacing)

    def _take_object(self, axis: str, index: int, place: np.ndarray) -> None:
        """The object under a click becomes the selection, and its class the one in hand."""
        labels = self._owner.labels
        row_column = float(place[0]), float(place[1])
        outlines = labels.outline_at(axis=axis, index=index, point=row_column)
        self.selection = Selection(tuple(outlines), self._spacing)
        y, x = (int(n) for n in np.floor(place + 0.5))
        self._owner.state.value = int(labels.plane(axis, index, box=(slice(y, y + 1), slice(x, x + 1)))[0, 0])

    @property
    def _spacing(self) -> tuple[float, float]:
        assert self.plane is not None
        steps, across = self._owner.labels.spacing_um, self.plane[0]
        rows, columns = (step for step, name in zip(steps, "zyx", strict=True) if name != across)
        return rows, columns

    def _near(self, one: np.ndarray, other: np.ndarray, pixels: float) -> bool:
        """Whether two places are that close on screen."""
        away = np.hypot(*((one - other) * np.array(self._spacing)))
        return bool(away <= pixels * self._owner.view.pixel_um)

    # ---------------------------------------------------------------------------------------------------------- keys

    def change(self, name: str) -> None:
        """Move, turn or scale it by one step."""
        if self.selection is None:
            raise LabelError("there is no selection: drag one, or click on a labelled object")
        steps = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
        if name in steps:
            self.selection = self.selection.moved(np.array(steps[name], float))
        elif name in ("turn", "turn back"):
            self.selection = self.selection.turned(_TURN if name == "turn" else -_TURN)
        else:
            self.selection = self.selection.scaled(_GROW if name == "larger" else 1 / _GROW)
        self._draw()

    def take(self) -> None:
        """Paint, or take away, what the shape says; the selection stays."""
        points = self.points
        if points is None or self.plane is None:
            raise LabelError("there is no selection: drag one, or click on a labelled object")
        self.check_in_sight()
        state = self._owner.state
        arguments: dict[str, Any] = {"axis": self.plane[0], "index": self._index, "points": points}
        arguments |= {"value": state.value, **({} if state.mode == "add" else {"mode": state.mode})}
        if self._depth.value:
            arguments["depth"] = self._depth.value
        self._owner.edit(Call("polygon", arguments))

    def check_in_sight(self) -> None:
        """Raise LabelError where the selection was moved out of the picture."""
        if self.selection is None or self.plane is None:
            return
        sizes = [size for size, name in zip(self._owner.labels.shape, "zyx", strict=True) if name != self.plane[0]]
        first, last = self.selection.bounds
        if (last < -0.5).any() or (first > np.array(sizes) - 0.5).any():
            raise LabelError("the selection lies outside of the picture; move it back, or drop it with Escape")

    @property
    def _index(self) -> int:
        """It is used on the slice in sight, wherever it was drawn along its axis."""
        assert self.plane is not None
        return self._owner.view.index if self._owner.view.axis == self.plane[0] else self.plane[1]

    def drop(self) -> None:
        """Forget the selection."""
        if self.plane is None:
            return
        self.selection, self.plane, self._begun = None, None, None
        self._owner.view.set_shapes([])
        self._tell()

    def show(self) -> None:
        """Draw it again, after something else was drawn."""
        if self.selection is not None:
            self._draw()

    def _draw(self) -> None:
        if self.plane is None or self.selection is None:
            self._owner.view.set_shapes([])
            self._tell()
            return
        axis, now = self.plane[0], self.selection
        pair = lambda point: (float(point[0]), float(point[1]))  # noqa: E731
        drawn = [
            VectorShape("outline", [pair(one) for one in line], axis, None, _COLOR, width=2.0) for line in now.outlines
        ]
        top = (now.handles[0] + now.handles[1]) / 2
        drawn.append(VectorShape("line", [pair(top), pair(now.knob)], axis, None, _COLOR))
        drawn.append(VectorShape("points", [pair(one) for one in (*now.handles, now.knob)], axis, None, _COLOR))
        self._owner.view.set_shapes(drawn)
        self._tell("Enter applies it here, and on other slices. Corners scale it, the knob above turns it.")

    def _tell(self, words: str = "Drag a shape, or click on a labelled object.") -> None:
        self._words.value = html.escape(words)
