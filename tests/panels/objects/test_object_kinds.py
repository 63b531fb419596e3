"""Objects by their measures in the panel: made of a level, brushed in plots, found by rules, made into labels."""

from __future__ import annotations

import json
import time

import numpy as np
import pandas as pd
import pytest
from tests.panels.screen import Screen

from voxloop.objects import task
from voxloop.panels.objects.measure_plot import EACH, MeasurePlot
from voxloop.panels.objects.objects_panel import ObjectsPanel
from voxloop.runs import Run
from voxloop.runs.context import RunContext
from voxloop.runs.events import EventWriter
from voxloop.workspace.workspace import Workspace

SHAPE = (6, 60, 90)


@pytest.fixture
def ws(tmp_path, monkeypatch):
    """A workspace whose runs run here and now, with six objects on a level of instances."""

    def launch(run, queue=True):
        writer = EventWriter(run.path / "events.jsonl")
        writer.emit("started", device="cpu")
        writer.emit(task.run(RunContext(run.path, json.loads((run.path / "config.json").read_text()), writer)))
        return run

    monkeypatch.setattr(Run, "launch", launch)
    with Workspace.create(tmp_path / "ws", image=np.zeros(SHAPE, np.uint8), classes=["big"], spacing=0.5) as made:
        made.levels.add("cells", kind="instances")
        values = np.zeros(SHAPE, np.uint32)
        for at in range(6):
            values[1:5, 5 : 10 + 6 * at, 12 * at + 2 : 12 * at + 11] = at + 1
        made.labels("cells").write(None, values)
        yield made


@pytest.fixture
def panel(ui, ws):
    made = ObjectsPanel(ws)
    yield made
    made.close()


def until(panel, holds) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, Screen(panel).message
        time.sleep(0.01)
        Screen(panel).wait()


def brush(plot: MeasurePlot, x, y=None) -> None:
    """Draw a brush and let it go."""
    plot.brush.brushing = True
    if y is None:
        plot.brush.selected = np.array(x)
    else:
        plot.brush.selected_x, plot.brush.selected_y = np.array(x), np.array(y)
    plot.brush.brushing = False


def test_from_a_level_to_plots_a_rule_and_labels(panel, ws):
    assert panel.labelled.which.options[1] == ("cells", ("cells", None))
    panel.labelled.which.value = ("cells", None)
    assert panel.labelled.copy.code == "ws.objects('cells', image='image')"
    panel.labelled.apply()
    until(panel, lambda: panel.objects is not None)
    kinds = panel.stage.kinds
    kinds.fold.open()
    (plot,) = kinds.plots.plots
    table = kinds.table
    low = float(np.sort(table["volume_um3"])[3]) - 1
    brush(plot, [low, 1e9], [0, 1e9])
    assert kinds.ids == (4, 5, 6)
    lit = panel.stage.layers()  # made anew: nothing is lit until something is selected
    assert len(lit) == 2
    kinds.select(kinds.ids)
    np.testing.assert_array_equal(panel.stage._lit[2, :, :] > 0, ws.labels("cells").read()[2] > 3)
    assert plot._marks[-1].x.size == 3  # the others light up as well
    kinds._kind.value = "histogram"
    brush(kinds.plots.plots[0], [0, low])
    assert kinds.ids == (1, 2, 3)
    kinds._kind.value = "pairs"
    assert len(kinds.plots.plots) == 6
    kinds._rule.value = "sphericity < 2 and volume_um3 > 1"
    kinds.apply_rule()
    until(panel, lambda: kinds.ids == (1, 2, 3, 4, 5, 6))
    kinds._rule.value = "spherical > 1"
    kinds.apply_rule()
    until(panel, lambda: "unknown measure" in Screen(panel).message)
    kinds.measure()
    until(panel, lambda: "sphericity" in kinds._x.options)
    kinds.select((5, 6))
    kinds._target.value = "labels / big"
    kinds.label()
    until(panel, lambda: bool(ws.labels("labels").counts()))
    np.testing.assert_array_equal(ws.labels("labels").read() == 1, ws.labels("cells").read() > 4)
    assert "ids=ids" in kinds.copy.code
    panel.go_to(2)
    assert kinds.ids == (2,)


def test_a_plot_of_very_many_objects_draws_few_marks(ui):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=100_000), "b": rng.normal(size=100_000)})
    table.loc[7, "a"] = np.nan
    found: list[list[int]] = []
    plot = MeasurePlot(table, "a", "b", found.append)
    assert sum(np.size(getattr(mark, "x", [])) for mark in plot._marks) < EACH
    brush(plot, [0, 1], [-1, 0])
    expected = table.index[table["a"].between(0, 1) & table["b"].between(-1, 0)]
    assert found == [expected.tolist()]
    plot.show_selected(found[0])
    assert plot._marks[-1].x.size <= EACH
    plot.figure.close()
