"""Which function answers which kind of request, and what it is given. Loads them by name; knows no learner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.errors import RunError, unknown
from voxloop.geometry import AXES, Box, Shape, plane_axes
from voxloop.helper.planes import Planes
from voxloop.model import resolve

#: kind -> "module:function" called with a :class:`Job`; it returns plain JSON for the last answer of the request.
#: Plugins add kinds as entry points of the group ``voxloop.helpers``.
HANDLERS = {
    "live": "voxloop.helper.live:answer",
    "overlay": "voxloop.helper.overlay:answer",
    "first": "voxloop.helper.first:answer",
    "objects": "voxloop.helper.objects:answer",
    "point": "voxloop.helper.pointing:answer",
    "inputs": "voxloop.deep.begin.preview:inputs",
    "receptive_field": "voxloop.deep.begin.preview:receptive_field",
    "place_inputs": "voxloop.deep.pose.preview:inputs",
    "place_field": "voxloop.deep.pose.preview:receptive_field",
    "rate": "voxloop.deep.begin.rate_finder:answer",
    "forecast": "voxloop.deep.begin.forecast:answer",
    "encoders": "voxloop.deep.networks.encoders:answer",
}


class Dropped(Exception):
    """The request is not wanted any more."""


@dataclass(frozen=True)
class View:
    """What is on screen: a box of the plane ``index`` across ``axis``, every ``step``-th voxel of it.

    ``rows`` and ``columns`` are voxels along the plane's axes in zyx order; pixel (i, j) shows the voxel
    ``(rows.start + i * step, columns.start + j * step)``.
    """

    axis: str
    index: int
    rows: slice
    columns: slice
    step: int = 1
    focus: tuple[float, float] | None = None

    @classmethod
    def from_json(cls, data: dict[str, Any], shape: Shape) -> View:
        """Raises RunError for a view that does not lie in a volume of ``shape``."""
        axis, index, step = str(data["axis"]), int(data["index"]), int(data.get("step", 1))
        plane_axes(axis)
        sizes = [size for name, size in zip(AXES, shape, strict=True) if name != axis]
        box = data.get("box") or [[0, sizes[0]], [0, sizes[1]]]
        rows, columns = (slice(max(0, int(a)), min(int(b), n)) for (a, b), n in zip(box, sizes, strict=True))
        inside = 0 <= index < shape[AXES.index(axis)] and rows.start < rows.stop and columns.start < columns.stop
        if not inside or step < 1:
            raise RunError(f"view {data} does not lie in a volume of {shape} voxels")
        focus = None
        if data.get("focus"):
            row, column = data["focus"]
            focus = float(row), float(column)
        return cls(axis, index, rows, columns, step, focus)

    @property
    def pixels(self) -> tuple[int, int]:
        """Rows and columns of the answer."""
        return _count(self.rows, self.step), _count(self.columns, self.step)

    @property
    def box(self) -> Box:
        """Where it lies in the volume, one voxel across the axis."""
        bounds = [(self.rows.start, self.rows.stop), (self.columns.start, self.columns.stop)]
        bounds.insert(AXES.index(self.axis), (self.index, self.index + 1))
        return Box.from_json(bounds)

    @property
    def centre(self) -> tuple[float, float, float]:
        """The voxel (zyx) from which the answer grows: the focus, or the middle."""
        at = list(self.focus or ((part.start + part.stop) / 2 for part in (self.rows, self.columns)))
        at.insert(AXES.index(self.axis), self.index)
        return at[0], at[1], at[2]


@dataclass
class Job:
    """One request as its handler sees it.

    ``state`` is kept between requests of the process, one dict for all handlers.
    """

    workspace: Path
    fields: dict[str, Any]
    state: dict[str, Any]
    stale: Callable[[], bool]
    tell: Callable[[dict[str, Any]], None]
    planes: Planes | None = None
    parts: int = field(default=0, init=False)

    def check(self) -> None:
        """Raises Dropped where a newer request has come; call it between tiles."""
        if self.stale():
            raise Dropped

    def part(self, view: View, box: Box, values: np.ndarray, confidence: np.ndarray) -> None:
        """Hand over a predicted box, one voxel across the view's axis: uint8 values and confidence."""
        self.check()
        assert self.planes is not None
        across = AXES.index(view.axis)
        first, second = (box.along(axis) for axis in plane_axes(view.axis))
        cuts = [_pixels(part, whole, view.step) for part, whole in ((first, view.rows), (second, view.columns))]
        rows, columns = (pixels for pixels, _ in cuts)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return
        taken = tuple(voxels for _, voxels in cuts)
        self.planes.values[rows, columns] = values.take(0, axis=across)[taken]
        self.planes.confidence[rows, columns] = confidence.take(0, axis=across)[taken]
        self.parts += 1
        self.tell({"part": [[rows.start, rows.stop], [columns.start, columns.stop]]})


def handler(kind: str) -> Callable[[Job], dict[str, Any]]:
    """The function that answers ``kind``. Raises RunError for a kind nobody answers."""
    handlers = {**{point.name: point.value for point in entry_points(group="voxloop.helpers")}, **HANDLERS}
    if kind not in handlers:
        raise RunError(unknown("kind of request", kind, handlers))
    try:
        function: Callable[[Job], dict[str, Any]] = resolve(handlers[kind])
    except (ImportError, AttributeError) as error:
        raise RunError(f"requests of kind {kind!r} are not answered by this installation ({error})") from error
    return function


def _count(part: slice, step: int) -> int:
    return int(-(-(part.stop - part.start) // step))


def _pixels(part: slice, whole: slice, step: int) -> tuple[slice, slice]:
    """The pixels whose voxels lie in ``part``, and those voxels counted from the part's start."""
    first = -(-(part.start - whole.start) // step)
    last = -(-(part.stop - whole.start) // step)
    start = whole.start + first * step - part.start
    return slice(first, last), slice(start, part.stop - part.start, step)


def focus_order(boxes: Sequence[Box], centre: Sequence[float], spacing_um: Sequence[float]) -> list[Box]:
    """Boxes from the centre outwards, by physical distance."""
    return sorted(boxes, key=lambda box: box.distance(centre, spacing_um))
