"""Starting training from a panel."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from voxloop.config import DeepConfig, ShallowConfig
from voxloop.errors import ConfigError, LabelError
from voxloop.panels import train_panel
from voxloop.panels.panel import Panel
from voxloop.panels.train_panel import TrainPanel
from voxloop.project import Workspace
from voxloop.runs import Run


class Monitor(Panel):
    """Stands for the monitor: which run, and whether it was closed."""

    def __init__(self, run, *, embedded=False):
        super().__init__(embedded=embedded)
        self.run = run


@pytest.fixture
def ws(tmp_path, monkeypatch):
    stand_in = ModuleType("voxloop.panels.monitor_panel")
    stand_in.MonitorPanel = Monitor
    monkeypatch.setitem(sys.modules, "voxloop.panels.monitor_panel", stand_in)
    image = np.random.default_rng(0).integers(0, 255, (4, 64, 64)).astype("uint8")
    with Workspace.create(tmp_path / "ws", image=image, classes=["background", "mito"]) as made:
        yield made


def paint(ws, value, index=1):
    ws.labels().paint(axis="z", index=index, points=[(10, 10), (40, 40)], radius=4, value=value)


def finished(ws, name, iou, task="voxloop.shallow.learner:train"):
    """A run that has ended, as its folder tells it."""
    from voxloop.runs.events import EventWriter

    run = ws.runs.create(name, task, ShallowConfig())
    writer = EventWriter(run.path / "events.jsonl")
    writer.emit("started", device="cpu")
    writer.emit("epoch", epoch=1, val={"iou": {"mito": iou}}, best=True)
    writer.emit("finished")
    writer.close()
    (run.path / "model").mkdir()
    return run


def test_labels_are_counted_and_what_is_missing_is_said(ui, ws, no_leak):
    panel = TrainPanel(ws)
    assert "Nothing is labelled yet" in panel._warnings.value
    paint(ws, 1)
    paint(ws, 1, index=2)
    panel._timers[0].fire()
    assert (panel._facts[0].strokes, panel._facts[0].slices) == (2, 2)
    assert panel._facts[0].voxels == ws.labels().counts()[1]
    assert "Only &#x27;background&#x27; is labelled" in panel._warnings.value
    ws.labels().undo()
    paint(ws, 2)
    panel._timers[0].fire()
    assert [f.strokes for f in panel._facts] == [1, 1]
    panel.close()
    assert no_leak.left() == []
    assert ws.labels()._callbacks == {}


def test_train_starts_what_copy_as_code_says(ui, ws, monkeypatch):
    asked = []
    monkeypatch.setattr(
        ws, "train", lambda config, name=None: asked.append((config, name)) or finished(ws, "quick", 0.5)
    )
    opened = []
    panel = TrainPanel(ws)
    panel.on_run(opened.append)
    panel.learner = "shallow"
    panel.form.value = ShallowConfig(seed=3)
    panel._name.set_state({"value": "quick"})
    assert panel._copy.code == panel.code == "run = ws.train(vl.ShallowConfig(seed=3), name='quick')"
    panel._button.click()
    assert asked == [(ShallowConfig(seed=3), "quick")]
    assert isinstance(panel.run, Run)
    assert opened == [panel.run]
    assert panel._monitor.run.name == panel._runs.selected == "quick"
    assert "quick has started" in panel.message.words
    panel.close()


def test_what_keeps_training_from_starting_is_said_and_the_button_comes_back(ui, ws):
    panel = TrainPanel(ws)
    panel._button.click()
    assert panel.message.kind == "error"
    assert "nothing is labelled" in panel.message.words
    assert not panel._button.disabled
    with pytest.raises(LabelError):
        ws.train(panel.config)
    panel.close()


def test_invalid_settings_are_not_trained_with(ui, ws):
    panel = TrainPanel(ws)
    panel.form._unread[("seed",)] = "seed is empty"
    with pytest.raises(ConfigError, match="seed is empty"):
        panel.train()
    panel.close()


def test_a_learner_that_is_not_installed_says_how_to_get_it(ui, ws, monkeypatch):
    monkeypatch.setattr(train_panel, "find_spec", lambda name: None if name == "torch" else object())
    panel = TrainPanel(ws)
    assert panel.learner == "shallow"
    panel.learner = "network"
    assert "torch is not installed: pip install" in panel._needs.value
    assert panel._button.disabled
    panel.learner = "shallow"
    assert not panel._button.disabled
    panel.close()


def test_runs_are_listed_newest_first_opened_and_deleted(ui, ws):
    finished(ws, "shallow-1", 0.41)
    finished(ws, "shallow-2", 0.62)
    finished(ws, "predict-1", 0.0, task="voxloop.prediction.task:run")
    panel = TrainPanel(ws)
    assert [row.key for row in panel._runs.rows] == ["shallow-2", "shallow-1"]
    assert "0.620" in panel._runs.rows[0].cells
    panel._runs.do("open", "shallow-1")
    first = panel._monitor
    panel._runs.do("open", "shallow-2")
    assert first.closed
    panel._runs.do("delete", "shallow-2")
    assert panel._monitor is None
    assert list(ws.runs) == ["shallow-1", "predict-1"] or set(ws.runs) == {"shallow-1", "predict-1"}
    assert [row.key for row in panel._runs.rows] == ["shallow-1"]
    panel.learner = "network"
    assert panel.form._suggestions["start_from"] == ["shallow-1"]
    panel.close()


def test_presets_fill_the_form_and_let_go_when_it_is_changed(ui, ws, monkeypatch):
    quick = DeepConfig(epochs=3)
    monkeypatch.setattr(train_panel, "_presets", lambda: {"quick": quick, "pixels": ShallowConfig(seed=1)})
    monkeypatch.setattr(train_panel, "find_spec", lambda name: SimpleNamespace())
    panel = TrainPanel(ws)
    panel.learner = "network"
    assert panel._preset.options == ("—", "quick")
    panel._preset.set_state({"index": 1})
    assert panel.config == quick
    panel.form._input(("epochs",), 4)
    assert panel._preset.value == "—"
    assert panel.config == DeepConfig(epochs=4)
    panel.close()


def test_looking_again_sends_nothing_where_nothing_changed(ui, ws, messages):
    finished(ws, "shallow-1", 0.41)
    paint(ws, 1)
    panel = TrainPanel(ws)
    panel._timers[0].fire()
    messages.clear()
    for _ in range(5):
        panel._timers[0].fire()
    assert messages == []
    paint(ws, 2)
    panel._timers[0].fire()
    assert 1 <= len(messages) <= 3
    panel.close()


def test_a_run_that_disappears_while_it_is_looked_at_does_not_end_the_looking(ui, ws, monkeypatch):
    finished(ws, "shallow-1", 0.41)
    panel = TrainPanel(ws)
    with monkeypatch.context() as patch:
        patch.setattr(Run, "state", property(lambda self: (_ for _ in ()).throw(FileNotFoundError("gone"))))
        panel._timers[0].fire()
    assert panel.message.kind == "quiet"
    finished(ws, "shallow-2", 0.5)
    panel._timers[0].fire()
    assert [row.key for row in panel._runs.rows] == ["shallow-2", "shallow-1"]
    panel.close()
