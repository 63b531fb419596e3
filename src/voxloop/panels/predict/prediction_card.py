"""The card of a prediction under way: how far it is, and the orders it can be given. Decides nothing itself."""

from __future__ import annotations

import html
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from voxloop.panels.base.panel import Panel, button, column, row, show, text
from voxloop.panels.monitor.run_words import AT_WORK
from voxloop.panels.monitor.score_words import score_sentence
from voxloop.panels.predict.prediction_words import describe_progress

if TYPE_CHECKING:
    from voxloop.review import Score
    from voxloop.runs import Run


class PredictionCard:
    """Bar, words, Pause, Resume, Stop, Cancel.

    Parameters
    ----------
    panel
        Whose part it is.
    order
        Gives an order to the run on show, by a function of it.
    discard
        Throws away what is predicted; asked before.
    """

    def __init__(
        self, panel: Panel, order: Callable[[Callable[[Run], Any]], None], discard: Callable[[], None]
    ) -> None:
        handler = panel.handler
        self.bar, self.words, self._asking = text(), text("", "vx-number"), False
        self.score = text("", "vx-number")
        self.pause = button(
            "Pause",
            handler(lambda: order(lambda run: run.pause())),
            icon="pause",
            tooltip="End the process after the tiles in hand; Resume goes on there, also tomorrow",
        )
        self.resume = button("Resume", handler(lambda: order(lambda run: run.resume())), icon="play")
        self.stop = button(
            "Stop and keep",
            handler(lambda: order(lambda run: run.stop())),
            icon="stop",
            tooltip="End now and keep what is predicted so far",
        )
        self.cancel = button("Cancel and discard", handler(lambda: self._ask(True)), kind="danger", icon="trash")

        def throw_away() -> None:
            self._ask(False)
            discard()

        self.sure = row(
            text("Throw away what is predicted?"),
            button("Discard", handler(throw_away), kind="danger"),
            button("Keep", handler(lambda: self._ask(False))),
        )
        self.orders = row(self.resume, self.pause, self.stop, self.cancel, self.sure)
        self.widget = column(self.bar, self.words, self.score, self.orders, classes=["vx-card"])
        for part in (self.widget, self.sure):
            show(part, False)

    def show(self, state: str, history: Any, borders: str = "") -> None:
        """The state of the run on show, ``""`` for none; ``borders``: what the cuts between its tiles change."""
        show(self.widget, state != "")
        if not state:
            return
        self.bar.value, self.words.value = describe_progress(state, history, time.time(), borders)
        show(self.pause, state in ("queued", "running"))
        show(self.stop, state in AT_WORK)
        show(self.resume, state in ("paused", "interrupted", "stopped", "failed"))
        show(self.cancel, state in (*AT_WORK, "paused", "interrupted") and not self._asking)
        show(self.sure, self._asking)
        show(self.orders, self._asking or state not in ("finished", "cancelled"))

    def show_score(self, score: Score | None, state: str) -> None:
        """How good the prediction on show is, once it is made."""
        made = state in ("finished", "stopped")
        self.score.value = html.escape(score_sentence(score)) if made else ""
        show(self.score, made)

    def _ask(self, asking: bool) -> None:
        self._asking = asking
        show(self.sure, asking)
        show(self.cancel, not asking)
