"""The other two planes through one point, beside a plane view, and the crosshair that joins them. Knows no labels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import ipywidgets as w
import traitlets as t

from voxloop.geometry import AXES
from voxloop.panels.base.panel import classed, mark
from voxloop.panels.base.ui import on_ui
from voxloop.panels.view.plane_view import PlaneView

#: what all planes have in common
_SHARED = ("layers", "contrast", "picture", "tool", "bindings", "cursor", "place")
#: what happens in any of them is heard where the main one is listened to
_HEARD = ("stroke", "recall", "drop", "click", "action", "tool", "layer", "cursor")


class LinkedPlanes:
    """A plane view that can show the two planes across it.

    ``widget`` holds all of them. Shift-drag in any plane moves the point that the others go through; a stroke in any
    plane is a stroke of the main view.
    """

    @on_ui
    def __init__(self, main: PlaneView) -> None:
        self.main = main
        self.others: tuple[PlaneView, ...] = ()
        self._links: list[t.link] = []
        self._row = classed(w.VBox(), "vl-linked")
        self.widget = classed(w.VBox([main.widget]), "vl-planes")
        main.widget.linked = "off"
        self._stops: list[Callable[[], None]] = [
            main.on("action", self._on_action),
            main.on("cursor", self._go_through),
            main.on("plane", self._main_moved),
        ]

    @property
    def is_open(self) -> bool:
        """Whether the other planes are shown."""
        return bool(self.others)

    def _on_action(self, name: str, point: list[float]) -> None:
        if name == "planes":
            self.show(not self.is_open)

    @on_ui
    def show(self, visible: bool) -> None:
        """Show or hide the other planes."""
        if visible == self.is_open:
            return
        if not visible:
            self._close_others()
            return
        main = self.main
        point = [size // 2 for size in main.planes.shape]
        point[AXES.index(main.axis)] = main.index
        self.others = tuple(self._other(axis, point) for axis in AXES if axis != main.axis)
        main.linked_views = self.others
        self._row.children = [view.widget for view in self.others]
        self.widget.children = (main.widget, self._row)
        mark(self.widget, "vl-open", True)
        with main.widget.hold_sync():
            main.widget.linked = "on"
            main.widget.cursor = [float(value) for value in point]

    def _other(self, axis: str, point: list[int]) -> PlaneView:
        view = PlaneView(self.main, axis=axis, index=point[AXES.index(axis)], height=0, compact=True)
        self._links += [t.link((self.main.widget, name), (view.widget, name)) for name in _SHARED]
        for event in _HEARD:
            view.on(event, partial(self.main.emit, event))
        view.on("plane", partial(self._moved, view))
        for event in ("plane", "camera"):
            view.on(event, partial(self.main.emit, "beside"))
        return view

    def _go_through(self, point: list[float]) -> None:
        for view in (self.main, *self.others):
            view.go_to_plane(round(point[AXES.index(view.axis)]))

    def _main_moved(self) -> None:
        if not self.is_open:
            return
        missing = {view.axis for view in self.others}
        if self.main.axis in missing:  # the main view took the axis of another one: that one takes the free one
            free = next(axis for axis in AXES if axis != self.main.axis and axis not in missing)
            point = self.main.widget.cursor
            double = next(view for view in self.others if view.axis == self.main.axis)
            double.go_to_plane(round(point[AXES.index(free)]), free)
        self._moved(self.main)

    def _moved(self, view: PlaneView) -> None:
        """The crosshair goes with a plane that was turned to."""
        point = list(self.main.widget.cursor or [])
        at = AXES.index(view.axis)
        if point and round(point[at]) != view.index:
            point[at] = float(view.index)
            self.main.widget.cursor = point

    def _close_others(self) -> None:
        for link in self._links:
            link.unlink()
        self._links = []
        self.main.linked_views = ()
        self.widget.children = (self.main.widget,)
        mark(self.widget, "vl-open", False)
        self._row.children = ()
        for view in self.others:
            view.close()
        self.others = ()
        with self.main.widget.hold_sync():
            self.main.widget.linked = "off"
            self.main.widget.set_trait("cursor", None)

    @on_ui
    def close(self) -> None:
        """Close all planes."""
        for stop in self._stops:
            stop()
        self._stops = []
        self._close_others()
        self.main.close()
        for widget in (self._row, self.widget):
            widget.close()
            widget.layout.close()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self.widget._repr_mimebundle_(**kwargs)
