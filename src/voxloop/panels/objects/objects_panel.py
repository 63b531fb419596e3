"""From a prediction to objects: which prediction and class, settings with a preview, apply to all. Computes nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.config import ObjectsConfig
from voxloop.errors import PredictionError
from voxloop.panels.base.limit_line import LimitLine
from voxloop.panels.base.panel import (
    CopyCode,
    Panel,
    button,
    classed,
    column,
    heading,
    labelled,
    row,
    show,
    spacer,
    text,
)
from voxloop.panels.base.split import as_high_as_the_window, split
from voxloop.panels.base.ui import on_ui
from voxloop.panels.form.form import Form
from voxloop.panels.monitor.run_start import RunStart
from voxloop.panels.objects.level_source import LevelSource
from voxloop.panels.objects.object_fit_row import Fitted, ObjectFitRow
from voxloop.panels.objects.object_preview import ObjectPreview
from voxloop.panels.objects.object_stage import ObjectStage
from voxloop.panels.space.view3d import View3D
from voxloop.panels.view.plane_view import PlaneView

if TYPE_CHECKING:
    from voxloop.objects import Objects
    from voxloop.prediction import Prediction
    from voxloop.runs import Run
    from voxloop.workspace.workspace import Workspace


class ObjectsPanel(Panel):
    """Choose a prediction and a class, set what makes an object, look at the preview, apply to all.

    ``panel.config``, ``panel.code`` and ``panel.apply()`` are what form, 'Copy as code' and the button stand for;
    ``panel.objects`` is what the table lists.

    Examples
    --------
    >>> panel = vl.ObjectsPanel(ws)
    >>> print(panel.code)
    ws.objects('predict-1', of='cell')
    """

    @on_ui
    def __init__(
        self, ws: Workspace, prediction: str | None = None, *, height: int | None = None, embedded: bool = False
    ) -> None:
        super().__init__(embedded=embedded)
        self.ws = ws
        if not ws.images.names:
            raise PredictionError("this workspace has no image yet; add one with ws.images.add(name, path)")
        self._image = ws.images.names[0]
        picture = as_high_as_the_window(self.widget, height)
        self.view = PlaneView(ws.images.scales(self._image), height=picture)
        self._build()
        self.on_close(self._close_children)
        self._offer()
        if prediction is not None:
            self.choose(prediction)
        self._changed()
        self.view.on("camera", self._changed)
        self.view.on("plane", self._plane_changed)

    # ------------------------------------------------------------------------------------------------------- state

    @property
    def prediction(self) -> Prediction:
        """The prediction that objects are made of. Raises PredictionError where there is none."""
        if not self._which.value:
            raise PredictionError("there is no prediction yet; the Predict step makes one")
        return self.ws.predictions[str(self._which.value)]

    @property
    def config(self) -> ObjectsConfig:
        """The settings as they will be used."""
        return self._form.value

    @config.setter
    def config(self, config: ObjectsConfig) -> None:
        self._form.value = config
        self.ui.call(self._changed)

    @property
    def objects(self) -> Objects | None:
        """What the table lists."""
        return self.stage.objects

    @property
    def surfaces(self) -> View3D | None:
        """The objects in three dimensions, where they are shown."""
        return self.stage.solid.open

    @property
    def code(self) -> str:
        """The line of Python that the button runs."""
        parts = [repr(str(self._which.value or "…"))]
        if self.config != ObjectsConfig():
            parts.append(self.config.code())
        if self._of.value is not None:
            parts.append(f"of={self._of.label!r}")
        return f"ws.objects({', '.join(parts)})"

    # ----------------------------------------------------------------------------------------------------- actions

    @on_ui
    def choose(self, name: str) -> None:
        """Take another prediction."""
        from voxloop.objects.task import learnt_objects

        self._which.value = name
        prediction = self.prediction
        if learnt_objects(prediction.path):
            self._of.options = [("objects, as the network learnt them", None)]
        else:
            self._of.options = [(info.name, info.value) for info in prediction.classes]
            self._of.value = self._class_of(name)
        image = prediction.image
        if image and image != self._image and image in self.ws.images.names:
            self._image = image
            self.view.show(self.ws.images.scales(image))
        self._show_layers()
        self._fits.look()
        self._fits.forget()
        self._changed()

    @on_ui
    def fit(self) -> None:
        """Take the settings by which the labelled objects are found again best."""
        self._fits.fit()

    @on_ui
    def apply(self) -> None:
        """Make objects of the whole prediction, in a process of its own."""
        self._start(partial(self.ws.objects, self.prediction, self.config, of=self._of.value))

    def _class_of(self, name: str) -> int | None:
        """The class of a prediction whose voxels become objects unless another is chosen."""
        from voxloop.objects.task import learnt_objects

        prediction = self.ws.predictions[name]
        if learnt_objects(prediction.path):
            return None
        front = [info.value for info in prediction.classes if not info.background]
        return front[0] if front else prediction.classes[0].value

    def _take_fit(self, fitted: Fitted) -> None:
        name, of, fit = fitted
        if name != self._which.value:
            self.choose(name)
        self._of.value = of
        self.config = fit.config

    def _started(self, run: Run) -> None:
        self.stage.runs.selected = run.name
        self.stage.refresh()

    @on_ui
    def open(self, name: str) -> None:
        """Show the objects that a run made, or those of a prediction whose network learnt them, and list them."""
        self.stage.open(name)

    @on_ui
    def go_to(self, number: int) -> None:
        """Show the middle of an object, framed."""
        self.stage.go_to(number)

    @on_ui
    def show_surfaces(self, on: bool = True) -> None:
        """Show the objects in three dimensions beside the picture; a click on one leads to it."""
        self.stage.show_surfaces(on)

    @on_ui
    def refresh(self) -> None:
        """Look anew at predictions and runs."""
        self._offer()
        self._fits.look()
        self.labelled.look()
        self.stage.refresh()

    # ----------------------------------------------------------------------------------------------------- changes

    def _offer(self) -> None:
        names = list(self.ws.predictions)[::-1]
        if tuple(self._which.options) != tuple(names):
            chosen = self._which.value
            self._which.options = names
            self._which.value = chosen if chosen in names else None
            if chosen is None and names:
                self.choose(names[0])
        show(self._none, not names)

    def _chosen(self) -> None:
        if self._which.value:
            self.choose(str(self._which.value))

    def _changed(self) -> None:
        """Something that the preview depends on changed."""
        self._copy.code = self.code
        self._enable()
        self.preview.ask()

    def _enable(self) -> None:
        self._apply.disabled = not self._which.value or self.ws.read_only or self._start.busy

    def _asked(self) -> dict[str, Any] | None:
        """What the preview is made of; None where there is no prediction."""
        if not self._which.value:
            return None
        layout = self.ws.layout
        return {
            "prediction": layout.relative(layout.prediction(str(self._which.value))),
            "of": self._of.value,
            "settings": self.config.to_json(),
        }

    def _opening(self, prediction: str) -> None:
        """Objects of another prediction are about to be opened."""
        if prediction in self.ws.predictions and prediction != self._which.value:
            self.choose(prediction)

    def _objects_changed(self) -> None:
        """Other objects are on show, in place of the preview, or none any more."""
        self.preview.on = self.objects is None
        self._show_layers()

    def _show_layers(self) -> None:
        self.preview.layer.clear()
        self.view.set_layers([*self.stage.layers(), self.preview.layer])
        self.view.change_layer("preview", visible=self.preview.on)

    def _plane_changed(self) -> None:
        self.stage.show_frame()
        self._changed()

    # ----------------------------------------------------------------------------------------------------- widgets

    def _build(self) -> None:
        handler = self.handler
        self._which = w.Dropdown(options=[], **labelled("Prediction", "The prediction to make objects of"))
        self._which.observe(handler(self._chosen), "value")
        self._none = text("No predictions yet. The Predict step makes one.", "vx-dim")
        self._of = w.Dropdown(options=[("–", None)], **labelled("Class", "Its voxels become objects"))
        self._of.observe(handler(self._changed), "value")
        self._form: Form[ObjectsConfig] = Form(ObjectsConfig, on_change=lambda _: self._changed(), embedded=True)
        self.preview = ObjectPreview(self, self.ws, self.view, self._asked)
        self.stage = ObjectStage(self, self.ws, self.view, self._opening, self._objects_changed)
        self.labelled = LevelSource(self, self.ws, lambda: self._image, self._started)
        self._fits = ObjectFitRow(
            self, self.ws, lambda: (self._which.value, self._of.value), self._class_of, self._take_fit
        )
        self._apply = button("Apply to all", handler(self.apply), kind="primary", icon="play")
        self._start = RunStart(self, self._apply, self._started, self._enable)
        self._copy = CopyCode()
        limit = LimitLine(self, self.ws, lambda: self._image)
        side = column(
            column(heading("Objects of"), self._which, self._none, self._of, limit.widget, classes=["vx-section"]),
            self.labelled.widget,
            column(heading("How"), self._fits.widget, self._form.widget, self.preview.widget, classes=["vx-section"]),
            self.stage.widget,
        )
        start = row(self._apply, spacer(), self._copy, classes=["vx-start"])
        pictures = classed(w.HBox([self.view.widget, self.stage.solid.widget]), "vx-pair", "vx-fills")
        self.body(split(column(pictures, self.message.widget), side, start), message=False)

    def _close_children(self) -> None:
        self._form.close()
        self.view.close()
