"""Regions over the picture: the outlines of all, and a veil over what lies outside of the active one. No widgets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from voxloop.geometry import Box, plane_axes
from voxloop.panels.view.layers import LayerKind, LayerPatch, layer_state
from voxloop.panels.view.planes import PlaneBox
from voxloop.store.classes import PALETTE
from voxloop.store.document import NamedRegion
from voxloop.store.region_mask import mask_of

VEIL, OUTLINES = "veil", "regions"


class RegionLayer:
    """What regions hold of a plane, as numbers from 1; with ``outside`` what the first one does not hold."""

    kind: LayerKind = "labels"

    def __init__(self, id: str, name: str, regions: Sequence[NamedRegion], *, outside: bool = False) -> None:
        self.id, self._regions, self._outside = id, tuple(regions), outside
        if outside:
            classes = [{"value": 1, "name": name, "color": "#000000", "visible": True}]
        else:
            classes = [
                {"value": n + 1, "name": one.name, "color": PALETTE[-1 - n % len(PALETTE)], "visible": True}
                for n, one in enumerate(regions)
            ]
        self.state: dict[str, Any] = layer_state(id, name, "labels", classes, opacity=0.6 if outside else 0.9)
        self.state["outline"] = not outside

    def read(self, axis: str, index: int, box: PlaneBox, voxels_per_pixel: tuple[float, float]) -> LayerPatch:
        top, left, bottom, right = box
        rows, columns = (max(1, math.floor(step)) for step in voxels_per_pixel)
        part = Box.whole((0, 0, 0)).cut(axis, index, index + 1)
        for name, bounds in zip(plane_axes(axis), ((top, bottom), (left, right)), strict=True):
            part = part.cut(name, *bounds)
        at = "zyx".index(axis)
        found = np.zeros((bottom - top, right - left), np.uint8)
        for number, region in enumerate(self._regions[:255], 1):
            found[mask_of(region, part).squeeze(at)] = number
        if self._outside:
            found = (found == 0).astype(np.uint8)
        cells = found[::rows, ::columns]
        edges = (float(top), float(left), float(top + len(cells) * rows), float(left + cells.shape[1] * columns))
        return LayerPatch(cells, edges)

    def describe(self, point: tuple[int, int, int]) -> dict[str, str] | None:
        if self._outside:
            return None
        voxel = Box.at(point, (1, 1, 1))
        for item, region in zip(reversed(self.state["classes"]), reversed(self._regions), strict=True):
            if mask_of(region, voxel).all():
                return {"name": item["name"], "color": item["color"]}
        return None


def region_layers(regions: Sequence[NamedRegion], active: NamedRegion | None) -> list[RegionLayer]:
    """The layers for the regions of an image."""
    layers = [] if active is None else [RegionLayer(VEIL, f"outside of {active.name}", [active], outside=True)]
    return [*layers, RegionLayer(OUTLINES, "regions", regions)] if regions else layers
