"""Runs beside each other, and their numbers for other programs."""

from __future__ import annotations

import csv
import os
import sys
from types import ModuleType, SimpleNamespace

import pytest

from voxloop.config import DeepConfig, ShallowConfig
from voxloop.errors import RunError
from voxloop.runs import Runs, runner, sinks
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


def test_sinks_that_are_not_there_are_said_and_their_numbers_are_those_of_the_log(tmp_path, monkeypatch):
    monkeypatch.setattr(sinks, "find_spec", lambda _: None)
    for settings, words in (
        ({"tensorboard": True}, "pip install tensorboard"),
        ({"sinks": ["wandb"]}, "pip install wandb"),
        ({"sinks": ["mlflo"]}, "'mlflow'"),
    ):
        with pytest.raises(RunError, match=words):
            sinks.check(settings)
    sinks.check({"tensorboard": False, "sinks": None})
    written, metrics, logged = [], [], []

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

    class Client:
        def __init__(self, place):
            metrics.append(place)

        def get_experiment_by_name(self, _name):
            return None

        def create_experiment(self, name):
            return name

        def create_run(self, experiment, run_name):
            return SimpleNamespace(info=SimpleNamespace(run_id=f"{experiment}/{run_name}"))

        def log_metric(self, *fields):
            metrics.append(fields[:3])

        def set_terminated(self, run):
            metrics.append(f"{run} ended")

    def log(values, step):
        logged.append(step)
        raise OSError("no room")

    package("mlflow", __path__=[])
    package("mlflow.tracking", MlflowClient=Client)
    package("wandb", init=lambda **_: SimpleNamespace(log=log, finish=lambda: logged.append("finished")))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "")
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE")

    def train(context):
        context.emit("step", iteration=1, loss=0.5, lr=1e-3)
        context.emit("epoch", iteration=1, epoch=1, val={"iou": {"mito": 0.75}, "loss": float("nan")})
        return "finished"

    monkeypatch.setattr(runner.tasks, "load", lambda _: train)
    run = Runs(tmp_path).create("r", "voxloop.deep.learner:train", {"tensorboard": True, "sinks": ["wandb", "mlflow"]})
    assert runner.run(run.path) == "finished"
    assert metrics[0] == (run.path / "mlflow").as_uri()
    assert metrics[1:3] == [("voxloop/r", "step/loss", 0.5), ("voxloop/r", "step/lr", 1e-3)]
    assert metrics[-1] == "voxloop/r ended"
    assert logged == [1, "finished"]  # asked no more after it failed
    assert [event["text"] for event in run.history.warnings] == ["wandb gets no further numbers of this run: no room"]
    assert written == [("step/loss", 1, 0.5), ("step/lr", 1, 1e-3), ("val/iou/mito", 1, 0.75), "closed"]
    assert os.environ["MLFLOW_ALLOW_FILE_STORE"] == "true"  # else releases from 3 on refuse to write into a folder

    def refuse(**_):
        raise OSError("not today")

    package("wandb", init=refuse)
    run = Runs(tmp_path).create("s", "voxloop.deep.learner:train", {"sinks": ["wandb", "mlflow"]})
    assert runner.run(run.path) == "finished"
    assert [event["text"] for event in run.history.warnings] == ["wandb gets no numbers of this run: not today"]
    assert metrics[-1] == "voxloop/s ended"


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
