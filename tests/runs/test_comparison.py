"""Runs beside each other, and their numbers for other programs."""

from __future__ import annotations

import csv
import sys
from types import ModuleType, SimpleNamespace

import pytest

from voxloop.config import DeepConfig, ShallowConfig
from voxloop.errors import RunError
from voxloop.runs import Runs, runner
from voxloop.runs.comparison import ancestors, differences, usual
from voxloop.runs.events import EventWriter
from voxloop.runs.export import to_csv
from voxloop.runs.history import History, fold


@pytest.fixture
def runs(tmp_path):
    found = Runs(tmp_path)
    task = "voxloop.deep.learner:train"
    found.create("a", task, DeepConfig())
    found.create("b", task, DeepConfig(learning_rate=2e-3, threads=2), parent="a")
    flips = {"flip": {"horizontal": False}}
    found.create("c", task, DeepConfig(learning_rate=2e-3, start_from="b", augmentation=flips), parent="b")
    found.create("d", task, DeepConfig(), parent="models/elsewhere")
    return found


def test_parents_are_a_chain_that_ends_where_nobody_knows_further(runs):
    assert runs.ancestors("c") == ["a", "b"]
    assert ancestors(runs, "a") == []
    assert ancestors(runs, "d") == ["models/elsewhere"]


def test_differences_are_what_a_run_learns_with_not_where(runs):
    three = [runs[name] for name in "abc"]
    assert differences(three) == {
        "start_from": [None, None, "b"],
        "augmentation.flip.horizontal": [True, True, False],
        "learning_rate": [1e-3, 2e-3, 2e-3],
    }
    assert runs.compare("a", "d") == {}
    assert differences([runs["a"], runs["b"]], everything=True)["threads"] == [None, 2]
    assert usual([2e-3, 1e-3, 1e-3]) == 1e-3
    assert usual([None, "b"]) is None


def test_csv_holds_every_step_and_every_epoch(tmp_path):
    events = [
        {"kind": "step", "iteration": 1, "loss": 0.5, "lr": 1e-3, "samples_per_s": 8.0, "epoch": 1, "time": 1.25},
        {"kind": "step", "iteration": 2, "loss": 0.25, "lr": 1e-3, "epoch": 1, "time": 1.5},
        {
            "kind": "epoch",
            "epoch": 1,
            "iteration": 2,
            "time": 2.0,
            "train": {"loss": 0.375},
            "val": {"loss": 0.4, "iou": {"rest": 0.9, "mito, big": 0.5}},
        },
        {"kind": "step", "iteration": 3, "loss": None, "lr": 1e-3, "epoch": 2, "time": 2.5},
    ]
    rows = list(csv.DictReader(to_csv(fold(History(), events)).splitlines()))
    assert [row["kind"] for row in rows] == ["step", "step", "epoch", "step"]
    assert [row["iteration"] for row in rows] == ["1", "2", "2", "3"]
    assert (rows[0]["loss"], rows[1]["samples_per_s"], rows[3]["loss"]) == ("0.5", "", "")
    assert rows[2]["val iou: mito, big"] == "0.5"
    assert float(rows[2]["train loss"]) == 0.375


def test_tensorboard_that_is_not_there_is_said_and_its_numbers_are_those_of_the_log(tmp_path, monkeypatch):
    from voxloop.runs import tensorboard

    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    with pytest.raises(RunError, match="pip install tensorboard"):
        tensorboard.check()
    written = []

    def package(name, **content):
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)

    class Writer:
        def __init__(self, folder):
            self.folder = folder

        def add_event(self, event):
            written.extend((value.tag, event.step, value.simple_value) for value in event.summary.value)

        def close(self):
            written.append("closed")

    def summary(**fields):
        return SimpleNamespace(**fields)

    summary.Value = SimpleNamespace
    for name in (
        "tensorboard",
        "tensorboard.compat",
        "tensorboard.compat.proto",
        "tensorboard.summary",
        "tensorboard.summary.writer",
    ):
        package(name, __path__=[])
    package("tensorboard.compat.proto.event_pb2", Event=SimpleNamespace)
    package("tensorboard.compat.proto.summary_pb2", Summary=summary)
    package("tensorboard.summary.writer.event_file_writer", EventFileWriter=Writer)

    def train(context):
        context.emit("step", iteration=1, loss=0.5, lr=1e-3)
        context.emit("epoch", iteration=1, epoch=1, val={"iou": {"mito": 0.75}, "loss": float("nan")})
        return "finished"

    monkeypatch.setattr(runner.tasks, "load", lambda _: train)
    run = Runs(tmp_path).create("r", "voxloop.deep.learner:train", {"tensorboard": True})
    assert runner.run(run.path) == "finished"
    assert written == [("step/loss", 1, 0.5), ("step/lr", 1, 1e-3), ("val/iou/mito", 1, 0.75), "closed"]


def test_a_shallow_and_a_deep_run_differ_in_what_only_one_has(tmp_path):
    found = Runs(tmp_path)
    one = found.create("s", "voxloop.shallow.learner:train", ShallowConfig())
    two = found.create("d", "voxloop.deep.learner:train", DeepConfig())
    assert differences([one, two])["architecture"] == [None, "Unet"]
    writer = EventWriter(one.path / "events.jsonl")
    writer.emit("epoch", epoch=1, iteration=1, val={"iou": {"mito": 0.5}})
    writer.close()
    assert one.to_csv().read_text().startswith("kind,epoch,iteration,time,loss,")
    with pytest.raises(RunError, match="cannot be written"):
        one.to_csv(one.path / "config.json" / "x.csv")
