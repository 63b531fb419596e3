"""The vector shapes of a plane view: which there are, and drawing those of its plane. Knows no page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from voxloop.geometry import AXES
from voxloop.panels.view.plane_widget import PlaneWidget
from voxloop.panels.view.planes import PlaneBox, VolumePlanes
from voxloop.panels.view.shapes import ShapeCanvas, VectorShape


class OverlaidView(Protocol):
    """What shapes need of the view over which they are drawn."""

    widget: PlaneWidget

    @property
    def planes(self) -> VolumePlanes: ...
    @property
    def axis(self) -> str: ...
    @property
    def index(self) -> int: ...
    @property
    def window(self) -> tuple[str, int, PlaneBox] | None: ...
    @property
    def pixel_um(self) -> float: ...


class ShapeOverlay:
    """Shapes over the picture; a canvas is made when there are any."""

    def __init__(self, view: OverlaidView) -> None:
        self.shapes: tuple[VectorShape, ...] = ()
        self._view = view
        self._canvas: ShapeCanvas | None = None

    def show(self, shapes: Sequence[VectorShape]) -> None:
        """Draw these instead of the ones before; each shows on its own plane."""
        if not shapes and not self.shapes:
            return
        self.shapes = tuple(shapes)
        if self._canvas is None and self.shapes:
            self._canvas = ShapeCanvas()
            self._view.widget.overlay = self._canvas.widget
        self.draw()

    def draw(self) -> None:
        """Draw what is on this plane, for the window of the display that moved last; others scale it with theirs."""
        view = self._view
        if self._canvas is None:
            return
        here = [shape for shape in self.shapes if shape.is_on(view.axis, view.index)]
        if not here:
            view.widget.set_trait("overlay_box", None)
            return
        rows, columns = (view.planes.spacing_um[i] for i, name in enumerate(AXES) if name != view.axis)
        window = view.window
        box = window[2] if window else (0, 0, *view.planes.geometry(view.axis).shape)
        self._canvas.draw(here, box, (rows / view.pixel_um, columns / view.pixel_um))
        view.widget.overlay_box = {"axis": view.axis, "index": view.index, "box": list(box)}

    def detach(self) -> None:
        """Take the canvas out of the widget.

        It holds ipycanvas' one manager for all canvases: whoever closes what the widget holds must not find it.
        """
        self._view.widget.set_trait("overlay", None)

    def close(self) -> None:
        """Close the canvas."""
        if self._canvas is not None:
            self._canvas.close()
