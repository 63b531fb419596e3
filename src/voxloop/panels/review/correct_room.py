"""The room where a prediction becomes labels: accept what is sure, correct where it helps most. Scores nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import ipywidgets as w

from voxloop.errors import PredictionError
from voxloop.panels.base.panel import Panel, button, column, labelled, section, show
from voxloop.panels.base.work import Attempt, Backlog
from voxloop.panels.label.places import Places, Wish
from voxloop.panels.review.accept_box import AcceptBox
from voxloop.panels.review.counts import EVERYTHING, PLANE
from voxloop.panels.review.subject import ReviewSubject

if TYPE_CHECKING:
    from voxloop.geometry import Box
    from voxloop.prediction import Prediction
    from voxloop.review import Suggestion
    from voxloop.store import Edit


class CorrectRoom:
    """Accepting, and the places worth correcting one after the other.

    Parameters
    ----------
    backlog
        Whose turns the counting takes.
    tell_code
        Called with the line of Python for what is chosen or done.
    show_place
        Shows the image and the prediction that a place is of.
    """

    def __init__(
        self,
        panel: Panel,
        subject: ReviewSubject,
        backlog: Backlog,
        *,
        tell_code: Callable[[str], object],
        show_place: Callable[[Suggestion], object],
    ) -> None:
        self._panel, self._subject, self._backlog, self._tell_code = panel, subject, backlog, tell_code
        self.accepting = AcceptBox(
            panel, subject, backlog, accept=self.accept_confident, changed=lambda: tell_code(self.accepting.code)
        )
        self._accept = Attempt(panel, self._take, self._accepted, button=self.accepting.button)
        handler = panel.handler
        right = button("It is right", handler(self.accept_place), icon="check", tooltip="Accept its field (Y)")
        self.places = Places(
            panel,
            subject.ws,
            subject.view,
            wish=self._wish,
            show_place=show_place,
            hint="N or Space looks for the places where a correction helps most.",
            keys="N, Space",
            tell_code=tell_code,
            more=(right,),
        )
        self._all_images = w.Checkbox(
            value=False, indent=False, **labelled("In all images", "That were predicted by the same model")
        )
        self._all_images.observe(handler(self.places.renew), "value")
        show(self._all_images, len(subject.ws.images.names) > 1)
        where = section("Where to correct", self._all_images, self.places.widget)
        self.widget = column(where, self.accepting.widget)

    def accept_confident(self) -> None:
        """Turn what is confident enough into labels: one edit that undo takes back."""
        prediction, chosen = self._subject.reviewed(), self.accepting
        if chosen.classes == []:
            raise PredictionError("no class is chosen; tick those that are to be accepted")
        self._tell_code(chosen.code)
        self._accept(prediction, chosen.box, chosen.classes, chosen.above, None)

    def next_place(self, step: int = 1) -> None:
        """Go to the next place worth correcting (-1: the one before); looks for places where none are known."""
        self.places.step(step)

    def accept_place(self) -> None:
        """What the prediction says at the place shown is right: its field becomes labels, whatever the class."""
        place = self.places.current
        if place is None:
            self.next_place()
            return
        prediction = self._subject.reviewed()
        self._tell_code(f"ws.accept({prediction.name!r}, region={place.box.code()}, above=0)")
        self._accept(prediction, place.box, None, 0.0, place)

    def show_prediction(self) -> None:
        """Begin with the prediction under review."""
        self.accepting.show_prediction()
        self.places.show()

    def show_access(self) -> None:
        """Offer to accept only what can be written."""
        self.accepting.button.disabled = self._subject.labels.read_only or self._subject.prediction is None

    def _take(
        self, prediction: Prediction, box: Box | None, classes: list[int] | None, above: float, place: Suggestion | None
    ) -> tuple[Edit | None, Suggestion | None]:
        return self._subject.ws.accept(prediction, region=box, classes=classes, above=above), place

    def _accepted(self, outcome: tuple[Edit | None, Suggestion | None]) -> None:
        edit, place = outcome
        self.show_access()
        if edit is None:
            self._panel.say("Nothing was sure enough there, or it is labelled already.", "warning")
        else:
            self._panel.say(f"{edit.voxels:,} voxels are labels now; undo takes them back.", "good")
        if place is not None:
            self.places.finish(place)
        self._backlog.ask(PLANE, EVERYTHING)

    def _wish(self) -> Wish:
        prediction = self._subject.reviewed()
        frames = self._subject.ws.images.info(str(prediction.image)).z_kind == "frame"
        images = "*" if self._all_images.value else None
        return Wish(prediction=prediction.name, images=images, frames=frames)
