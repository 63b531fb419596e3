"""Whether predictions get better from round to round, and how one compares with a level that holds the truth."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING

import ipywidgets as w

from voxloop.panels.base.panel import Panel, labelled, section, show, table, text
from voxloop.panels.base.work import Backlog, Latest
from voxloop.panels.review.error_curve import Scored, curve, verdict
from voxloop.store.layout import Layout

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.review import Report
    from voxloop.store import Labels
    from voxloop.workspace.workspace import Workspace

SCORES = "scores"
#: predictions that the curve goes back
HISTORY = 8
NO_TRUTH = "—"


class ReviewProgress:
    """The curve of scores, what it says, and a comparison with the truth where a level holds it.

    Parameters
    ----------
    backlog
        Whose turns the scoring takes, under the name ``"scores"``.
    subject
        The prediction under review and the labels it is scored on; None where there is none.
    """

    def __init__(
        self,
        panel: Panel,
        ws: Workspace,
        backlog: Backlog,
        subject: Callable[[], tuple[Prediction, Labels] | None],
        truths: list[str],
    ) -> None:
        self.scores: list[Scored] = []
        self._ws, self._subject = ws, subject
        self._known: dict[tuple[str, int], Scored] = {}
        self._curve, self._verdict, self._report = text(), text(), text()
        self._truth = w.Dropdown(
            options=[NO_TRUTH, *truths], **labelled("Truth", "A level that holds the right answer, to score against")
        )
        self._truth.observe(panel.handler(lambda change: self._compare(change["new"])), "value")
        show(self._truth, bool(truths))
        self.widget = section("Is it getting better?", self._curve, self._verdict, self._truth, self._report)
        self._reports: Latest[Report] = Latest(panel, self._show_report)
        backlog.add(SCORES, self._prepare, self._show_scores)

    def _prepare(self) -> Callable[[], list[tuple[tuple[str, int], Scored]]]:
        subject = self._subject()
        if subject is None:
            return list
        prediction, labels = subject
        known = dict(self._known)
        names = list(self._ws.predictions)[-HISTORY:]
        return lambda: _scores(self._ws, prediction, labels, names, known)

    def _show_scores(self, scored: list[tuple[tuple[str, int], Scored]]) -> None:
        self._known = dict(scored)
        self.scores = [score for _, score in scored]
        self._curve.value = curve(self.scores)
        self._verdict.value = html.escape(verdict(self.scores))

    def _compare(self, truth: str) -> None:
        subject = self._subject()
        if truth == NO_TRUTH or subject is None:
            self._reports.forget()
            self._report.value = ""
            return
        prediction, _ = subject
        self._report.value = '<span class="vx-dim">Comparing …</span>'
        self._reports.ask(lambda: self._ws.evaluate(prediction, truth))

    def _show_report(self, report: Report) -> None:
        rows = [(html.escape(name), html.escape(value)) for name, value in report.rows()]
        self._report.value = table((), rows, right=(1,))


def _scores(
    ws: Workspace, prediction: Prediction, labels: Labels, names: list[str], known: dict[tuple[str, int], Scored]
) -> list[tuple[tuple[str, int], Scored]]:
    """Score of every prediction of these names that is of the same image and level; ``known`` ones are taken over."""
    scored = []
    for name in names:
        key = (name, labels.sequence)
        if key not in known:
            other = ws.predictions[name]
            if (other.image, other.level) != (prediction.image, prediction.level):
                continue
            known[key] = _score(ws, other, labels)
        scored.append((key, known[key]))
    return scored


def _score(ws: Workspace, prediction: Prediction, labels: Labels) -> Scored:
    """What is known of how good a prediction is."""
    from voxloop.review import score_prediction

    return Scored(prediction.name, score_prediction(Layout(ws.path), prediction, labels))
