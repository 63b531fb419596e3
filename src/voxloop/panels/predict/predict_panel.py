"""Apply a model to a picture: choose, see what it takes, start, watch it fill. Predicts nothing itself."""

from __future__ import annotations

import html
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.config import PredictConfig
from voxloop.errors import PredictionError, VoxloopError
from voxloop.geometry import Box
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
    split,
    text,
)
from voxloop.panels.base.rows import RowList
from voxloop.panels.base.ui import on_ui
from voxloop.panels.form.form import Form
from voxloop.panels.predict.batch_table import BatchTable
from voxloop.panels.predict.file_export import PREDICTIONS, FileExport
from voxloop.panels.predict.image_chooser import ImageChooser
from voxloop.panels.predict.model_list import ModelList
from voxloop.panels.predict.prediction_card import PredictionCard
from voxloop.panels.predict.prediction_rows import KEPT, model_folder, offered, prediction_row
from voxloop.panels.predict.prediction_words import estimate_table
from voxloop.panels.predict.region_chooser import RegionChooser
from voxloop.panels.view.plane_view import PlaneView
from voxloop.panels.view.prediction_layers import prediction_layers
from voxloop.prediction.rehearsal import Estimate, Rehearsal

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.runs import Run
    from voxloop.workspace.workspace import Workspace

#: set by controls of their own, or by what is on screen
OWN_CONTROLS = {"mode", "focus", "overwrite"}
#: seconds between two moves of the place that is computed next
FOLLOW_S = 2.0


class PredictPanel(Panel):
    """Choose a model and what of the picture, look at the forecast, press Predict, watch.

    ``panel.config``, ``panel.region``, ``panel.code`` and ``panel.predict()`` are what form, buttons and 'Copy as code'
    stand for. ``panel.prediction`` is what lies over the picture.
    """

    @on_ui
    def __init__(self, ws: Workspace, *, height: int = 560, embedded: bool = False) -> None:
        super().__init__(embedded=embedded)
        self.ws = ws
        if not ws.images.names:
            raise PredictionError("this workspace has no image yet; add one with ws.images.add(name, path)")
        self.run: Run | None = None
        self.prediction: Prediction | None = None
        self.estimate: Estimate | VoxloopError | None = None
        self._rehearsal: Rehearsal | None = None
        self._asked: object = None
        self._done = -1.0
        self._followed = 0.0
        self._place: tuple[int, int, int] | None = None
        self._looking = False
        self.view = PlaneView(self.ws.images.scales(ws.images.names[0]), height=height)
        self._build()
        self.on_close(self._close_children)
        self.refresh()
        self.every(0.5, self._tick)

    # ------------------------------------------------------------------------------------------------------- state

    @property
    def image(self) -> str:
        """The image on show."""
        return str(self.images.image.value)

    @property
    def model(self) -> str:
        """The run whose model predicts, or the model's folder in the workspace. Raises PredictionError without any."""
        if not self._models.selected:
            raise PredictionError("there is no trained model yet; train one first")
        return self._models.selected

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
        return config.changed(mode=self._mode.value, focus=self._on_screen())

    @property
    def name(self) -> str | None:
        """Name of the next prediction; None where it is named by itself."""
        return self._name.value.strip() or None

    @property
    def code(self) -> str:
        """The line of Python that the Predict button runs."""
        names = self.models if self._models.selected else ["…"]
        models = [f"ws.path / {name!r}" if name.startswith(KEPT) else repr(name) for name in names]
        parts = [models[0] if len(models) == 1 else f"[{', '.join(models)}]"]
        if self.images.code:
            parts.append(f"image={self.images.code}")
        if not self.images.several.value and self.where.code:
            parts.append(f"region={self.where.code}")
        if self.name:
            parts.append(f"name={self.name!r}")
        settings = self.config.code().partition("(")[2].removesuffix(")")
        parts += ["wait=False", *([settings] if settings else [])]
        return f"run = ws.predict({', '.join(parts)})"

    # ----------------------------------------------------------------------------------------------------- actions

    @on_ui
    def predict(self) -> None:
        """Start a run with what is chosen; what keeps it from starting is said in the message line."""
        if self._form.errors:
            raise PredictionError("; ".join(self._form.errors.values()))
        start = partial(
            self.ws.predict,
            [self.ws.path / name if name.startswith(KEPT) else name for name in self.models],
            image=self.images.meant,
            region=None if self.images.several.value else self.where.meant,
            name=self.name,
            wait=False,
            config=self.config,
        )
        self._button.disabled = True
        self.say("Starting …")

        def attempt() -> Run | Exception:
            try:
                return start()
            except Exception as error:
                return error

        self.in_thread(attempt, self._started)

    def _started(self, run: Run | Exception) -> None:
        self._button.disabled = False
        if isinstance(run, Exception):
            self.show_error(run)
            return
        self._name.value = ""
        self.say(f"{run.name} has started. It goes on when this page, or the notebook, is closed.", "good")
        self.open(run.name)
        self.refresh()

    @on_ui
    def open(self, name: str) -> None:
        """Show a prediction, finished or still filling, over the picture."""
        self.run = self.ws.runs.get(name)
        self.prediction = None
        self._done = -1.0
        self._list.selected = name
        if self.run is not None and self.run.kind == "batch":
            images = self.run.config["images"]
            image = self.image if self.image in images else images[0]
        else:
            image = self.run.config.get("image") if self.run is not None else self.ws.predictions[name].image
        if image in self.ws.images.names and image != self.image:
            self.images.image.value = image
        self.view.set_layers([])
        self._tick()

    def _go_to(self, image: str) -> None:
        """Another image of the run on show."""
        if image not in self.ws.images.names:
            raise PredictionError(f"image {image!r} is not in this workspace any more")
        self.images.image.value = image
        self._tick()

    def _order(self, give: Any) -> None:
        run = self.run
        if run is not None:
            self.in_thread(lambda: give(run), lambda _: self._tick())

    def _on_row(self, action: str, name: str) -> None:
        if action == "open":
            self.open(name)
            return
        self.ws.runs[name].delete()
        if self.run is not None and self.run.name == name:
            self.run = self.prediction = None
            self.view.set_layers([])
        self.say(f"{name} is deleted.", "good")
        self.refresh()

    # ---------------------------------------------------------------------------------------------------- forecast

    def _changed(self) -> None:
        """Something that the forecast depends on changed."""
        show(self.where.widget, not self.images.several.value)
        try:
            self._show_code()
            box = self.box
            self.where.show_frame()
            names = tuple(self.models) if self._models.selected else ()
            several = self.images.names
            image = tuple(several) if several else self.image
            asked = (names, image, box, self._form.value.changed(mode=self._mode.value))
        except VoxloopError as error:
            self._estimate.value = f'<div class="vx-note vx-note-error">{html.escape(str(error))}</div>'
            self._asked = None
            return
        if not names or asked == self._asked:
            return
        self._asked = asked
        if self._rehearsal is not None:
            self._rehearsal.cancel()
        self._estimate.value = '<span class="vx-dim">Measuring this model on this picture …</span>'
        names, image, box, config = asked
        folders = [model_folder(self.ws, name) for name in names]

        def measure() -> Estimate | VoxloopError:
            try:
                self._rehearsal = rehearsal = Rehearsal(self.ws.path, folders, image, config, box)
                if self._asked != asked:
                    rehearsal.cancel()
                return rehearsal.wait()
            except VoxloopError as error:
                return error

        self.in_thread(measure, partial(self._show_estimate, asked))

    def _show_estimate(self, asked: object, found: Estimate | VoxloopError) -> None:
        if asked != self._asked:
            return
        self._rehearsal = None
        self.estimate = found
        refused = isinstance(found, VoxloopError)
        self._button.disabled = refused
        self._estimate.value = (
            f'<div class="vx-note vx-note-error">{html.escape(str(found))}</div>'
            if isinstance(found, VoxloopError)
            else estimate_table(found)
        )

    # ----------------------------------------------------------------------------------------------------- looking

    @on_ui
    def refresh(self) -> None:
        """Look anew at models and predictions."""
        self._tick()

    def _tick(self) -> None:
        if self._looking:
            return
        self._looking = True
        self.in_thread(self._look, self._show_look)
        self._follow()
        if self.where.follows:
            self._changed()

    def _look(self) -> dict[str, Any]:
        """Off the UI thread: rows of models and predictions, state of the run on show, share on disk."""
        runs = list(reversed(list(self.ws.runs.values())))
        known = set(self.ws.predictions)
        rows = [prediction_row(run, run.name in known) for run in runs if run.kind in ("predict", "batch")]
        found: dict[str, Any] = {"models": offered(self.ws), "rows": rows, "state": "", "done": -1.0}
        if self.run is not None:
            found |= {"state": self.run.state, "history": self.run.history}
        name = self._list.selected
        if self.run is not None and self.run.kind == "batch":
            found["made"] = self.results.read(self.run)
            name = f"{name}.{self.image}"
        if name in known:
            prediction = self.prediction if self._shows(name) else self.ws.predictions[name]
            if prediction is not None:
                found |= {"prediction": prediction, "done": prediction.done, "borders": prediction.borders}
        return found

    def _shows(self, name: str) -> bool:
        return self.prediction is not None and self.prediction.name == name

    def _show_look(self, found: dict[str, Any]) -> None:
        self._looking = False
        self.images.refresh()
        self.where.refresh()
        self._models.show(found["models"])
        self._list.show(found["rows"])
        if not self._models.names:
            self._button.disabled = True
            self._estimate.value = '<span class="vx-dim">The forecast appears here once a model is trained.</span>'
        self._show_others(self._models.names)
        if not self._list.selected and found["rows"]:
            self.open(found["rows"][0].key)
            return
        self.results.show(found.get("made"), self.image)
        self.card.show(found["state"], found.get("history"), found.get("borders", ""))
        prediction = found.get("prediction")
        if prediction is None or prediction.name not in (self._list.selected, f"{self._list.selected}.{self.image}"):
            return
        if not self._shows(prediction.name) and prediction.image == self.image:
            self.prediction = prediction
            self.view.set_layers(prediction_layers(prediction))
        elif found["done"] != self._done:
            self.view.refresh()
        if found["done"] != self._done:
            self.files.refresh()
        self._done = found["done"]

    def _show_others(self, models: Sequence[str]) -> None:
        """Those whose answers may be averaged with the selected one's."""
        names = tuple(name for name in models if name != self._models.selected)
        if names != self._others.options:
            kept = [name for name in self._others.value if name in names]
            self._others.options, self._others.value = names, kept
        show(self._mean, len(names) > 0 and "vx-hidden" not in self._form.widget._dom_classes)

    def _follow(self) -> None:
        """What is on screen is computed next, also when the view moves on."""
        run, place, now = self.run, self._on_screen(), time.monotonic()
        if run is None or place == self._place or now - self._followed < FOLLOW_S:
            return
        self._place, self._followed = place, now

        def tell() -> None:
            if run.state == "running":
                run.update(focus=list(place))

        self.in_thread(tell)

    def _on_screen(self) -> tuple[int, int, int]:
        return self.view.visible_box().centre

    # ----------------------------------------------------------------------------------------------------- widgets

    def _build(self) -> None:
        handler, changed = self.handler, self.handler(self._changed)
        self._models = ModelList(self, self.ws, lambda: self.image, self._changed)
        self.images = ImageChooser(self, self.ws, self._image_changed, self._changed)
        self._mode: Any = _choice({"exact": "Exact", "fast": "Fast"}, "exact", changed)
        self._mode.tooltips = ["Tiled equals whole, to rounding", "Tiles see as much as measurably matters here"]
        self.where = RegionChooser(self, self.ws, self.view, lambda: self.image, self._changed)
        self._others: Any = w.SelectMultiple(
            options=(), rows=3, **labelled("Mean with", "The mean of several models, at the price of each")
        )
        self._others.observe(changed, "value")
        self._mean = classed(w.Box([self._others]), "vx-field")
        self._form: Form[PredictConfig] = Form(
            PredictConfig, only=lambda s: s.name not in OWN_CONTROLS, on_change=lambda _: self._changed(), embedded=True
        )
        self._more = button("Settings", handler(self._toggle_settings), kind="link", icon="caret-right")
        show(self._form.widget, False)
        show(self._mean, False)
        self._estimate = text("", "vx-estimate")
        self._name = w.Text(
            placeholder="name",
            tooltip="What the prediction is called; it gets a name where none is given",
            continuous_update=False,
        )
        self._name.observe(handler(self._show_code), "value")
        self._button = button("Predict", handler(self.predict), kind="primary", icon="play")
        self._copy = CopyCode()
        self._list = RowList(
            handler(self._on_row),
            head=("Prediction", "State", "Made"),
            height=150,
            empty="No predictions yet. The first one fills in here.",
        )
        self.card = PredictionCard(self, self._order, self._discard)
        self.results = BatchTable(self, self._go_to)
        self.files = FileExport(self, self.ws, PREDICTIONS, lambda: self.prediction.name if self.prediction else None)
        start = row(self._button, classed(self._name, "vx-grow"), self._copy)
        where = column(heading("What"), self.images.widget, self.where.widget, classes=["vx-section"])
        side = column(
            column(heading("Model"), self._models.widget, classes=["vx-section"]),
            where,
            column(
                heading("How"),
                row(self._mode, spacer(), self._more),
                self._mean,
                self._form.widget,
                classes=["vx-section"],
            ),
            section("Forecast", self._estimate),
            start,
            self.card.widget,
            section("Predictions", self._list.widget, self.results.widget, self.files.widget),
        )
        self.body(split(column(self.view.widget, self.message.widget), side), message=False)
        self.view.on("plane", handler(self._plane_changed))
        self._changed()

    def _toggle_settings(self) -> None:
        hidden = "vx-hidden" in self._form.widget._dom_classes
        show(self._form.widget, hidden)
        show(self._mean, hidden and len(self._others.options) > 0)
        self._more.icon = "caret-down" if hidden else "caret-right"

    def _discard(self) -> None:
        self.view.set_layers([])
        self.prediction = None
        self._order(lambda run: run.cancel())

    def _plane_changed(self) -> None:
        if self.where.follows:
            self._changed()
        else:
            self.where.show_frame()

    def _image_changed(self) -> None:
        self.prediction = None
        self.view.show(self.ws.images.scales(self.image))
        self.where.image_changed()
        self._changed()

    def _show_code(self) -> None:
        self._copy.code = self.code

    def _close_children(self) -> None:
        if self._rehearsal is not None:
            self._rehearsal.cancel()
        self._models.close()
        self._form.close()
        self.view.close()


def _choice(options: dict[Any, str], value: str, changed: Any) -> w.ToggleButtons:
    made = w.ToggleButtons(options=[(label, name) for name, label in options.items()], value=value)
    made.observe(changed, "value")
    return classed(made, "vx-choice")
