"""Objects that were made: the list of runs, and of the one opened the table, its places, surfaces and files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import ipywidgets as w
import numpy as np

from voxloop.errors import PredictionError
from voxloop.geometry import AXES, Box
from voxloop.objects.result import box_of
from voxloop.panels.base.panel import Panel, button, classed, column, heading, row, section, show, spacer, text
from voxloop.panels.base.rows import Row, RowList
from voxloop.panels.base.work import Latest, Poll
from voxloop.panels.monitor.run_start import unless_gone
from voxloop.panels.objects.measure_plot import PLAIN
from voxloop.panels.objects.object_class_box import ObjectClassBox
from voxloop.panels.objects.object_kinds import ObjectKinds
from voxloop.panels.objects.object_layers import ObjectLayers
from voxloop.panels.objects.object_picking import ObjectPicking
from voxloop.panels.objects.object_report import ObjectReport
from voxloop.panels.objects.object_sorting import ObjectSorting, Sorted
from voxloop.panels.objects.objects_rows import (
    BY_CLASS,
    BY_ERROR,
    ORDERS,
    in_order,
    largest,
    object_heads,
    object_row,
    objects_rows,
    read_pictures,
    size_of,
)
from voxloop.panels.predict.file_export import OBJECTS, FileExport
from voxloop.panels.space.clip_box import ClipBox
from voxloop.panels.space.solid_beside import SolidBeside
from voxloop.panels.view.layers import ArrayLayer
from voxloop.panels.view.plane_view import PlaneView
from voxloop.panels.view.prediction_layers import frame
from voxloop.workspace.label_objects import image_of

if TYPE_CHECKING:
    from pandas import DataFrame

    from voxloop.objects import Objects
    from voxloop.runs import Run
    from voxloop.store import LabelClass
    from voxloop.workspace.workspace import Workspace

#: rows of the table that are shown
SHOWN = 200


class ObjectStage:
    """Opens, lists, shows, saves and deletes objects; ``widget``, and ``solid.widget`` for beside the picture.

    Parameters
    ----------
    panel
        Whose part it is.
    ws
        Whose objects are listed.
    view
        The picture in which an object is framed.
    opening
        Called with the name of a prediction whose objects are about to be opened.
    changed
        Called when other objects, or none any more, are on show.
    """

    def __init__(
        self,
        panel: Panel,
        ws: Workspace,
        view: PlaneView,
        opening: Callable[[str], object],
        changed: Callable[[], object],
    ) -> None:
        self._panel, self._ws, self._view, self._opening, self._changed = panel, ws, view, opening, changed
        self.objects: Objects | None = None
        self.table: DataFrame | None = None
        self._listed: DataFrame
        self._framed: Box | None = None
        self._opened = ""
        self._poll = Poll(panel, self._look, self._show_rows, seconds=0.5, failed=unless_gone(panel))
        self._tables: Latest[tuple[Objects, DataFrame]] = Latest(panel, self._show_objects)
        self.runs = RowList(
            panel.handler(self._on_run),
            head=("Objects", "State", "Made"),
            height=120,
            empty="None yet. Apply to all makes the first.",
        )
        self.order = w.Dropdown(options=list(ORDERS), value="Largest first", tooltip="Order of the table")
        self.order.observe(panel.handler(self._list_objects), "value")
        self._onward = button(
            "Next", panel.handler(self.next), icon="forward", tooltip="Go to the next one of the table"
        )
        self._errors: dict[int, float] = {}
        self._doubts: Latest[dict[int, float]] = Latest(panel, self._take_errors, failed=self._no_errors)
        self._drawn: dict[int, str] = {}
        # a table whose image moved away is a table all the same
        self._pictures: Latest[dict[int, str]] = Latest(panel, self._take_pictures, failed=lambda _: None)
        self._count = text("", "vx-dim")
        self.solid = SolidBeside(
            panel, ws, view, self._image_of_objects, self._names_of_objects, lambda _, number: self.go_to(number)
        )
        self.list = RowList(
            panel.handler(lambda _, number: self.go_to(int(number))),
            height=260,
            empty="Made objects are listed here, with their sizes and places.",
        )
        classed(self.list.widget, "vx-measured")
        self.files = FileExport(
            panel,
            ws,
            OBJECTS,
            self._shown_name,
            self._chosen_number,
            lambda count: largest(self.table, count),
        )
        self.kinds = ObjectKinds(panel, ws, self._light_up)
        self.said = ObjectClassBox(panel, ws, view, self.kinds, self._show_said, self.next)
        self.clip = ClipBox(panel, ws, lambda: view, self._image_of_objects, self._names_of_objects)
        self.picking = ObjectPicking(
            panel, view, self.kinds, lambda number: setattr(self.list, "selected", str(number))
        )
        self.sorting = ObjectSorting(panel, ws, self.kinds, self._show_sorted)
        self.report = ObjectReport(panel, ws, lambda: self.objects, lambda: self.sorting.found, self._columns)
        self._layers = ObjectLayers(view)
        self._tools = row(self.order, self._onward, self.picking.widget, self.solid.button, spacer(), self._count)
        show(self._tools, False)
        self.widget = column(
            section("Made so far", self.runs.widget),
            column(
                heading("Table"),
                self._tools,
                self.said.widget,
                self.list.widget,
                self.files.widget,
                classes=["vx-section"],
            ),
            self.kinds.widget,
            self.clip.widget,
            self.sorting.widget,
            self.report.widget,
        )

    # ----------------------------------------------------------------------------------------------------- actions

    def open(self, name: str) -> None:
        """Show the objects that a run made, or those of a prediction whose network learnt them, and list them."""
        self.runs.selected = self._opened = name
        run = self._ws.runs.get(name)
        if run is not None and run.kind != "objects":
            run = None
        if run is not None and run.state != "finished":
            self._opened = ""
            self._panel.say(run.history.error or f"{name} is {run.state}", "warning")
            return
        prediction = name if run is None else str(run.config.get("parent") or "")
        self._opening(prediction)
        self._panel.say("Reading the table …")
        self._tables.ask(partial(self._read, name, run))

    def _columns(self) -> list[str]:
        return [] if self.kinds.table is None else [str(name) for name in self.kinds.table]

    def _image_of_objects(self) -> str:
        name = self._shown_name()
        if name is None:  # the picture alone is filmed then
            return str(self._ws.images.names[0])
        run = self._ws.runs.get(name)
        image = self._ws.predictions[name].image if run is None or run.kind != "objects" else run.config.get("image")
        return str(image or self._ws.images.names[0])

    def _names_of_objects(self) -> list[str]:
        return [name for name in (self._shown_name(),) if name]

    def _shown_name(self) -> str | None:
        return self.objects.name if self.objects else None

    def _chosen_number(self) -> int | None:
        return int(self.list.selected) if self.list.selected else None

    def _read(self, name: str, run: Run | None) -> tuple[Objects, DataFrame]:
        objects: Objects = self._ws.predictions[name].objects if run is None else run.open_result()
        return objects, objects.table()

    def go_to(self, number: int) -> None:
        """Show the middle of an object, framed. Raises PredictionError where there is no such object."""
        if self.objects is None or self.table is None or number not in self.table.index:
            raise PredictionError(f"there is no object {number} in the table; open a run of objects first")
        line = self.table.loc[number]
        spacing, origin = self._view.planes.spacing_um, [float(self.objects.labels.coords[axis][0]) for axis in AXES]
        place = [(float(line[f"{axis}_um"]) - o) / s for axis, o, s in zip(AXES, origin, spacing, strict=True)]
        self._view.go_to(place, zoom_in=True)
        self.list.selected = str(number)
        self.kinds.select((number,))
        self.files.refresh()
        self._framed = box_of(line)
        self.show_frame()

    def show_frame(self) -> None:
        """Frame the object gone to, where it meets the plane on show."""
        box, axis, index = self._framed, self._view.axis, self._view.index
        shapes = []
        if box is not None and box.crosses(axis, index):
            shapes.append(frame(box, axis, index))
        self._view.set_shapes(shapes)

    def show_surfaces(self, on: bool = True) -> None:
        """Show the objects in 3-D beside the picture; a click on one leads to it, what is selected lights up.

        Raises PredictionError where no objects are open, VolumeError where they are flat.
        """
        if on and self.objects is None:
            raise PredictionError("open a run of objects first")
        self.solid.show(on)
        self._light_up(self.kinds.ids)

    def layers(self) -> list[ArrayLayer]:
        """The objects on show as a layer, where they lie in the picture on show; none where not."""
        if self.objects is None or self.objects.labels.shape != self._view.planes.shape:
            return []
        return self._layers.make(self.objects, self.kinds.ids, *self._drawn_classes)

    @property
    def _drawn_classes(self) -> tuple[dict[int, int], list[LabelClass]]:
        """Value by object, and classes: of kinds that were found, else of classes that are said."""
        found = self.sorting.found
        values = {one.name: one.value for one in found.classes}
        return ({n: values[name] for n, name in found.of.items()}, found.classes) if found.of else self.said.drawn

    def _show_said(self) -> None:
        """Something else is said of the classes of objects."""
        self._show_list()
        of, classes = self._drawn_classes
        if not self._layers.give(of, classes):
            self._changed()
            self._layers.show_each(not of)

    def _show_sorted(self, found: Sorted) -> None:
        """Draw kinds or classes in the picture and in the plots."""
        colors = {one.name: one.color for one in found.classes}
        table = self.kinds.table
        if table is not None:
            self.kinds.color(np.array([colors.get(found.of.get(int(number), ""), PLAIN) for number in table.index]))
        self._changed()
        self._layers.show_each(not self._drawn_classes[0])

    def _light_up(self, ids: Sequence[int]) -> None:
        """Show in the picture which objects are selected."""
        if self.objects is not None:
            self.solid.select(self.objects.name, ids)
        self._layers.select(ids)
        self.said.mark()

    def refresh(self) -> None:
        """Look anew at runs."""
        self._poll.now()

    # ----------------------------------------------------------------------------------------------------- looking

    def _look(self) -> tuple[list[Row], set[str]]:
        """Off the UI thread: rows, and which of them can be opened."""
        rows = objects_rows(self._ws)
        runs = [self._ws.runs.get(row.key) for row in rows]
        ready = set()
        for line, run in zip(rows, runs, strict=True):
            if run is None or run.kind != "objects" or run.state == "finished":
                ready.add(line.key)
        return rows, ready

    def _show_rows(self, look: tuple[list[Row], set[str]]) -> None:
        rows, ready = look
        self.said.look_if_written()
        self.runs.show(rows)
        if self.runs.selected in ready and self.runs.selected != self._opened:
            self.open(self.runs.selected)
        elif not self.runs.selected and rows:
            self.runs.selected = rows[0].key

    def _show_objects(self, read: tuple[Objects, DataFrame]) -> None:
        self.objects, self.table = read
        self._framed = None
        self._errors, self._drawn = {}, {}
        self.sorting.forget()
        self._listed = self.table.head(0)
        self._changed()
        self._layers.show_each(True)
        self.show_frame()
        self.kinds.show(self.objects, self.table)
        self.said.show(self.objects, self.table)
        self._list_objects()
        self.solid.follow()
        words = f"{self.objects.count:,} objects"
        if self.objects.unsure:
            self._panel.say(f"{words}; {self.objects.unsure} belong to clumps longer than the reach", "warning")
        else:
            self._panel.say(words, "good")

    def _list_objects(self) -> None:
        table = self.table
        if table is None:
            return
        if self.order.value == BY_ERROR and not self._errors and self.objects is not None:
            self._doubts.ask(partial(self._find_errors, self.objects))
            return
        if self.order.value == BY_CLASS:
            ordered = table.loc[self.said.first_to_say(table.index.tolist())].head(SHOWN)
        else:
            ordered = in_order(table, str(self.order.value), self._errors).head(SHOWN)
        self._listed = ordered
        self._show_list()
        missing = ordered[~ordered.index.isin(list(self._drawn))]
        if len(missing) and self.objects is not None:
            self._pictures.ask(partial(self._draw_pictures, self.objects, missing))
        show(self._tools, True)
        words = f"{len(table):,} objects"
        if len(table) > SHOWN:
            words += f", {SHOWN} shown"
        self._count.value = words
        self.files.refresh()

    def _show_list(self) -> None:
        size, said = size_of(self._listed), self.said
        table = self.list.widget
        table.head, table.right = object_heads(size, classes=bool(said.classes))
        self.list.show(
            object_row(number, line, size, self._drawn.get(number, ""), said.cell(number))
            for number, line in ((int(key), line) for key, line in self._listed.iterrows())
        )

    def next(self) -> None:
        """Go to the object below the one that is chosen in the table."""
        keys = [row.key for row in self.list.rows]
        if not keys:
            raise PredictionError("open a run of objects first")
        at = keys.index(self.list.selected) + 1 if self.list.selected in keys else 0
        if at == len(keys):
            self._panel.say("That was the last object of the table.", "good")
            return
        self.go_to(int(keys[at]))

    def _find_errors(self, objects: Objects) -> dict[int, float]:
        """Off the UI thread: how unsure the prediction was of each object."""
        return {int(n): float(error) for n, error in self._ws.doubtful_objects(objects)["error"].items()}

    def _take_errors(self, errors: dict[int, float]) -> None:
        self._errors = errors
        self._list_objects()

    def _no_errors(self, error: BaseException) -> None:
        self.order.value = "Largest first"
        self._panel.show_error(error)

    def _draw_pictures(self, objects: Objects, lines: DataFrame) -> dict[int, str]:
        """Off the UI thread: small pictures of these objects."""
        return read_pictures(self._ws.images.open(image_of(self._ws, objects)), lines)

    def _take_pictures(self, made: dict[int, str]) -> None:
        self._drawn |= made
        self._show_list()

    def _on_run(self, action: str, name: str) -> None:
        if action == "open":
            self.open(name)
            return
        if self.objects is not None and self.objects.name == name:
            self._forget_objects()
        self._ws.runs[name].delete()
        self._tables.forget()
        self.runs.selected = self._opened = ""
        self._panel.say(f"{name} is deleted.", "good")
        self.refresh()

    def _forget_objects(self) -> None:
        self.show_surfaces(False)
        self.objects = self.table = None
        self._layers.forget()
        self.kinds.show(None, None)
        self.said.show(None, None)
        self.sorting.forget()
        self._framed = None
        self.list.show([])
        show(self._tools, False)
        self.files.refresh()
        self.show_frame()
        self._changed()
