"""The outline of the tile that is worked on. Reads nothing: it knows the box."""

from __future__ import annotations

from typing import Any

import numpy as np

from voxloop.geometry import Box
from voxloop.panels.view.layers import LayerKind, LayerPatch, layer_state
from voxloop.panels.view.planes import PlaneBox

ID = "item"
_COLOR = "#ffd400"


class ItemLayer:
    """A tile's edge over the picture, in planes across z."""

    kind: LayerKind = "labels"

    def __init__(self) -> None:
        self.id = ID
        self.box: Box | None = None
        item = {"value": 1, "name": "tile", "color": _COLOR, "visible": True}
        self.state: dict[str, Any] = layer_state(ID, "tile", "labels", [item], opacity=1.0)
        self.state["outline"] = True

    def read(self, axis: str, index: int, box: PlaneBox, voxels_per_pixel: tuple[float, float]) -> LayerPatch:
        top, left, bottom, right = box
        rows, columns = (max(1, int(step)) for step in voxels_per_pixel)
        found = np.zeros((len(range(top, bottom, rows)), len(range(left, right, columns))), np.uint8)
        here = self.box
        if axis == "z" and here is not None and here.start[0] <= index < here.stop[0]:
            first, stop = here.start, here.stop
            inside = slice(max(0, -((top - first[1]) // rows)), max(0, -((top - stop[1]) // rows)))
            across = slice(max(0, -((left - first[2]) // columns)), max(0, -((left - stop[2]) // columns)))
            found[inside, across] = 1
        edges = (float(top), float(left), float(top + len(found) * rows), float(left + found.shape[1] * columns))
        return LayerPatch(found, edges)

    def describe(self, point: tuple[int, int, int]) -> dict[str, str] | None:
        return None
