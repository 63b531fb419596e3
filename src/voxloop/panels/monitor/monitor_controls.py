"""The buttons that steer a run, and the controls over how its curves are looked at. Know no run and no figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as w

from voxloop.panels.base.panel import button, classed, row, show, text
from voxloop.panels.monitor.run_words import metric_title

#: words -> steps shown (0: all)
_WINDOWS: list[tuple[str, int]] = [
    ("all steps", 0),
    ("last 5000", 5000),
    ("last 1000", 1000),
    ("last 200", 200),
    ("last 50", 50),
]
_GOING = ("queued", "running")
_CAN_RESUME = ("paused", "interrupted", "failed", "stopped")


class Controls:
    """Start or Resume, Pause, Stop and keep, Cancel and discard (asked once more, in place)."""

    def __init__(
        self,
        order: Callable[[Callable[[Any], object]], object],
        handler: Callable[[Callable[..., object]], Callable[..., None]],
    ) -> None:
        self._state = ""
        self.resume = button(
            "Resume",
            handler(lambda: order(lambda run: run.resume())),
            kind="primary",
            icon="play",
            tooltip="Go on from the last checkpoint, in a new process",
        )
        self.pause = button(
            "Pause",
            handler(lambda: order(lambda run: run.pause())),
            icon="pause",
            tooltip="Write a checkpoint and free memory and device; Resume goes on exactly there",
        )
        self.stop = button(
            "Stop and keep",
            handler(lambda: order(lambda run: run.stop())),
            icon="stop",
            tooltip="End training now and keep the model learnt so far",
        )
        self.cancel = button(
            "Cancel and discard",
            handler(self._ask),
            kind="danger",
            icon="trash",
            tooltip="End training and throw away what it learnt",
        )
        sure = button("Discard", handler(lambda: self._sure(order)), kind="danger")
        self.ask = row(text("Throw away everything it learnt?"), sure, button("Keep going", handler(self.reset)))
        self.sure = sure
        show(self.ask, False)
        self.widget = row(self.resume, self.pause, self.stop, self.cancel, self.ask)

    def show(self, state: str) -> None:
        """Offer what is possible in this state."""
        if state not in (*_GOING, *_CAN_RESUME):
            show(self.ask, False)
        self._state = state
        self.resume.description = "Start" if state == "created" else "Resume"
        show(self.resume, state in (*_CAN_RESUME, "created"))
        show(self.pause, state in (*_GOING, "stopping"))
        show(self.stop, state in (*_GOING, "stopping", "paused", "interrupted"))
        can_cancel = state in (*_GOING, "stopping", "paused", "interrupted", "failed", "created")
        show(self.cancel, can_cancel and "vx-hidden" in self.ask._dom_classes)
        show(self.widget, state not in ("finished", "cancelled"))
        self._enable(state != "stopping")
        # an order on its way may still be followed by a harder one
        self.cancel.disabled = self.sure.disabled = False

    def wait(self) -> None:
        """An order is being given: no second click."""
        self._enable(False)
        self.cancel.disabled = self.sure.disabled = True

    def reset(self) -> None:
        """Take the question back."""
        show(self.ask, False)
        self.show(self._state)

    def _ask(self) -> None:
        show(self.ask, True)
        show(self.cancel, False)

    def _sure(self, order: Callable[[Callable[[Any], object]], object]) -> None:
        show(self.ask, False)
        order(lambda run: run.cancel())

    def _enable(self, enabled: bool) -> None:
        for made in (self.resume, self.pause, self.stop):
            made.disabled = not enabled


class ViewControls:
    """Smoothing, window, logarithm, outliers, metric."""

    def __init__(self, set_view: Callable[[dict[str, Any]], object], set_metric: Callable[[str], object]) -> None:
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
        self.smoothing.observe(lambda change: set_view({"smoothing": change["new"]}), "value")
        self.last.observe(lambda change: set_view({"last": change["new"] or None}), "value")
        self.log.observe(lambda change: set_view({"log": change["new"]}), "value")
        self.outliers.observe(lambda change: set_view({"outliers": change["new"]}), "value")
        self.metric.observe(lambda change: self._offering or set_metric(change["new"]), "value")
        for made in (self.log, self.outliers):
            classed(made, "vx-toggle")
        self._smooth = text("smooth", "vx-dim", "vx-small")
        self.widgets = (
            self._smooth,
            self.smoothing,
            self.last,
            self.log,
            self.outliers,
            self.hidden,
            self.metric,
        )

    def offer(self, names: Sequence[str], chosen: str) -> None:
        """The metrics there are; the choice appears where there is one."""
        options = [(metric_title(name), name) for name in names]
        if list(self.metric.options) != options:
            self._offering = True
            self.metric.options = options
            self._offering = False
        if chosen in names and self.metric.value != chosen:
            self._offering = True
            self.metric.value = chosen
            self._offering = False
        show(self.metric, len(names) > 1)

    def suit(self, steps: bool, losses: bool) -> None:
        """Offer only what does something: batches are there where ``steps`` are counted, an axis of ``losses``."""
        for made in (self._smooth, self.smoothing, self.last, self.outliers):
            show(made, steps)
        show(self.log, losses)

    def say_hidden(self, count: int) -> None:
        words = f"{count} outlier{'s' if count > 1 else ''} above" if count else ""
        if self.hidden.value != words:
            self.hidden.value = words
