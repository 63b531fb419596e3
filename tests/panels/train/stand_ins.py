"""What stands for the helper, the monitor and runs in tests of the train panel, and what users do in it."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace

from tests.panels.screen import Screen

from voxloop.config import ShallowConfig
from voxloop.panels.base.panel import Panel
from voxloop.panels.train.train_panel import TrainPanel


class Monitor(Panel):
    """Stands for the monitor: which run, and whether it was closed."""

    def __init__(self, run, *, embedded=False):
        super().__init__(embedded=embedded)
        self.run = run
        self.colors = {one.name: f"#00000{at}" for at, one in enumerate(run if isinstance(run, list) else [run])}


class Helper:
    """Stands for the process: keeps what it is asked, answers when told to."""

    def __init__(self, path):
        self.asked = []
        self.closed = False

    def request(self, kind, **fields):
        answer = SimpleNamespace(future=Future())
        self.asked.append((kind, fields, answer.future))
        return answer

    def last(self, kind):
        return next(item for item in reversed(self.asked) if item[0] == kind)

    def close(self):
        self.closed = True


FORECAST = {
    "memory": 1.2e9,
    "available": 5e9,
    "step_seconds": 0.24,
    "steps": 1500,
    "minutes": 6.0,
    "device": "cpu",
    "window": [1, 256, 256],
    "scale": 0.5,
    "parameters": 2_000_000,
    "labels": "85% train, 15% validate",
    "advice": "",
    "fits": True,
    "notes": [],
}


def paint(ws, value, index=1):
    ws.labels().paint(axis="z", index=index, points=[(10, 10), (40, 40)], radius=4, value=value)


def finished(ws, name, iou, task="voxloop.shallow.learner:train", **facts):
    """A run that has ended, as its folder tells it."""
    from voxloop.runs.events import EventWriter

    run = ws.runs.create(name, task, ShallowConfig(), **facts)
    writer = EventWriter(run.path / "events.jsonl")
    writer.emit("started", device="cpu")
    writer.emit("epoch", epoch=1, val={"iou": {"mito": iou}}, best=True)
    writer.emit("finished")
    writer.close()
    (run.path / "model").mkdir()
    return run


def network(ws):
    """A panel with the network chosen and two classes labelled."""
    paint(ws, 1)
    paint(ws, 2, index=2)
    panel = TrainPanel(ws)
    panel.learner = "deep"
    return panel


def enter(panel, group, field, value):
    """What a hand puts into a field of the form, whose group it opens first."""
    form = Screen(panel.form)
    if field not in form.fields:
        form.click(group)
    form.field(field).value = value


def asked(panel, kind):
    """The questions of a kind that were put to the helper."""
    helper = panel.ahead.helper
    return [] if helper is None else [fields for name, fields, _ in helper.asked if name == kind]


def answer(panel, kind, value):
    """The helper answers the last question of a kind; an exception is a refusal."""
    future = panel.ahead.helper.last(kind)[2]
    if isinstance(value, Exception):
        future.set_exception(value)
    else:
        future.set_result(value)
