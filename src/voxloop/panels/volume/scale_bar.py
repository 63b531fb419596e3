"""A length that is known, drawn with two clicks in the picture, as voxel size. Knows no files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np

from voxloop.errors import VolumeError
from voxloop.geometry import AXES
from voxloop.panels.base.panel import Panel, button, classed, row, show, text
from voxloop.panels.view.shapes import VectorShape

if TYPE_CHECKING:
    from voxloop.panels.view.plane_view import PlaneView

_TOOL = "scale bar"
_UNITS = {"nm": 1e-3, "µm": 1.0, "mm": 1e3}
#: voxels between the ends: nearer ones say little, since a click is a voxel off
_SHORTEST = 4


class ScaleBar:
    """A button, two clicks, and a field for the length between them.

    ``measured({axis: micrometres})`` is called with the pixel size of the plane on show.
    """

    def __init__(
        self, panel: Panel, view: Callable[[], PlaneView | None], measured: Callable[[dict[str, float]], object]
    ) -> None:
        self._panel, self._view, self._measured = panel, view, measured
        self._ends: list[tuple[float, float]] = []
        self._axis = "z"
        self._listening: Any = None
        tip = "Click both ends of something whose length is known, such as a scale bar in the picture"
        self._begin = button("Scale bar…", panel.handler(self.begin), tooltip=tip)
        self._words = text("", "vx-small", "vx-dim")
        self._length = classed(w.Text(placeholder="its length", continuous_update=False), "vx-short")
        self._unit = classed(w.Dropdown(options=list(_UNITS), value="µm", tooltip="Unit of the length"), "vx-short")
        self._length.observe(panel.handler(self._typed), "value")
        self._entry = row(self._length, self._unit)
        self.widget = row(self._begin, self._words, self._entry)
        show(self._entry, False)

    def begin(self) -> None:
        """Wait for the first end."""
        view = self._view()
        if view is None:
            raise VolumeError("open a picture first; the scale bar is clicked in it")
        if self._listening is None:
            self._listening = view.on("click", self._panel.handler(self._clicked))
        self._ends = []
        self._length.value = ""
        view.set_shapes([])
        view.set_tool(name=_TOOL, draws="", color="#ffe16b")
        show(self._entry, False)
        self._words.value = "Click one end of the known length."

    def forget(self) -> None:
        """Another picture is on show."""
        view = self._view()
        if self._ends and view is not None:
            view.set_shapes([])
        self._ends = []
        self._words.value = ""
        show(self._entry, False)

    def _clicked(self, message: dict[str, Any]) -> None:
        view = self._view()
        if message.get("tool") != _TOOL or view is None:
            return
        if self._ends and message["axis"] != self._axis:
            self._ends = []
        self._axis = str(message["axis"])
        self._ends.append((float(message["row"]), float(message["column"])))
        if len(self._ends) < 2:
            self._words.value = "Click the other end."
            return
        view.set_tool()
        view.set_shapes([VectorShape("line", self._ends, self._axis, int(message["index"]), width=2.5)])
        self._words.value = "Type the length between the ends."
        show(self._entry, True)

    def _typed(self) -> None:
        words = str(self._length.value).strip().replace(",", ".")
        view = self._view()
        if not words or len(self._ends) < 2 or view is None:
            return
        try:
            length_um = float(words) * _UNITS[str(self._unit.value)]
        except ValueError:
            raise VolumeError(f"length {words!r}: write a number, such as 5") from None
        if not np.isfinite(length_um) or length_um <= 0:
            raise VolumeError(f"length {words!r} must be greater than 0")
        first, last = self._ends
        steps = np.abs(np.subtract(first, last))
        if np.hypot(*steps) < _SHORTEST:
            raise VolumeError("the ends lie too near to each other; click those of something longer")
        plane = [axis for axis in AXES if axis != self._axis]
        now = dict(zip(AXES, view.planes.spacing_um, strict=True))
        # pixels keep their proportions: only how large they are was not known
        length_now = float(np.hypot(*(step * now[axis] for step, axis in zip(steps, plane, strict=True))))
        self._words.value = ""
        show(self._entry, False)
        view.set_shapes([])
        self._measured({axis: now[axis] * length_um / length_now for axis in plane})
