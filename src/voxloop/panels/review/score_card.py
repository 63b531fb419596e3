"""How good the prediction under review is: the score in words, by class, and what it rests on. Computes nothing."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxloop.panels.base.panel import Panel, button, column, section, show, table, text
from voxloop.panels.base.work import Backlog
from voxloop.panels.review.audit_walk import USUAL_S, minutes
from voxloop.panels.review.subject import ReviewSubject
from voxloop.panels.review.totals import totals_table
from voxloop.store.layout import Layout

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.review import Score
    from voxloop.workspace.workspace import Workspace

SCORE = "score"
#: how many places an audit usually has
USUAL = {"points": 100, "fields": 12}
#: what each basis means, and what would say more
BASIS = {
    "audit": "It rests on places that were drawn by chance and judged by a person.",
    "corrections": "It rests on strokes made after the model had learned, and on how sure the model is. "
    "A check of points or fields says it more exactly.",
    "cross-fit": "It rests on how sure the model is, checked on strokes that its training held out. "
    "A check of points or fields says it more exactly.",
    "none": "",
}
_MEANING = "The true value lies in the interval in nine of ten cases."


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a prediction.

    Attributes
    ----------
    score : how good it is.
    audits : of each kind of audit that was begun, how many places are judged and how many there are.
    totals : what a finished check of fields tells beside the score, as markup.
    """

    score: Score
    audits: Mapping[str, tuple[int, int]]
    totals: str = ""


class ScoreCard:
    """Words, a table of classes, and the buttons that begin a check.

    Parameters
    ----------
    backlog
        Whose turns the scoring takes, under the name ``"score"``.
    check
        Called with ``"points"`` or ``"fields"`` where somebody wants to check.
    scored
        Called with every score that is shown.
    """

    def __init__(
        self,
        panel: Panel,
        subject: ReviewSubject,
        backlog: Backlog,
        check: Callable[[str], object],
        scored: Callable[[Score], object],
    ) -> None:
        self._subject, self._scored = subject, scored
        self._words, self._classes, self._basis, self._totals = text(), text(), text("", "vx-dim"), text()
        handler = panel.handler
        self.points = button("", handler(lambda: check("points")), kind="primary")
        self.fields = button("", handler(lambda: check("fields")))
        self.points.tooltip = "Single voxels drawn by chance: which class is each? Good for a first number."
        self.fields.tooltip = "Small squares drawn by chance: right or corrected? Tells volumes and counts too."
        self.widget = section(
            "How good is it?",
            self._words,
            self._classes,
            self._totals,
            self._basis,
            column(self.points, self.fields),
        )
        self._show_buttons({})
        backlog.add(SCORE, self._prepare, self._show)

    def _prepare(self) -> Callable[[], Standing | None]:
        prediction, ws = self._subject.prediction, self._subject.ws
        if prediction is None:
            return lambda: None
        return lambda: _standing(ws, prediction)

    def _show(self, standing: Standing | None) -> None:
        if standing is None:
            return
        score = standing.score
        self._words.value = f"<b>{html.escape(score.words[0].upper() + score.words[1:])}.</b>"
        rows = [
            (html.escape(name), f"{value:.2f}", f"{low:.2f} to {high:.2f}")
            for name, (value, low, high) in score.per_class.items()
        ]
        self._classes.value = table(("Class", "IoU", "Interval"), rows, right=(1, 2)) if rows else ""
        show(self._classes, bool(rows))
        self._basis.value = f"{html.escape(BASIS[score.basis])} {_MEANING}" if score.known else ""
        show(self._basis, score.known)
        self._totals.value = standing.totals
        show(self._totals, bool(standing.totals))
        self._show_buttons(standing.audits)
        self._scored(score)

    def _show_buttons(self, audits: Mapping[str, tuple[int, int]]) -> None:
        for how, made in (("points", self.points), ("fields", self.fields)):
            done, count = audits.get(how, (0, USUAL[how]))
            if done == count:
                made.description = f"Look at the {count} checked {how} again"
            elif done:
                made.description = f"Go on checking {how} ({count - done} left)"
            else:
                made.description = f"Check {count} {how} ({minutes(count * USUAL_S[how])})"


def _standing(ws: Workspace, prediction: Prediction) -> Standing:
    from voxloop.review import FieldAudit, audits_of

    begun, totals = {}, ""
    for audit in audits_of(Layout(ws.path).audits, prediction):
        if audit.count == USUAL[audit.how]:
            begun[audit.how] = (audit.count - len(audit.left), audit.count)
        if isinstance(audit, FieldAudit) and not audit.left:
            totals = totals_table(audit)
    return Standing(ws.score(prediction), begun, totals)
