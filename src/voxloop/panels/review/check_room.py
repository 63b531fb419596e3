"""The room that says how good the prediction under review is, and how to know it better. Labels nothing."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING

from voxloop.panels.base.panel import Panel, column, section, text
from voxloop.panels.base.work import Backlog
from voxloop.panels.review.subject import ReviewSubject

if TYPE_CHECKING:
    from voxloop.review import Score

SCORE = "score"


class CheckRoom:
    """The score of the prediction under review in words.

    Parameters
    ----------
    backlog
        Whose turns the scoring takes, under the name ``"score"``.
    """

    def __init__(self, panel: Panel, subject: ReviewSubject, backlog: Backlog) -> None:
        self._panel, self._subject = panel, subject
        self._words = text()
        self.widget = column(section("How good is it?", self._words))
        backlog.add(SCORE, self._prepare, self._show)

    def _prepare(self) -> Callable[[], Score | None]:
        prediction = self._subject.prediction
        ws = self._subject.ws
        if prediction is None:
            return lambda: None
        return lambda: ws.score(prediction)

    def _show(self, score: Score | None) -> None:
        self._words.value = "" if score is None else html.escape(score.words)
