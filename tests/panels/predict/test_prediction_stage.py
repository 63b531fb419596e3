"""The prediction on show: over the picture, steered, listed, as a table, as files."""

from __future__ import annotations

import shutil

import numpy as np
from tests.panels.predict.stand_ins import in_process, trained
from tests.panels.screen import Screen, is_shown
from tests.prediction.fakes import picture

from voxloop.panels.predict import prediction_stage
from voxloop.panels.predict.predict_panel import PredictPanel
from voxloop.runs import Run
from voxloop.volumes import open_volume


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
    screen = Screen(panel)
    panel.predict()
    for name in ("Pause", "Stop and keep", "Cancel and discard"):
        screen.click(name)
    assert given.count("cancel") == 0  # asks first
    screen.click("Discard")
    assert [name for name in given if isinstance(name, str)] == ["pause", "stop", "cancel"]
    given.clear()
    panel.view.index = 1
    screen.wait(2)
    assert given == [{"focus": [1, 45, 50]}]
    panel.close()


def test_what_is_on_screen_is_answered_before_the_run_gets_there(ui, ws, monkeypatch):
    trained(ws)
    in_process(ws, monkeypatch, work=False)
    panel = PredictPanel(ws)
    screen = Screen(panel)
    panel.view.index = 2
    panel.predict()
    (layer,) = panel.view.layers
    answer = layer.read("z", 2, (0, 0, 90, 100), (1.0, 1.0))
    assert "predicted in" in screen.text
    panel.view.index = 3
    screen.wait()
    assert layer.patch("z", 3) is not None
    ws.runs[panel.run.name].cancel()
    screen.wait(1)
    assert panel.view.layers == ()

    in_process(ws, monkeypatch)
    panel.where.where.value = "plane"
    panel.view.index = 2
    panel.predict()
    assert [layer.id for layer in panel.view.layers] == ["uncertainty", "prediction"]  # the run has been there
    of_run = panel.view.layers[-1].read("z", 2, (0, 0, 90, 100), (1.0, 1.0))
    assert np.array_equal(answer.indices, of_run.indices)
    assert np.array_equal(answer.alpha, of_run.alpha)
    panel.close()


def test_predictions_are_listed_opened_and_deleted(ui, ws, monkeypatch):
    trained(ws)
    in_process(ws, monkeypatch)
    for name in ("one", "two"):
        ws.predict("shallow-1", name=name)
    panel = PredictPanel(ws)
    screen = Screen(panel)
    assert [row.key for row in panel.stage.list.rows] == ["two", "one"]
    screen.row("one").click()
    assert panel.prediction.name == "one"
    screen.row("one").click("Delete")
    assert panel.view.layers == ()
    assert set(ws.predictions) == {"two"}
    assert [row.key for row in panel.stage.list.rows] == ["two"]
    panel.close()


def test_a_prediction_is_saved_as_a_file(ui, ws, monkeypatch, tmp_path):
    trained(ws)
    in_process(ws, monkeypatch)
    monkeypatch.chdir(tmp_path)
    panel = PredictPanel(ws)
    screen = Screen(panel)
    assert not is_shown(panel.stage.files.widget)
    screen.field("name").value = "first"
    screen.click("Predict")
    files = panel.stage.files
    assert is_shown(files.widget)
    assert files.path.value == "first-labels.ome.zarr"
    files.kind.value, files.format.value = "uncertainty", "TIFF"
    assert files.code == "ws.export('first', 'first-uncertainty.tif', kind='uncertainty')"
    screen.click("Save")
    assert "saved as" in files.words.value
    found = open_volume(tmp_path / "first-uncertainty.tif")
    assert np.array_equal(found.values, ws.predictions["first"].uncertainty.values)
    files.path.value = str(tmp_path / "first-uncertainty.tif")
    assert "there is such a file" in files.words.value
    screen.click("Save")
    assert panel.message.kind == "error"
    files.replace.value = True
    assert "overwrite=True" in files.code
    screen.click("Save")
    assert panel.stage.files.words.value.startswith("saved as")
    panel.close()


def test_a_run_over_several_images_shows_its_table(ui, ws, monkeypatch):
    trained(ws)
    ws.images.add("second", picture((3, 40, 50)), copy=True)
    ws.images.add("third", picture((3, 40, 50)).reshape(1, 3, 40, 50).repeat(3, 0), copy=True)
    in_process(ws, monkeypatch)
    panel = PredictPanel(ws)
    screen = Screen(panel)
    assert not is_shown(panel.stage.results.widget)
    screen.field("Several images, in one run with a table").value = True
    screen.field("Images").value = ("second", "third")
    screen.field("name").value = "many"
    screen.click("Predict")
    table = ws.runs["many"].result.table
    assert list(table["image"]) == ["second", "third"]
    assert is_shown(panel.stage.results.widget)
    assert panel.image == "second"  # not of the run: the one that was on show
    assert panel.prediction.name == "many.second"
    good, bad = panel.stage.results.rows.rows
    assert good.cells[1] == f"{table['class 2 share'][0]:.1%}"
    assert "class 2 µm³" in good.title
    assert "predicted in" in good.title
    assert "failed" in bad.cells[-1]
    assert "takes 1 channel, the volume has 3" in bad.title
    assert panel.stage.results.words.value == "2 of 2 images, 1 failed"
    assert panel.stage.results.code == "ws.runs['many'].result.table"
    screen.row("third").click()
    assert panel.image == panel.stage.results.rows.selected == "third"
    screen.row("second").click()
    assert panel.prediction.name == "many.second"
    ws.images.remove("third")
    panel.refresh()
    assert panel.images.which.options == ("image", "second")
    screen.row("third").click()
    assert "not in this workspace any more" in panel.message.words
    panel.close()


def test_a_run_deleted_while_it_is_listed_does_not_end_the_looking(ui, ws, monkeypatch):
    trained(ws)
    in_process(ws, monkeypatch)
    for name in ("one", "two"):
        ws.predict("shallow-1", name=name)
    panel = PredictPanel(ws)
    screen = Screen(panel)
    row_of = prediction_stage.prediction_row

    def deleted_meanwhile(run, *facts):
        shutil.rmtree(ws.path / "runs" / "two", ignore_errors=True)
        return row_of(Run(run.path), *facts)

    with monkeypatch.context() as patch:
        patch.setattr(prediction_stage, "prediction_row", deleted_meanwhile)
        screen.wait()
    assert [row.key for row in panel.stage.list.rows] == ["two", "one"]  # that look failed
    assert not screen.failed
    screen.wait()
    assert [row.key for row in panel.stage.list.rows] == ["one"]
    screen.row("one").click()
    assert panel.prediction.name == "one"
    panel.close()
