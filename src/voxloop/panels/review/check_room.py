"""The room that says how good the prediction under review is, and how to know it better. Labels nothing by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from voxloop.errors import PredictionError
from voxloop.panels.base.panel import Panel, button, close_tree, column, section, show, text
from voxloop.panels.base.work import Attempt, Backlog
from voxloop.panels.review.audit_walk import AuditWalk
from voxloop.panels.review.field_check import FieldCheck
from voxloop.panels.review.picture_task import PictureTask
from voxloop.panels.review.point_check import PointCheck
from voxloop.panels.review.score_card import SCORE, ScoreCard
from voxloop.panels.review.stroke_doubts import StrokeDoubts
from voxloop.panels.review.subject import ReviewSubject
from voxloop.panels.view.pictured_doubts import PicturedDoubt, look_for_doubts

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.review import FieldAudit, PointAudit, Score


class CheckRoom:
    """The score, the audits and the strokes in doubt; of the latter one at a time is in use, as ``task``.

    Parameters
    ----------
    backlog
        Whose turns the scoring takes.
    tell_code
        Called with the line of Python for what was done.
    undo
        Takes the last edit of labels back.
    scored
        Called with every score of the prediction that is shown.
    changed
        Called when another task, or none, has picture and keys from now on.
    """

    def __init__(
        self,
        panel: Panel,
        subject: ReviewSubject,
        backlog: Backlog,
        *,
        tell_code: Callable[[str], object],
        undo: Callable[[], object],
        scored: Callable[[Score], object],
        changed: Callable[[], object],
    ) -> None:
        self.task: PictureTask | None = None
        self._panel, self._subject, self._backlog = panel, subject, backlog
        self._tell_code, self._undo, self._changed = tell_code, undo, changed
        self.card = ScoreCard(panel, subject, backlog, self.check, scored)
        look = button(
            "Look for strokes in doubt",
            panel.handler(self.look_for_doubts),
            tooltip="Strokes that models contradict which had not learned from them",
        )
        about = text("Are all strokes on the right thing? Models that had not learned from them can tell.", "vx-dim")
        self._overview = column(self.card.widget, section("Strokes in doubt", about, look))
        self._holder = column()
        self.widget = column(self._overview, self._holder)
        self._opening = {
            how: Attempt(panel, self._open, self._begin, button=made)
            for how, made in (("points", self.card.points), ("fields", self.card.fields))
        }
        self._looking = Attempt(panel, lambda: look_for_doubts(subject.ws), self._show_doubts, button=look)

    def check(self, how: str) -> None:
        """Begin to check points or fields, or go on where somebody left."""
        prediction = self._subject.reviewed()
        if prediction.image not in self._subject.ws.images.names:
            raise PredictionError(f"image {prediction.image!r} is not in this workspace any more, so nobody can look")
        self._tell_code(f"audit = ws.audit({prediction.name!r}, how={how!r})")
        self._panel.say("Drawing places …")
        self._opening[how](prediction, how)

    def look_for_doubts(self) -> None:
        """List the strokes that models contradict."""
        self._tell_code("ws.doctor()")
        self._looking()

    def leave(self) -> None:
        """Go back to the score; what was answered is kept."""
        task, self.task = self.task, None
        if task is None:
            return
        task.leave()
        show(self._overview, True)
        self._holder.children = ()
        self._changed()
        close_tree(task.widget)
        self._backlog.ask()

    def _open(self, prediction: Prediction, how: str) -> PointAudit | FieldAudit:
        return self._subject.ws.audit(prediction, how)  # type: ignore[arg-type]

    def _begin(self, audit: PointAudit | FieldAudit) -> None:
        self._panel.say("", "quiet")
        if self._subject.prediction is None or audit.prediction.name != self._subject.prediction.name:
            return  # another one is under review meanwhile
        walk = AuditWalk(audit)
        if walk.at is None:
            walk.begin_anew()
        if audit.how == "points":
            self._use(
                PointCheck(
                    self._panel,
                    self._subject,
                    walk,
                    changed=self._changed,
                    scored=self._ask_score,
                    tell_code=self._tell_code,
                    leave=self.leave,
                )
            )
        else:
            self._use(
                FieldCheck(
                    self._panel,
                    self._subject,
                    walk,
                    scored=self._ask_score,
                    tell_code=self._tell_code,
                    leave=self.leave,
                )
            )

    def _show_doubts(self, doubts: list[PicturedDoubt]) -> None:
        if not doubts:
            self._panel.say("No stroke is contradicted by models that had not learned from it.", "good")
            return
        self._use(
            StrokeDoubts(
                self._panel, self._subject, doubts, undo=self._undo, tell_code=self._tell_code, leave=self.leave
            )
        )

    def _use(self, task: PictureTask) -> None:
        self.leave()
        self.task = task
        show(self._overview, False)
        self._holder.children = (task.widget,)
        self._changed()
        task.begin()

    def _ask_score(self) -> None:
        self._backlog.ask(SCORE)
