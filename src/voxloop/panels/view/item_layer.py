"""The frame of the tile that is worked on. Reads nothing: it knows the box."""

from __future__ import annotations

from typing import Any

import numpy as np

from voxloop.geometry import Box
from voxloop.panels.view.layers import LayerKind, LayerPatch, layer_state
from voxloop.panels.view.planes import PlaneBox

ID = "item"
_COLOR = "#ffd400"
#: width of the line, and cells along a side at most
_PIXELS, _MOST = 2.0, 4096


class ItemLayer:
    """A frame of two pixels of the screen inside of a tile's edge, in planes across z."""

    kind: LayerKind = "labels"

    def __init__(self) -> None:
        self.id = ID
        self.box: Box | None = None
        item = {"value": 1, "name": "tile", "color": _COLOR, "visible": True}
        self.state: dict[str, Any] = layer_state(ID, "tile", "labels", [item], opacity=1.0)

    def read(self, axis: str, index: int, box: PlaneBox, voxels_per_pixel: tuple[float, float]) -> LayerPatch:
        top, left, bottom, right = box
        rows = _cells(top, bottom, _PIXELS * voxels_per_pixel[0])
        columns = _cells(left, right, _PIXELS * voxels_per_pixel[1])
        found = np.zeros((len(rows), len(columns)), np.uint8)
        here = self.box
        if axis == "z" and here is not None and here.start[0] <= index < here.stop[0]:
            (_, y0, x0), (_, y1, x1) = here.start, here.stop
            inside = np.flatnonzero((rows > y0) & (rows < y1)), np.flatnonzero((columns > x0) & (columns < x1))
            if all(len(one) for one in inside):
                found[np.ix_(*inside)] = 1
                height, width = (bottom - top) / len(rows), (right - left) / len(columns)
                inner = (rows > y0 + height) & (rows < y1 - height), (columns > x0 + width) & (columns < x1 - width)
                found[np.ix_(*inner)] = 0
        return LayerPatch(found, (float(top), float(left), float(bottom), float(right)))

    def describe(self, point: tuple[int, int, int]) -> dict[str, str] | None:
        return None


def _cells(first: int, stop: int, step: float) -> np.ndarray:
    """Middles of cells of about ``step`` voxels."""
    count = max(1, min(_MOST, round((stop - first) / step)))
    return first + (np.arange(count) + 0.5) * (stop - first) / count
