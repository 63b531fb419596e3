"""Predicting from a panel: what is chosen, what it takes, what lies over the picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.prediction.fakes import FakeModel, make_spec, picture

from voxloop import model
from voxloop.errors import PredictionError
from voxloop.panels.predict import predict_panel
from voxloop.panels.predict.predict_panel import PredictPanel
from voxloop.panels.predict.prediction_words import going, size
from voxloop.prediction import batch, task
from voxloop.prediction.rehearsal import answer
from voxloop.prediction.result import borders
from voxloop.runs.context import RunContext
from voxloop.runs.events import EventWriter
from voxloop.runs.history import History, fold
from voxloop.volumes import open_volume, save_volume
from voxloop.workspace.workspace import Workspace

SHAPE = (6, 90, 100)


class InProcess:
    """A rehearsal that loads the model here; counts what was asked, and what was given up."""

    asked: list = []
    cancelled = 0

    def __init__(self, workspace, model, image, config, region=None):
        box = None if region is None else region.to_json()
        models = [model] if isinstance(model, Path) else model
        self._question = {"workspace": workspace, "models": models, "image": image, "region": box}
        self._question["settings"] = config.to_json()
        InProcess.asked.append(self._question)

    def wait(self):
        return answer(self._question)

    def cancel(self):
        InProcess.cancelled += 1


@pytest.fixture
def ws(tmp_path, monkeypatch):
    monkeypatch.setitem(model.LEARNERS, "fake", "tests.prediction.fakes:load")
    monkeypatch.setattr(predict_panel, "Rehearsal", InProcess)
    InProcess.asked = []
    with Workspace.create(
        tmp_path / "ws", image=picture(SHAPE), classes=["background", "mito"], spacing=(0.03, 0.01, 0.01)
    ) as made:
        yield made


def trained(ws, name="shallow-1"):
    """A run that has a model."""
    run = ws.runs.create(name, "voxloop.shallow.learner:train", {}, level="labels", labels={"labels/image": 0})
    with_events(
        run, ("started", {"device": "cpu"}), ("epoch", {"epoch": 1, "val": {"iou": {"mito": 0.7}}, "best": True})
    )
    FakeModel(make_spec()).save(run.path / "model")
    return run


def with_events(run, *events):
    writer = EventWriter(run.path / "events.jsonl")
    for kind, fields in events:
        writer.emit(kind, **fields)
    writer.close()


def in_process(ws, monkeypatch, work=True):
    """``ws.predict`` as it is, but what it launches runs here and now."""
    from voxloop.runs import Run

    def launch(run, queue=True):
        config = json.loads((run.path / "config.json").read_text())
        writer = EventWriter(run.path / "events.jsonl")
        writer.emit("started", device="cpu")
        context = RunContext(run.path, config, writer)
        if work:
            writer.emit((batch if "images" in config else task).run(context))
        return run

    monkeypatch.setattr(Run, "launch", launch)


def test_without_a_model_it_says_what_to_do_first(ui, ws, no_leak):
    panel = PredictPanel(ws)
    assert panel._button.disabled
    assert "once a model is trained" in panel._estimate.value
    with pytest.raises(PredictionError, match="train one first"):
        _ = panel.model
    panel.close()
    assert no_leak.left() == []


def test_the_forecast_follows_what_is_chosen(ui, ws):
    trained(ws)
    panel = PredictPanel(ws)
    assert panel.model == "shallow-1"
    assert "0.700" in panel._models.list.rows[0].cells
    assert "of" in panel._estimate.value
    assert "Memory" in panel._estimate.value
    assert InProcess.asked[-1]["region"] is None
    panel.where.where.value = "plane"
    assert InProcess.asked[-1]["region"] == [[3, 4], [0, 90], [0, 100]]
    panel.view.index = 5
    assert InProcess.asked[-1]["region"][0] == [5, 6]
    panel.where.where.value = "box"
    panel.where.ranges[0].value = (5, 6)
    assert len(panel.view._shapes) == 1
    panel.view.index = 2
    assert panel.view._shapes == ()
    asked = len(InProcess.asked)
    panel._mode.value = "fast"
    assert InProcess.asked[-1]["settings"]["mode"] == "fast"
    panel._tick()
    assert len(InProcess.asked) == asked + 1
    panel.close()


def test_what_cannot_be_predicted_is_said_before_the_start(ui, ws):
    run = trained(ws)
    FakeModel(make_spec(channels=3)).save(run.path / "model")
    panel = PredictPanel(ws)
    assert "takes 3 channels, the volume has 1" in panel._estimate.value
    assert panel._button.disabled
    panel.where.where.value = "box"
    panel.where.ranges[1].value = (40, 40)
    assert "the box is empty along y" in panel._estimate.value
    panel.close()


def test_predict_does_what_copy_as_code_says(ui, ws, monkeypatch, no_leak):
    trained(ws)
    in_process(ws, monkeypatch)
    panel = PredictPanel(ws)
    panel.where.where.value = "box"
    panel.where.ranges[0].value = (1, 3)
    panel._name.set_state({"value": "first"})
    line = "run = ws.predict('shallow-1', region=(slice(1, 3), slice(0, 90), slice(0, 100)), name='first', wait=False, "
    assert panel._copy.code.startswith(line)
    code = panel.code
    panel._button.click()
    assert panel.message.kind == "good"
    first = ws.predictions["first"]
    assert first.region == (slice(1, 3), slice(0, 90), slice(0, 100))
    assert panel.prediction.name == "first"
    assert [layer.id for layer in panel.view.layers] == ["uncertainty", "prediction"]
    assert "Finished" in panel.card.words.value
    assert first.borders in panel.card.words.value
    assert first.borders in repr(first)
    import voxloop as vl

    scope = {"ws": ws, "vl": vl}
    exec(code.replace("name='first'", "name='second'"), scope)
    assert np.array_equal(ws.predictions["second"].labels.values, first.labels.values)
    panel.close()
    assert no_leak.left() == []


def test_the_layer_shows_classes_with_the_background_away_and_paler_where_unsure(ui, ws, monkeypatch):
    trained(ws)
    in_process(ws, monkeypatch)
    panel = PredictPanel(ws)
    panel.predict()
    layer = panel.view.layers[-1]
    assert [item["visible"] for item in layer.state["classes"]] == [False, True]
    patch = layer.read("z", 2, (0, 0, 90, 100), (1.0, 1.0))
    found = panel.prediction
    assert np.array_equal(patch.indices, found.labels.values[2])
    assert np.array_equal(patch.alpha, 255 - found.uncertainty.values[2])
    panel.close()


def test_a_run_under_way_is_steered_and_told_what_is_on_screen(ui, ws, monkeypatch):
    trained(ws)
    in_process(ws, monkeypatch, work=False)
    given = []
    for order in ("pause", "stop", "cancel"):
        monkeypatch.setattr(f"voxloop.runs.run.Run.{order}", lambda run, order=order: given.append(order))
    monkeypatch.setattr("voxloop.runs.run.Run.update", lambda run, **values: given.append(values))
    monkeypatch.setattr("voxloop.runs.run.Run.state", property(lambda run: "running"))
    panel = PredictPanel(ws)
    panel.predict()
    panel.card.pause.click()
    panel.card.stop.click()
    panel.card.cancel.click()
    assert given.count("cancel") == 0  # asks first
    panel._discard()
    assert [name for name in given if isinstance(name, str)] == ["pause", "stop", "cancel"]
    given.clear()
    panel._followed = -100.0
    panel.view.index = 1
    panel._tick()
    assert given == [{"focus": [1, 45, 50]}]
    panel.close()


def test_predictions_are_listed_opened_and_deleted(ui, ws, monkeypatch):
    trained(ws)
    in_process(ws, monkeypatch)
    for name in ("one", "two"):
        ws.predict("shallow-1", name=name, wait=False)
    panel = PredictPanel(ws)
    assert [row.key for row in panel._list.rows] == ["two", "one"]
    panel._list.do("open", "one")
    assert panel.prediction.name == "one"
    panel._list.do("delete", "one")
    assert panel.view.layers == ()
    assert set(ws.predictions) == {"two"}
    assert [row.key for row in panel._list.rows] == ["two"]
    panel.close()


def test_a_prediction_is_saved_as_a_file(ui, ws, monkeypatch, tmp_path):
    trained(ws)
    in_process(ws, monkeypatch)
    monkeypatch.chdir(tmp_path)
    panel = PredictPanel(ws)
    assert "vx-hidden" in panel.files.widget._dom_classes
    panel._name.value = "first"
    panel._button.click()
    files = panel.files
    assert "vx-hidden" not in files.widget._dom_classes
    assert files.path.value == "first-labels.ome.zarr"
    files.kind.value, files.format.value = "uncertainty", "TIFF"
    assert files.code == "ws.export('first', 'first-uncertainty.tif', kind='uncertainty')"
    files.save.click()
    assert "saved as" in files.said.value
    found = open_volume(tmp_path / "first-uncertainty.tif")
    assert np.array_equal(found.values, ws.predictions["first"].uncertainty.values)
    files.path.value = str(tmp_path / "first-uncertainty.tif")
    assert "there is such a file" in files.said.value
    files.save.click()
    assert panel.message.kind == "error"
    files.replace.value = True
    assert "overwrite=True" in files.code
    files.save.click()
    assert panel.files.said.value.startswith("saved as")
    panel.close()


def test_words():
    assert [size(n) for n in (500, 340e6, 1.24e9, 3e12)] == ["1 kB", "340 MB", "1.2 GB", "3.0 TB"]
    started = {"v": 1, "kind": "started", "time": 0.0}
    history = fold(
        History(), [started, {"v": 1, "kind": "progress", "time": 0.0, "done": 3, "total": 12, "eta_s": 61.0}]
    )
    bar, words = going("running", history, 1.0)
    assert "width:25.0%" in bar
    assert words == "3 of 12 tiles, about 1 min to go"
    seam = {"largest": 2.1e-6, "usual": 0.0, "flips": 0.0004, "voxels": 900}
    assert borders(seam) == "borders: probabilities differ by 2e-06 at most, 0.04% of labels there"
    assert borders({**seam, "voxels": 0}) == "no borders inside"
    assert borders(None) == "borders not measured"
    many = {"v": 1, "kind": "progress", "time": 1.0, "done": 12, "total": 12, "unit": "tiles", "coarser": [3, 8]}
    assert "coarser resolutions: block 3 of 8" in going("running", fold(history, [many]), 1.0)[1]


def test_several_models_and_all_images(ui, ws, monkeypatch):
    trained(ws)
    trained(ws, "shallow-2")
    ws.images.add("second", picture((3, 40, 50)), copy=True)
    in_process(ws, monkeypatch, work=False)
    panel = PredictPanel(ws)
    other = panel._others.options
    assert len(other) == 1
    assert panel.model not in other
    panel._others.value = other
    assert panel.models == [panel.model, *other]
    assert len(InProcess.asked[-1]["models"]) == 2
    assert "each voxel is predicted <b>2</b> times" in panel._estimate.value
    panel.images.several.value = True
    assert tuple(InProcess.asked[-1]["image"]) == ("image", "second")
    assert f"ws.predict({panel.models!r}, image='*', " in panel.code
    panel._button.click()
    (run,) = [run for run in ws.runs.values() if "images" in run.config]
    assert run.config["images"] == ["image", "second"]
    assert len(run.config["models"]) == 1
    panel.images.which.value = ("second",)
    assert tuple(InProcess.asked[-1]["image"]) == ("second",)
    assert "image=['second'], " in panel._copy.code
    panel.images.which.value = ()
    assert "choose one image at least" in panel._estimate.value
    panel._button.click()
    assert "choose one image at least" in panel.message.words
    panel.close()


def test_a_run_over_several_images_shows_its_table(ui, ws, monkeypatch):
    trained(ws)
    ws.images.add("second", picture((3, 40, 50)), copy=True)
    ws.images.add("third", picture((3, 40, 50)).reshape(1, 3, 40, 50).repeat(3, 0), copy=True)
    in_process(ws, monkeypatch)
    panel = PredictPanel(ws)
    assert "vx-hidden" in panel.results.widget._dom_classes
    panel.images.several.value = True
    panel.images.which.value = ("second", "third")
    panel._name.value = "many"
    panel._button.click()
    table = ws.runs["many"].result.table
    assert list(table["image"]) == ["second", "third"]
    assert "vx-hidden" not in panel.results.widget._dom_classes
    assert panel.image == "second"  # not of the run: the one that was on show
    assert panel.prediction.name == "many.second"
    good, bad = panel.results.rows.rows
    assert good.cells[1] == f"{table['class 2 share'][0]:.1%}"
    assert "class 2 µm³" in good.title
    assert "predicted in" in good.title
    assert "failed" in bad.cells[-1]
    assert "takes 1 channel, the volume has 3" in bad.title
    assert panel.results.words.value == "2 of 2 images, 1 failed"
    assert panel.results._copy.code == "ws.runs['many'].result.table"
    panel.results.rows.do("open", "third")
    assert panel.image == panel.results.rows.selected == "third"
    panel.results.rows.do("open", "second")
    assert panel.prediction.name == "many.second"
    ws.images.remove("third")
    panel.refresh()
    assert panel.images.which.options == ("image", "second")
    panel.results.rows.do("open", "third")
    assert "not in this workspace any more" in panel.message.words
    panel.close()


def test_a_folder_of_pictures_is_added_and_meant(ui, ws, monkeypatch, tmp_path, no_leak):
    trained(ws)
    in_process(ws, monkeypatch, work=False)
    folder = tmp_path / "more"
    folder.mkdir()
    for name in ("a", "b"):
        save_volume(picture((1, 40, 50)), folder / f"{name}.tif")
    panel = PredictPanel(ws)
    assert "vx-hidden" in panel.images.several._dom_classes
    panel.images.fold.open()
    panel.images.button.click()
    assert "choose a folder" in panel.message.words
    panel.images.chooser.line.value = str(folder)
    assert panel.images._copy.code == f"ws.images.add_folder({str(folder)!r})"
    panel.images.button.click()
    assert panel.message.words.startswith("2 images added from more")
    assert list(ws.images.names) == ["image", "a", "b"]
    assert panel.images.names == ["a", "b"]
    assert tuple(InProcess.asked[-1]["image"]) == ("a", "b")
    assert "image=['a', 'b'], " in panel._copy.code
    panel.images.which.value = ("image", "a", "b")
    assert "image='*', " in panel._copy.code
    panel.close()
    assert no_leak.left() == []


def test_what_is_on_screen_and_named_regions_are_predicted(ui, ws, monkeypatch):
    trained(ws)
    in_process(ws, monkeypatch)
    panel = PredictPanel(ws)
    assert "named" not in [where for _, where in panel.where.where.options]
    panel.where.where.value = "screen"
    panel.view._window = {"axis": "z", "box": (10, 20, 40, 60), "pixel_um": 0.01}
    panel._tick()  # the view has moved: the forecast is of what it shows now
    assert InProcess.asked[-1]["region"] == [[3, 4], [10, 40], [20, 60]]
    assert "region=(slice(3, 4), slice(10, 40), slice(20, 60))" in panel._copy.code
    ws.regions.add("corner", (slice(0, 2), slice(0, 50), slice(0, 40)))
    panel.refresh()
    assert panel.where.where.value == "screen"
    panel.where.where.value = "named"
    assert panel.where.named.value == "corner"
    assert InProcess.asked[-1]["region"] == [[0, 2], [0, 50], [0, 40]]
    assert "region='corner'" in panel._copy.code
    panel.view.index = 1
    assert len(panel.view._shapes) == 1
    panel._name.value = "there"
    panel._button.click()
    assert ws.predictions["there"].region == (slice(0, 2), slice(0, 50), slice(0, 40))
    ws.regions.remove("corner")
    panel.refresh()
    assert panel.where.where.value == "all"
    panel.close()


def test_models_in_the_workspace_are_offered(ui, ws, monkeypatch):
    in_process(ws, monkeypatch)
    FakeModel(make_spec()).save(ws.path / "models" / "imported")
    trained(ws)
    panel = PredictPanel(ws)
    assert [row.key for row in panel._models.list.rows] == ["shallow-1", "models/imported"]
    panel._models.list.do("open", "models/imported")
    assert InProcess.asked[-1]["models"] == [ws.path / "models" / "imported"]
    assert panel._copy.code.startswith("run = ws.predict(ws.path / 'models/imported', ")
    panel._name.value = "first"
    panel._button.click()
    assert panel.message.kind == "good"
    assert ws.runs["first"].config["model"] == "models/imported"
    panel._others.value = ("shallow-1",)
    assert panel._copy.code.startswith("run = ws.predict([ws.path / 'models/imported', 'shallow-1'], ")
    panel.close()
