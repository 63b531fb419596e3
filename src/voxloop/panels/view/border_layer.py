"""Borders of supervoxels over the picture. Reads planes of numbers; works none out that would keep the page waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.geometry import AXES, Box, Shape
from voxloop.panels.view.frames import pool
from voxloop.panels.view.layers import LayerKind, LayerPatch, layer_state
from voxloop.panels.view.planes import PlaneBox

if TYPE_CHECKING:
    from voxloop.supervoxels.partition import Partition

BORDERS = "borders"
#: seen on dark and on bright pictures, and unlike any class of the usual palette
_COLOR = "#f5d90a"
#: supervoxels narrower than so many cells of the screen are no more to be told apart
_LEAST = 4


class BorderLayer:
    """One voxel wide lines between supervoxels, where these are known.

    Parameters
    ----------
    partition
        What is drawn.
    missing
        Told which of its tiles a plane on show needs that are not worked out yet; in any thread.
    """

    kind: LayerKind = "labels"

    def __init__(self, partition: Partition, missing: Callable[[list[Shape]], object]) -> None:
        self.id = BORDERS
        self.partition = partition
        line = {"value": 1, "name": "border of a supervoxel", "color": _COLOR, "visible": True}
        self.state: dict[str, Any] = layer_state(BORDERS, "supervoxels", "labels", [line], opacity=0.55)
        self._missing = missing
        self._last: tuple[Any, np.ndarray] | None = None
        self.sequence = 0

    def read(self, axis: str, index: int, box: PlaneBox, voxels_per_pixel: tuple[float, float]) -> LayerPatch:
        top, left, bottom, right = box
        whole = (float(top), float(left), float(bottom), float(right))
        rows, columns = (max(1, int(size)) for size in voxels_per_pixel)
        wide = [axis.size for axis in self.partition.grid.axes[1:]]
        part = self._box(axis, index, box)
        lacking = [tile for tile in self._tiles(part) if not self.partition.tiles.ready(tile)]
        if lacking:
            self._missing(lacking)
        if lacking or min(wide) / max(rows, columns) < _LEAST:
            return LayerPatch(np.zeros((1, 1), np.uint8), whole, self.sequence)
        lines = pool(self._lines(axis, part), (rows, columns))
        bottom, right = top + lines.shape[0] * rows, left + lines.shape[1] * columns
        return LayerPatch(lines, (float(top), float(left), float(bottom), float(right)), self.sequence)

    def describe(self, point: tuple[int, int, int]) -> dict[str, str] | None:
        box = Box.at(point, (1, 1, 1))
        if not all(self.partition.tiles.ready(tile) for tile in self._tiles(box)):
            return None
        return {"name": f"supervoxel {int(self.partition.read(box)[0, 0, 0])}", "color": _COLOR}

    def _tiles(self, box: Box) -> list[Shape]:
        return self.partition.tiles.around(self.partition.cells_of(box))

    def _box(self, axis: str, index: int, box: PlaneBox) -> Box:
        rows, columns = [(box[0], box[2]), (box[1], box[3])]
        bounds = [rows, columns]
        bounds.insert(AXES.index(axis), (index, index + 1))
        return Box.from_json(bounds)

    def _lines(self, axis: str, box: Box) -> np.ndarray:
        """1 where the next voxel down or to the right is of another supervoxel."""
        key = (axis, box)
        if self._last is not None and self._last[0] == key:
            return self._last[1]
        numbers = self.partition.read(box).squeeze(AXES.index(axis))
        lines = np.zeros(numbers.shape, np.uint8)
        lines[:-1] |= numbers[:-1] != numbers[1:]
        lines[:, :-1] |= numbers[:, :-1] != numbers[:, 1:]
        self._last = key, lines
        return lines
