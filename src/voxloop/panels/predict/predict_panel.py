"""Apply a model to a picture: choose, see what it takes, start, watch it fill. Predicts nothing itself."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.config import PredictConfig
from voxloop.errors import PredictionError, VoxloopError
from voxloop.geometry import Box
from voxloop.panels.base.beside import FieldFault, name_fault
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
    section,
    show,
    spacer,
)
from voxloop.panels.base.split import as_high_as_the_window, split
from voxloop.panels.base.ui import on_ui
from voxloop.panels.form.form import Form
from voxloop.panels.monitor.run_start import RunStart
from voxloop.panels.predict.first_answer import FirstAnswer, FirstQuestion
from voxloop.panels.predict.image_chooser import ImageChooser
from voxloop.panels.predict.model_list import ModelList
from voxloop.panels.predict.prediction_forecast import ForecastQuestion, PredictionForecast
from voxloop.panels.predict.prediction_rows import KEPT
from voxloop.panels.predict.prediction_stage import PredictionStage
from voxloop.panels.predict.region_chooser import RegionChooser
from voxloop.panels.view.plane_view import PlaneView

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.prediction.rehearsal import Estimate
    from voxloop.runs import Run
    from voxloop.workspace.workspace import Workspace

#: set by controls of their own, or by what is on screen
OWN_CONTROLS = {"mode", "focus", "overwrite"}


class PredictPanel(Panel):
    """Choose a model and what of the picture, look at the forecast, press Predict, watch.

    ``panel.config``, ``panel.region``, ``panel.code`` and ``panel.predict()`` are what form, buttons and 'Copy as code'
    stand for. ``panel.prediction`` is what lies over the picture.

    Examples
    --------
    >>> panel = vl.PredictPanel(ws)
    >>> print(panel.code)
    run = ws.predict('shallow-1', focus=(3, 32, 32))
    """

    @on_ui
    def __init__(self, ws: Workspace, *, height: int | None = None, embedded: bool = False) -> None:
        super().__init__(embedded=embedded)
        self.ws = ws
        if not ws.images.names:
            raise PredictionError("this workspace has no image yet; add one with ws.images.add(name, path)")
        picture = as_high_as_the_window(self.widget, height)
        self.view = PlaneView(self.ws.images.scales(ws.images.names[0]), height=picture)
        self._build()
        self.on_close(self._close_children)
        self.refresh()
        self.every(0.5, self.refresh)

    # ------------------------------------------------------------------------------------------------------- state

    @property
    def image(self) -> str:
        """The image on show."""
        return str(self.images.image.value)

    @property
    def run(self) -> Run | None:
        """The run whose prediction is on show; None where it is gone, or nothing is."""
        return self.stage.run

    @property
    def prediction(self) -> Prediction | None:
        """What lies over the picture."""
        return self.stage.prediction

    @property
    def estimate(self) -> Estimate | VoxloopError | None:
        """What the prediction that is set will take, or what is against it; None while it is not known."""
        return self.forecast.estimate

    @property
    def model(self) -> str:
        """The run whose model predicts, or the model's folder in the workspace. Raises PredictionError without any."""
        if not self.model_list.selected:
            raise PredictionError("there is no trained model yet; train one first")
        return self.model_list.selected

    @property
    def models(self) -> list[str]:
        """All whose models predict together: the one selected, and those averaged with it."""
        return [self.model, *(name for name in self._others.value if name != self.model)]

    @property
    def box(self) -> Box | None:
        """The voxels to predict; None for all. Raises PredictionError where they cannot be read."""
        return None if self.images.several.value else self.where.box

    @property
    def region(self) -> tuple[slice, slice, slice] | None:
        """As :attr:`box`, slices (z, y, x)."""
        return None if self.box is None else self.box.slices

    @property
    def config(self) -> PredictConfig:
        """The settings as they will be used, the place to begin at included."""
        config: PredictConfig = self._form.value
        return config.changed(mode=self._mode.value, focus=self.view.visible_box().centre)

    @property
    def name(self) -> str | None:
        """Name of the next prediction; None where it is named by itself."""
        return self._name.value.strip() or None

    @property
    def code(self) -> str:
        """The line of Python that the Predict button runs."""
        names = self.models if self.model_list.selected else ["…"]
        models = [f"ws.path / {name!r}" if name.startswith(KEPT) else repr(name) for name in names]
        parts = [models[0] if len(models) == 1 else f"[{', '.join(models)}]"]
        if self.images.code:
            parts.append(f"image={self.images.code}")
        if not self.images.several.value and self.where.code:
            parts.append(f"region={self.where.code}")
        if self.name:
            parts.append(f"name={self.name!r}")
        settings = self.config.code().partition("(")[2].removesuffix(")")
        parts += [settings] if settings else []
        return f"run = ws.predict({', '.join(parts)})"

    # ----------------------------------------------------------------------------------------------------- actions

    @on_ui
    def predict(self) -> None:
        """Start a run with what is chosen; what keeps it from starting is said in the message line."""
        if self._form.errors:
            raise PredictionError("; ".join(self._form.errors.values()))
        models = [self.ws.path / name if name.startswith(KEPT) else name for name in self.models]
        box = None if self.images.several.value else self.where.meant
        self.first.begin()
        self._start(
            partial(
                self.ws.predict,
                models,
                image=self.images.meant,
                region=box,
                name=self.name,
                config=self.config,
            )
        )

    def _started(self, run: Run) -> None:
        self._name.value = ""
        self.open(run.name)
        self.refresh()

    @on_ui
    def open(self, name: str) -> None:
        """Show a prediction, finished or still filling, over the picture."""
        self.stage.open(name)

    @on_ui
    def refresh(self) -> None:
        """Look anew at images, models and predictions."""
        self.images.refresh()
        self.where.refresh()
        self.model_list.refresh()
        self.stage.refresh()
        if self.where.follows:
            self._changed()

    # ---------------------------------------------------------------------------------------------------- forecast

    def _changed(self) -> None:
        """Something that the forecast depends on changed."""
        show(self.where.widget, not self.images.several.value)
        try:
            self._copy.code = self.code
            self.where.show_frame()
            question = self._question()
        except VoxloopError as error:
            self.forecast.show_error(error)
            return
        if question is not None:
            self.forecast.follow(question)
            self.first.prepare()

    def _question(self) -> ForecastQuestion | None:
        """What is forecast; None without a model. Raises VoxloopError where what is set makes no sense yet."""
        if not self.model_list.selected:
            return None
        several = self.images.names
        image = tuple(several) if several else self.image
        return ForecastQuestion(tuple(self.models), image, self.box, self._form.value.changed(mode=self._mode.value))

    def _first_question(self) -> FirstQuestion | None:
        """What is answered for what is on screen; None for several images, and where workers elsewhere predict."""
        if not self.model_list.selected or self.images.several.value or self.config.engine != "local":
            return None
        return FirstQuestion(tuple(self.models), self.image, self.box, self.config)

    def _models_listed(self) -> None:
        """The list of models was looked at anew."""
        if not self.model_list.names:
            self.forecast.say("The forecast appears here once a model is trained.")
        self._offer_others()
        self._enable()

    def _enable(self) -> None:
        self._button.disabled = not self.model_list.names or self.forecast.refused or self._start.busy

    def _offer_others(self) -> None:
        """Those whose answers may be averaged with the selected one's."""
        names = tuple(name for name in self.model_list.names if name != self.model_list.selected)
        if names != self._others.options:
            chosen = [name for name in self._others.value if name in names]
            self._others.options, self._others.value = names, chosen
        self._show_settings()

    # ----------------------------------------------------------------------------------------------------- widgets

    def _build(self) -> None:
        handler, changed = self.handler, self.handler(self._changed)
        self.images = ImageChooser(self, self.ws, self._image_changed, self._changed)
        self.forecast = PredictionForecast(self, self.ws, self._enable)
        self.where = RegionChooser(self, self.ws, self.view, lambda: self.image, self._changed)
        self.first = FirstAnswer(self, self.ws, self.view, self._first_question)
        self.stage = PredictionStage(self, self.ws, self.view, self.images, self.first)
        self._mode = _mode_choice()
        self._mode.observe(changed, "value")
        self._others: Any = w.SelectMultiple(
            options=(), rows=3, **labelled("Mean with", "The mean of several models, at the price of each")
        )
        self._others.observe(changed, "value")
        self._mean = classed(w.Box([self._others]), "vx-field")
        self._form: Form[PredictConfig] = Form(
            PredictConfig, only=lambda s: s.name not in OWN_CONTROLS, on_change=lambda _: self._changed(), embedded=True
        )
        self._settings_open = False
        self._more = button("Settings", handler(self._toggle_settings), kind="link", icon="caret-right")
        self._name = w.Text(
            placeholder="name",
            tooltip="What the prediction is called; it gets a name where none is given",
            continuous_update=False,
        )
        self._name.observe(changed, "value")
        self._name_line = FieldFault(self, self._name, self._name_fault)
        self._button = button("Predict", handler(self.predict), kind="primary", icon="play")
        self._start = RunStart(self, self._button, self._started, self._enable)
        self._copy = CopyCode()
        self.model_list = ModelList(self, self.ws, lambda: self.image, self._changed, self._models_listed)
        self._show_settings()
        how = column(
            heading("How"),
            row(self._mode, spacer(), self._more),
            self._mean,
            self._form.widget,
            classes=["vx-section"],
        )
        limit = LimitLine(
            self, self.ws, lambda: None if self.images.several.value else self.image, self.where.limit_lifted
        )
        side = column(
            column(heading("Model"), self.model_list.widget, classes=["vx-section"]),
            column(heading("What"), self.images.widget, self.where.widget, limit.widget, classes=["vx-section"]),
            how,
            section("Forecast", self.forecast.widget),
            self.stage.widget,
        )
        parts = (self._button, classed(self._name, "vx-grow"), self._name_line.widget, self._copy)
        start = row(*parts, classes=["vx-start"])
        self.body(split(column(self.view.widget, self.message.widget), side, start), message=False)
        self.view.on("plane", handler(self._plane_changed))
        self.view.on("camera", self.first.follow)
        self._changed()

    def _name_fault(self, name: str) -> str:
        return name_fault(name, {*self.ws.runs, *self.ws.predictions}, "prediction or run") if name else ""

    def _toggle_settings(self) -> None:
        self._settings_open = not self._settings_open
        self._more.icon = "caret-down" if self._settings_open else "caret-right"
        self._show_settings()

    def _show_settings(self) -> None:
        show(self._form.widget, self._settings_open)
        show(self._mean, self._settings_open and len(self._others.options) > 0)

    def _plane_changed(self) -> None:
        self.first.follow()
        if self.where.follows:
            self._changed()
        else:
            self.where.show_frame()

    def _image_changed(self) -> None:
        self.first.end()
        self.stage.image_changed()
        self.view.show(self.ws.images.scales(self.image))
        self.where.image_changed()
        self._changed()

    def _close_children(self) -> None:
        self.model_list.close()
        self._form.close()
        self.view.close()


def _mode_choice() -> Any:
    choice = w.ToggleButtons(options=[("Exact", "exact"), ("Fast", "fast")], value="exact", tooltip="How exactly")
    choice.tooltips = ["Tiled equals whole, to rounding", "Tiles see as much as measurably matters here"]
    return classed(choice, "vx-choice")
