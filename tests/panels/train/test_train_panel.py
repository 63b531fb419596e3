"""Starting training from a panel: what is labelled, what is started, what keeps it from starting."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.panels.screen import Screen
from tests.panels.train.stand_ins import enter, finished, network, paint

from voxloop import extras
from voxloop.config import ShallowConfig
from voxloop.errors import ConfigError, LabelError
from voxloop.panels.train.train_panel import TrainPanel
from voxloop.runs import Run


def test_labels_are_counted_and_what_is_missing_is_said(ui, ws, no_leak):
    panel = TrainPanel(ws)
    assert "Nothing is labelled yet" in Screen(panel).text
    paint(ws, 1)
    paint(ws, 1, index=2)
    Screen(panel).wait()
    assert (panel.facts[0].strokes, panel.facts[0].slices) == (2, 2)
    assert panel.facts[0].voxels == ws.labels().counts()[1]
    assert "Only 'background' is labelled" in Screen(panel).text
    ws.labels().undo()
    paint(ws, 2)
    Screen(panel).wait()
    assert [f.strokes for f in panel.facts] == [1, 1]
    panel.close()
    assert no_leak.left() == []
    assert ws.labels()._state.listeners == {}


def test_train_starts_what_copy_as_code_says(ui, ws, monkeypatch):
    asked = []
    monkeypatch.setattr(
        ws, "train", lambda config, name=None: asked.append((config, name)) or finished(ws, "quick", 0.5)
    )
    opened = []
    panel = TrainPanel(ws)
    panel.on_run(opened.append)
    panel.learner = "shallow"
    panel.config = ShallowConfig(seed=3)
    panel.bar.name.set_state({"value": "quick"})
    assert panel.bar.copy_code.code == panel.code == "run = ws.train(vl.ShallowConfig(seed=3), name='quick')"
    words = f"voxloop train {ws.path} --learner shallow --name quick --set seed=3"
    assert panel.bar.copy_command.code == panel.command == words
    panel.bar.button.click()
    assert asked == [(ShallowConfig(seed=3), "quick")]
    assert isinstance(panel.run, Run)
    assert opened == [panel.run]
    assert panel.runs.monitor.run.name == panel.runs.list.selected == "quick"
    assert "quick has started" in panel.message.words
    panel.close()


def test_a_note_is_given_at_the_start_and_stands_in_the_list(ui, ws, monkeypatch):
    def train(config, note):
        run = finished(ws, "first", 0.5)
        run.note = note
        return run

    monkeypatch.setattr(ws, "train", train)
    paint(ws, 1)
    paint(ws, 2, index=2)
    panel = TrainPanel(ws)
    panel.learner = "shallow"
    panel.bar.note.set_state({"value": "a < b"})
    assert panel.code == "run = ws.train(vl.ShallowConfig(), note='a < b')"
    assert panel.command.endswith("--note 'a < b'")
    panel.bar.button.click()
    assert panel.bar.note.value == ""
    assert ">a &lt; b</div>" in panel.runs.list.rows[0].cells[0]
    panel.close()


def test_what_is_predicted_then_is_part_of_the_line(ui, ws, monkeypatch):
    asked = []
    monkeypatch.setattr(ws, "train", lambda config, **given: asked.append(given) or finished(ws, "first", 0.5))
    paint(ws, 1)
    paint(ws, 2, index=2)
    panel = TrainPanel(ws)
    panel.learner = "shallow"
    assert panel.bar.then.options == (("nothing", ""), ("image", "image"))
    panel.bar.then.set_state({"index": 1})
    assert panel.code == "run = ws.train(vl.ShallowConfig(), then_predict='image')"
    assert panel.command.endswith("--learner shallow --then-predict image")
    ws.images.add("second", np.zeros((4, 64, 64), "uint8"))
    panel.refresh()
    assert [words for words, _ in panel.bar.then.options] == ["nothing", "the images it learns from", "every image"]
    assert panel.bar.then.value == ""
    panel.bar.then.set_state({"index": 2})
    assert panel.command.endswith("--then-predict '*'")
    panel.bar.button.click()
    assert asked == [{"then_predict": "*"}]
    assert panel.bar.then.value == "*"  # a habit, unlike a name
    panel.close()


def test_what_keeps_training_from_starting_is_said_and_the_button_comes_back(ui, ws):
    panel = TrainPanel(ws)
    assert panel.bar.button.disabled
    panel.bar.button.click()
    assert panel.message.kind == "error"
    assert "nothing is labelled" in panel.message.words
    with pytest.raises(LabelError):
        ws.train(panel.config)
    paint(ws, 1)
    paint(ws, 2, index=2)
    panel.refresh()
    assert not panel.bar.button.disabled
    panel.close()


def test_invalid_settings_are_not_trained_with(ui, ws):
    panel = network(ws)
    screen = Screen(panel)
    enter(panel, "Optimisation", "Epochs", "many")
    with pytest.raises(ConfigError, match="'many' does not fit"):
        panel.train()
    screen.wait()
    screen.click("Train")
    assert "'many' does not fit" in screen.message
    enter(panel, "Optimisation", "Epochs", "7")
    screen.wait()
    assert screen.message == ""  # it no longer holds
    panel.close()


def test_a_learner_that_is_not_installed_says_how_to_get_it(ui, ws, monkeypatch):
    monkeypatch.setattr(extras, "is_missing", lambda name: name == "torch")
    paint(ws, 1)
    paint(ws, 2, index=2)
    panel = TrainPanel(ws)
    assert panel.learner == "shallow"
    panel.learner = "deep"
    assert "this needs torch: pip install 'voxloop[learning]'" in Screen(panel).text
    assert panel.bar.button.disabled
    panel.learner = "shallow"
    assert not panel.bar.button.disabled
    panel.close()


def test_looking_again_sends_nothing_where_nothing_changed(ui, ws, messages):
    finished(ws, "shallow-1", 0.41)
    paint(ws, 1)
    panel = TrainPanel(ws)
    Screen(panel).wait()
    messages.clear()
    for _ in range(5):
        Screen(panel).wait()
    assert messages == []
    paint(ws, 2)
    Screen(panel).wait()
    assert 1 <= len(messages) <= 3
    panel.close()


def test_a_run_that_disappears_while_it_is_looked_at_does_not_end_the_looking(ui, ws, monkeypatch):
    finished(ws, "shallow-1", 0.41)
    panel = TrainPanel(ws)
    with monkeypatch.context() as patch:
        patch.setattr(Run, "state", property(lambda self: (_ for _ in ()).throw(FileNotFoundError("gone"))))
        Screen(panel).wait()
    assert panel.message.kind == "quiet"
    finished(ws, "shallow-2", 0.5)
    Screen(panel).wait()
    assert [row.key for row in panel.runs.list.rows] == ["shallow-2", "shallow-1"]
    panel.close()


def test_a_trainer_is_kept_ready_once_a_network_is_meant(ui, ws, warmed, monkeypatch):
    monkeypatch.setattr(extras, "is_missing", lambda name: False)
    paint(ws, 1)
    paint(ws, 2, index=2)
    panel = TrainPanel(ws)
    panel.refresh()
    assert not warmed
    panel.learner = "deep"
    panel.refresh()
    assert set(warmed) == {"voxloop.deep.learner:train"}
    panel.close()


def test_what_the_last_run_chose_is_said_and_kept_by_a_click(ui, ws):
    paint(ws, 1)
    panel = TrainPanel(ws)
    panel.learner = "shallow"
    screen = Screen(panel)
    assert "Each run chooses what it blends" in screen.text
    run = finished(ws, "shallow-1", 0.5, level=panel.level)
    chosen = {"choose": "fixed", "classifier": "blend", "forest_share": 0.7, "dimensions": "3d"}
    choice = {"name": "blend", "settings": chosen, "words": "Chosen: network 30% and forest 70%."}
    (run.path / "model" / "spec.json").write_text(json.dumps({"extra": {"choice": choice}}))
    panel.refresh()
    screen.wait()
    assert "shallow-1: Chosen: network 30% and forest 70%." in screen.text
    screen.button("Keep it fixed").click()
    assert panel.config == ShallowConfig(**chosen)
    assert "Keep it fixed" not in screen.text
    panel.close()
