"""Five ways to begin a training, chosen in the panel."""

from __future__ import annotations

import numpy as np
import pytest

import voxloop as vl
from voxloop.config import DeepConfig
from voxloop.panels.train.train_panel import TrainPanel
from voxloop.runs import Run
from voxloop.runs.events import EventWriter
from voxloop.workspace.workspace import Workspace


def made(ws, name, word, model=True, **settings):
    run = ws.runs.create(name, "voxloop.deep.learner:train", DeepConfig(**settings), parent=settings.get("start_from"))
    writer = EventWriter(run.path / "events.jsonl")
    writer.emit("started", device="cpu")
    writer.emit("step", iteration=40, loss=0.5)
    writer.emit(word)
    writer.close()
    if model:
        (run.path / "model").mkdir()
    (run.path / "checkpoints" / "last").mkdir(parents=True)
    return run


@pytest.fixture
def panel(tmp_path, ui, no_leak, monkeypatch):
    monkeypatch.setattr(TrainPanel, "_look_ahead", lambda self: None)
    image = np.zeros((4, 64, 64), np.uint8)
    with Workspace.create(tmp_path / "ws", image=image, classes=["rest", "cell"]) as ws:
        for value in (1, 2):
            ws.labels().paint(axis="z", index=1, points=[(9 * value, 9)], radius=4, value=value)
        made(ws, "deep-1", "finished")
        made(ws, "deep-2", "finished", start_from="deep-1", batch_size=8)
        made(ws, "deep-3", "paused", model=False)
        found = TrainPanel(ws)
        found.learner = "deep"
        yield found
        found.close()
    assert no_leak.left() == []


def choose(panel, mode, run=None):
    panel.start.mode_list.value = mode
    if run:
        panel.start.run_list.value = run


def test_fresh_is_how_it_begins(panel):
    assert panel.start.mode == "fresh"
    assert panel.config.start_from is None


def test_an_encoder_from_imagenet_is_one_of_the_ways(panel):
    choose(panel, "imagenet")
    assert (panel.config.encoder_weights, panel.config.start_from) == ("imagenet", None)
    choose(panel, "weights", "deep-2")
    choose(panel, "fresh")
    assert panel.config.start_from is None
    panel.config = vl.presets["mia-unet"]
    assert panel.start.mode == "imagenet"
    choose(panel, "fresh")
    assert panel.config.encoder_weights is None
    panel.change(encoder_weights="encoder.safetensors")
    assert (panel.start.mode, panel.config.encoder_weights) == ("fresh", "encoder.safetensors")


def test_from_the_weights_of_a_run_keeps_the_settings(panel):
    panel.change(batch_size=6)
    choose(panel, "weights", "deep-2")
    assert (panel.config.start_from, panel.config.batch_size) == ("deep-2", 6)
    assert "deep-1 › deep-2 › this run" in panel.start.words.value
    choose(panel, "fresh")
    assert panel.config.start_from is None


def test_same_weights_takes_the_settings_to_change(panel):
    choose(panel, "settings", "deep-2")
    assert (panel.config.start_from, panel.config.batch_size) == ("deep-2", 8)
    panel.change(batch_size=2)
    assert panel.start.mode == "settings"
    assert (panel.config.start_from, panel.config.batch_size) == ("deep-2", 2)


def test_resume_makes_no_new_run(panel, monkeypatch):
    resumed = []
    monkeypatch.setattr(Run, "resume", lambda self, queue=True: resumed.append(self.name) or self)
    choose(panel, "resume")
    assert list(panel.start.run_list.options) == ["deep-3"]
    assert panel.code == "run = ws.runs['deep-3'].resume()"
    assert panel.bar.copy_command.code == f"voxloop resume {panel.ws.path} deep-3"
    assert "paused after 40 steps" in panel.start.words.value
    assert panel.bar.button.description == "Resume"
    before = list(panel.ws.runs)
    panel.bar.button.click()
    assert resumed == ["deep-3"]
    assert list(panel.ws.runs) == before
    assert (panel.start.mode, panel.bar.button.description) == ("fresh", "Train")


def test_the_list_follows_what_is_typed_into_the_form(panel):
    panel.change(start_from="deep-1")
    assert (panel.start.mode, panel.start.run_list.value) == ("weights", "deep-1")
    panel.change(start_from=None)
    assert panel.start.mode == "fresh"
    panel.change(start_from="models/of/others")  # a folder
    assert panel.start.mode == "fresh"
    assert panel.config.start_from == "models/of/others"
