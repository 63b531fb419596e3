"""Look at a prediction where it matters: accept what is sure, correct what is not, see whether it gets better.

The picture, tools and keys are those of the label panel. What is done with them lies in three rooms of the side
column: Correct, Check and Progress; what is counted, suggested and scored comes from the workspace's verbs.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.panels.base.panel import column, show, text
from voxloop.panels.base.ui import on_ui
from voxloop.panels.base.work import Backlog, Poll
from voxloop.panels.label.label_panel import LabelPanel
from voxloop.panels.label.places import Places
from voxloop.panels.review.check_room import CheckRoom
from voxloop.panels.review.correct_room import CorrectRoom
from voxloop.panels.review.counts import EVERYTHING, PLANE
from voxloop.panels.review.field_check import NOT_ON_COPIES
from voxloop.panels.review.picture_task import LayerCurtain, PaintingTask
from voxloop.panels.review.progress import ProgressRoom
from voxloop.panels.review.rooms import Rooms
from voxloop.panels.review.subject import NO_PREDICTION, ReviewSubject, what_comes
from voxloop.panels.view.ink import StrokePiece
from voxloop.panels.view.layers import Layer
from voxloop.panels.view.prediction_layers import prediction_layers

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.review import Reached, Suggestion
    from voxloop.store import Edit
    from voxloop.workspace.workspace import Workspace

CORRECT, CHECK, PROGRESS = "Correct", "Check", "Progress"
ABOUT = {
    CORRECT: "Accept what is sure, correct where it helps most",
    CHECK: "How good the prediction is, and how to know it better",
    PROGRESS: "Whether it gets better from round to round",
}
#: what some keys do here, where they do another thing in the label step
_KEY_LABELS = {
    "next": "next place to correct",
    "place": "the same (tap; held, it moves)",
    "accept": "accept the prediction there",
}


class ReviewPanel(LabelPanel):
    """Review a prediction.

    Parameters
    ----------
    prediction
        Name of the prediction to begin with; the newest where not given.

    Examples
    --------
    >>> panel = vl.ReviewPanel(ws, prediction="predict-1")
    >>> print(panel.review_code)
    ws.accept('predict-1', region=(slice(3, 4), slice(0, 64), slice(0, 64)), classes=[1], above=0.95)
    """

    @on_ui
    def __init__(
        self, ws: Workspace, prediction: str | None = None, *, height: int | None = None, embedded: bool = False
    ) -> None:
        names = list(ws.predictions)
        if prediction is None and names:
            prediction = names[-1]
        reviewed = None if prediction is None else ws.predictions[prediction]
        self._first = reviewed
        self._before: dict[str, Any] = {}  # hand and picture as they were before a task took them
        self._done = -1.0
        self._offering = False
        image = reviewed.image if reviewed is not None and reviewed.image in ws.images.names else None
        level = reviewed.level if reviewed is not None and reviewed.level in ws.levels.names else None
        super().__init__(ws, image, level, height=height, embedded=embedded)
        # what lies over the picture here is the prediction, not what the strokes of the moment say
        self.live_box.switch(False)
        self.view.on("plane", lambda: self.backlog.ask(PLANE))
        self.view.on("drop", self._drop_in_field)
        self._filling: Poll[float] = Poll(self, lambda prediction: prediction.done, self._show_done)
        self._coming: Poll[str] = Poll(self, what_comes, self._show_what_comes)
        self.every(1.0, self._look_what_comes)
        self.every(0.4, self._look_how_full)
        self._offer()
        self._show_prediction()

    # ------------------------------------------------------------------------------------------------------- state

    @property
    def prediction(self) -> Prediction | None:
        """The prediction under review."""
        return self.subject.prediction

    @property
    def beside(self) -> str:
        return "" if self.prediction is None else self.prediction.name

    @property
    def places(self) -> Places:
        return self.correct.places

    @property
    def suggestions(self) -> tuple[Suggestion, ...]:
        """Places worth correcting that were not seen to yet."""
        return self.places.suggestions

    @property
    def reached(self) -> list[Reached]:
        """The predictions of the image on show and what is known of how good they are, oldest first."""
        return self.progress.reached

    @property
    def review_code(self) -> str:
        """The line of Python that Accept runs."""
        return self.correct.accepting.code

    # ----------------------------------------------------------------------------------------------------- actions

    @on_ui
    def review(self, name: str) -> None:
        """Show another prediction."""
        reviewed = self.subject.prediction = self.ws.predictions[name]
        self._done = -1.0
        self.check.leave()
        self.progress.leave()
        self.places.forget()
        self._which.value = name
        level = reviewed.level if reviewed.level in self.ws.levels.names else None
        self.choose(image=reviewed.image, level=level)
        self._show_prediction()
        self.backlog.ask()

    def _show_place(self, place: Suggestion) -> None:
        """Show the image, and the prediction of it, in which a place lies."""
        name = place.prediction
        if name is None or (self.prediction is not None and name == self.prediction.name):
            self._show_labels(self.level, place.image)
            return
        self.subject.prediction = self.ws.predictions[name]
        self._done = -1.0
        self._offer()
        self.choose(image=place.image)
        self._show_prediction()
        self.backlog.ask()

    @on_ui
    def go(self, room: str) -> None:
        """Show the room ``"Correct"``, ``"Check"`` or ``"Progress"`` of the side column."""
        self.rooms.go(room)

    @on_ui
    def look_for_doubts(self) -> None:
        """List the strokes that models contradict, in the room Check."""
        self.rooms.go(CHECK)
        self.check.look_for_doubts()

    @on_ui
    def accept_confident(self) -> None:
        """Turn what is confident enough into labels: one edit that undo takes back."""
        self.correct.accept_confident()

    @on_ui
    def next_place(self, step: int = 1) -> None:
        """Go to the next place worth correcting (-1: the one before); looks for places where none are known."""
        self.correct.next_place(step)

    @on_ui
    def accept(self) -> None:
        """What the prediction says at the place shown is right: its field becomes labels, whatever the class."""
        self.correct.accept_place()

    # ----------------------------------------------------------------------------------------------------- looking

    @on_ui
    def refresh(self) -> None:
        """Look anew at what there is to review."""
        names = list(self.ws.predictions)
        listed = tuple(self._which.options)
        if names and tuple(reversed(names)) != listed:
            self._offer()
            is_gone = self.prediction is None or self.prediction.name not in names
            if is_gone or names[-1] not in listed:
                self.review(names[-1])
        self.backlog.ask()

    def _look_how_full(self) -> None:
        if self.prediction is not None and self._done < 1.0:
            self._filling.now(self.prediction)

    def _look_what_comes(self) -> None:
        if self.prediction is None:
            self._coming.now(self.ws)

    def _show_what_comes(self, words: str) -> None:
        self._empty.value = html.escape(words)
        if self.ws.predictions:
            self.refresh()

    def _show_done(self, done: float) -> None:
        if done == self._done:
            return
        self._done = done
        self._share.value = f"{done:.0%} predicted so far" if done < 1 else ""
        show(self._share, done < 1)
        if done == 1 and not self.suggestions:
            self.places.renew()
        self.view.refresh()
        self.backlog.ask(PLANE, EVERYTHING)

    # ------------------------------------------------------------------------------------------------------ labels

    def _show_labels(self, level: str | None, image: str | None) -> None:
        """Show the labels of a level on an image, where these are not on show already."""
        level = level if level in self.ws.levels.names else self.level
        if (level, image) != (self.level, self.image):
            self.choose(image=image, level=level)

    def _open_labels(self) -> None:
        super()._open_labels()
        reviewed = self.prediction
        if reviewed is not None and reviewed.image == self.image:
            others: list[Layer] = [layer for layer in self.view.layers if layer is not self.live.layer]
            self.view.set_layers([*prediction_layers(reviewed), *others])
        if self.check.task is not None:
            self._curtain.draw(self.check.task.hides)

    def _on_edit(self, edit: Edit) -> None:
        super()._on_edit(edit)
        if edit.voxels:
            self.places.note_edit(self.image, edit)
            self.backlog.ask()

    def _forget_place(self) -> None:
        """Places stay framed until the hand goes on."""

    def _on_action(self, name: str, point: list[float]) -> None:
        if self.check.task is not None:
            self.check.task.act(name)
        elif name in ("place", "previous"):
            self.next_place(-1 if name == "previous" else 1)
        elif name == "skip":
            self.places.skip()
        else:
            super()._on_action(name, point)

    def _keys(self) -> list[dict[str, Any]]:
        keys = [key for key in super()._keys() if key.get("action") != "overlay"]
        keys = [{**key, "label": _KEY_LABELS.get(str(key.get("action")), key["label"])} for key in keys]
        back = {"key": "shift+n", "group": "Labels", "label": "place to correct before", "action": "previous"}
        task = self.check.task
        return [*keys, back] if task is None else task.keys(keys)

    def _on_stroke(self, piece: StrokePiece) -> int | None:
        task = self.check.task
        return task.stroke(piece) if isinstance(task, PaintingTask) else super()._on_stroke(piece)

    def _on_click(self, message: dict[str, Any]) -> None:
        task = self.check.task
        if isinstance(task, PaintingTask) and message["tool"] != "pick":
            task.click(message)
        else:
            super()._on_click(message)

    def _drop_in_field(self, stroke: str) -> None:
        if isinstance(self.check.task, PaintingTask):
            self.check.task.undo()

    def undo(self) -> None:
        """Take the last edit back; of a field that is being corrected, the last stroke in it."""
        task = self.check.task
        if isinstance(task, PaintingTask):
            task.undo()
        else:
            super().undo()

    def _show_task(self) -> None:
        """Give picture, hand and keys to what is in use in the room of checks, or take them back."""
        task, view = self.check.task, self.view
        self._curtain.draw(() if task is None else task.hides)
        self.tools.offer(NOT_ON_COPIES, not isinstance(task, PaintingTask))
        if task is not None:
            camera = view.widget.camera
            self._before = self._before or {"tool": self.state.tool, "plane": (view.index, view.axis), "camera": camera}
            self.state.tool = "brush" if isinstance(task, PaintingTask) else "look"
            self.state.layer = task.paints_on if isinstance(task, PaintingTask) else "labels"
            view.take_keys()
        elif self._before:
            before, self._before = self._before, {}
            self.state.tool, self.state.layer = before["tool"], "labels"
            view.go_to_plane(*before["plane"])
            if before["camera"] is not None:
                view.widget.camera = dict(before["camera"])
        self._entered(self.rooms.here)
        self._show_classes()

    def _show_access(self) -> None:
        super()._show_access()
        self.correct.show_access()

    # ----------------------------------------------------------------------------------------------------- widgets

    def _build(self) -> None:
        super()._build()
        self.backlog = Backlog(self, seconds=0.4)
        self.subject = ReviewSubject(self.ws, self.view, lambda: self.labels, self._show_labels, self._first)
        self._curtain = LayerCurtain(self.view)
        self.correct = CorrectRoom(
            self, self.subject, self.backlog, tell_code=self.show_code, show_place=self._show_place
        )
        self.check = CheckRoom(
            self,
            self.subject,
            self.backlog,
            tell_code=self.show_code,
            undo=lambda: super(ReviewPanel, self).undo(),
            scored=self.correct.accepting.show_score,
            changed=self._show_task,
        )
        others = [name for name in self.ws.levels.painted if name != self._level]
        self.progress = ProgressRoom(self, self.subject, self.backlog, others, tell_code=self.show_code)
        widgets = {CORRECT: self.correct.widget, CHECK: self.check.widget, PROGRESS: self.progress.widget}
        self.rooms = Rooms(self, widgets, ABOUT, self._room_changed)
        self._which = w.Dropdown(options=[], tooltip="Prediction")
        self._which.observe(self.handler(lambda change: self._chosen(change["new"])), "value")
        self._share = text("", "vx-dim")
        self._empty = text(NO_PREDICTION, "vx-dim")
        show(self._share, False)
        for part in (self.masks_box, self.live_box.widget):  # files and the live overlay belong to the label step
            show(part, False)
        self.first.offered = False
        hand = (self.tools.widget, self.classes.widget)
        others = [part for part in self.side.children if part not in (*hand, self.chooser.widget, self.code)]
        self._hand = column(*hand)
        self._of_labels = [column(self.chooser.widget), column(*others)]
        top = column(self._which, self._share, self._empty, self.rooms.switch)
        self.side.children = (top, self.rooms.widget, self._hand, *self._of_labels, self.code)

    def _room_changed(self, room: str) -> None:
        self.say("", "quiet")  # what was said is of the room before
        self._entered(room)

    def _entered(self, room: str) -> None:
        """Tools and classes stand where there is something to paint."""
        if room != CHECK:
            self.check.leave()
        if room != PROGRESS:
            self.progress.leave()
        if self.places.is_away != (room != CORRECT):
            self.view.set_shapes([])
            self.places.is_away = room != CORRECT
            self.places.show()
        task = self.check.task
        show(self._hand, room == CORRECT or isinstance(task, PaintingTask))
        for part in self._of_labels:
            show(part, room == CORRECT)

    def _offer(self) -> None:
        names = list(reversed(list(self.ws.predictions)))
        current = self.prediction.name if self.prediction is not None else None
        self._offering = True
        try:
            self._which.options = names
            self._which.value = current if current in names else None
        finally:
            self._offering = False

    def _chosen(self, name: str | None) -> None:
        shown = self.prediction.name if self.prediction is not None else None
        if name is not None and not self._offering and name != shown:
            self.review(name)

    def _show_prediction(self) -> None:
        """Controls for the prediction chosen."""
        reviewed = self.prediction
        for part in (self.rooms.widget, self.rooms.switch, self._which):
            show(part, reviewed is not None)
        show(self._empty, reviewed is None)
        if reviewed is None:
            return
        self.correct.show_prediction()
        self._show_access()
