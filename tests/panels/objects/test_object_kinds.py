"""Objects by their measures in the panel: made of a level, brushed in plots, found by rules, made into labels."""

from __future__ import annotations

import json
import time

import numpy as np
import pandas as pd
import pytest
from tests.panels.screen import Screen

from voxloop.errors import PredictionError, ReadOnlyError
from voxloop.objects import task
from voxloop.panels.objects.measure_plot import EACH, MeasurePlot
from voxloop.panels.objects.objects_panel import ObjectsPanel
from voxloop.prediction.found import FOLDER, begin
from voxloop.prediction.found_pieces import write_piece
from voxloop.runs import Run
from voxloop.runs.context import RunContext
from voxloop.runs.events import EventWriter
from voxloop.workspace.places import _RUN as PLACES
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


def tell(ws, objects: str, level: str, classes: list[str], found: dict[int, list[float]], name: str = "told"):
    """A finished run in which a network told classes of objects: probabilities by number of an object."""
    places = [[number, 2, 5, 5] for number in found]
    facts = {"objects": objects, "places": places, "level": level, "image": ws.images.names[0]}
    run = ws.runs.create(name, PLACES["task"], {}, kind="places", result=PLACES["result"], **facts)
    begin(run.path / FOLDER, {**facts, "kind": "pictures", "names": classes, "frames": list(range(len(found)))})
    columns = {"frame": np.arange(len(found)), "probabilities": np.array(list(found.values()), np.float32)}
    write_piece(run.path / FOLDER, 0, columns)
    writer = EventWriter(run.path / "events.jsonl")
    writer.emit("started", device="cpu")
    writer.emit("finished")
    return run


def drawn(panel, layer: str) -> np.ndarray:
    """What a layer shows of plane 2."""
    (found,) = (one for one in panel.view.layers if one.id == layer)
    return np.asarray(found.values[2, :, :])


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
    np.testing.assert_array_equal(drawn(panel, "selected") > 0, ws.labels("cells").read()[2] > 3)
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
    # a click in the picture lights up in the plots, and the other way
    panel.stage.picking.widget.value = True
    assert panel.view.tool["name"] == "objects"
    for at in (4, 5):
        panel.view.emit("click", {"tool": "objects", "axis": "z", "index": 2, "row": 7, "column": 12 * at + 5})
        until(panel, lambda at=at: at + 1 in kinds.ids)
    assert kinds.ids == (2, 5, 6)
    assert kinds.plots.plots[0]._marks[-1].y.sum() == 3
    panel.view.emit("click", {"tool": "objects", "axis": "z", "index": 2, "row": 7, "column": 17})
    until(panel, lambda: kinds.ids == (5, 6))
    panel.view.emit("click", {"tool": "objects", "axis": "z", "index": 0, "row": 0, "column": 0})
    until(panel, lambda: kinds.ids == ())
    panel.go_to(2)
    # measures are offered while a rule is typed
    kinds._rule.value = "volume_um3 > 1 and solid"
    Screen(panel).click("solidity")
    assert kinds._rule.value == "volume_um3 > 1 and solidity "
    # small pictures in the table, and on to the next one
    until(panel, lambda: all("<img" in row.cells[0] for row in panel.stage.list.rows))
    panel.stage.order.value = "Least sure first"
    until(panel, lambda: "has no prediction yet" in Screen(panel).message)
    assert panel.stage.order.value == "Largest first"
    panel.stage.next()
    assert panel.stage.list.selected == panel.stage.list.rows[5].key


def test_kinds_classes_and_a_report(panel, ws, tmp_path):
    panel.labelled.which.value = ("cells", None)
    panel.labelled.apply()
    until(panel, lambda: panel.objects is not None)
    stage = panel.stage
    kinds, sorting = stage.kinds, stage.sorting
    kinds.fold.open()
    sorting.fold.open()
    sorting._by.value = ("volume_um3",)
    Screen(panel).click("Sort into kinds")
    until(panel, lambda: len(sorting.found.of) == 6)
    assert sorting.copy.code == "kinds = objects.cluster(2, 'kmeans', measures=['volume_um3'])"
    assert len({kinds.colors[at] for at in range(6)}) == 2
    assert len(set(kinds.plots.plots[0]._marks[0].colors)) == 2
    layer = stage.layers()[1]
    found = np.asarray(layer.read("z", 2, (0, 0, *SHAPE[1:]), (1, 1)).indices)
    assert set(np.unique(found)) == {0, 1, 2}
    looks = {state["id"]: state["visible"] for state in panel.view.widget.layers}
    assert (looks["objects"], looks["kinds"]) == (False, True)  # kinds in place of single objects
    sorting.list.do("open", "kind 1")
    assert len(kinds.ids) == list(sorting.found.of.values()).count("kind 1")
    sorting.label()
    until(panel, lambda: "kinds" in ws.levels.names and bool(ws.labels("kinds").counts()))
    assert [one.name for one in ws.levels["kinds"].classes] == sorting.found.names
    ws.labels("kinds").undo()
    assert not ws.labels("kinds").counts()  # one edit

    sorting.learn()
    until(panel, lambda: "two classes" in Screen(panel).message)
    for name, ids in (("small", (1, 2)), ("large", (5, 6))):
        kinds.select(ids)
        sorting._name.value = name
        Screen(panel).click("Add selected")
    Screen(panel).click("Learn")
    until(panel, lambda: sorting.found.classifier is not None)
    assert "examples get their class when left out" in sorting._words.value
    assert {sorting.found.of[one] for one in (1, 2)} == {"small"}
    sorting._file.value = "sizes"
    Screen(panel).click("Keep")
    assert (ws.path / "classifiers" / "sizes.json").exists()
    Screen(panel).click("Use it")
    until(panel, lambda: "another image" in sorting._words.value)

    report = stage.report
    report.fold.open()
    report._only.value = "touches_edge == 0 and volume_u"
    Screen(panel).click("volume_um3")
    assert report._only.value == "touches_edge == 0 and volume_um3 "
    report._only.value = ""
    report._rules.value = "large: volume_um3 > 10\nvoxels > 2"
    report._path.value = str(tmp_path / "study.html")
    report.write()
    until(panel, lambda: "written" in report._words.value)
    assert "class small" in (tmp_path / "study.html").read_text()
    assert report.copy.code.startswith(
        "ws.study('objects-1', name='Study', rules={'large': 'volume_um3 > 10', 'voxels > 2'"
    )
    report.write()
    until(panel, lambda: "exists" in Screen(panel).message)


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


def test_classes_are_said_by_key_seen_in_the_table_and_the_picture_and_put_right(panel, ws):
    panel.labelled.which.value = ("cells", None)
    panel.labelled.apply()
    until(panel, lambda: panel.objects is not None)
    screen, stage = Screen(panel), panel.stage
    cells = lambda: {int(line.key): line.cells[2] for line in stage.list.rows}  # noqa: E731
    screen.click("Add")
    assert "name the classes first" in screen.message
    screen.field("New classes").value = "round, long"
    screen.click("Add")
    assert ws.levels["object classes"].kind == "pictures"
    assert stage.list.widget.head[2] == "Class"
    assert "in the plane through its middle" in screen.text  # a stack
    press = lambda does: panel.view.emit("action", does, [0, 0, 0])  # noqa: E731
    press("object class 1")
    assert "no object is selected" in screen.message
    first, second = (int(line.key) for line in stage.list.rows[:2])
    panel.go_to(first)
    press(next(key["action"] for key in panel.view.widget.bindings if key["label"] == "long"))
    assert (
        Screen(stage.said).code
        == f"ws.object_classes({panel.objects.name!r}, 'object classes').assign({first}, 'long')"
    )
    assert "long" in cells()[first]
    assert stage.list.selected == str(second)  # on to the next one
    found = drawn(panel, "kinds")
    assert set(found[ws.labels("cells").read()[2] == first]) == {2}
    assert set(found[ws.labels("cells").read()[2] == second]) == {3}  # none yet
    # what a network told is seen, comes first, and is put right
    journal = ws.object_classes(panel.objects)
    told = {second: [0.93, 0.07], first: [0.99, 0.01], 1: [0.39, 0.61]}
    tell(ws, panel.objects.name, "object classes", ["round", "long"], told)
    until(panel, lambda: "Take over" in screen.buttons)
    screen.click("Take over")  # of those it is at least 80 % sure of
    assert "1 object has the class that told told" in screen.message
    assert "93%" in cells()[second]
    press("object undo")
    assert cells()[second] == ""
    screen.field("above").value = 0.5
    screen.click("Take over")
    assert "2 objects" in screen.message
    assert Screen(stage.said).code == "ws.accept('told', above=0.5)"
    screen.field("above").value = 1
    screen.click("Take over")
    assert "no object" in screen.message
    assert "long" in cells()[first]  # a person said so
    stage.order.value = "Class to say first"
    assert [int(line.key) for line in stage.list.rows][:2] == [1, second]
    stage.said.next_after.value = False
    panel.go_to(second)
    assert screen.marked("vx-on") == ["1 round"]
    screen.click("2 long")
    assert journal.classes(predicted=False) == {first: "long", second: "long"}
    assert stage.list.selected == str(second)
    press("object undo")
    assert "93%" in cells()[second]
    press("object none")
    assert cells()[second] == ""
    # a class that is gone, however late its key comes, is told of no more
    ws.levels.remove_class("object classes", "round")
    until(panel, lambda: "1 round" not in screen.buttons)
    press("object class 1")
    assert "there is no class 1" in screen.message
    assert ws.accept("told") == [1]
    with Workspace.open(ws.path, read_only=True) as reader, pytest.raises(ReadOnlyError, match="read-only"):
        reader.object_classes(panel.objects.name).assign(first, None)
    screen.row(panel.objects.name).click("Delete")
    assert "2 long" not in screen.buttons
    assert panel.view.widget.bindings == []
    # objects of that name that are made again are others
    panel.labelled.apply()
    until(panel, lambda: panel.objects is not None)
    assert "Take over" not in screen.buttons
    with pytest.raises(PredictionError, match="made again after run 'told'"):
        ws.accept("told")
