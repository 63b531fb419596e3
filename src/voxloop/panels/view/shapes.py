"""Vector shapes over a picture, drawn from Python on an ipycanvas: boxes, points, lines, words. Knows no volume."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from voxloop.film.shapes import VectorShape as VectorShape
from voxloop.film.shapes import corners_of

#: canvas pixels for one of the screen: lines stay crisp on a dense display
DENSITY = 1.5
LARGEST = 3000


class ShapeCanvas:
    """Draws the shapes of one plane for one window; the page moves and scales the result with its camera."""

    def __init__(self) -> None:
        from ipycanvas import Canvas

        self.widget = Canvas(width=10, height=10, sync_image_data=False)

    def draw(self, shapes: Iterable[VectorShape], box: Sequence[float], pixels_per_voxel: tuple[float, float]) -> None:
        """Draw shapes of the plane in ``box`` (top, left, bottom, right in voxel edges) at a scale (rows, columns)."""
        top, left, bottom, right = box
        dense = min(
            DENSITY,
            LARGEST / max((bottom - top) * pixels_per_voxel[0], (right - left) * pixels_per_voxel[1], 1.0),
        )
        fy, fx = pixels_per_voxel[0] * dense, pixels_per_voxel[1] * dense
        size = max(1, round((right - left) * fx)), max(1, round((bottom - top) * fy))
        if (self.widget.width, self.widget.height) != size:
            self.widget.width, self.widget.height = size

        def place(point: Sequence[float]) -> tuple[float, float]:
            return (point[1] + 0.5 - left) * fx, (point[0] + 0.5 - top) * fy

        with drawing():
            self.widget.clear()
            for shape in shapes:
                self._draw(shape, [place(point) for point in shape.points], dense)

    def _draw(self, shape: VectorShape, points: list[tuple[float, float]], dense: float) -> None:
        pen = self.widget
        dash = [6 * dense, 4 * dense] if shape.dashed else []
        pen.set_line_dash(dash)
        if shape.kind == "points":
            for x, y in points:
                pen.fill_style, pen.stroke_style, pen.line_width = shape.color, "rgba(0,0,0,0.75)", dense
                pen.fill_circle(x, y, shape.radius * dense)
                pen.stroke_circle(x, y, shape.radius * dense)
        else:
            corners = corners_of(points) if shape.kind == "box" else points
            closed = shape.kind != "line"
            # a dark line below the coloured one: it shows on bright and on dark ground
            for color, width in (("rgba(0,0,0,0.6)", shape.width + 2), (shape.color, shape.width)):
                pen.stroke_style, pen.line_width = color, width * dense
                pen.begin_path()
                pen.move_to(*corners[0])
                for corner in corners[1:]:
                    pen.line_to(*corner)
                if closed:
                    pen.close_path()
                pen.stroke()
        if shape.words:
            x, y = min(points, key=lambda point: (point[1], point[0]))
            pen.font = f"600 {11 * dense:.0f}px sans-serif"
            pen.stroke_style, pen.line_width, pen.fill_style = "rgba(0,0,0,0.8)", 3 * dense, shape.color
            pen.stroke_text(shape.words, x + 3 * dense, y - 5 * dense)
            pen.fill_text(shape.words, x + 3 * dense, y - 5 * dense)

    def close(self) -> None:
        """Close the canvas."""
        self.widget.close()
        self.widget.layout.close()


@contextmanager
def drawing() -> Iterator[None]:
    """All commands in one message. An error inside does not leave every canvas of the process silent."""
    from ipycanvas import canvas as module

    manager: Any = module._CANVAS_MANAGER
    before = manager._caching
    try:
        with module.hold_canvas():
            yield
    finally:
        manager._caching = before
