"""The controls over how curves are looked at: smoothing, window, logarithm, outliers, metric. Know no figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as w

from voxloop.panels.base.panel import Panel, classed, show, text
from voxloop.panels.monitor.run_words import metric_title

#: words -> steps shown (0: all)
_WINDOWS: list[tuple[str, int]] = [
    ("all steps", 0),
    ("last 5000", 5000),
    ("last 1000", 1000),
    ("last 200", 200),
    ("last 50", 50),
]


class CurveControls:
    """Calls ``set_view(changes)`` with fields of :class:`CurveView`, and ``set_metric(name)``."""

    def __init__(
        self, panel: Panel, set_view: Callable[[dict[str, Any]], object], set_metric: Callable[[str], object]
    ) -> None:
        self.smoothing = w.FloatSlider(
            value=0.9,
            min=0.0,
            max=0.99,
            step=0.01,
            readout=False,
            layout={"width": "90px"},
            tooltip="Running mean over batches: further right is smoother, left end is off",
        )
        self.last = w.Dropdown(options=_WINDOWS, value=0, layout={"width": "auto"}, tooltip="How many steps are shown")
        self.log = w.ToggleButton(description="log", tooltip="Logarithmic loss axis")
        self.outliers = w.ToggleButton(
            description="outliers", tooltip="Show batches that lie far above the others as well"
        )
        self.metric = w.Dropdown(options=[], layout={"width": "auto"}, tooltip="What the second plot shows")
        self.hidden = text("", "vx-dim", "vx-small")
        self._offering = False
        show(self.metric, False)

        def change(name: str, widget: w.Widget) -> None:
            widget.observe(panel.handler(lambda: set_view({name: widget.value})), "value")

        change("smoothing", self.smoothing)
        change("log", self.log)
        change("outliers", self.outliers)
        self.last.observe(panel.handler(lambda: set_view({"last": self.last.value or None})), "value")
        self.metric.observe(panel.handler(lambda: self._offering or set_metric(self.metric.value)), "value")
        for made in (self.log, self.outliers):
            classed(made, "vx-toggle")
        #: those that change batches alone
        self.of_batches = (text("smooth", "vx-dim", "vx-small"), self.smoothing, self.last, self.outliers)
        words, smoothing, last, outliers = self.of_batches
        self.widgets = (words, smoothing, last, self.log, outliers, self.hidden, self.metric)

    def offer(self, names: Sequence[str], chosen: str) -> None:
        """The metrics there are; the choice appears where there is one."""
        options = [(metric_title(name), name) for name in names]
        self._offering = True
        if list(self.metric.options) != options:
            self.metric.options = options
        if chosen in names and self.metric.value != chosen:
            self.metric.value = chosen
        self._offering = False
        show(self.metric, len(names) > 1)

    def suit(self, steps: bool, losses: bool) -> None:
        """Offer only what does something: batches are there where ``steps`` are counted, an axis of ``losses``."""
        for made in self.of_batches:
            show(made, steps)
        show(self.log, losses)

    def say_hidden(self, count: int) -> None:
        """So many batches lie above what is shown."""
        plural = "s" if count > 1 else ""
        self.hidden.value = f"{count} outlier{plural} above" if count else ""
