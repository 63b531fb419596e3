"""What a training will take, and remarks, before it begins."""

from __future__ import annotations

import pytest
from tests.panels.screen import Screen
from tests.panels.train.stand_ins import FORECAST, answer, asked, enter, finished, network, paint

from voxloop.config import presets
from voxloop.errors import LabelError
from voxloop.machine import Machine
from voxloop.panels.train import train_panel
from voxloop.panels.train.train_panel import TrainPanel
from voxloop.runs import Run


def test_where_memory_is_short_no_process_is_started_before_somebody_means_to_use_a_network(ui, ws, monkeypatch):
    monkeypatch.setattr(train_panel, "machine", lambda: Machine(memory_gb=4.0, cores=2))
    finished(ws, "deep-1", 0.5, task="voxloop.deep.learner:train")
    paint(ws, 1)
    paint(ws, 2, index=2)
    panel = TrainPanel(ws)
    assert panel.learner == "deep"
    Screen(panel).wait(4)
    assert panel.ahead.helper is None
    enter(panel, "Optimisation", "Epochs", "7")
    Screen(panel).wait(2)
    assert asked(panel, "forecast")[-1]["config"]["epochs"] == 7
    panel.close()
    assert panel.ahead.helper.closed


def test_a_panel_that_opens_with_a_network_asks_for_a_forecast_once(ui, ws, warmed, monkeypatch):
    monkeypatch.setattr(train_panel, "machine", lambda: Machine(memory_gb=16.0, cores=2))
    finished(ws, "deep-1", 0.5, task="voxloop.deep.learner:train")
    paint(ws, 1)
    paint(ws, 2, index=2)
    panel = TrainPanel(ws)
    assert panel.ahead.helper is None  # the panel is there first
    Screen(panel).wait(2)
    assert asked(panel, "forecast")[-1]["config"] == panel.config.to_json()
    assert set(warmed) == {"voxloop.deep.learner:train"}
    warmed.clear()
    paint(ws, 2, index=3)
    Screen(panel).wait(3)
    assert len(panel.ahead.helper.asked) == 1  # nobody may be looking
    assert not warmed
    panel.refresh()  # opened again
    Screen(panel).wait(3)
    assert len(panel.ahead.helper.asked) == 2
    panel.close()


def test_forecast_is_shown_and_asked_anew_when_settings_change(ui, ws):
    panel = network(ws)
    Screen(panel).wait(2)
    assert panel.forecast is None
    answer(panel, "forecast", FORECAST)
    assert "6 min" in panel.ahead.words.value
    assert "1.2 GB" in panel.ahead.words.value
    assert panel.forecast == FORECAST
    Screen(panel).wait(3)
    assert len(panel.ahead.helper.asked) == 1
    enter(panel, "Optimisation", "Batch size", "8")
    assert panel.forecast is None
    Screen(panel).wait(2)
    assert asked(panel, "forecast")[-1]["config"]["batch_size"] == 8
    panel.close()


def test_what_cannot_fit_is_not_started(ui, ws, monkeypatch):
    monkeypatch.setattr(ws, "train", lambda *_, **__: pytest.fail("started"))
    panel = network(ws)
    Screen(panel).wait(2)
    answer(panel, "forecast", {**FORECAST, "advice": "this needs 9 GB; use batch_size=2"})
    assert "use batch_size=2" in panel.ahead.words.value
    panel.bar.button.click()
    assert "use batch_size=2" in panel.message.words
    panel.close()


def test_notes_stand_beside_the_button_that_helps(ui, ws, no_leak):
    panel = network(ws)
    Screen(panel).wait(2)
    notes = [
        {"words": "'a' is 40 times 'b'.", "kind": "warning", "fix": {"class_weights": "auto"}},
        {"words": "Too few labels.", "kind": "warning", "fix": {}},
        {"words": "'a' is thin.", "kind": "warning", "fix": {"scale": 1.0, "architecture": "Unet"}},
    ]
    answer(panel, "forecast", {**FORECAST, "notes": notes})
    words, fix = panel.ahead.notes.children[0].children
    assert "40 times" in words.value
    assert fix.description == "Use class weights auto"
    assert panel.ahead.notes.children[2].children[1].description == "Use scale 1, architecture Unet"
    fix.click()
    assert panel.config == presets["auto"].changed(class_weights="auto")
    Screen(panel).wait(2)
    answer(panel, "forecast", FORECAST)
    assert panel.ahead.notes.children == ()
    panel.close()
    assert no_leak.left() == []


def test_an_error_of_the_helper_is_a_note(ui, ws):
    panel = network(ws)
    Screen(panel).wait(2)
    answer(panel, "forecast", LabelError("labels of 'image' have another shape"))
    assert "another shape" in panel.ahead.notes.children[0].value
    panel.close()


def test_no_forecast_while_a_training_needs_the_machine(ui, ws, monkeypatch):
    finished(ws, "deep-1", 0.5)
    monkeypatch.setattr(Run, "state", property(lambda self: "running"))
    panel = network(ws)
    Screen(panel).wait(4)
    assert panel.ahead.helper is None
    panel.close()
