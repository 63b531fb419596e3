"""Which time point of a series of volumes is on show: a slider and two arrows. Shows no picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import ipywidgets as w

from voxloop.panels.base.panel import Panel, button, classed, labelled, row, show

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace


class TimeStepper:
    """Steps through the images of a time series; hidden where an image belongs to none.

    ``choose(name)`` is called with the image that was stepped to.
    """

    def __init__(self, owner: Panel, ws: Workspace, choose: Callable[[str], object]) -> None:
        self._ws, self._choose = ws, choose
        self._names: list[str] = []
        self._showing = False
        about = "Which time point of the series is shown; each has labels of its own"
        slider = w.IntSlider(min=0, max=0, continuous_update=False, **labelled("Time", about))
        self.slider = classed(slider, "vx-grow")
        self.slider.observe(owner.handler(self._moved), "value")
        before = button("", owner.handler(lambda: self._step(-1)), icon="chevron-left", tooltip="Time point before")
        after = button("", owner.handler(lambda: self._step(1)), icon="chevron-right", tooltip="Next time point")
        self.widget = row(self.slider, before, after)

    def show(self, image: str) -> None:
        """Set the slider to an image, which calls nobody."""
        self._names = self._ws.images.times(image)
        self._showing = True
        try:
            self.slider.max = max(0, len(self._names) - 1)
            self.slider.value = self._names.index(image)
        finally:
            self._showing = False
        show(self.widget, len(self._names) > 1)

    def _step(self, by: int) -> None:
        self.slider.value = min(self.slider.max, max(0, self.slider.value + by))

    def _moved(self) -> None:
        if not self._showing:
            self._choose(self._names[self.slider.value])
