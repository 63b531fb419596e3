"""From a prediction to objects: settings with a preview of the plane on show, apply to all, a table to go through.

Computes nothing: the preview comes from the helper, objects from runs.
"""

from __future__ import annotations

import html
import time
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.config import ObjectsConfig
from voxloop.errors import PredictionError
from voxloop.geometry import AXES, Box
from voxloop.helper import Helper, Part
from voxloop.panels.base.panel import (
    CopyCode,
    Panel,
    button,
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
from voxloop.panels.base.rows import Row, RowList
from voxloop.panels.base.ui import on_ui
from voxloop.panels.form.form import Form
from voxloop.panels.objects.objects_rows import (
    ORDERS,
    in_order,
    largest,
    object_row,
    objects_rows,
    size_of,
)
from voxloop.panels.objects.surface_view import SurfaceView
from voxloop.panels.predict.file_export import OBJECTS, FileExport
from voxloop.panels.view.layers import ArrayLayer, Patch, PatchLayer
from voxloop.panels.view.plane_view import PlaneView
from voxloop.panels.view.prediction_layers import frame

if TYPE_CHECKING:
    from pandas import DataFrame

    from voxloop.objects import Objects
    from voxloop.prediction import Prediction
    from voxloop.runs import Run
    from voxloop.workspace.workspace import Workspace

#: the preview is asked for this long after the last change
REST_S = 0.3
#: rows of the table that are shown
SHOWN = 200


class ObjectsPanel(Panel):
    """Choose a prediction and a class, set what makes an object, look at the preview, apply to all.

    ``panel.config``, ``panel.code`` and ``panel.apply()`` are what form, 'Copy as code' and the button stand for;
    ``panel.objects`` is what the table lists.
    """

    @on_ui
    def __init__(
        self, ws: Workspace, prediction: str | None = None, *, height: int = 560, embedded: bool = False
    ) -> None:
        super().__init__(embedded=embedded)
        self.ws = ws
        if not ws.images.names:
            raise PredictionError("this workspace has no image yet; add one with ws.images.add(name, path)")
        self.objects: Objects | None = None
        self.surfaces: SurfaceView | None = None
        self._table: DataFrame | None = None
        self._helper: Helper | None = None
        self._framed: Box | None = None
        self._due: float | None = None
        self._asked: object = None
        self._looking = False
        self._opened = ""
        self._layer = PatchLayer("preview", "preview")
        self._layer.kind = self._layer.state["kind"] = "instances"
        self._image = ""
        self.view = PlaneView(self._scales(ws.images.names[0]), height=height)
        self._build()
        self.on_close(self._close_children)
        names = list(ws.predictions)
        if prediction is None and names:
            prediction = names[-1]
        self._offer()
        if prediction is not None:
            self.choose(prediction)
        self._changed()
        self.view.on("camera", self._changed)
        self.view.on("plane", self._plane_changed)
        self.every(0.1, self._tick)
        self.every(0.5, self._look)

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
        found = self.prediction
        if learnt_objects(found.path):
            self._of.options = [("objects, as the network learnt them", None)]
        else:
            self._of.options = [(info.name, info.value) for info in found.classes]
            front = [info.value for info in found.classes if not info.background]
            self._of.value = front[0] if front else found.classes[0].value
        if found.image and found.image != self._image and found.image in self.ws.images.names:
            self.view.show(self._scales(found.image))
        self._show_layers()
        self._changed()

    @on_ui
    def apply(self) -> Run:
        """Make objects of the whole prediction, in a process of its own."""
        run = self.ws.objects(self.prediction, self.config, of=self._of.value)
        self.say(f"{run.name} is at work; it goes on when this is closed.")
        self._runs.selected = run.name
        self._look()
        return run

    @on_ui
    def open(self, name: str) -> None:
        """Show the objects that a run made, or those of a prediction whose network learnt them, and list them."""
        self._runs.selected = self._opened = name
        run = self.ws.runs.get(name)
        learnt = run is None or run.kind != "objects"
        parent = name if run is None or learnt else str(run.config.get("parent"))
        if run is not None and not learnt and run.state != "finished":
            self._opened = ""
            self.say(run.history.error or f"{name} is {run.state}", "warning")
            return
        if parent in self.ws.predictions and parent != self._which.value:
            self.choose(parent)
        self.say("Reading the table …")

        def read() -> tuple[Objects, DataFrame]:
            found: Objects = run.open_result() if run is not None and not learnt else self.ws.predictions[name].objects
            return found, found.table()

        self.in_thread(read, self._show_objects)

    @on_ui
    def go_to(self, number: int) -> None:
        """Show the middle of an object, framed."""
        if self.objects is None or self._table is None or number not in self._table.index:
            raise PredictionError(f"there is no object {number} in the table; open a run of objects first")
        line = self._table.loc[number]
        spacing, origin = self.view.planes.spacing_um, [float(self.objects.labels.coords[a][0]) for a in AXES]
        place = [(float(line[f"{a}_um"]) - o) / s for a, o, s in zip(AXES, origin, spacing, strict=True)]
        self.view.go_to(place, zoom_in=True)
        self._list.selected = str(number)
        self.files.refresh()
        self._framed = Box.from_json([(int(line[f"{a}_from"]), int(line[f"{a}_to"])) for a in AXES])
        self._plane_changed()

    @on_ui
    def show_surfaces(self, on: bool = True) -> None:
        """Show the largest objects in three dimensions below the picture; a click on one leads to it."""
        self._solid.value = on
        if self.surfaces is not None:
            self._below.children = ()
            self.surfaces.close()
            self.surfaces = None
        if not on:
            return
        try:
            if self.objects is None:
                raise PredictionError("open a run of objects first")
            self.surfaces = SurfaceView(self.objects, on_click=self.go_to, embedded=True)
        except PredictionError:
            self._solid.value = False
            raise
        self._below.children = (self.surfaces.widget,)

    # ----------------------------------------------------------------------------------------------------- preview

    def _changed(self, *_: Any) -> None:
        """Something that the preview depends on changed: ask once it rests."""
        self._copy.code = self.code
        self._apply.disabled = not self._which.value or self.ws.read_only
        self._due = time.monotonic() + REST_S

    def _plane_changed(self) -> None:
        axis, index = self.view.axis, self.view.index
        box = self._framed
        self.view.set_shapes([frame(box, axis, index)] if box and box.crosses(axis, index) else [])
        self._changed()

    def _tick(self) -> None:
        if self._due is None or time.monotonic() < self._due:
            return
        if not self._preview.value or not self._which.value or self.view.window is None:
            return
        self._due = None
        axis, index, (top, left, bottom, right) = self.view.window
        step = max(1, int(self.view.pixel_um / min(self.view.planes.spacing_um)))
        question: dict[str, Any] = {
            "prediction": f"predictions/{self._which.value}.zarr",
            "of": self._of.value,
            "settings": self.config.to_json(),
            "view": {"axis": axis, "index": index, "box": [[top, bottom], [left, right]], "step": step},
        }
        if question == self._asked:
            return
        self._asked = question
        self._words.value = "looking …"
        if self._helper is None:
            self._helper = Helper(self.ws.path)
        began = time.monotonic()
        edges = (
            float(top),
            float(left),
            top + step * float(-(-(bottom - top) // step)),
            left + step * float(-(-(right - left) // step)),
        )

        def take(part: Part) -> None:
            self.post(self._show_patch, question, Patch(part.values, edges, 0))

        answer = self._helper.request("objects", on_part=take, **question)
        answer.future.add_done_callback(lambda done: self.post(self._answered, question, done, began))

    def _show_patch(self, question: dict[str, Any], patch: Patch) -> None:
        self._layer.show(question["view"]["axis"], question["view"]["index"], patch)
        self.view.refresh("preview")

    def _answered(self, question: dict[str, Any], done: Any, began: float) -> None:
        if question is not self._asked:
            return
        error = done.exception()
        if error is not None:
            self._asked = None
            self._words.value = html.escape(f"no preview: {error}")
        elif done.result().get("state") != "dropped":
            self._words.value = f"{done.result()['objects']} objects on screen, {time.monotonic() - began:.1f} s"

    def _switch(self) -> None:
        self.view.change_layer("preview", visible=bool(self._preview.value))
        if not self._preview.value:
            self._words.value = ""
        self._asked = None
        self._changed()

    # ----------------------------------------------------------------------------------------------------- looking

    @on_ui
    def refresh(self) -> None:
        """Look anew at predictions and runs."""
        self._offer()
        self._look()

    def _offer(self) -> None:
        names = list(self.ws.predictions)[::-1]
        if tuple(self._which.options) != tuple(names):
            chosen = self._which.value
            self._which.options = names
            self._which.value = chosen if chosen in names else None
            if chosen is None and names:
                self.choose(names[0])
        show(self._none, not names)

    def _look(self) -> None:
        if not self._looking:
            self._looking = True
            self.in_thread(self._rows, self._show_rows, self._look_failed)

    def _rows(self) -> tuple[list[Row], bool]:
        rows, chosen = objects_rows(self.ws), self._runs.selected
        if chosen not in [row.key for row in rows]:
            return rows, False
        run = self.ws.runs.get(chosen)
        return rows, run is None or run.kind != "objects" or run.state == "finished"

    def _look_failed(self, error: BaseException) -> None:
        self._looking = False
        self.show_error(error)

    def _show_rows(self, found: tuple[list[Row], bool]) -> None:
        self._looking = False
        rows, there = found
        self._runs.show(rows)
        if there and self._runs.selected != self._opened:
            self.open(self._runs.selected)
        elif not self._runs.selected and rows:
            self._runs.selected = rows[0].key

    def _show_objects(self, found: tuple[Objects, DataFrame]) -> None:
        if found[0].name != self._opened:
            return  # others were opened meanwhile
        self.objects, self._table = found
        self._framed = None
        self._preview.value = False
        self._show_layers()
        self._plane_changed()
        self._list_objects()
        if self.surfaces is not None:
            self.show_surfaces()
        unsure = self.objects.unsure
        note = f"; {unsure} belong to clumps longer than the reach" if unsure else ""
        self.say(f"{self.objects.count:,} objects{note}", "warning" if unsure else "good")

    def _show_layers(self) -> None:
        layers: list[Any] = []
        if self.objects is not None and self.objects.labels.shape == self.view.planes.shape:
            layers.append(
                ArrayLayer("objects", f"objects {self.objects.name}", self.objects.labels.data, kind="instances")
            )
        self._layer.clear()
        self.view.set_layers([*layers, self._layer])
        self.view.change_layer("preview", visible=bool(self._preview.value))

    def _list_objects(self) -> None:
        table = self._table
        if table is None:
            return
        size = size_of(table)
        ordered = in_order(table, str(self._order.value))
        self._list.widget.head = ["Object", "µm³" if size == "volume_um3" else "µm²", "z", "y", "x µm"]
        self._list.show(object_row(int(number), line, size) for number, line in ordered.head(SHOWN).iterrows())
        more = len(table) - SHOWN
        show(self._table_tools, True)
        self._count.value = f"{len(table):,} objects" + (f", {SHOWN} shown" if more > 0 else "")
        self.files.refresh()

    # ----------------------------------------------------------------------------------------------------- widgets

    def _build(self) -> None:
        handler = self.handler
        self._which = w.Dropdown(options=[], **labelled("Prediction", "Whose voxels are gathered into objects"))
        self._which.observe(handler(self._chosen), "value")
        self._none = text("No predictions yet. The Predict step makes one.", "vx-dim")
        self._of = w.Dropdown(options=[("–", None)], **labelled("Class", "Its voxels become objects"))
        self._of.observe(handler(self._changed), "value")
        self._form: Form[ObjectsConfig] = Form(ObjectsConfig, on_change=lambda _: self._changed(), embedded=True)
        self._preview = w.Checkbox(
            value=True,
            indent=False,
            **labelled("Preview on this plane", "What the settings make of this plane; the whole may join more"),
        )
        self._preview.observe(handler(self._switch), "value")
        self._words = text("", "vx-dim")
        self._apply = button("Apply to all", handler(self.apply), kind="primary", icon="play")
        self._copy = CopyCode()
        self._runs = RowList(
            handler(self._on_run),
            head=("Objects", "State", "Made"),
            height=120,
            empty="None yet. Apply to all makes the first.",
        )
        self._order = w.Dropdown(options=list(ORDERS), value="Largest first", tooltip="Order of the table")
        self._order.observe(handler(self._list_objects), "value")
        self._count = text("", "vx-dim")
        self._solid = w.ToggleButton(description="In 3-D", icon="cube", tooltip="The largest, to turn with the mouse")
        self._solid.observe(handler(self._toggle_surfaces), "value")
        self._below = column()
        self._list = RowList(
            handler(self._on_object),
            right=(1, 2, 3, 4),
            height=220,
            empty="Made objects are listed here, with their sizes and places.",
        )
        self.files = FileExport(
            self,
            self.ws,
            OBJECTS,
            lambda: self.objects.name if self.objects else None,
            lambda: int(self._list.selected) if self._list.selected else None,
            lambda count: largest(self._table, count),
        )
        self._table_tools = row(self._order, self._solid, spacer(), self._count)
        show(self._table_tools, False)
        side = column(
            column(heading("Objects of"), self._which, self._none, self._of, classes=["vx-section"]),
            column(heading("How"), self._form.widget, row(self._preview, self._words), classes=["vx-section"]),
            row(self._apply, spacer(), self._copy),
            section("Made so far", self._runs.widget),
            column(heading("Table"), self._table_tools, self._list.widget, self.files.widget, classes=["vx-section"]),
        )
        self.body(split(column(self.view.widget, self.message.widget, self._below), side), message=False)

    def _chosen(self) -> None:
        if self._which.value:
            self.choose(str(self._which.value))

    def _toggle_surfaces(self) -> None:
        if self._solid.value != (self.surfaces is not None):
            self.show_surfaces(bool(self._solid.value))

    def _on_run(self, action: str, name: str) -> None:
        if action == "open":
            self.open(name)
            return
        run = self.ws.runs[name]
        if self.objects is not None and self.objects.name == name:
            self.show_surfaces(False)
            self.objects = self._table = None
            self._framed = None
            self._list.show([])
            show(self._table_tools, False)
            self.files.refresh()
            self._show_layers()
            self._preview.value = True
        run.delete()
        self._runs.selected = self._opened = ""
        self.say(f"{name} is deleted.", "good")
        self._look()

    def _on_object(self, _: str, number: str) -> None:
        self.go_to(int(number))

    def _scales(self, image: str) -> Any:
        self._image = image
        return self.ws.images.scales(image)

    def _close_children(self) -> None:
        if self._helper is not None:
            self._helper.close()
        if self.surfaces is not None:
            self.surfaces.close()
        self._form.close()
        self.view.close()
