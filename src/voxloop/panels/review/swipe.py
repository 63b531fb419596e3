"""Two predictions over one picture with a line between them that can be moved. Computes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as w

from voxloop.panels.base.panel import Panel, button, labelled, row, section, show, text
from voxloop.panels.review.subject import ReviewSubject
from voxloop.panels.view.layers import ArrayLayer
from voxloop.panels.view.prediction_layers import PREDICTION, UNCERTAINTY, prediction_layers
from voxloop.panels.view.swipe_layer import SWIPE, SwipeLayer

if TYPE_CHECKING:
    from voxloop.prediction import Prediction


class Swipe:
    """Chooses the two, shows them, and moves the line.

    ``layer`` is what lies over the picture meanwhile; None while nothing is compared.
    """

    def __init__(self, panel: Panel, subject: ReviewSubject) -> None:
        self._subject = subject
        self._names: list[str] = []
        self.layer: SwipeLayer | None = None
        handler = panel.handler
        self._left = w.Dropdown(options=[], **labelled("Left", "What is shown left of the line"))
        self._right = w.Dropdown(options=[], **labelled("Right", "What is shown right of the line"))
        self._line = w.FloatSlider(
            value=0.5, min=0, max=1, step=0.01, readout=False, **labelled("Line", "Where the line between them is")
        )
        self._begin = button("Compare", handler(self.begin), tooltip="Show both over the picture")
        self._end = button("End", handler(self.end), tooltip="Show the prediction under review alone")
        self._hint = text("Two predictions of this image can be put side by side.", "vx-dim")
        for side in (self._left, self._right):
            side.observe(handler(self._chosen), "value")
        self._line.observe(handler(self._moved), "value")
        subject.view.on("plane", self._draw_line)
        self.widget = section(
            "Side by side", self._hint, self._left, self._right, self._line, row(self._begin, self._end)
        )
        self.offer([])

    def offer(self, names: list[str]) -> None:
        """Predictions of the image on show, the newest last."""
        enough = len(names) > 1
        for part in (self._left, self._right, self._begin):
            show(part, enough)
        show(self._hint, not enough)
        is_same, self._names = names == self._names, names
        self._show_state()
        if is_same:
            return
        chosen = self._left.value, self._right.value
        for side, before, default in zip((self._left, self._right), chosen, (-2, -1), strict=True):
            fallback = names[default] if enough else None
            side.options = names
            side.value = before if before in names else fallback

    def begin(self) -> None:
        """Lay the two over the picture."""
        view = self._subject.view
        left, right = (self._layer_of(str(side.value)) for side in (self._left, self._right))
        self.layer = SwipeLayer(left, right, view.planes.shape, f"{self._left.value} | {self._right.value}")
        self.layer.move(float(self._line.value))
        others = [one for one in view.layers if one.id not in (PREDICTION, UNCERTAINTY, SWIPE)]
        view.set_layers([self.layer, *others])
        self._draw_line()
        self._show_state()

    def end(self) -> None:
        """Show the prediction under review alone again."""
        if self.layer is None:
            return
        self.layer = None
        view = self._subject.view
        others = [one for one in view.layers if one.id != SWIPE]
        prediction = self._subject.prediction
        view.set_layers([*(prediction_layers(prediction) if prediction is not None else ()), *others])
        view.set_shapes([])
        self._show_state()

    def _layer_of(self, name: str) -> ArrayLayer:
        prediction: Prediction = self._subject.ws.predictions[name]
        classes = next(one for one in prediction_layers(prediction) if one.id == PREDICTION)
        assert isinstance(classes, ArrayLayer)
        return classes

    def _chosen(self) -> None:
        if self.layer is not None and self._left.value and self._right.value:
            self.begin()

    def _moved(self) -> None:
        if self.layer is not None:
            self.layer.move(float(self._line.value))
            self._subject.view.refresh(SWIPE)
            self._draw_line()

    def _draw_line(self) -> None:
        view = self._subject.view
        if self.layer is not None:
            view.set_shapes([self.layer.line(view.axis, view.index)])

    def _show_state(self) -> None:
        is_on = self.layer is not None
        show(self._line, is_on)
        show(self._end, is_on)
        show(self._begin, not is_on and len(self._names) > 1)
