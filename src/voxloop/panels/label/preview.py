"""A mask over the picture that is not painted yet, as a layer. Knows no tool that makes one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voxloop.panels.view.layers import LayerPatch, PatchLayer

if TYPE_CHECKING:
    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.store.guided import Slices


class MaskPreview:
    """One mask at a time; whoever shows one replaces the one before."""

    def __init__(self, view: PlaneView) -> None:
        self._view = view
        self.layer = PatchLayer("preview", "Preview", opacity=0.45, kept=1024)
        self._shown = False

    def show(self, axis: str, slices: Slices, color: str) -> None:
        """Show masks on planes across an axis: (index, (row, column) of the corner, bool (rows, columns))."""
        self.layer.clear()
        for index, (top, left), mask in slices:
            box = float(top), float(left), float(top + mask.shape[0]), float(left + mask.shape[1])
            self.layer.show(axis, index, LayerPatch(mask.astype(np.uint8), box, 0))
        classes = [{"value": 1, "name": "preview", "color": color, "visible": True}]
        self.layer.state["classes"] = classes
        self._view.change_layer(self.layer.id, classes=classes)
        self._view.refresh(self.layer.id)
        self._shown = True

    def clear(self) -> None:
        """Show nothing."""
        if self._shown:
            self._shown = False
            self.layer.clear()
            self._view.refresh(self.layer.id)
