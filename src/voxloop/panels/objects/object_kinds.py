"""Objects looked at by their measures: plots with a brush, rules, and what is selected made into labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np

from voxloop.errors import LabelError, PredictionError
from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import CopyCode, Panel, button, close_tree, column, labelled, row, show, text
from voxloop.panels.base.work import Attempt, Latest
from voxloop.panels.objects.measure_offers import MeasureOffers
from voxloop.panels.objects.measure_plot import PlotSet
from voxloop.panels.objects.objects_rows import size_of

if TYPE_CHECKING:
    from pandas import DataFrame

    from voxloop.objects import Objects
    from voxloop.store import Edit
    from voxloop.workspace.workspace import Workspace

_KINDS = ("histogram", "scatter", "pairs")
#: columns that are no measures to plot
_NO_PLOT = ("z_from", "z_to", "y_from", "y_to", "x_from", "x_to", "touches_edge")


class ObjectKinds:
    """A fold below the table: plots, a rule, the selection and where it goes.

    Parameters
    ----------
    panel
        Whose part it is.
    ws
        Whose levels the selection may become.
    selected
        Called with the numbers that are selected now: they light up in the picture.
    """

    def __init__(self, panel: Panel, ws: Workspace, selected: Callable[[Sequence[int]], object]) -> None:
        self._panel, self._ws, self._selected = panel, ws, selected
        self.objects: Objects | None = None
        self.table: DataFrame | None = None
        self.ids: tuple[int, ...] = ()
        self.colors: np.ndarray | None = None
        self.plots = PlotSet(lambda ids: panel.handler(lambda: self.select(ids))())
        self._tables: Latest[DataFrame] = Latest(panel, self._take_table)
        self._found: Latest[list[int]] = Latest(panel, lambda ids: self.select(ids))
        self.copy = CopyCode()
        for made in (self.copy, self.plots.widget):  # in no tree before the fold is opened
            panel.on_close(partial(close_tree, made))
        self.fold = Fold("Measures", self._build, lambda fold: self._draw())
        self.widget = column(self.fold.widget)

    def show(self, objects: Objects | None, table: DataFrame | None) -> None:
        """Other objects are listed, or none any more."""
        self.objects, self.table = objects, table
        self.ids, self.colors = (), None
        self._selected(())
        self._draw()

    def select(self, ids: Sequence[int]) -> None:
        """Light these objects up, in the plots and in the picture."""
        self.ids = tuple(int(number) for number in ids)
        self._selected(self.ids)
        self.plots.show_selected(self.ids)
        self._say()

    def color(self, colors: np.ndarray | None) -> None:
        """Draw objects in these colours, one for each row of the table; None: all alike."""
        self.colors = colors
        self._draw()

    def apply_rule(self) -> None:
        """Select the objects for which the rule holds; measures it speaks of are made where they are not there."""
        objects, rule = self._chosen(), str(self._rule.value).strip()
        self.copy.code = f"ids = objects.select({rule!r})"
        self._words.value = "looking for them …"
        self._found.ask(partial(objects.select, rule))

    def measure(self) -> None:
        """Make the measures of the group that is chosen, and offer them in the plots."""
        objects, group = self._chosen(), str(self._group.value)
        self.copy.code = f"table = objects.table(measures=[{group!r}])"
        self._words.value = "measuring …"
        self._tables.ask(partial(self._joined, objects, self.table, group))

    def label(self) -> None:
        """Make labels of the selected objects."""
        objects = self._chosen()
        if not self.ids:
            raise LabelError("no object is selected; draw a box in a plot, or give a rule")
        level, _, name = str(self._target.value or "").partition(" / ")
        if not level:
            raise LabelError("this workspace has no level to put objects on; add one")
        more: dict[str, Any] = {"value": name} if name else {}
        about = "".join(f", {key}={value!r}" for key, value in more.items())
        self.copy.code = f"ws.label_objects({objects.name!r}, {level!r}{about}, ids=ids)"
        self._labelling(partial(self._ws.label_objects, objects, level, ids=self.ids, **more))

    @staticmethod
    def _joined(objects: Objects, table: DataFrame | None, group: str) -> DataFrame:
        more = objects.table(measures=[group])
        if table is None:
            return more
        return table.join(more[[name for name in more if name not in table]])

    def _take_table(self, table: DataFrame) -> None:
        self.table = table
        self._draw()

    def _chosen(self) -> Objects:
        if self.objects is None:
            raise PredictionError("open a run of objects first")
        return self.objects

    def _draw(self) -> None:
        """Plot what is chosen, where it is looked at."""
        if not self.fold.is_open:
            return
        names = [] if self.table is None else [name for name in self.table if name not in _NO_PLOT]
        for at, field in enumerate((self._x, self._y, self._third)):
            if tuple(field.options) != tuple(names):
                kept = field.value
                field.options = names
                usual = self._usual(at, names)
                field.value = kept if kept in names else usual
        self._replot()
        levels = self._ws.levels
        options = []
        for level in levels.names:
            if levels[level].kind == "instances":
                options.append(level)
            elif levels[level].kind == "semantic":
                options += [f"{level} / {item.name}" for item in levels[level].classes]
        if tuple(self._target.options) != tuple(options):
            self._target.options = options
            self._target.value = options[0] if options else None

    def _usual(self, at: int, names: Sequence[str]) -> str | None:
        if self.table is None or not names:
            return None
        wanted = [size_of(self.table), "axis_1_um", "axis_2_um"][at]
        return wanted if wanted in names else names[0]

    def _replot(self) -> None:
        if not self.fold.body.children:
            return
        show(self._y, self._kind.value != "histogram")
        show(self._third, self._kind.value == "pairs")
        names = [str(field.value) for field in (self._x, self._y, self._third) if field.value]
        ready = self.table is not None and len(names) == 3
        self.plots.show(self.table if ready else None, names, str(self._kind.value), self.colors)
        self.plots.show_selected(self.ids)
        self._say()

    def _say(self) -> None:
        if not self.fold.body.children:
            return
        total = 0 if self.table is None else len(self.table)
        self._words.value = f"{len(self.ids):,} of {total:,} objects are selected"

    def _labelled(self, edit: Edit) -> None:
        self._panel.say(f"{edit.voxels:,} voxels are labelled; undo in the Label step takes it back.", "good")

    def _build(self) -> list[w.Widget]:
        handler = self._panel.handler
        self._kind = w.Dropdown(options=_KINDS, value="scatter", **labelled("Plot", "What is drawn"))
        self._x = w.Dropdown(options=[], **labelled("Across", "Measure of the horizontal axis"))
        self._y = w.Dropdown(options=[], **labelled("Up", "Measure of the vertical axis"))
        self._third = w.Dropdown(options=[], **labelled("Third", "Of pairs"))
        for field in (self._kind, self._x, self._y, self._third):
            field.observe(handler(self._replot), "value")
        self._rule = w.Text(placeholder="volume_um3 > 2 and sphericity < 0.6", **labelled("Rule", "Which to select"))
        offers = MeasureOffers(self._panel, self._rule, lambda: [] if self.table is None else list(self.table))
        select = button("Select", handler(self.apply_rule), tooltip="Select the objects for which the rule holds")
        clear = button("Clear", handler(lambda: self.select(())), tooltip="Select none")
        self._group = w.Dropdown(
            options=["shape", "contacts", "skeleton", "regionprops"],
            **labelled("More measures", "Each object is read as a whole, which takes a while"),
        )
        measure = button("Measure", handler(self.measure), tooltip="Make these measures and offer them in the plots")
        self._target = w.Dropdown(options=[], **labelled("Label as", "Level, and of classes the class"))
        label = button("Label them", handler(self.label), icon="tag", tooltip="Selected objects become labels")
        self._labelling: Attempt[Edit] = Attempt(self._panel, lambda make: make(), self._labelled, button=label)
        self._words = text("", "vx-dim")
        return [
            self._kind,
            self._x,
            self._y,
            self._third,
            self.plots.widget,
            self._words,
            self._rule,
            offers.widget,
            row(select, clear),
            row(self._group, measure),
            self._target,
            row(label),
            self.copy,
        ]


class SelectedLayer:
    """Which objects are selected, as values that a layer over the picture reads by the piece: 1 where one is."""

    def __init__(self, labels: Any) -> None:
        self._labels = labels
        self.shape = labels.shape
        self._table = np.zeros(1, np.uint8)

    def select(self, ids: Sequence[int]) -> None:
        """Light these objects up."""
        numbers = np.asarray(list(ids), np.int64)
        table = np.zeros(int(numbers.max(initial=0)) + 2, np.uint8)
        table[numbers] = 1
        self._table = table

    def give(self, values: Mapping[int, int]) -> None:
        """Give objects these values, from 1 to 255; all others have none."""
        table = np.zeros(max(values, default=0) + 2, np.uint8)
        table[list(values)] = list(values.values())
        self._table = table

    def __getitem__(self, at: Any) -> np.ndarray:
        values = np.asarray(self._labels[at])
        return np.asarray(self._table[np.minimum(values, len(self._table) - 1)])
