"""The curve of a learning-rate finder: loss over rates, and the rate suggested. Knows no training."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from voxloop.panels.base.panel import classed, column, text
from voxloop.panels.base.when_shown import WhenShown
from voxloop.panels.monitor.curves import nice_limit, ticks

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # bqscales names a trait type that ipywidgets renamed
    import bqplot as bq


class RatePlot:
    """Empty until there is a curve, since a figure without a size cannot be drawn; the suggestion is a dot."""

    def __init__(self) -> None:
        self.widget = column(classes=["vx-rate"])

    def show(self, rates: np.ndarray, losses: np.ndarray, suggestion: float) -> None:
        """Draw losses (n,) at rates (n,)."""
        if not self.widget.children:
            self.widget.children = (text("Loss", "vx-small"), WhenShown(self._figure()))
        top = nice_limit(float(losses.max()))
        with self._y.hold_sync():
            self._y.min, self._y.max = 0.0, top
        self._y_axis.tick_values = ticks(0.0, top)
        with self._line.hold_sync():
            self._line.x, self._line.y = rates, losses
        with self._dot.hold_sync():
            self._dot.x = np.array([suggestion])
            self._dot.y = np.array([float(np.interp(np.log(suggestion), np.log(rates), losses))])

    def _figure(self) -> Any:
        self._x, self._y = bq.LogScale(min=1e-6, max=1.0), bq.LinearScale(min=0.0, max=1.0)
        scales = {"x": self._x, "y": self._y}
        self._line = bq.Lines(scales=scales, colors=["#2b83d6"], stroke_width=2, x=[], y=[])
        self._dot = bq.Scatter(scales=scales, colors=["#e6a100"], default_size=90, stroke="#ffffffd0", x=[], y=[])
        self._y_axis = bq.Axis(
            scale=self._y,
            side="left",
            tick_format="~g",
            label="loss (lower is better)",
            label_offset="42px",
            label_color="#808080",
        )
        rates = bq.Axis(
            scale=self._x,
            tick_format="~g",
            tick_values=np.geomspace(1e-6, 1, 7),
            label="learning rate (per step)",
            label_offset="32px",
            label_color="#808080",
            grid_lines="none",
        )
        figure = classed(
            bq.Figure(
                marks=[self._line, self._dot],
                axes=[rates, self._y_axis],
                display_toolbar=False,
                animation_duration=0,
                fig_margin={"top": 10, "bottom": 38, "left": 56, "right": 12},
                min_aspect_ratio=0.2,
                max_aspect_ratio=20.0,
            ),
            "vx-curves",
        )
        figure.layout.height, figure.layout.width = "200px", "100%"
        return figure
