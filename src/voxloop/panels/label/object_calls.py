"""What clicks, lines and keys on single objects become: one verb of the labels each. No widgets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import AXES
from voxloop.panels.label.tools import Call
from voxloop.panels.view.ink import StrokePiece
from voxloop.panels.view.layers import LayerKind, LayerPatch, layer_state
from voxloop.panels.view.planes import PlaneBox

if TYPE_CHECKING:
    from voxloop.store import Labels

#: colours of what is selected, and of what is locked
SELECTED, LOCKED = "#ffe16b", "#35b779"
#: voxels of a plane that are read at most for the marks
_READ = 1 << 21


def cut_call(labels: Labels, piece: StrokePiece, chosen: Sequence[int]) -> Call:
    """A line through an object: the selected one that it crosses, else the one it crosses most. Raises LabelError."""
    points = np.rint(piece.points).astype(int)
    size = [n for name, n in zip(AXES, labels.shape, strict=True) if name != piece.axis]
    steps = np.abs(np.diff(points, axis=0)).max(axis=1, initial=0)
    dense = [points[:1]]
    for at, many in enumerate(steps):
        dense.append(np.rint(np.linspace(points[at], points[at + 1], int(many) + 1)).astype(int))
    along = np.clip(np.concatenate(dense), 0, np.array(size) - 1)
    low, high = along.min(axis=0), along.max(axis=0) + 1
    plane = labels.plane(piece.axis, piece.index, box=(slice(low[0], high[0]), slice(low[1], high[1])))
    values, counts = np.unique(plane[tuple((along - low).T)], return_counts=True)
    crossed = {int(value): int(count) for value, count in zip(values, counts, strict=True) if value}
    if not crossed:
        raise LabelError("the line crosses no object; draw it through the one to be cut")
    mine = [number for number in chosen if number in crossed]
    number = mine[0] if mine else max(crossed, key=lambda one: crossed[one])
    line = [(round(float(row), 1), round(float(column), 1)) for row, column in piece.points]
    return Call("split", {"object_id": number, "line": line, "axis": piece.axis, "index": piece.index})


def ids_call(verb: str, ids: Sequence[int]) -> Call:
    """Merge, remove, lock or unlock the selected objects."""
    return Call(verb, {"ids": list(ids)})


class MarkLayer:
    """Over the labels: which objects are selected, and which are locked."""

    def __init__(self) -> None:
        self.id = "objects-in-hand"
        self.kind: LayerKind = "labels"
        classes = [
            {"value": 1, "name": "selected", "color": SELECTED, "visible": True},
            {"value": 2, "name": "locked", "color": LOCKED, "visible": True},
        ]
        self.state: dict[str, Any] = layer_state(self.id, "selected, locked", "labels", classes, opacity=0.95)
        self.state["outline"] = True
        self.labels: Labels | None = None
        self.selected: tuple[int, ...] = ()
        self.sequence = 0

    def read(self, axis: str, index: int, box: PlaneBox, voxels_per_pixel: tuple[float, float]) -> LayerPatch:
        top, left, bottom, right = (float(edge) for edge in box)
        locked = [] if self.labels is None else self.labels.locked_objects
        if self.labels is None or not (self.selected or locked):
            return LayerPatch(np.zeros((1, 1), np.uint8), (top, left, bottom, right), self.sequence)
        step = max(1, int(min(voxels_per_pixel)))
        while (box[2] - box[0]) * (box[3] - box[1]) / step**2 > _READ:
            step += 1
        plane = self.labels.plane(axis, index, box=(slice(box[0], box[2]), slice(box[1], box[3])), step=step)
        rows, columns = plane.shape[0], plane.shape[1]
        marks = np.zeros((rows, columns), np.uint8)
        marks[np.isin(plane, np.asarray(locked, plane.dtype))] = 2
        marks[np.isin(plane, np.asarray(self.selected, plane.dtype))] = 1
        return LayerPatch(marks, (top, left, top + rows * step, left + columns * step), self.sequence)

    def describe(self, point: tuple[int, int, int]) -> dict[str, str] | None:
        if self.labels is None:
            return None
        number = self.labels.object_at(point)
        if number in self.selected:
            return {"name": "selected", "color": SELECTED}
        return {"name": "locked", "color": LOCKED} if number in self.labels.locked_objects else None
