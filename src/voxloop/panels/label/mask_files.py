"""Loading and saving masks: a path, and the question what 0 means. Knows no formats: the store does."""

from __future__ import annotations

from typing import Protocol

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.panels.base.panel import Panel, button, column, labelled, row, show


class Owner(Protocol):
    """Who loads and saves."""

    def load(self, source: str, zero: str | None) -> None: ...
    def save(self, path: str) -> None: ...


class MaskFiles:
    """One line for a path; loading asks what 0 means before it does anything."""

    def __init__(self, owner: Panel) -> None:
        handler = owner.handler
        self._owner = owner
        self.path = w.Text(placeholder="path of a mask", tooltip="TIFF, zarr, HDF5, or a set of ROIs")
        self.zero = w.Dropdown(
            options=[("choose …", None), ("background", "background"), ("not labelled", "unlabelled")],
            **labelled("0 means", "Whether voxels of value 0 are known to be background, or were never labelled"),
        )
        load = button("Load", handler(self.load), tooltip="Load the mask at this path")
        save = button("Save", handler(self.save), tooltip="Save the labels to this path")
        self._question = row(self.zero, button("Load it", handler(self._answered), kind="primary"))
        show(self._question, False)
        self.widget = column(row(self.path, load, save, classes=("vx-path",)), self._question)

    def _given(self) -> str:
        path = str(self.path.value).strip()
        if not path:
            raise LabelError("type the path of a mask first, for example masks/mitochondria.tif")
        return path

    def load(self) -> None:
        """Ask what 0 means."""
        self._given()
        show(self._question, True)

    def _answered(self) -> None:
        if self.zero.value is None:
            raise LabelError("say what 0 means in this mask: background, or voxels that are not labelled")
        self._owner.load(self._given(), self.zero.value)  # type: ignore[attr-defined]
        show(self._question, False)
        self.zero.value = None

    def save(self) -> None:
        """Write the labels to the path."""
        self._owner.save(self._given())  # type: ignore[attr-defined]
