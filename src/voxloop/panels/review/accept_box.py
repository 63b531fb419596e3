"""What of a prediction becomes labels: how sure, which classes, where, and how many that would be. Accepts nothing."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.geometry import Box
from voxloop.panels.base.panel import Panel, button, classed, close_tree, labelled, row, section, show, spacer, text
from voxloop.panels.base.work import Backlog
from voxloop.panels.review.counts import AcceptCounts
from voxloop.panels.review.subject import ReviewSubject

if TYPE_CHECKING:
    from voxloop.review import Score

WHERE = {"plane": "This plane", "screen": "On screen", "all": "Everything"}


class AcceptBox:
    """The choice of what is accepted, with its counts and its button.

    Parameters
    ----------
    backlog
        Whose turns the counting takes.
    accept
        What the button does.
    changed
        Called when something else is chosen.
    """

    def __init__(
        self,
        panel: Panel,
        subject: ReviewSubject,
        backlog: Backlog,
        *,
        accept: Callable[[], object],
        changed: Callable[[], object],
    ) -> None:
        self._panel, self._subject, self._changed = panel, subject, changed
        self.counts = AcceptCounts(panel, backlog, plane=subject.on_plane, everything=subject.everywhere)
        self.button = button("Accept", panel.handler(accept), kind="primary", icon="check")
        self._score: Score | None = None
        self._worth = text("", "vx-dim", "vx-small")
        self._class_boxes: dict[int, w.Checkbox] = {}
        self._classes_row = row()
        self._above = w.FloatSlider(
            value=0.95,
            min=0.5,
            max=1.0,
            step=0.01,
            readout_format=".2f",
            **labelled("Probability ≥", "Voxels whose class is at least this probable are accepted"),
        )
        places = [(label, name) for name, label in WHERE.items()]
        self._where: Any = classed(
            w.ToggleButtons(options=places, value="plane", tooltip="Where to accept"), "vx-choice"
        )
        for control in (self._above, self._where):
            control.observe(panel.handler(self._choice_changed), "value")
        line = row(self.counts.widget, spacer(), self.button, classes=("vx-fill-first", "vx-stays"))
        self.widget = section("Accept what is sure", self._above, self._worth, self._classes_row, self._where, line)
        show(self._worth, False)

    @property
    def above(self) -> float:
        """The confidence that a voxel must reach to be accepted."""
        return float(self._above.value)

    @property
    def classes(self) -> list[int] | None:
        """Values of the classes that are accepted; None for all. At first all but the background."""
        chosen = self._ticked()
        return None if len(chosen) == len(self._class_boxes) else chosen

    @property
    def box(self) -> Box | None:
        """Where confident voxels are accepted; None for everywhere."""
        if self._where.value == "all":
            return None
        if self._where.value == "screen":
            return self._subject.view.visible_box()
        return self._subject.plane()

    @property
    def code(self) -> str:
        """The line of Python that the button runs."""
        prediction = self._subject.prediction
        arguments = [repr(prediction.name if prediction is not None else "…")]
        if self.box is not None:
            arguments.append(f"region={self.box.code()}")
        if self.classes is not None:
            arguments.append(f"classes={self.classes!r}")
        arguments.append(f"above={self.above:g}")
        return f"ws.accept({', '.join(arguments)})"

    def show_prediction(self) -> None:
        """Offer the classes of the prediction under review, and count it anew."""
        # the background is most of the picture: whoever wants it as labels says so
        self._class_boxes = {
            info.value: w.Checkbox(value=not info.background, description=info.name, indent=False)
            for info in self._subject.reviewed().classes
        }
        for box in self._class_boxes.values():
            box.observe(self._panel.handler(self._choice_changed), "value")
        old, self._classes_row.children = self._classes_row.children, tuple(self._class_boxes.values())
        for box in old:
            close_tree(box)
        self.counts.forget()
        self.show_score(None)
        self._show_counts()

    def show_score(self, score: Score | None) -> None:
        """Say of what is accepted how much is right, as far as the score of the prediction tells."""
        self._score = score
        self._show_worth()

    def _show_worth(self) -> None:
        names = [info.name for info in self._subject.reviewed().classes if info.value in self._ticked()]
        share = None if self._score is None else self._score.expected_precision(self.above, names)
        words = "" if share is None else worth_words(*share)
        self._worth.value = html.escape(words)
        show(self._worth, bool(words))

    def _ticked(self) -> list[int]:
        return [value for value, box in self._class_boxes.items() if box.value]

    def _show_counts(self) -> None:
        self.counts.show(self.above, self._ticked(), list(self._class_boxes))

    def _choice_changed(self) -> None:
        self._show_counts()
        self._show_worth()
        self._changed()


def worth_words(value: float, low: float, high: float) -> str:
    """``About 97% of these are right (94 to 99%)``."""
    return f"About {value:.0%} of these are right ({100 * low:.0f} to {high:.0%})"
