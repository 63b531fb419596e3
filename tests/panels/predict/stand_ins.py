"""Runs and forecasts of predictions without a process, on a small workspace."""

from __future__ import annotations

import json
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests.prediction.fakes import FakeModel, make_spec, picture

from voxloop import model
from voxloop.errors import VoxloopError
from voxloop.helper import AnswerPart
from voxloop.helper.handlers import Job, handler
from voxloop.panels.predict import first_answer, prediction_forecast
from voxloop.prediction import batch, task
from voxloop.prediction.rehearsal import answer
from voxloop.runs.context import RunContext
from voxloop.runs.events import EventWriter
from voxloop.workspace.workspace import Workspace

SHAPE = (6, 90, 100)


class InProcess:
    """A rehearsal that loads the model here; counts what was asked, and what was given up."""

    asked: list = []
    cancelled = 0

    def __init__(self, workspace, model, image, config, region=None):
        box = None if region is None else region.to_json()
        models = [model] if isinstance(model, Path) else model
        self._question = {"workspace": workspace, "models": models, "image": image, "region": box}
        self._question["settings"] = config.to_json()
        InProcess.asked.append(self._question)

    def wait(self):
        return answer(self._question)

    def cancel(self):
        InProcess.cancelled += 1


class NearHelper:
    """A helper that answers first answers here, at once; keeps what was asked."""

    asked: list = []

    def __init__(self, workspace):
        self._workspace, self._state = workspace, {}

    def request(self, kind, on_part=None, **fields):
        NearHelper.asked.append(fields)
        future, planes = Future(), None
        if fields.get("view"):
            (top, bottom), (left, right) = fields["view"]["box"]
            planes = SimpleNamespace(values=np.zeros((bottom - top, right - left), np.uint8))
            planes.confidence = planes.values.copy()

        def tell(message):
            cut = tuple(slice(*part) for part in message["part"])
            on_part(AnswerPart(*cut, planes.values[cut], planes.confidence[cut]))

        job = Job(self._workspace, fields, self._state, stale=lambda: False, tell=tell, planes=planes)
        try:
            future.set_result({"state": "done", **handler(kind)(job)})
        except VoxloopError as error:
            future.set_exception(error)
        return SimpleNamespace(future=future)

    def cancel(self, lane):
        pass

    def close(self):
        pass


@pytest.fixture
def ws(tmp_path, monkeypatch):
    monkeypatch.setitem(model.LEARNERS, "fake", "tests.prediction.fakes:load")
    monkeypatch.setattr(prediction_forecast, "Rehearsal", InProcess)
    monkeypatch.setattr(first_answer, "Helper", NearHelper)
    InProcess.asked, NearHelper.asked = [], []
    with Workspace.create(
        tmp_path / "ws", image=picture(SHAPE), classes=["background", "mito"], spacing=(0.03, 0.01, 0.01)
    ) as made:
        yield made


def trained(ws, name="shallow-1"):
    """A run that has a model."""
    run = ws.runs.create(name, "voxloop.shallow.learner:train", {}, level="labels", labels={"labels/image": 0})
    with_events(
        run, ("started", {"device": "cpu"}), ("epoch", {"epoch": 1, "val": {"iou": {"mito": 0.7}}, "best": True})
    )
    FakeModel(make_spec()).save(run.path / "model")
    return run


def with_events(run, *events):
    writer = EventWriter(run.path / "events.jsonl")
    for kind, fields in events:
        writer.emit(kind, **fields)
    writer.close()


def in_process(ws, monkeypatch, work=True):
    """``ws.predict`` as it is, but what it launches runs here and now."""
    from voxloop.runs import Run

    def launch(run, queue=True):
        config = json.loads((run.path / "config.json").read_text())
        writer = EventWriter(run.path / "events.jsonl")
        writer.emit("started", device="cpu")
        context = RunContext(run.path, config, writer)
        if work:
            writer.emit((batch if "images" in config else task).run(context))
        return run

    monkeypatch.setattr(Run, "launch", launch)
