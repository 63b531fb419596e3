"""Which item of a catalogue is being labelled, its outline, the way to the next one. Hidden until one is followed."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from voxloop.errors import LabelError
from voxloop.panels.base.panel import Panel, button, row, show, text
from voxloop.panels.view.item_layer import ID, ItemLayer

if TYPE_CHECKING:
    from voxloop.geometry import Box
    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.store import Catalogue

#: pixels of the screen over which a tile is shown
_ACROSS = 480
KEYS = (
    ("shift+pagedown", "next item of the grid of pictures", "item next"),
    ("shift+pageup", "item before", "item before"),
    ("shift+end", "this item is done: to the next one", "item done"),
)


class ItemBar:
    """A row above the tools: name and place of the item, back, on, and done.

    Parameters
    ----------
    panel
        The panel in which items are labelled.
    view, image
        Its picture, and which image that shows now.
    go
        Shows another image there.
    tell_code
        Takes the line of Python for what was done.
    """

    def __init__(
        self,
        panel: Panel,
        view: PlaneView,
        image: Callable[[], str],
        go: Callable[[str], object],
        tell_code: Callable[[str], object],
    ) -> None:
        self._view, self._image, self._show_image, self._tell_code = view, image, go, tell_code
        self._layer = ItemLayer()
        self.catalogue: Catalogue | None = None
        self._order: list[str] = []
        self._at = 0
        on = panel.handler
        self.words = text("", "vx-small")
        back = button("", on(lambda: self.step(-1)), icon="chevron-left", tooltip="Item before (Shift PageUp)")
        forth = button("", on(lambda: self.step(1)), icon="chevron-right", tooltip="Next item (Shift PageDown)")
        self.done = button("Done, next", on(self.finish), tooltip="This item is done: to the next one (Shift End)")
        self.widget = row(back, forth, self.done, self.words)
        show(self.widget, False)

    @property
    def item(self) -> str | None:
        """The item that is labelled."""
        return self._order[self._at] if self.catalogue is not None and self._order else None

    @property
    def actions(self) -> dict[str, Callable[[], object]]:
        """What keys of the page do."""
        return {"item next": lambda: self.step(1), "item before": lambda: self.step(-1), "item done": self.finish}

    @property
    def bindings(self) -> list[dict[str, Any]]:
        """Keys, where an item is followed."""
        if self.catalogue is None:
            return []
        return [{"key": key, "group": "Labels", "label": label, "action": action} for key, label, action in KEYS]

    def follow(self, catalogue: Catalogue, order: Sequence[str], item: str) -> None:
        """Show an item; the keys go through the others in this order."""
        self.catalogue, self._order = catalogue, list(order)
        if item not in self._order:
            self._order.append(item)
        widget = self._view.widget
        widget.bindings = [*widget.bindings, *(key for key in self.bindings if key not in widget.bindings)]
        self._go(self._order.index(item))

    def layers(self) -> list[ItemLayer]:
        """The outline of the tile that is labelled, where its image is on show."""
        name = self.item
        if self.catalogue is None or name not in self.catalogue.items.places or self.catalogue.items.kind != "tiles":
            return []
        image, self._layer.box = self.catalogue.place(name)
        return [self._layer] if image == self._image() else []

    def step(self, by: int) -> None:
        """Go on by so many items; what is gone meanwhile is left out."""
        if self.catalogue is None:
            raise LabelError("open an item in Pictures first: these keys go through its grid")
        at = self._at + by
        while 0 <= at < len(self._order) and self._order[at] not in self.catalogue.items.places:
            at += 1 if by > 0 else -1
        if not 0 <= at < len(self._order):
            raise LabelError("this is the last item" if by > 0 else "this is the first item")
        self._go(at)

    def finish(self) -> None:
        """Set the item to done, and go to the next one."""
        if self.catalogue is None or self.item is None:
            raise LabelError("open an item in Pictures first: this key says that it is done")
        self.catalogue.set(self.item, status="done")
        self._tell_code(f"ws.catalogue({self.catalogue.name!r}).set({self.item!r}, status='done')")
        self._show()
        if self._at + 1 < len(self._order):
            self.step(1)

    def _go(self, at: int) -> None:
        assert self.catalogue is not None
        image, box = self.catalogue.place(self._order[at])
        self._at = at
        if image != self._image():
            self._show_image(image)
        tile = self.catalogue.items.kind == "tiles"
        others = [layer for layer in self._view.layers if layer.id != ID]
        if self.layers():
            self._view.set_layers([*others, self._layer])
            self._view.refresh(ID)
        elif len(others) < len(self._view.layers):
            self._view.set_layers(others)
        bring_into_view(self._view, box, whole=not tile)
        show(self.widget, True)
        self._show()

    def _show(self) -> None:
        assert self.catalogue is not None
        name = self._order[self._at]
        said = self.catalogue.read(name)
        place = f"{self._at + 1:,} of {len(self._order):,}"
        note = f" · {said.note.splitlines()[0][:60]}" if said.note else ""
        self.words.value = html.escape(f"{name} · {place} · {said.status}{note}")


def bring_into_view(view: PlaneView, box: Box, *, whole: bool) -> None:
    """Show the plane of an item, and of a tile that part of it."""
    depth = view.planes.shape[0]
    if box.shape[0] < depth:
        view.go_to_plane(box.start[0], "z")
    if whole:
        return
    rows, columns = view.planes.spacing_um[1:]
    middle = [(first + stop) / 2 for first, stop in zip(box.start[1:], box.stop[1:], strict=True)]
    across = max(box.shape[1] * rows, box.shape[2] * columns)
    camera = {"axis": "z", "y": middle[0] * rows, "x": middle[1] * columns, "zoom": _ACROSS / across, "fit": False}
    if view.axis != "z":
        view.go_to_plane(view.planes.shape[0] // 2, "z")
    view.widget.camera = camera
