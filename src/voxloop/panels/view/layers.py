"""What can lie over a picture: labels, predictions with confidence, uncertainty. Reads planes of arrays; no widgets.

A layer answers one question, :meth:`Layer.read`: palette indices (and confidence) of a piece of a plane. How it looks,
its colours, opacity, outlines, is a plain dict that travels to the browser once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from voxloop.geometry import AXES
from voxloop.panels.view.frames import palette_indices, pool
from voxloop.panels.view.planes import EdgeBox, PlaneBox

if TYPE_CHECKING:
    from voxloop.store import Labels

LayerKind = Literal["labels", "instances", "scalar"]

#: voxels read for one frame before whole cells are skipped instead of pooled
READ_AT_MOST = 4 * 2**20


@dataclass(frozen=True, slots=True)
class LayerPatch:
    """A piece of a plane of one layer: uint8 palette ``indices`` (rows, columns), ``alpha`` where there is confidence.

    ``box`` is what it covers in voxel edges; ``sequence`` the last edit that it shows.
    """

    indices: np.ndarray
    box: EdgeBox
    sequence: int = 0
    alpha: np.ndarray | None = None


class Layer(Protocol):
    """Something that can lie over the picture."""

    id: str
    kind: LayerKind
    state: dict[str, Any]

    def read(self, axis: str, index: int, box: PlaneBox, voxels_per_pixel: tuple[float, float]) -> LayerPatch:
        """A piece of plane ``index`` across ``axis``, about one cell for each screen pixel; any thread."""
        ...

    def describe(self, point: tuple[int, int, int]) -> dict[str, str] | None:
        """``name`` and ``color`` of what lies at a voxel (zyx), None where there is nothing; any thread."""
        ...


def layer_state(
    id: str,
    name: str,
    kind: LayerKind,
    classes: Iterable[Mapping[str, Any]] = (),
    *,
    opacity: float = 0.5,
    visible: bool = True,
) -> dict[str, Any]:
    """How a layer looks, as the browser takes it; a class is a dict of ``value``, ``name``, ``color``, ``visible``."""
    listed = [{key: item[key] for key in ("value", "name", "color", "visible")} for item in classes]
    look = {"opacity": opacity, "visible": visible, "outline": False}
    return {"id": id, "name": name, "kind": kind, "classes": listed, **look}


def class_dicts(classes: Iterable[Any]) -> list[dict[str, Any]]:
    """Classes of a level or of a model as the dicts that :func:`layer_state` takes."""
    return [
        {"value": item.value, "name": item.name, "color": item.color, "visible": getattr(item, "visible", True)}
        for item in classes
    ]


def in_order(states: Sequence[dict[str, Any]], ids: Sequence[str]) -> list[dict[str, Any]]:
    """States of layers, those of ``ids`` in that order in the places that they have; the others stay where they are."""
    named = iter(sorted((one for one in states if one["id"] in ids), key=lambda one: ids.index(one["id"])))
    return [next(named) if one["id"] in ids else one for one in states]


class LabelLayer:
    """The labels of one level on one image, as they are at this moment."""

    def __init__(
        self, labels: Labels, name: str, classes: Iterable[Any], kind: LayerKind = "labels", id: str = "labels"
    ) -> None:
        self.id, self.kind, self.labels = id, kind, labels
        self.state = layer_state(id, name, kind, class_dicts(classes), opacity=0.55)

    def read(self, axis: str, index: int, box: PlaneBox, voxels_per_pixel: tuple[float, float]) -> LayerPatch:
        step, factor = _reduction(box, voxels_per_pixel)
        sequence = self.labels.sequence  # asked first: what comes in between is shown early, never claimed
        plane = self.labels.plane(axis, index, box=(slice(box[0], box[2]), slice(box[1], box[3])), step=step)
        return LayerPatch(pool(palette_indices(plane), factor), _covered(box, plane.shape, step, factor), sequence)

    def describe(self, point: tuple[int, int, int]) -> dict[str, str] | None:
        z, y, x = point
        value = int(self.labels.plane("z", z, box=(slice(y, y + 1), slice(x, x + 1)))[0, 0])
        return _class_named(self.state, value, self.kind)


class ArrayLayer:
    """A plane-readable array over the picture: a prediction's labels with confidence, or an uncertainty.

    Parameters
    ----------
    values
        (z, y, x), anything that slices like numpy (lazy arrays are computed by the piece): label values, or for
        ``kind="scalar"`` numbers from 0 to 1, or uint8.
    confidence
        (z, y, x) from 0 to 1, or uint8; less sure voxels are paler, and hatched.
    """

    def __init__(
        self,
        id: str,
        name: str,
        values: Any,
        classes: Iterable[Any] = (),
        *,
        kind: LayerKind = "labels",
        confidence: Any = None,
        opacity: float = 0.5,
        visible: bool = True,
    ) -> None:
        self.id, self.kind = id, kind
        self.values, self.confidence = values, confidence
        self.sequence = 0
        self.state = layer_state(id, name, kind, class_dicts(classes), opacity=opacity, visible=visible)

    def read(self, axis: str, index: int, box: PlaneBox, voxels_per_pixel: tuple[float, float]) -> LayerPatch:
        top, left, bottom, right = box
        step = max(1, math.floor(voxels_per_pixel[0])), max(1, math.floor(voxels_per_pixel[1]))
        slices: list[Any] = [slice(top, bottom, step[0]), slice(left, right, step[1])]
        slices.insert(AXES.index(axis), index)
        plane = np.asarray(self.values[tuple(slices)])
        indices = palette_indices(plane) if self.kind != "scalar" else as_bytes(plane)
        alpha = None if self.confidence is None else as_bytes(np.asarray(self.confidence[tuple(slices)]))
        return LayerPatch(indices, _covered(box, plane.shape, step, (1, 1)), self.sequence, alpha)

    def describe(self, point: tuple[int, int, int]) -> dict[str, str] | None:
        value = np.asarray(self.values[point]).item()
        return _class_named(self.state, value, self.kind)


class PatchLayer:
    """An overlay that arrives by the piece: the live answer for what is on screen. Empty elsewhere.

    :meth:`show` takes what came; it is shown on its own plane until the next piece of that plane, or :meth:`clear`.
    """

    def __init__(
        self, id: str, name: str, classes: Iterable[Any] = (), *, opacity: float = 0.45, kept: int = 8
    ) -> None:
        self.id, self._kept = id, kept
        self.kind: LayerKind = "labels"
        self.state = layer_state(id, name, "labels", class_dicts(classes), opacity=opacity)
        self._patches: dict[tuple[str, int], LayerPatch] = {}
        self.sequence = 0

    def show(self, axis: str, index: int, patch: LayerPatch) -> None:
        """Keep ``patch`` for its plane, and forget all planes but the last ones."""
        self.sequence += 1
        self._patches.pop((axis, index), None)
        self._patches[axis, index] = patch
        while len(self._patches) > self._kept:
            self._patches.pop(next(iter(self._patches)))

    def clear(self) -> None:
        self.sequence += 1
        self._patches.clear()

    def patch(self, axis: str, index: int) -> LayerPatch | None:
        """What is known of a plane."""
        return self._patches.get((axis, index))

    def read(self, axis: str, index: int, box: PlaneBox, voxels_per_pixel: tuple[float, float]) -> LayerPatch:
        patch = self._patches.get((axis, index))
        if patch is None:
            return LayerPatch(np.zeros((1, 1), np.uint8), _floats(box), self.sequence)
        return LayerPatch(patch.indices, patch.box, self.sequence, patch.alpha)

    def describe(self, point: tuple[int, int, int]) -> dict[str, str] | None:
        for (axis, index), patch in self._patches.items():
            across = AXES.index(axis)
            if point[across] != index:
                continue
            row, column = (point[i] + 0.5 for i in range(3) if i != across)
            top, left, bottom, right = patch.box
            rows, columns = patch.indices.shape
            y, x = int((row - top) / (bottom - top) * rows), int((column - left) / (right - left) * columns)
            if 0 <= y < rows and 0 <= x < columns:
                return _class_named(self.state, int(patch.indices[y, x]), self.kind)
        return None


def as_bytes(values: np.ndarray) -> np.ndarray:
    """Shares from 0 to 1 as uint8; uint8 as it is; not-a-number is 0."""
    if values.dtype == np.uint8:
        return values
    scaled = np.nan_to_num(values.astype(np.float32)) * 255.0
    return scaled.round().clip(0, 255).astype(np.uint8)


def _reduction(box: PlaneBox, voxels_per_pixel: tuple[float, float]) -> tuple[int, tuple[int, int]]:
    """``step`` to read with, and the whole cells to pool after that; a huge plane is sampled, a usual one pooled."""
    factor = max(1, math.floor(voxels_per_pixel[0])), max(1, math.floor(voxels_per_pixel[1]))
    rows, columns = box[2] - box[0], box[3] - box[1]
    step = 1
    while rows * columns / step**2 > READ_AT_MOST and 2 * step <= min(factor):
        step *= 2
    return step, (factor[0] // step, factor[1] // step)


def _covered(box: PlaneBox, shape: tuple[int, ...], step: Any, factor: tuple[int, int]) -> EdgeBox:
    """The edges that cells of ``step * factor`` voxels cover: the last one may reach past the box."""
    sy, sx = step if isinstance(step, tuple) else (step, step)
    rows, columns = -(-shape[0] // factor[0]), -(-shape[1] // factor[1])
    top, left = float(box[0]), float(box[1])
    return top, left, top + rows * factor[0] * sy, left + columns * factor[1] * sx


def _floats(box: PlaneBox) -> EdgeBox:
    top, left, bottom, right = box
    return float(top), float(left), float(bottom), float(right)


def _class_named(state: dict[str, Any], value: float, kind: LayerKind) -> dict[str, str] | None:
    if kind == "scalar":
        share = value / 255 if isinstance(value, int) else value
        return {"name": f"{state['name']} {share:.2f}", "color": "#e69f00"}
    if not value:
        return None
    if kind == "instances":
        return {"name": f"{state['name']} {value:.0f}", "color": "#56b4e9"}
    for item in state["classes"]:
        if item["value"] == value:
            return {"name": item["name"], "color": item["color"]}
    return {"name": f"{value:.0f}", "color": "#999999"}
