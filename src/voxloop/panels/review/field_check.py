"""An audit of fields at the picture: frame after frame, accepted as predicted or corrected on a copy. Makes no labels.

What is painted here is an answer of the audit. It lies on a layer of its own and teaches no model.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from voxloop.panels.base.panel import Panel, button, row, section, show, text
from voxloop.panels.base.work import Latest
from voxloop.panels.label.tools import SHAPES, TOOLS, voxel_of
from voxloop.panels.review.audit_steps import AuditSteps, leave_row
from voxloop.panels.review.audit_walk import AuditWalk
from voxloop.panels.review.picture_task import Key, PaintingTask
from voxloop.panels.review.subject import ReviewSubject
from voxloop.panels.review.totals import totals_table
from voxloop.panels.view.frames import palette_indices
from voxloop.panels.view.ink import StrokePiece
from voxloop.panels.view.layers import LayerPatch, PatchLayer, class_dicts
from voxloop.panels.view.prediction_layers import PREDICTION, UNCERTAINTY, frame
from voxloop.store.shapes import outline

if TYPE_CHECKING:
    from voxloop.review import FieldAudit, Score
    from voxloop.review.field_draft import FieldDraft

#: voxels in sight around a field at first; whoever zooms keeps the zoom
AROUND = 96
ANSWERS = "answers"
_GROUP = "Check fields"
#: keys of the panel that mean the same here
_USUAL = ("Tools", "Classes")
_NO_KEYS = ("d", "shift+u")
#: tools that look at the image or show first what they would paint: a copy has neither
NOT_ON_COPIES = ("threshold", *(tool.name for tool in TOOLS if tool.hints))


class FieldCheck(AuditSteps, PaintingTask):
    """Fields one after the other.

    Parameters
    ----------
    scored
        Called when the audit says something new.
    tell_code
        Called with the line of Python for an answer.
    leave
        What the button that leaves does.
    """

    hides = (PREDICTION, UNCERTAINTY, "labels", "preview", "difference", "author", "conflict")
    paints_on = ANSWERS

    def __init__(
        self,
        panel: Panel,
        subject: ReviewSubject,
        walk: AuditWalk,
        *,
        scored: Callable[[], object],
        tell_code: Callable[[str], object],
        leave: Callable[[], object],
    ) -> None:
        super().__init__(walk, scored, tell_code)
        self.audit: FieldAudit = walk.audit  # type: ignore[assignment]
        self.draft: FieldDraft | None = None
        self._panel, self._subject = panel, subject
        self.layer = PatchLayer(ANSWERS, "field as it truly is", opacity=0.5)
        self.layer.state["classes"] = class_dicts(self.audit.classes)
        for item, info in zip(self.layer.state["classes"], self.audit.classes, strict=True):
            item["visible"] = not info.background
        self._totals = text()
        self._latest: Latest[tuple[Score, str]] = Latest(panel, self._show_judged)
        handler = panel.handler
        self._accept = button(
            "Accept as it is", handler(self.accept), kind="primary", icon="check", tooltip="What is painted here (Y)"
        )
        self._undo = button("", handler(self.undo), icon="undo", tooltip="Undo (Ctrl Z)")
        self._answers = row(
            self._accept,
            button("Cannot tell", handler(self.skip), tooltip="Skip this field (X)"),
            button("Back", handler(self.back), tooltip="The field before (Backspace)"),
            self._undo,
        )
        self.widget = section(
            "Check fields",
            self._count,
            self._bar,
            self._question,
            self._answers,
            self._score,
            self._totals,
            leave_row(panel, leave),
        )

    def begin(self) -> None:
        """Show the first field that nobody has judged."""
        view = self._subject.view
        view.set_layers([*view.layers, self.layer])
        self._show(AROUND)

    # ----------------------------------------------------------------------------------------------------- answering

    def accept(self) -> None:
        """The field is right as it stands: as predicted, or as corrected."""
        at, draft = self.walk.at, self.draft
        if at is None or draft is None:
            return
        if draft.is_changed or self.audit.corrected(at) is not None:
            self.audit.correct(at, draft.values)
            self._tell_code(f"{self._code}.correct({at}, labels)")
        else:
            self.audit.accept(at)
            self._tell_code(f"{self._code}.accept({at})")
        self._go_on()

    # ------------------------------------------------------------------------------------------------------ painting

    def stroke(self, piece: StrokePiece) -> int | None:
        draft = self.draft
        if draft is None or piece.axis != "z" or piece.index != draft.box.start[0]:
            self._panel.say("Paint inside the frame; nothing else belongs to the field.", "warning")
            return None
        if piece.tool in SHAPES:
            draft.paint_area(outline(piece.tool, piece.points), piece.value)
        elif piece.tool == "erase":
            draft.paint(piece.points, piece.radius, 0, joined=piece.joined)
        else:
            draft.paint(piece.points, piece.radius, piece.value, joined=piece.joined)
        self._show_draft()
        return self.layer.sequence

    def click(self, message: dict[str, Any]) -> None:
        draft = self.draft
        if draft is None or message["tool"] != "fill":
            return
        z, y, x = voxel_of(message)
        if message["axis"] == "z" and z == draft.box.start[0]:
            draft.fill((y, x), int(message["value"]))
            self._show_draft()

    def undo(self) -> None:
        """Take the last stroke in this field back."""
        if self.draft is not None and self.draft.undo():
            self._show_draft()

    def redo(self) -> None:
        """Make the stroke that was taken back again."""
        if self.draft is not None and self.draft.redo():
            self._show_draft()

    # ------------------------------------------------------------------------------------------------------- picture

    def _show(self, voxels: float | None = None) -> None:
        walk, view = self.walk, self._subject.view
        self._show_walk()
        self._latest.ask(self._judge)
        self.layer.clear()
        if walk.at is None:
            self.draft = None
            self._say_all_checked()
            self._accept.disabled = True
            view.set_shapes([])
            view.refresh(ANSWERS)
            return
        self._accept.disabled = False
        draft = self.draft = self.audit.draft(walk.at)
        if view.axis != "z":
            view.go_to_plane(draft.box.start[0], "z")
        view.look_around(draft.box.centre, voxels)
        view.set_shapes([frame(draft.box, "z")])
        self._show_draft()

    def _show_draft(self) -> None:
        draft, at = self.draft, self.walk.at
        if draft is None or at is None:
            return
        _, top, left = draft.box.start
        _, bottom, right = draft.box.stop
        edges = (float(top), float(left), float(bottom), float(right))
        self.layer.show("z", draft.box.start[0], LayerPatch(palette_indices(draft.values), edges))
        self._subject.view.refresh(ANSWERS, sequence=self.layer.sequence)
        judged = self.audit.corrected(at) is not None
        corrected = draft.is_changed or judged
        self._accept.description = "Accept as corrected" if corrected else "Accept as it is"
        before = " You judged it before." if judged else ""
        self._question.value = html.escape(
            f"Field {at + 1}: is every voxel in the frame right? If not, paint it right first.{before}"
        )

    def _judge(self) -> tuple[Score, str]:
        return self.audit.score(), "" if self.audit.left else totals_table(self.audit)

    def _show_judged(self, judged: tuple[Score, str]) -> None:
        score, totals = judged
        self._show_words(score.words)
        self._totals.value = totals
        show(self._totals, bool(totals))

    # ---------------------------------------------------------------------------------------------------------- keys

    def keys(self, usual: Sequence[Key]) -> list[Key]:
        tools = [
            key
            for key in usual
            if key["group"] in _USUAL
            and key["key"] not in _NO_KEYS
            and key.get("set", {}).get("name") not in NOT_ON_COPIES
        ]
        more = [
            ("y", "Y", "right as it stands: accept", "accept"),
            ("x", "X", "nobody could tell: skip", "skip"),
            ("backspace", "Backspace", "the field before", "back"),
            ("ctrl+z", None, "undo in this field", "undo"),
            ("ctrl+shift+z", None, "redo", "redo"),
            ("ctrl+y", None, "", "redo"),
        ]
        own = []
        for key, shown, label, action in more:
            binding = {"key": key, "group": _GROUP, "label": label, "action": action}
            own.append({**binding, "shown": shown} if shown else binding)
        return [*tools, *own]

    def act(self, name: str) -> None:
        actions: dict[str, Callable[[], object]] = {
            "accept": self.accept,
            "skip": self.skip,
            "back": self.back,
            "undo": self.undo,
            "redo": self.redo,
        }
        if name in actions:
            actions[name]()

    def leave(self) -> None:
        self._latest.forget()
        view = self._subject.view
        view.set_shapes([])
        view.set_layers([layer for layer in view.layers if layer is not self.layer])
