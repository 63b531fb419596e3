"""How instances look: what colours tell apart, trails, names beside each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.film.instance_shapes import COLOR_BY
from voxloop.panels.base.panel import classed, labelled, section

if TYPE_CHECKING:
    from voxloop.panels.points.points_panel import PointsPanel

_TRAILS = [("none", 0), ("10 frames", 10), ("50 frames", 50), ("250 frames", 250)]


class LookBox:
    """Three controls that change nothing but the drawing."""

    def __init__(self, owner: PointsPanel) -> None:
        self._owner = owner
        about = "What colours tell apart"
        self.colors = classed(w.Dropdown(options=list(COLOR_BY), **labelled("Colours", about)), "vx-grow")
        about = "Where each track came from"
        self.trails = classed(w.Dropdown(options=_TRAILS, **labelled("Trails", about)), "vx-grow")
        self.names = w.Checkbox(description="names", indent=False, tooltip="Track, class and score beside each")
        for control in (self.colors, self.trails, self.names):
            control.observe(owner.handler(lambda _: self._changed()), "value")
        self.widget = section("Look", self.colors, self.trails, self.names)

    @property
    def of_a_film(self) -> dict[str, Any]:
        """The same looks as arguments of ``ws.clip``."""
        given: dict[str, Any] = {}
        if self.trails.value:
            given["trail"] = self.trails.value
        if self.names.value:
            given["names"] = True
        if self.colors.value != COLOR_BY[0]:
            given["color_by"] = self.colors.value
        return given

    def _changed(self) -> None:
        owner = self._owner
        owner.painter.color_by = self.colors.value
        owner.painter.names = self.names.value
        owner.overlay.trail = self.trails.value
        owner.draw()
