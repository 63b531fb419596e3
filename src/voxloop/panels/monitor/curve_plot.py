"""One bqplot figure with the curves of one or several runs. Draws what it is given; knows no run and no file."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from voxloop.panels.base.figure import plain_figure
from voxloop.panels.base.panel import classed, close_tree, column, text
from voxloop.panels.base.when_shown import WhenShown
from voxloop.panels.monitor.curves import Curves, Points, log_ticks, nice_limit, ticks

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # bqscales names a trait type that ipywidgets renamed
    import bqplot as bq

#: training is blue, validation red, in both themes
TRAIN, VAL, BEST = "#2b83d6", "#d9482b", "#e6a100"
#: what lies along the axis from left to right
STEPS, EPOCHS = "optimiser step", "epoch"
#: how far a batch shines through: dots lie on each other, and are seen on white and on black
BATCH_OPACITY = 0.75
#: decades that one axis spans at most when it is logarithmic
DECADES = 8


@dataclass(frozen=True, slots=True)
class Colors:
    """How the curves of one run are painted."""

    batch: str = TRAIN
    train: str = TRAIN
    val: str = VAL
    best: str = BEST


class CurvePlot:
    """Loss or a metric over optimiser steps: batches as dots, their running mean, epochs as lines.

    The epoch that is kept is a dot, one that scored higher a ring.

    One message a mark and update, none for what has not changed.

    Parameters
    ----------
    label
        What is drawn.
    title
        What stands above it; the label where not given.
    colors
        Of each run.
    log
        Whether the axis is logarithmic.
    unit_range
        Whether the axis is that of a score from 0 to 1, where the values allow it.
    """

    def __init__(
        self,
        label: str,
        colors: Sequence[Colors] = (Colors(),),
        *,
        title: str = "",
        log: bool = False,
        unit_range: bool = False,
    ) -> None:
        self.log = log
        self._unit_range = unit_range
        self._x = bq.LinearScale(min=0.0, max=10.0)
        self._y = bq.LogScale(min=0.01, max=1.0) if log else bq.LinearScale(min=0.0, max=1.0)
        tip = bq.Tooltip(fields=["x", "y"], labels=["step", label], formats=[",d", ".4~f"])
        self.marks = [RunMarks(self._x, self._y, paint, tip, several=len(colors) > 1) for paint in colors]
        measure = f"{label} (1 is perfect)" if unit_range else f"{label} (lower is better)"
        self.y_axis = bq.Axis(
            scale=self._y, side="left", tick_format="~g", grid_lines="solid", label=measure, label_offset="42px"
        )
        self.x_axis = bq.Axis(scale=self._x, tick_format="~s", grid_lines="none", label=STEPS, label_offset="28px")
        drawn = [mark for marks in self.marks for mark in marks.all]
        margin = {"top": 10, "bottom": 38, "left": 56, "right": 12}
        self.figure = plain_figure(drawn, [self.x_axis, self.y_axis], 230, margin)
        self.widget = classed(column(text(title or label, "vx-small"), WhenShown(self.figure)), "vx-plot")

    def show(self, runs: Sequence[Curves], *, beside: Sequence[Curves] = (), along: str = STEPS) -> None:
        """Draw one :class:`Curves` a run, ``along`` steps or epochs, which reach as far as in the plot ``beside``."""
        self.x_axis.label = along
        for marks, run_curves in zip(self.marks, runs, strict=True):
            marks.show(run_curves)
        self._fit(runs, beside)

    def close(self) -> None:
        close_tree(self.widget)

    def _fit(self, runs: Sequence[Curves], beside: Sequence[Curves]) -> None:
        shown = _points(runs)
        if not shown:
            return
        y = np.concatenate([points[1] for points in shown])
        x = np.concatenate([points[0] for points in (*shown, *_points(beside))])
        left, right = float(x.min()), float(x.max())
        left = 0.0 if left <= 0.2 * right else left
        right = left + nice_limit(right - left)
        _set(self._x, left, right)
        whole = ticks(left, right)
        _mark(self.x_axis, whole[whole == np.round(whole)])
        low, high = self._range(float(y.min()), float(y.max()))
        _set(self._y, low, high)
        marks = log_ticks(low, high) if self.log else ticks(low, high)
        _mark(self.y_axis, marks)

    def _range(self, low: float, high: float) -> tuple[float, float]:
        if self.log:
            low = max(low, high * 10.0**-DECADES)
            return 10.0 ** (math.floor(5 * math.log10(low)) / 5), 10.0 ** (math.ceil(5 * math.log10(high) + 1e-9) / 5)
        if self._unit_range and low >= 0 and high <= 1:
            return 0.0, 1.0
        return (0.0 if low >= 0 else -nice_limit(-low)), nice_limit(1.02 * high)


class RunMarks:
    """The marks of one run."""

    def __init__(self, x: Any, y: Any, paint: Colors, tip: Any, several: bool) -> None:
        scales = {"x": x, "y": y}
        self.batches = bq.Scatter(
            scales=scales,
            colors=[paint.batch],
            default_size=8,
            stroke_width=0,
            opacities=[BATCH_OPACITY],
            enable_hover=False,
        )
        self.smooth = _line(scales, paint.batch, 1.6, [1.0])
        self.train = _line(scales, paint.train, 2.0, [1.0], dashed=several)
        self.val = _line(scales, paint.val, 2.0, [1.0])
        self.train_points, self.val_points = _dots(scales, paint.train, tip), _dots(scales, paint.val, tip)
        self.best = bq.Scatter(
            scales=scales, colors=[paint.best], default_size=70, stroke="#ffffffd0", stroke_width=1.5
        )
        self.highest = bq.Scatter(
            scales=scales, colors=[paint.best], default_size=70, fill=False, stroke=paint.best, stroke_width=2
        )
        self.all = [
            self.batches,
            self.smooth,
            self.train,
            self.val,
            self.train_points,
            self.val_points,
            self.highest,
            self.best,
        ]

    def show(self, run_curves: Curves) -> None:
        _draw(self.batches, run_curves.batches)
        _draw(self.smooth, run_curves.smooth)
        _draw(self.train, run_curves.train)
        _draw(self.val, run_curves.val)
        _draw(self.train_points, _few(run_curves.train))
        _draw(self.val_points, _few(run_curves.val))
        _draw(self.highest, run_curves.highest)
        _draw(self.best, run_curves.best)


def _points(runs: Sequence[Curves]) -> list[Points]:
    """What is drawn of runs, without what is empty."""
    drawn = [points for run_curves in runs for points in (run_curves.batches, run_curves.train, run_curves.val)]
    return [points for points in drawn if len(points[0])]


def _line(scales: dict[str, Any], color: str, width: float, opacities: list[float], dashed: bool = False) -> Any:
    style = "dashed" if dashed else "solid"
    return bq.Lines(
        scales=scales, colors=[color], stroke_width=width, opacities=opacities, line_style=style, x=[], y=[]
    )


def _dots(scales: dict[str, Any], color: str, tip: Any) -> Any:
    """Dots on the epochs; hovering shows their numbers."""
    return bq.Scatter(scales=scales, colors=[color], default_size=18, stroke_width=0, tooltip=tip)


def _few(points: Points, limit: int = 80) -> Points:
    """Dots only where they can be told apart."""
    return points if len(points[0]) <= limit else (points[0][:0], points[1][:0])


def _draw(mark: Any, points: Points) -> None:
    x, y = points
    if np.array_equal(mark.x, x) and np.array_equal(mark.y, y):
        return
    with mark.hold_sync():
        mark.x, mark.y = x, y


def _mark(axis: Any, values: np.ndarray) -> None:
    if not np.array_equal(axis.tick_values, values):
        axis.tick_values = values


def _set(scale: Any, low: float, high: float) -> None:
    if (scale.min, scale.max) != (low, high):
        with scale.hold_sync():
            scale.min, scale.max = low, high
