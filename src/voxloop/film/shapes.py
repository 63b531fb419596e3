"""Vector shapes over a plane: boxes, points, lines, words. Pure: says what is to be drawn, and draws nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class VectorShape:
    """One shape on plane ``index`` across ``axis`` (None: on each).

    ``points`` are (row, column) voxel coordinates, centres at integers: two corners of a ``"box"``, any number of
    ``"points"``, the corners of a ``"line"`` or ``"outline"`` (closed). ``words`` stand above the leftmost. ``radius``
    of points and ``width`` of lines are screen pixels.
    """

    kind: Literal["box", "points", "line", "outline"]
    points: Sequence[tuple[float, float]]
    axis: str = "z"
    index: int | None = None
    color: str = "#ffe16b"
    words: str = ""
    width: float = 1.5
    radius: float = 4.0
    dashed: bool = False

    def is_on(self, axis: str, index: int) -> bool:
        """Whether the shape shows on a plane."""
        return self.axis == axis and self.index in (None, index)

    def moved(self, rows: float, columns: float) -> VectorShape:
        """The same shape elsewhere."""
        return replace(self, points=[(row + rows, column + columns) for row, column in self.points])


def corners_of(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The four corners of a box, in order, from two that face each other."""
    (x0, y0), (x1, y1) = points[0], points[1]
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
