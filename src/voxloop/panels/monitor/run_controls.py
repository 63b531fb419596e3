"""The buttons that steer a run. Know no run: they give an order, a function of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from voxloop.panels.base.panel import Panel, button, row, show, text

_GOING = ("queued", "running")
_CAN_RESUME = ("paused", "interrupted", "failed", "stopped")


class RunControls:
    """Start or Resume, Pause, Stop and keep, Cancel and discard (asked once more, in place)."""

    def __init__(
        self,
        panel: Panel,
        order: Callable[[Callable[[Any], object]], object],
    ) -> None:
        handler = panel.handler
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
