"""Which items are listed, and the grids of tiles: made, changed, removed. Knows the names of a workspace, no voxels."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import WorkspaceError
from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import Panel, button, classed, column, labelled, row, show, text

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace

_EVERY = ("all images", "")


class TileBox:
    """``show_items(name)`` is called with the catalogue that somebody wants to see."""

    def __init__(
        self, panel: Panel, ws: Workspace, show_items: Callable[[str], object], tell_code: Callable[[str], object]
    ) -> None:
        self._panel, self._ws = panel, ws
        self._show_items, self._tell_code = show_items, tell_code
        self._filling = False
        self.items = classed(w.Dropdown(tooltip="Images, frames, or a grid of tiles"), "vx-grow")
        self.items.observe(panel.handler(self._chosen), "value")
        self.fold = Fold("Tiles", self._build, lambda fold: self._fill())
        self.offer()

    def _build(self) -> list[w.Widget]:
        on = self._panel.handler
        self.name = w.Text(value="tiles", **labelled("Name", "What the grid of tiles is called"))
        self.image = w.Dropdown(**labelled("Image", "The image that is cut into tiles, or all"))
        self.size = w.BoundedFloatText(value=512, min=0.001, max=1e6, **labelled("Size", "Side of a tile in the plane"))
        self.overlap = w.BoundedFloatText(value=0, min=0, max=1e6, **labelled("Overlap", "How far neighbours overlap"))
        self.unit = w.Dropdown(options=[("voxels", "voxel"), ("µm", "um")], **labelled("Unit", "Of size and overlap"))
        about = "How many times smaller a tile is looked at: 512 voxels at scale 3 cover 1536"
        self.scale = w.BoundedFloatText(value=1, min=1, max=1000, **labelled("Scale", about))
        self._make = button(
            "Make tiles", on(self.make), kind="primary", tooltip="Cut images into tiles; copies nothing"
        )
        self._change = button("Change", on(self.change), tooltip="What was said of tiles is kept by place")
        self._remove = button("", on(self.remove), icon="trash", tooltip="Forget this grid; what was said stays")
        self.words = classed(text(), "vx-dim", "vx-small")
        fields = (self.name, self.image, self.size, self.overlap, self.unit, self.scale)
        return [column(*fields, row(self._make, self._change, self._remove), self.words)]

    @property
    def _settings(self) -> str:
        """Image, sizes, unit and scale as arguments in Python."""
        image = f", image={self.image.value!r}" if self.image.value else ""
        told = f"{image}, size={self.size.value:g}, overlap={self.overlap.value:g}"
        told += f", unit={self.unit.value!r}" if self.unit.value != "voxel" else ""
        return told + (f", scale={self.scale.value:g}" if self.scale.value != 1 else "")

    def make(self) -> None:
        """Cut the image into tiles, and show them."""
        name = str(self.name.value).strip()
        self._ws.tiles.add(name, **self._given())
        self._tell_code(f"ws.tiles.add({name!r}{self._settings})")
        self._done(name)

    def change(self) -> None:
        """Give the grid on show other sizes."""
        name = self._own()
        self._ws.tiles.change(name, **self._given())
        self._tell_code(f"ws.tiles.change({name!r}{self._settings})")
        self._done(name)

    def remove(self) -> None:
        """Forget the grid on show."""
        name = self._own()
        self._ws.tiles.remove(name)
        self._tell_code(f"ws.tiles.remove({name!r})")
        self._done("images")

    def _given(self) -> dict[str, Any]:
        return {
            "image": self.image.value or None,
            "size": self.size.value,
            "overlap": self.overlap.value,
            "unit": self.unit.value,
            "scale": self.scale.value,
        }

    def _own(self) -> str:
        name = str(self.items.value)
        if name not in self._ws.tiles:
            raise WorkspaceError("choose a grid of tiles above first, or make one")
        return name

    def _done(self, name: str) -> None:
        self.offer()
        self.show(name)
        self._show_items(name)

    # ------------------------------------------------------------------------------------------------------- showing

    def offer(self) -> None:
        """The catalogues that there are now."""
        ws = self._ws
        frames = any(info.framed and info.shape[0] > 1 for info in ws.store.document.images)
        options = [("Images", "images"), *([("Frames", "frames")] if frames else [])]
        options += [(f"Tiles: {name}", name) for name in ws.tiles.names]
        if list(self.items.options) != options:
            self._filling = True
            kept = self.items.value
            self.items.options = options
            self.items.value = kept if kept in [value for _, value in options] else "images"
            self._filling = False

    def show(self, name: str) -> None:
        """Which catalogue is on show."""
        self._filling = True
        self.items.value = name
        self._filling = False
        if self.fold.is_open:
            self._fill()

    def _fill(self) -> None:
        """Settings of the grid on show."""
        options = [_EVERY, *((name, name) for name in self._ws.images.names)]
        if list(self.image.options) != options:
            self.image.options = options
        name = str(self.items.value)
        known = name in self._ws.tiles
        for control in (self._change, self._remove):
            show(control, known)
        self.words.value = html.escape(self._ws.tiles.words(name)) if known else ""
        if not known:
            return
        grid = self._ws.tiles[name]
        one = grid.images[0] if grid.images is not None and len(grid.images) == 1 else ""
        self.image.value = one if one in self._ws.images.names else ""
        self.size.value, self.overlap.value = grid.size[0], grid.overlap[0]
        self.unit.value, self.scale.value = grid.unit, grid.scale

    def _chosen(self) -> None:
        if not self._filling and self.items.value:
            self._show_items(str(self.items.value))
            if self.fold.is_open:
                self._fill()
