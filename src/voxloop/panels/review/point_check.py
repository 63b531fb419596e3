"""An audit of points at the picture: the ring goes from voxel to voxel, one key says which class each is.

What is predicted and what is painted is hidden meanwhile: whoever sees an answer tends to agree with it.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from voxloop.geometry import AXES, plane_axes
from voxloop.panels.base.panel import Panel, button, mark, row, section
from voxloop.panels.base.work import Latest
from voxloop.panels.review.audit_steps import AuditSteps, leave_row
from voxloop.panels.review.audit_walk import AuditWalk
from voxloop.panels.review.picture_task import Key, PictureTask
from voxloop.panels.review.subject import ReviewSubject
from voxloop.panels.view.prediction_layers import PREDICTION, UNCERTAINTY
from voxloop.panels.view.shapes import VectorShape

if TYPE_CHECKING:
    from voxloop.model import ClassInfo
    from voxloop.review import PointAudit, Score

#: voxels in sight around a point at first; whoever zooms keeps the zoom
AROUND = 128
#: of the ring: radius, and how far from the voxel its four ticks end
_RING, _TICK = 7.0, 3.0
_COLOR = "#ffe16b"
_GROUP = "Check points"
#: layers that suggest an answer, what is predicted apart
_TELLING = (UNCERTAINTY, "labels", "preview", "difference", "author", "conflict")


class PointCheck(AuditSteps, PictureTask):
    """Points one after the other.

    Parameters
    ----------
    changed
        Called when the keys, or what is hidden, changed.
    scored
        Called when the audit says something new.
    tell_code
        Called with the line of Python for an answer.
    leave
        What the button that leaves does.
    """

    hides: Sequence[str] = (PREDICTION, *_TELLING)

    def __init__(
        self,
        panel: Panel,
        subject: ReviewSubject,
        walk: AuditWalk,
        *,
        changed: Callable[[], object],
        scored: Callable[[], object],
        tell_code: Callable[[str], object],
        leave: Callable[[], object],
    ) -> None:
        super().__init__(walk, scored, tell_code)
        self.audit: PointAudit = walk.audit  # type: ignore[assignment]
        self._subject, self._changed = subject, changed
        self.is_predicted_shown = False
        self._keyed = list(zip(class_keys(self.audit.classes, subject), self.audit.classes, strict=True))
        self._latest: Latest[Score] = Latest(panel, self._show_score)
        handler = panel.handler
        self._classes = {
            info.value: button(f"{key}  {info.name}" if key else info.name, handler(partial(self.answer, info.value)))
            for key, info in self._keyed
        }
        self._peek = button("Show prediction", handler(self.show_predicted), tooltip="Until the next point (O)")
        self.widget = section(
            "Check points",
            self._count,
            self._bar,
            self._question,
            row(*self._classes.values()),
            row(
                button("Cannot tell", handler(self.skip), tooltip="Skip this point (S or X)"),
                button("Back", handler(self.back), tooltip="The point before (Backspace)"),
                self._peek,
            ),
            self._score,
            leave_row(panel, leave),
        )

    def begin(self) -> None:
        """Show the first point that nobody has judged."""
        self._show(AROUND)

    # ----------------------------------------------------------------------------------------------------- answering

    def answer(self, value: int) -> None:
        """Say which class the point on show is."""
        at = self.walk.at
        if at is None:
            return
        self.audit.answer(at, value)
        name = next(info.name for info in self.audit.classes if info.value == value)
        self._tell_code(f"{self._code}.answer({at}, {name!r})")
        self._go_on()

    def show_predicted(self) -> None:
        """Show what is predicted until the next point, or hide it again."""
        self.is_predicted_shown = not self.is_predicted_shown
        self.hides = _TELLING if self.is_predicted_shown else type(self).hides
        mark(self._peek, "vx-on", self.is_predicted_shown)
        self._changed()

    def _tidy(self) -> None:
        if self.is_predicted_shown:
            self.show_predicted()

    # ------------------------------------------------------------------------------------------------------- picture

    def _show(self, voxels: float | None = None) -> None:
        walk = self.walk
        self._show_walk()
        self._latest.ask(self.audit.score)
        for made in self._classes.values():
            made.disabled = walk.at is None
        if walk.at is None:
            self._say_all_checked()
            self._subject.view.set_shapes([])
            return
        answered = self.audit.said(walk.at)
        for value, made in self._classes.items():
            mark(made, "vx-on", value == answered)
        before = "" if answered is None else f", so far <b>{html.escape(self._name_of(answered))}</b>"
        self._question.value = f"Point {walk.at + 1}: which class is the voxel in the ring{before}?"
        point = self.audit.points[walk.at]
        view = self._subject.view
        if view.axis != "z":
            view.go_to_plane(point[0], "z")
        view.look_around(point, voxels)
        view.set_shapes(ring(point, _RING))

    def _name_of(self, value: int) -> str:
        return next((info.name for info in self.audit.classes if info.value == value), str(value))

    def _show_score(self, score: Score) -> None:
        self._show_words(score.words)

    # ---------------------------------------------------------------------------------------------------------- keys

    def keys(self, usual: Sequence[Key]) -> list[Key]:
        answers = [
            {
                "key": key,
                "group": _GROUP,
                "label": f"it is {info.name}",
                "action": f"say {info.value}",
                "needs": "picture",
            }
            for key, info in self._keyed
            if key
        ]
        more = [
            ("s", "S  X", "nobody could tell: skip", "skip"),
            ("x", "", "", "skip"),
            ("backspace", "Backspace", "the point before", "back"),
            ("o", "O", "show the prediction until the next point", "peek"),
        ]
        taken = {key for key, _ in self._keyed}
        return answers + [
            {"key": key, "shown": shown or key, "group": _GROUP, "label": label, "action": action}
            for key, shown, label, action in more
            if key not in taken
        ]

    def act(self, name: str) -> None:
        actions: dict[str, Callable[[], Any]] = {"skip": self.skip, "back": self.back, "peek": self.show_predicted}
        if name.startswith("say "):
            self.answer(int(name.removeprefix("say ")))
        elif name in actions:
            actions[name]()

    def leave(self) -> None:
        self._latest.forget()
        self._subject.view.set_shapes([])


def class_keys(classes: Sequence[ClassInfo], subject: ReviewSubject) -> list[str]:
    """The key of each class: the one that paints it, else its place among them; empty where there is none."""
    painted = {item.value: item.shortcut for item in subject.labels.level.classes}
    keys = []
    for place, info in enumerate(classes, 1):
        usual = str(place) if place < 10 else ""
        keys.append(painted.get(info.value) or usual)
    return keys


def ring(point: tuple[int, int, int], radius: float) -> list[VectorShape]:
    """A ring around a voxel (z, y, x) with four ticks that point at it, on the planes of all three axes.

    The voxel and what touches it stay free.
    """
    shapes = []
    for axis in AXES:
        at_row, at_column = (point[AXES.index(name)] for name in plane_axes(axis))
        index = point[AXES.index(axis)]
        circle = [
            (at_row + radius * math.sin(turn * math.pi / 24), at_column + radius * math.cos(turn * math.pi / 24))
            for turn in range(48)
        ]
        shapes.append(VectorShape("outline", circle, axis, index, _COLOR))
        for down, right in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            ends = [(at_row + down * far, at_column + right * far) for far in (_TICK, radius)]
            shapes.append(VectorShape("line", ends, axis, index, _COLOR))
    return shapes
