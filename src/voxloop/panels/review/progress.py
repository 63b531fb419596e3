"""The room Progress: whether it gets better and when to stop, the rounds, two of them side by side."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.panels.base.panel import Panel, classed, column, labelled, section, show, table, text
from voxloop.panels.base.work import Backlog, Latest
from voxloop.panels.review.error_curve import MINUTES, ROUNDS, curve
from voxloop.panels.review.rounds_table import RoundsTable
from voxloop.panels.review.subject import ReviewSubject
from voxloop.panels.review.swipe import Swipe

if TYPE_CHECKING:
    from voxloop.review import LoopRound, Outlook, Reached, Report
    from voxloop.workspace.workspace import Workspace

SCORES = "scores"
#: predictions that the curve goes back
HISTORY = 12
NO_TRUTH = "—"


@dataclass(frozen=True, slots=True)
class Course:
    """How the loop went so far: its rounds, the predictions they led to, and what is to come."""

    rounds: list[LoopRound]
    reached: list[Reached]
    outlook: Outlook


class ProgressRoom:
    """The curve of scores, what it says, the rounds, and a comparison with the truth where a level holds it.

    Parameters
    ----------
    backlog
        Whose turns the scoring takes, under the name ``"scores"``.
    truths
        Levels that may hold the right answer.
    """

    def __init__(
        self,
        panel: Panel,
        subject: ReviewSubject,
        backlog: Backlog,
        truths: list[str],
        *,
        tell_code: Callable[[str], object],
    ) -> None:
        self._subject = subject
        self.course: Course | None = None
        self._curve, self._verdict, self._report = text(), text(), text()
        self._over: Any = classed(
            w.ToggleButtons(options=[("Rounds", ROUNDS), ("Minutes", MINUTES)], value=ROUNDS, tooltip="Curve over"),
            "vx-choice",
        )
        self._over.observe(panel.handler(self._draw), "value")
        self._truth = w.Dropdown(
            options=[NO_TRUTH, *truths], **labelled("Truth", "A level that holds the right answer, to score against")
        )
        self._truth.observe(panel.handler(lambda change: self._compare(change["new"])), "value")
        self.table = RoundsTable(panel, subject, tell_code=tell_code, changed=backlog.ask)
        self.swipe = Swipe(panel, subject)
        judged = section("Against the truth", self._truth, self._report)
        show(judged, bool(truths))
        self.widget = column(
            section("Is it getting better?", self._over, self._curve, self._verdict),
            self.table.widget,
            self.swipe.widget,
            judged,
        )
        self._reports: Latest[Report] = Latest(panel, self._show_report)
        backlog.add(SCORES, self._prepare, self._show)

    @property
    def reached(self) -> list[Reached]:
        """The predictions of the image on show and what is known of them, oldest first."""
        return [] if self.course is None else self.course.reached

    def leave(self) -> None:
        """Another room is shown: the picture has one prediction again."""
        self.swipe.end()

    def _prepare(self) -> Callable[[], Course | None]:
        prediction, ws = self._subject.prediction, self._subject.ws
        if prediction is None or prediction.level is None or prediction.image is None:
            return lambda: None
        level, image = prediction.level, prediction.image
        return lambda: _course(ws, level, image)

    def _show(self, course: Course | None) -> None:
        if course is None:
            return
        self.course = course
        self._draw()
        self._verdict.value = html.escape(course.outlook.words)
        self.table.show(course.rounds)
        self.swipe.offer([one.prediction for one in course.reached])

    def _draw(self) -> None:
        course = self.course
        if course is not None:
            self._curve.value = curve(course.reached, self._over.value, course.outlook)
            show(self._over, any(one.seconds is not None for one in course.reached))

    def _compare(self, truth: str) -> None:
        prediction = self._subject.prediction
        if truth == NO_TRUTH or prediction is None:
            self._reports.forget()
            self._report.value = ""
            return
        ws = self._subject.ws
        self._report.value = '<span class="vx-dim">Comparing …</span>'
        self._reports.ask(lambda: ws.evaluate(prediction, truth))

    def _show_report(self, report: Report) -> None:
        rows = [(html.escape(name), html.escape(value)) for name, value in report.rows()]
        self._report.value = table((), rows, right=(1,))


def _course(ws: Workspace, level: str, image: str) -> Course:
    from voxloop.review import outlook

    rounds = ws.rounds
    reached = rounds.reached(level, image)[-HISTORY:]
    return Course(rounds.read(level, compute=False), reached, outlook(reached))
