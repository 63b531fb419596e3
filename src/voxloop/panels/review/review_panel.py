"""Look at a prediction where it matters: accept what is sure, correct what is not, see whether it gets better.

The picture, tools and keys are those of the label panel; what is counted, suggested and scored comes from the
workspace's verbs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import PredictionError
from voxloop.geometry import Box
from voxloop.panels.base.panel import (
    button,
    classed,
    close_tree,
    column,
    labelled,
    row,
    section,
    show,
    spacer,
    text,
)
from voxloop.panels.base.ui import on_ui
from voxloop.panels.base.work import Attempt, Backlog, Poll
from voxloop.panels.label.label_panel import LabelPanel
from voxloop.panels.review.counts import EVERYTHING, PLANE, AcceptCounts
from voxloop.panels.review.error_curve import Scored
from voxloop.panels.review.places import Places
from voxloop.panels.review.progress import ReviewProgress
from voxloop.panels.view.layers import Layer
from voxloop.panels.view.prediction_layers import prediction_layers

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.review import Suggestion
    from voxloop.store import Edit, Labels
    from voxloop.workspace.workspace import Workspace

WHERE = {"plane": "This plane", "screen": "On screen", "all": "Everything"}
SUGGESTIONS = 8
#: what some keys do here, where they do another thing in the label step
_KEY_LABELS = {"next": "next place to correct", "accept": "accept the prediction there"}


class ReviewPanel(LabelPanel):
    """Review a prediction.

    Parameters
    ----------
    prediction
        Name of the prediction to begin with; the newest where not given.
    """

    @on_ui
    def __init__(
        self, ws: Workspace, prediction: str | None = None, *, height: int = 620, embedded: bool = False
    ) -> None:
        names = list(ws.predictions)
        if prediction is None and names:
            prediction = names[-1]
        self.prediction: Prediction | None = None if prediction is None else ws.predictions[prediction]
        self._done = -1.0
        self._offering = False
        reviewed = self.prediction
        image = reviewed.image if reviewed is not None and reviewed.image in ws.images.names else None
        level = reviewed.level if reviewed is not None and reviewed.level in ws.levels.names else None
        super().__init__(ws, image, level, height=height, embedded=embedded)
        # what lies over the picture here is the prediction, not what the strokes of the moment say
        self.live_box.switch(False)
        self.view.on("plane", lambda: self.backlog.ask(PLANE))
        self._accepting = Attempt(self, self._take, self._accepted, button=self._accept_confident)
        self._suggesting = Attempt(self, self._suggest, self.places.take, failed=self._suggest_failed)
        self._filling: Poll[float] = Poll(self, lambda prediction: prediction.done, self._show_done)
        self.every(0.4, self._look_how_full)
        self._offer()
        self._show_prediction()

    # ------------------------------------------------------------------------------------------------------- state

    @property
    def above(self) -> float:
        """The confidence that a voxel must reach to be accepted."""
        return float(self._above.value)

    @property
    def accepted_classes(self) -> list[int] | None:
        """Values of the classes that are accepted; None for all. At first all but the background."""
        chosen = self._ticked()
        return None if len(chosen) == len(self._class_boxes) else chosen

    @property
    def box(self) -> Box | None:
        """Where confident voxels are accepted; None for everywhere."""
        if self._where.value == "all":
            return None
        if self._where.value == "screen":
            return self.view.visible_box()
        return self._plane()

    @property
    def suggestions(self) -> tuple[Suggestion, ...]:
        """Places worth correcting that were not seen to yet."""
        return self.places.suggestions

    @property
    def scores(self) -> list[Scored]:
        """What is known of how good the predictions are, oldest first."""
        return self.progress.scores

    @property
    def review_code(self) -> str:
        """The line of Python that Accept runs."""
        name = self.prediction.name if self.prediction is not None else "…"
        arguments = [repr(name)]
        if self.box is not None:
            arguments.append(f"region={self.box.code()}")
        if self.accepted_classes is not None:
            arguments.append(f"classes={self.accepted_classes!r}")
        arguments.append(f"above={self.above:g}")
        return f"ws.accept({', '.join(arguments)})"

    def _plane(self) -> Box:
        return Box.whole(self.view.planes.shape).cut(self.view.axis, self.view.index, self.view.index + 1)

    def _ticked(self) -> list[int]:
        return [value for value, box in self._class_boxes.items() if box.value]

    # ----------------------------------------------------------------------------------------------------- actions

    @on_ui
    def review(self, name: str) -> None:
        """Show another prediction."""
        self.prediction = self.ws.predictions[name]
        self._done = -1.0
        self.places.forget()
        self._which.value = name
        level = self.prediction.level if self.prediction.level in self.ws.levels.names else None
        self.choose(image=self.prediction.image, level=level)
        self._show_prediction()
        self.backlog.ask()

    @on_ui
    def accept_confident(self) -> None:
        """Turn what is confident enough into labels: one edit that undo takes back."""
        prediction, classes = self._reviewed(), self.accepted_classes
        if classes == []:
            raise PredictionError("no class is chosen; tick those that are to be accepted")
        self.code.code = self.review_code
        self._accepting(prediction, self.box, classes, self.above, None)

    @on_ui
    def next_place(self, step: int = 1) -> None:
        """Go to the next place worth correcting (-1: the one before); looks for places where none are known."""
        if self.places.suggestions:
            self.places.step(step)
            return
        prediction = self._reviewed()
        self.places.say_looking()
        self._suggesting(prediction)

    @on_ui
    def accept(self) -> None:
        """What the prediction says at the place shown is right: its field becomes labels, whatever the class."""
        place = self.places.current
        if place is None:
            self.next_place()
            return
        prediction = self._reviewed()
        self.code.code = f"ws.accept({prediction.name!r}, region={place.box.code()}, above=0)"
        self._accepting(prediction, place.box, None, 0.0, place)

    def _take(
        self, prediction: Prediction, box: Box | None, classes: list[int] | None, above: float, place: Suggestion | None
    ) -> tuple[Edit | None, Suggestion | None]:
        return self.ws.accept(prediction, region=box, classes=classes, above=above), place

    def _accepted(self, outcome: tuple[Edit | None, Suggestion | None]) -> None:
        edit, place = outcome
        self._show_access()
        if edit is None:
            self.say("Nothing was sure enough there, or it is labelled already.", "warning")
        else:
            self.say(f"{edit.voxels:,} voxels are labels now; undo takes them back.", "good")
        if place is not None:
            self.places.remove(place)
        self.backlog.ask(PLANE, EVERYTHING)

    def _suggest(self, prediction: Prediction) -> list[Suggestion]:
        return self.ws.suggest(prediction, SUGGESTIONS)

    def _suggest_failed(self, error: BaseException) -> None:
        self.places.forget()
        self.show_error(error)

    def _reviewed(self) -> Prediction:
        if self.prediction is None:
            raise PredictionError("there is no prediction yet; the Predict step makes one")
        return self.prediction

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

    def _plane_subject(self) -> tuple[Prediction, Labels, Box] | None:
        return None if self.prediction is None else (self.prediction, self.labels, self._plane())

    def _whole_subject(self) -> tuple[Prediction, Labels, Box] | None:
        return None if self.prediction is None else (self.prediction, self.labels, self.prediction.box)

    def _score_subject(self) -> tuple[Prediction, Labels] | None:
        return None if self.prediction is None else (self.prediction, self.labels)

    def _look_how_full(self) -> None:
        if self.prediction is not None and self._done < 1.0:
            self._filling.now(self.prediction)

    def _show_done(self, done: float) -> None:
        if done == self._done:
            return
        self._done = done
        self._share.value = f"{done:.0%} predicted so far" if done < 1 else ""
        show(self._share, done < 1)
        self.view.refresh()
        self.backlog.ask(PLANE, EVERYTHING)

    # ------------------------------------------------------------------------------------------------------ labels

    def _open_labels(self) -> None:
        super()._open_labels()
        reviewed = self.prediction
        if reviewed is not None and reviewed.image == self.image:
            others: list[Layer] = [layer for layer in self.view.layers if layer is not self.live.layer]
            self.view.set_layers([*prediction_layers(reviewed), *others])

    def _on_edit(self, edit: Edit) -> None:
        super()._on_edit(edit)
        if edit.voxels:
            self.backlog.ask()

    def _forget_place(self) -> None:
        """Places stay framed until they are accepted."""

    def _on_action(self, name: str, point: list[float]) -> None:
        if name == "previous":
            self.next_place(-1)
        else:
            super()._on_action(name, point)

    def _keys(self) -> list[dict[str, Any]]:
        keys = [key for key in super()._keys() if key.get("action") != "overlay"]
        keys = [{**key, "label": _KEY_LABELS.get(str(key.get("action")), key["label"])} for key in keys]
        back = {"key": "shift+n", "group": "Labels", "label": "place to correct before", "action": "previous"}
        return [*keys, back]

    def _show_access(self) -> None:
        super()._show_access()
        self._accept_confident.disabled = self.labels.read_only or self.prediction is None

    # ----------------------------------------------------------------------------------------------------- widgets

    def _build(self) -> None:
        super()._build()
        handler = self.handler
        self.backlog = Backlog(self, seconds=0.4)
        self.counts = AcceptCounts(self, self.backlog, plane=self._plane_subject, everything=self._whole_subject)
        self.places = Places(self.view)
        others = [name for name in self.ws.levels.names if name != self._level]
        self.progress = ReviewProgress(self, self.ws, self.backlog, self._score_subject, others)
        self._class_boxes: dict[int, w.Checkbox] = {}
        self._which = w.Dropdown(options=[], tooltip="Prediction")
        self._which.observe(handler(lambda change: self._chosen(change["new"])), "value")
        self._share = text("", "vx-dim")
        self._empty = text("No prediction yet: the Predict step makes one.", "vx-dim")
        show(self._share, False)
        self._review = column(
            self._build_accept(),
            section(
                "Where to correct",
                self.places.widget,
                row(
                    button("Previous", handler(lambda: self.next_place(-1)), tooltip="Shift N"),
                    button("Next place", handler(lambda: self.next_place()), tooltip="N"),
                    button("It is right", handler(self.accept), icon="check", tooltip="Accept its field (Y)"),
                ),
            ),
        )
        for part in (self.masks_box, self.live_box.widget):  # files and the live overlay belong to the label step
            show(part, False)
        top = column(section("Prediction", self._which, self._share, self._empty), self._review)
        parts = list(self.side.children)  # tools and classes stay in sight; what is only read comes below
        below = 1 + parts.index(self.classes.widget)
        self.side.children = (top, *parts[:below], self.progress.widget, *parts[below:])

    def _build_accept(self) -> w.VBox:
        self._above = w.FloatSlider(
            value=0.95,
            min=0.5,
            max=1.0,
            step=0.01,
            readout_format=".2f",
            **labelled("Probability ≥", "Voxels whose class is at least this probable are accepted"),
        )
        self._where: Any = classed(
            w.ToggleButtons(
                options=[(label, name) for name, label in WHERE.items()], value="plane", tooltip="Where to accept"
            ),
            "vx-choice",
        )
        for control in (self._above, self._where):
            control.observe(self.handler(self._choice_changed), "value")
        self._classes_row = row()
        self._accept_confident = button("Accept", self.handler(self.accept_confident), kind="primary", icon="check")
        return section(
            "Accept",
            self._above,
            self._classes_row,
            self._where,
            self.counts.widget,
            row(self._accept_confident, spacer()),
        )

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
        for part in (self._review, self.progress.widget, self._which):
            show(part, reviewed is not None)
        show(self._empty, reviewed is None)
        if reviewed is None:
            return
        # the background is most of the picture: whoever wants it as labels says so
        self._class_boxes = {
            info.value: w.Checkbox(value=not info.background, description=info.name, indent=False)
            for info in reviewed.classes
        }
        for box in self._class_boxes.values():
            box.observe(self.handler(self._choice_changed), "value")
        old, self._classes_row.children = self._classes_row.children, tuple(self._class_boxes.values())
        for box in old:
            close_tree(box)
        self.counts.forget()
        self._show_counts()
        self.places.show()
        self._show_access()

    def _show_counts(self) -> None:
        self.counts.show(self.above, self._ticked(), list(self._class_boxes))

    def _choice_changed(self) -> None:
        self._show_counts()
        self.code.code = self.review_code
