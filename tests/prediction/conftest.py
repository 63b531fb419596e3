"""The fake learner under its name, and a workspace whose runs can be predicted with it."""

import json
import os
from pathlib import Path

import pytest
from tests.prediction.fakes import FakeModel, make_spec, picture

from voxloop import model
from voxloop.runs import Runs
from voxloop.runs.context import RunContext
from voxloop.runs.events import EventWriter
from voxloop.store import Store

SHAPE = (12, 150, 170)


@pytest.fixture(autouse=True)
def fake_learner(monkeypatch):
    monkeypatch.setitem(model.LEARNERS, "fake", "tests.prediction.fakes:load")
    # processes of runs find it too
    monkeypatch.setenv("VOXLOOP_PLUGINS", "tests")
    known = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[2]), *known]))


class Bench:
    """A workspace with one image and a way to make runs on it, in this process or in one of their own."""

    def __init__(self, folder, monkeypatch):
        monkeypatch.setenv("VOXLOOP_QUEUE", str(folder / "queue"))
        self.path = folder / "ws"
        self.picture = picture(SHAPE)
        Store.create(self.path, image=self.picture, classes=["background", "mito"], spacing=(0.03, 0.01, 0.01)).close()
        self.runs = Runs(self.path / "runs")

    def create(self, name="p", *, region=None, spec=None, **settings):
        model = FakeModel(spec or make_spec())
        model.save(self.path / "models" / name)
        box = region or [[0, n] for n in SHAPE]
        settings = {"tile_seconds": 1e-6, **settings}
        return self.runs.create(
            name,
            "tests.prediction.fakes:run",
            settings,
            result="voxloop.prediction:open_result",
            model=f"models/{name}",
            image="image",
            region=box,
            discard="voxloop.prediction:discard",
        )

    def context(self, run):
        config = json.loads((run.path / "config.json").read_text())
        return RunContext(run.path, config, EventWriter(run.path / "events.jsonl"))

    def events(self, run, kind):
        log = run.path / "events.jsonl"
        lines = log.read_text().splitlines() if log.exists() else []
        return [event for event in map(json.loads, lines) if event["kind"] == kind]


@pytest.fixture
def bench(tmp_path, monkeypatch):
    return Bench(tmp_path, monkeypatch)
