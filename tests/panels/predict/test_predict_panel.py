"""Predicting from a panel: what is chosen, what it takes, what is started."""

from __future__ import annotations

import numpy as np
import pytest
from tests.panels.predict.stand_ins import InProcess, in_process, trained
from tests.panels.screen import Screen, send
from tests.prediction.fakes import FakeModel, make_spec, picture

from voxloop.errors import PredictionError
from voxloop.panels.predict.predict_panel import PredictPanel


def test_without_a_model_it_says_what_to_do_first(ui, ws, no_leak):
    panel = PredictPanel(ws)
    screen = Screen(panel)
    assert "Predict" not in screen.buttons
    assert "once a model is trained" in screen.text
    with pytest.raises(PredictionError, match="train one first"):
        _ = panel.model
    panel.close()
    assert no_leak.left() == []


def test_the_forecast_follows_what_is_chosen(ui, ws):
    trained(ws)
    panel = PredictPanel(ws)
    screen = Screen(panel)
    assert panel.model == "shallow-1"
    assert "not known yet" in screen.row("shallow-1").cells, "how held-out strokes were told is no score"
    assert "Memory" in screen.text
    assert panel.estimate.tiles >= 1
    assert InProcess.asked[-1]["region"] is None
    screen.field("Part").value = "plane"
    assert InProcess.asked[-1]["region"] == [[3, 4], [0, 90], [0, 100]]
    panel.view.index = 5
    assert InProcess.asked[-1]["region"][0] == [5, 6]
    screen.field("Part").value = "box"
    panel.where.ranges[0].value = (5, 6)
    assert len(panel.view.shapes) == 1
    panel.view.index = 2
    assert panel.view.shapes == ()
    asked = len(InProcess.asked)
    screen.field("How exactly").value = "fast"
    assert InProcess.asked[-1]["settings"]["mode"] == "fast"
    screen.wait()
    assert len(InProcess.asked) == asked + 1
    panel.close()


def test_what_cannot_be_predicted_is_said_before_the_start(ui, ws):
    run = trained(ws)
    FakeModel(make_spec(channels=3)).save(run.path / "model")
    panel = PredictPanel(ws)
    screen = Screen(panel)
    assert "takes 3 channels, the volume has 1" in screen.text
    assert "Predict" not in screen.buttons
    screen.field("Part").value = "box"
    panel.where.ranges[1].value = (40, 40)
    assert "the box is empty along y" in screen.text
    panel.close()


def test_predict_does_what_copy_as_code_says(ui, ws, monkeypatch, no_leak):
    trained(ws)
    in_process(ws, monkeypatch)
    panel = PredictPanel(ws)
    screen = Screen(panel)
    screen.field("Part").value = "box"
    panel.where.ranges[0].value = (1, 3)
    screen.field("name").value = "first"
    line = "run = ws.predict('shallow-1', region=(slice(1, 3), slice(0, 90), slice(0, 100)), name='first', "
    assert panel.code.startswith(line)
    code = panel.code
    screen.click("Predict")
    assert panel.message.kind == "good"
    first = ws.predictions["first"]
    assert first.region == (slice(1, 3), slice(0, 90), slice(0, 100))
    assert panel.prediction.name == "first"
    assert [layer.id for layer in panel.view.layers] == ["uncertainty", "prediction"]
    assert "Finished" in screen.text
    assert first.borders in screen.text
    assert first.borders in repr(first)
    import voxloop as vl

    scope = {"ws": ws, "vl": vl}
    exec(code.replace("name='first'", "name='second'"), scope)
    assert np.array_equal(ws.predictions["second"].labels.values, first.labels.values)
    panel.close()
    assert no_leak.left() == []


def test_several_models_and_all_images(ui, ws, monkeypatch):
    trained(ws)
    trained(ws, "shallow-2")
    ws.images.add("second", picture((3, 40, 50)), copy=True)
    in_process(ws, monkeypatch, work=False)
    panel = PredictPanel(ws)
    screen = Screen(panel)
    screen.click("Settings")
    (other,) = screen.field("Mean with").options
    assert other != panel.model
    screen.field("Mean with").value = (other,)
    assert panel.models == [panel.model, other]
    assert len(InProcess.asked[-1]["models"]) == 2
    assert "each voxel is predicted 2 times" in screen.text
    screen.field("Several images, in one run with a table").value = True
    assert tuple(InProcess.asked[-1]["image"]) == ("image", "second")
    assert f"ws.predict({panel.models!r}, image='*', " in panel.code
    screen.click("Predict")
    (run,) = [run for run in ws.runs.values() if "images" in run.config]
    assert run.config["images"] == ["image", "second"]
    assert len(run.config["models"]) == 1
    screen.field("Images").value = ("second",)
    assert tuple(InProcess.asked[-1]["image"]) == ("second",)
    assert "image=['second'], " in panel.code
    screen.field("Images").value = ()
    assert "choose one image at least" in screen.text
    screen.click("Predict")
    assert "choose one image at least" in panel.message.words
    panel.close()


def test_what_is_on_screen_and_named_regions_are_predicted(ui, ws, monkeypatch):
    trained(ws)
    in_process(ws, monkeypatch)
    panel = PredictPanel(ws)
    screen = Screen(panel)
    assert "named" not in [where for _, where in panel.where.where.options]
    screen.field("Part").value = "screen"
    camera = {"axis": "z", "y": 0.25, "x": 0.4, "zoom": 100.0, "fit": False}
    send(panel.view.widget, {"kind": "camera", "camera": camera, "box": [10, 20, 40, 60], "width": 40, "height": 30})
    screen.wait()  # the view has moved: the forecast is of what it shows now
    assert InProcess.asked[-1]["region"] == [[3, 4], [10, 40], [20, 60]]
    assert "region=(slice(3, 4), slice(10, 40), slice(20, 60))" in panel.code
    ws.regions.add("corner", (slice(0, 2), slice(0, 50), slice(0, 40)))
    panel.refresh()
    assert panel.where.where.value == "screen"
    screen.field("Part").value = "named"
    assert screen.field("Region").value == "corner"
    assert InProcess.asked[-1]["region"] == [[0, 2], [0, 50], [0, 40]]
    assert "region='corner'" in panel.code
    panel.view.index = 1
    assert len(panel.view.shapes) == 1
    screen.field("name").value = "there"
    screen.click("Predict")
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
    screen = Screen(panel)
    assert [row.key for row in screen.rows] == ["shallow-1", "models/imported"]
    screen.row("models/imported").click()
    assert InProcess.asked[-1]["models"] == [ws.path / "models" / "imported"]
    assert panel.code.startswith("run = ws.predict(ws.path / 'models/imported', ")
    screen.field("name").value = "first"
    screen.click("Predict")
    assert panel.message.kind == "good"
    assert ws.runs["first"].config["model"] == "models/imported"
    screen.click("Settings")
    screen.field("Mean with").value = ("shallow-1",)
    assert panel.code.startswith("run = ws.predict([ws.path / 'models/imported', 'shallow-1'], ")
    panel.close()
