"""Settings changed in the monitor while a network learns."""

from __future__ import annotations

import json

import pytest
from tests.panels.screen import Screen

from voxloop.config import DeepConfig
from voxloop.locks import Lock
from voxloop.panels.monitor.monitor_panel import MonitorPanel
from voxloop.runs import EventWriter, Runs


@pytest.fixture
def learning(tmp_path):
    """A run that is at work, as its folder tells it, and what tells more."""
    run = Runs(tmp_path / "runs").create("deep-1", "voxloop.deep.learner:train", DeepConfig(epochs=7))
    lock, writer = Lock(run.path / "lock"), EventWriter(run.path / "events.jsonl")
    lock.acquire()
    writer.emit("started", device="cpu")
    writer.emit("step", iteration=1, loss=1.0)
    yield run, writer, lock
    writer.close()
    lock.release()


def orders(run):
    return [json.loads(path.read_text()) for path in sorted((run.path / "control").glob("*.json"))]


def test_what_is_entered_is_an_order_and_what_the_run_took_is_shown(learning, no_leak):
    run, writer, lock = learning
    panel = MonitorPanel(run)
    screen = Screen(panel)
    screen.click("Change while it runs")
    assert screen.field("Epochs").value == "7"
    screen.field("Epochs").value = "none"
    assert orders(run) == []  # what makes no sense is told beside the field
    screen.field("Epochs").value = "30"
    (order,) = orders(run)
    assert order["kind"] == "update"
    assert order["values"] == {"epochs": 30}
    writer.emit("updated", what="epochs", old=7, new=30)
    writer.emit("updated", what="learning_rate", old=0.001, new=0.0005)
    panel.timer.fire()
    assert (screen.field("Epochs").value, screen.field("Learning rate").value) == ("30", "0.0005")
    writer.emit("finished")
    lock.release()
    panel.timer.fire()
    assert "Change while it runs" not in screen.buttons
    panel.close()
    assert no_leak.left() == []


def test_a_shallow_training_offers_no_such_change(tmp_path, ui):
    run = Runs(tmp_path / "runs").create("shallow-1", "voxloop.shallow.learner:train", {})
    lock, writer = Lock(run.path / "lock"), EventWriter(run.path / "events.jsonl")
    lock.acquire()
    writer.emit("started", device="cpu")
    panel = MonitorPanel(run)
    assert panel.focused.state == "running"
    assert "Change while it runs" not in Screen(panel).buttons
    panel.close()
    writer.close()
    lock.release()
