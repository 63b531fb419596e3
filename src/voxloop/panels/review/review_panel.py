"""Look at a prediction where it matters: accept what is sure, correct what is not, see whether it gets better.

The picture, tools and keys are those of the label panel; what is counted, suggested and scored comes from the
workspace's verbs.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import PredictionError, VoxloopError
from voxloop.geometry import Box
from voxloop.panels.base.panel import button, classed, column, labelled, row, section, show, spacer, table, text
from voxloop.panels.base.ui import on_ui
from voxloop.panels.label.label_panel import LabelPanel
from voxloop.panels.label.tools import bindings
from voxloop.panels.review.acceptance import Tally, tally
from voxloop.panels.review.error_curve import Scored, curve, verdict
from voxloop.panels.view.layers import Layer
from voxloop.panels.view.prediction_layers import frame, prediction_layers
from voxloop.store.layout import Layout

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.review import Report, Suggestion
    from voxloop.store import Edit
    from voxloop.workspace.workspace import Workspace

WHERE = {"plane": "This plane", "screen": "On screen", "all": "Everything"}
#: predictions that the curve goes back
HISTORY = 8
SUGGESTIONS = 8
NO_TRUTH = "—"


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
        self.suggestions: list[Suggestion] = []
        self.scores: list[Scored] = []
        self._at = -1
        self._plane_tally: Tally | None = None
        self._whole_tally: Tally | None = None
        self._counting = 0
        self._known_scores: dict[tuple[str, int], Scored] = {}
        self._done = -1.0
        self._due: set[str] = {"plane", "whole", "scores"}
        found = self.prediction
        image = found.image if found is not None and found.image in ws.images.names else None
        level = found.level if found is not None and found.level in ws.levels.names else None
        super().__init__(ws, image, level, height=height, embedded=embedded)
        # what lies over the picture here is the prediction, not what the strokes of the moment say
        self._live_on.value = False
        self.live.switch(False)
        self.view.on("plane", lambda: self._due.add("plane"))
        self.every(0.4, self._review_tick)
        self._offer()
        self._show_prediction()

    # ------------------------------------------------------------------------------------------------------- state

    @property
    def above(self) -> float:
        """The confidence that a voxel must reach to be accepted."""
        return float(self._above.value)

    @property
    def accepted_classes(self) -> list[int] | None:
        """Values of the classes that are accepted; None for all."""
        chosen = [value for value, box in self._class_boxes.items() if box.value]
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
    def review_code(self) -> str:
        """The line of Python that Accept runs."""
        name = self.prediction.name if self.prediction is not None else "…"
        parts = [repr(name)]
        if self.box is not None:
            parts.append(f"region={self.box.code()}")
        if self.accepted_classes is not None:
            parts.append(f"classes={self.accepted_classes!r}")
        return f"ws.accept({', '.join([*parts, f'above={self.above:g}'])})"

    def _plane(self) -> Box:
        return Box.whole(self.view.planes.shape).cut(self.view.axis, self.view.index, self.view.index + 1)

    # ----------------------------------------------------------------------------------------------------- actions

    @on_ui
    def review(self, name: str) -> None:
        """Show another prediction."""
        self.prediction = self.ws.predictions[name]
        self._done = -1.0
        self.suggestions, self._at = [], -1
        self._which.value = name
        self._due |= {"plane", "whole", "scores"}
        level = self.prediction.level if self.prediction.level in self.ws.levels.names else None
        self.choose(image=self.prediction.image, level=level)
        self._show_prediction()

    @on_ui
    def accept_confident(self) -> None:
        """Turn what is confident enough into labels: one edit that undo takes back."""
        self._take(self.box, self.above, self.review_code)

    def _take(self, box: Box | None, above: float, code: str) -> None:
        prediction, classes = self._reviewed(), self.accepted_classes
        if classes == []:
            raise PredictionError("no class is chosen; tick those that are to be accepted")
        self._accept_confident.disabled = True
        self.code.code = code

        def attempt() -> Edit | VoxloopError | None:
            try:
                return self.ws.accept(prediction, region=box, classes=classes, above=above)
            except VoxloopError as error:
                return error

        self.in_thread(attempt, self._accepted)

    def _accepted(self, edit: Edit | VoxloopError | None) -> None:
        self._accept_confident.disabled = self.labels.read_only
        if isinstance(edit, VoxloopError):
            self.show_error(edit)
        elif edit is None:
            self.say("Nothing was sure enough there, or it is labelled already.", "warning")
        else:
            self.say(f"{edit.voxels:,} voxels are labels now; undo takes them back.", "good")
        self._due |= {"plane", "whole"}

    @on_ui
    def next_place(self, step: int = 1) -> None:
        """Go to the next place worth correcting (-1: the one before); looks for places where none are known."""
        if not self.suggestions:
            self._suggest()
            return
        self._at = (self._at + step) % len(self.suggestions)
        found = self.suggestions[self._at]
        if self.view.axis != found.axis:
            self.view.go_to_plane(found.index, found.axis)
        self.view.go_to(found.centre, zoom_in=True)
        self._show_suggestion()

    @on_ui
    def accept(self) -> None:
        """What the prediction says at the place shown is right: its field becomes labels."""
        if self._at < 0:
            self.next_place()
            return
        found = self.suggestions[self._at]
        self._take(found.box, 0.0, f"ws.accept({self._reviewed().name!r}, region={found.box.code()}, above=0)")
        self.suggestions.pop(self._at)
        self._at -= 1
        if self.suggestions:
            self.next_place()
        else:
            self._show_suggestion()

    def _suggest(self) -> None:
        prediction = self._reviewed()
        self._suggestion.value = '<span class="vx-dim">Looking for places …</span>'

        def found(places: list[Suggestion]) -> None:
            self.suggestions, self._at = places, -1
            self._show_suggestion()
            if places:
                self.next_place()
            else:
                self._suggestion.value = "Nothing unsure is left."

        self.in_thread(lambda: self.ws.suggest(prediction, SUGGESTIONS), found)

    def _reviewed(self) -> Prediction:
        if self.prediction is None:
            raise PredictionError("there is no prediction yet; the Predict step makes one")
        return self.prediction

    def _evaluate(self, truth: str) -> None:
        if truth == NO_TRUTH:
            self._report.value = ""
            return
        prediction = self._reviewed()

        def show_report(report: Report) -> None:
            rows = [(html.escape(name), html.escape(value)) for name, value in report.rows()]
            self._report.value = table((), rows, right=(1,))

        self._report.value = '<span class="vx-dim">Comparing …</span>'
        self.in_thread(lambda: self.ws.evaluate(prediction, truth), show_report)

    # ----------------------------------------------------------------------------------------------------- looking

    @on_ui
    def refresh(self) -> None:
        """Look anew at what there is to review."""
        names = list(self.ws.predictions)
        known = tuple(self._which.options)
        if names and tuple(reversed(names)) != known:
            self._offer()
            if self.prediction is None or self.prediction.name not in names or names[-1] not in known:
                self.review(names[-1])
        self._due |= {"plane", "whole", "scores"}

    def _review_tick(self) -> None:
        """Work that is due, one thing at a time, what is on screen first."""
        prediction = self.prediction
        if prediction is None or self._counting:
            return
        if self._done < 1.0:
            self.in_thread(lambda: prediction.done, self._show_done)
        for name, work in (("plane", self._count_plane), ("whole", self._count_whole), ("scores", self._score)):
            if name in self._due:
                self._due.discard(name)
                self._counting += 1
                work(prediction)
                return

    def _free(self) -> None:
        self._counting -= 1

    def _count_plane(self, prediction: Prediction) -> None:
        self._count(prediction, self._plane(), lambda: "plane" not in self._due, "_plane_tally")

    def _count_whole(self, prediction: Prediction) -> None:
        self._count(prediction, prediction.box, lambda: "plane" not in self._due, "_whole_tally")

    def _count(self, prediction: Prediction, box: Box, wanted: Any, into: str) -> None:
        labels = self.labels

        def count() -> Tally | VoxloopError | None:
            try:
                return tally(prediction, labels, box, wanted)
            except VoxloopError as error:
                return error

        def counted(found: Tally | VoxloopError | None) -> None:
            self._free()
            if isinstance(found, VoxloopError):
                self._counts.value = html.escape(str(found))
                return
            if found is None:  # the view moved on: later again
                self._due.add("whole")
            setattr(self, into, found)
            self._show_counts()

        self.in_thread(count, counted)

    def _score(self, prediction: Prediction) -> None:
        labels, known = self.labels, dict(self._known_scores)
        names = list(self.ws.predictions)[-HISTORY:]

        def score() -> list[tuple[tuple[str, int], Scored]]:
            found = []
            for name in names:
                key = (name, labels.sequence)
                if key not in known:
                    other = self.ws.predictions[name]
                    if (other.image, other.level) != (prediction.image, prediction.level):
                        continue
                    known[key] = _corrected(self.ws, other, labels)
                found.append((key, known[key]))
            return found

        def scored(found: list[tuple[tuple[str, int], Scored]]) -> None:
            self._free()
            self._known_scores = dict(found)
            self.scores = [score for _, score in found]
            self._curve.value = curve(self.scores)
            self._verdict.value = html.escape(verdict(self.scores))

        self.in_thread(score, scored)

    def _show_done(self, done: float) -> None:
        if done != self._done:
            self._done = done
            self._share.value = f"{done:.0%} predicted so far" if done < 1 else ""
            show(self._share, done < 1)
            self.view.refresh()
            self._due |= {"plane", "whole"}

    def _show_counts(self) -> None:
        values = [value for value, box in self._class_boxes.items() if box.value]
        words = []
        for name, found in (("This plane", self._plane_tally), ("Everything", self._whole_tally)):
            if found is None:
                continue
            count, all_ = found.above(self.above, values), found.above(0.0, list(self._class_boxes))
            about = "about " if found.share < 1 else ""
            share = f"{count / all_:.0%}" if all_ else "–"
            words.append(
                tuple(f'<span style="white-space:nowrap">{cell}</span>' for cell in (name, about + f"{count:,}", share))
            )
        head = ("", "Voxels", "of unlabelled")
        self._counts.value = table(head, words, right=(1, 2)) if words else '<span class="vx-dim">Counting …</span>'

    def _show_suggestion(self) -> None:
        """Say where to look, and frame all places; the one in turn with an unbroken line."""
        self.view.set_shapes(
            [frame(found.box, found.axis, dashed=at != self._at) for at, found in enumerate(self.suggestions)]
        )
        if not 0 <= self._at < len(self.suggestions):
            self._suggestion.value = '<span class="vx-dim">N looks for the place where a correction helps most.</span>'
            return
        found = self.suggestions[self._at]
        where = f"<b>{self._at + 1} of {len(self.suggestions)}</b>, slice {found.box.start[0]}"
        self._suggestion.value = f"{where}: {html.escape(found.reason)}"

    # ------------------------------------------------------------------------------------------------------ labels

    def _open_labels(self) -> None:
        super()._open_labels()
        found = self.prediction
        if found is not None and found.image == self.image:
            mine: list[Layer] = [layer for layer in self.view.layers if layer is not self.live.layer]
            self.view.set_layers([*prediction_layers(found), *mine])

    def _on_edit(self, edit: Edit) -> None:
        super()._on_edit(edit)
        if edit.voxels:
            self._due |= {"plane", "whole", "scores"}

    def _forget_place(self) -> None:
        """Places stay framed until they are accepted."""

    def _on_action(self, name: str, point: list[float]) -> None:
        if name == "previous":
            self.next_place(-1)
        else:
            super()._on_action(name, point)

    def _show_classes(self) -> None:
        super()._show_classes()
        keys = [key for key in bindings(self.state, self.labels.level.classes) if key.get("action") != "overlay"]
        mine = {
            "next": "next place to correct",
            "accept": "accept the prediction there",
        }
        keys = [{**key, "label": mine.get(str(key.get("action")), key["label"])} for key in keys]
        keys.append({"key": "shift+n", "group": "Labels", "label": "place to correct before", "action": "previous"})
        if self.view.widget.bindings != keys:
            self.view.widget.bindings = keys

    def _show_access(self) -> None:
        super()._show_access()
        self._accept_confident.disabled = self.labels.read_only or self.prediction is None

    # ----------------------------------------------------------------------------------------------------- widgets

    def _build(self) -> None:
        super()._build()
        handler = self.handler
        self._class_boxes: dict[int, w.Checkbox] = {}
        self._which = w.Dropdown(options=[])
        self._which.observe(handler(lambda change: self._chosen(change["new"])), "value")
        self._share = text("", "vx-dim")
        self._empty = text("No prediction yet: the Predict step makes one.", "vx-dim")
        self._above = w.FloatSlider(
            value=0.95,
            min=0.5,
            max=1.0,
            step=0.01,
            readout_format=".2f",
            **labelled("Surer than", "Voxels whose class is at least so probable"),
        )
        self._where: Any = classed(
            w.ToggleButtons(options=[(label, name) for name, label in WHERE.items()], value="plane"), "vx-choice"
        )
        for control in (self._above, self._where):
            control.observe(handler(self._choice_changed), "value")
        self._classes_row = row()
        self._counts = text("")
        self._accept_confident = button("Accept", handler(self.accept_confident), kind="primary", icon="check")
        self._suggestion = text("")
        self._suggestion_buttons = row(
            button("Previous", handler(lambda: self.next_place(-1)), tooltip="Shift N"),
            button("Next place", handler(lambda: self.next_place()), tooltip="N"),
            button("It is right", handler(self.accept), icon="check", tooltip="Accept its field (Y)"),
        )
        self._curve, self._verdict, self._report = text(), text(), text()
        others = [name for name in self.ws.levels.names if name != self._level]
        self._truth = w.Dropdown(
            options=[NO_TRUTH, *others], **labelled("Truth", "A level that holds the right answer, to score against")
        )
        self._truth.observe(handler(lambda change: self._evaluate(change["new"])), "value")
        show(self._truth, bool(others))
        show(self._share, False)
        self._review = column(
            section(
                "Accept",
                self._above,
                self._classes_row,
                self._where,
                self._counts,
                row(self._accept_confident, spacer()),
            ),
            section("Where to correct", self._suggestion, self._suggestion_buttons),
        )
        self._better = section("Is it getting better?", self._curve, self._verdict, self._truth, self._report)
        for part in self.side.children:  # files and the live overlay belong to the label step
            if {self.masks.widget, self._live_words} & set(getattr(part, "children", ())):
                show(part, False)
        top = column(section("Prediction", self._which, self._share, self._empty), self._review)
        parts = list(self.side.children)  # tools and classes stay in sight; what is only read comes below
        below = 1 + next(at for at, part in enumerate(parts) if self.classes.widget in getattr(part, "children", ()))
        self.side.children = (top, *parts[:below], self._better, *parts[below:])

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
        if name is not None and not getattr(self, "_offering", False) and name != shown:
            self.review(name)

    def _show_prediction(self) -> None:
        """Controls for the prediction chosen."""
        found = self.prediction
        for part in (self._review, self._better, self._which):
            show(part, found is not None)
        show(self._empty, found is None)
        if found is None:
            return
        self._class_boxes = {
            info.value: w.Checkbox(value=True, description=info.name, indent=False) for info in found.classes
        }
        for box in self._class_boxes.values():
            box.observe(self.handler(self._choice_changed), "value")
        old, self._classes_row.children = self._classes_row.children, tuple(self._class_boxes.values())
        for box in old:
            box.close()
            box.layout.close()
            box.style.close()
        self._plane_tally = self._whole_tally = None
        self._show_counts()
        self._show_suggestion()
        self._show_access()

    def _choice_changed(self) -> None:
        self._show_counts()
        self.code.code = self.review_code


def _corrected(ws: Workspace, prediction: Prediction, labels: Any) -> Scored:
    """What is known of how good a prediction is."""
    from voxloop.review import score_prediction

    return Scored(prediction.name, score_prediction(Layout(ws.path), prediction, labels))
