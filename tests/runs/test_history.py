"""The fold: any prefix and then the rest is all of it, resumed runs drop what they do again, states are words."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxloop.runs import History, fold
from voxloop.runs.columns import Columns
from voxloop.runs.history import metric_of

KINDS = (
    "queued",
    "started",
    "step",
    "epoch",
    "progress",
    "checkpoint",
    "sample",
    "updated",
    "warning",
    "log",
    "paused",
    "resumed",
    "finished",
    "stopped",
    "cancelled",
    "failed",
)
number = st.none() | st.floats(-1e6, 1e6) | st.integers(0, 50)
scores = st.fixed_dictionaries(
    {}, optional={"loss": number, "iou": number | st.dictionaries(st.text(), number, max_size=2)}
)
event = st.fixed_dictionaries(
    {
        "kind": st.sampled_from([*KINDS, "step", "step", "from-a-newer-writer"]),
        "time": st.floats(0, 1e9),
    },
    optional={
        "iteration": st.integers(0, 50),
        "step": st.integers(0, 50),
        "loss": number,
        "train": scores,
        "val": scores,
        "done": number,
        "total": number,
        "eta_s": number,
        "order": st.text(max_size=3),
        "plateau": number,
        "patience": number,
        "epoch": st.integers(1, 50),
        "error": st.text(),
        "best": st.booleans(),
    },
)


def told(history: History) -> tuple[object, ...]:
    """Everything a history says, comparable."""
    columns = tuple(tuple(np.nan_to_num(history.steps[name], nan=-1.0)) for name in history.steps)
    seen = (history.epochs, history.samples, history.checkpoints, history.warnings, history.updates, history.log)
    numbers = (history.busy_s, history.eta_s or 0.0, history.progress, history.time)
    return (
        columns,
        seen,
        history.phase,
        history.best,
        history.answered,
        history.error,
        history.iteration,
        history.epoch,
        history.plateau,
        [pytest.approx(value) for value in numbers],
    )


@given(events=st.lists(event, max_size=25), cuts=st.lists(st.integers(0, 25), max_size=4))
def test_folding_in_portions_is_folding_at_once(events, cuts):
    portions = History()
    edges = [0, *sorted(min(cut, len(events)) for cut in cuts), len(events)]
    seen = []
    for start, stop in pairwise(edges):
        portions = fold(portions, events[start:stop])
        seen.append((stop, portions))
    assert told(portions) == told(fold(History(), events))
    for stop, earlier in seen:  # a history is a value: what came later has not changed it
        assert told(earlier) == told(fold(History(), events[:stop]))


def test_no_events_is_the_same_history():
    history = fold(History(), [{"kind": "step", "time": 1.0, "iteration": 1}])
    assert fold(history, []) is history


def run_of(steps: range, per_epoch: int = 5) -> list[dict]:
    events = []
    for step in steps:
        events.append({"kind": "step", "time": float(step), "iteration": step, "loss": 1 / step})
        if step % per_epoch == 0:
            score = {"iou": {"a": step / 100, "b": None}, "loss": 2 / step}
            events.append(
                {"kind": "epoch", "time": float(step), "epoch": step // per_epoch, "iteration": step, "val": score}
            )
            events.append({"kind": "sample", "time": float(step), "iteration": step, "path": f"{step}.png"})
    return events


def test_resuming_drops_what_is_done_again():
    killed = [{"kind": "started", "time": 0.0}, *run_of(range(1, 18))]
    again = [{"kind": "started", "time": 50.0}, {"kind": "resumed", "time": 50.0, "step": 10}, *run_of(range(11, 31))]
    history = fold(fold(History(), killed), again)
    np.testing.assert_array_equal(history.steps.iteration, np.arange(1, 31))
    assert [e["epoch"] for e in history.epochs] == [1, 2, 3, 4, 5, 6]
    assert [e["iteration"] for e in history.samples] == [5, 10, 15, 20, 25, 30]
    assert history.best["epoch"] == 6


def test_time_dead_is_not_time_at_work():
    events = [
        {"kind": "started", "time": 100.0},
        {"kind": "step", "time": 110.0, "iteration": 1},
        {"kind": "started", "time": 1000.0},
        {"kind": "step", "time": 1005.0, "iteration": 2},
        {"kind": "paused", "time": 1006.0},
        {"kind": "queued", "time": 2000.0},
        {"kind": "started", "time": 2010.0},
        {"kind": "finished", "time": 2011.0},
    ]
    assert fold(History(), events).busy_s == pytest.approx(10 + 6 + 1)


def test_time_to_go():
    begin = [{"kind": "started", "time": 100.0}, {"kind": "progress", "time": 110.0, "done": 10, "total": 50}]
    assert fold(History(), begin).eta_s == pytest.approx(40.0)
    later = [*begin, {"kind": "log", "time": 115.0, "text": ""}]
    assert fold(History(), later).eta_s == pytest.approx(35.0)
    told_by_the_run = [
        *later,
        {"kind": "epoch", "time": 116.0, "epoch": 1, "eta_s": 7.0},
        {"kind": "log", "time": 118.0},
    ]
    assert fold(History(), told_by_the_run).eta_s == pytest.approx(5.0)
    assert fold(History(), [*told_by_the_run, {"kind": "finished", "time": 119.0}]).eta_s is None
    # a resumed process is judged by its own pace, not by the share that an earlier one left
    resumed = [*begin, {"kind": "paused", "time": 111.0}, {"kind": "started", "time": 200.0}]
    assert fold(History(), resumed).eta_s is None
    resumed.append({"kind": "progress", "time": 210.0, "done": 30, "total": 50})
    assert fold(History(), resumed).eta_s == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("epochs", "best"),
    [
        ([{"val": {"iou": 0.5}}, {"val": {"iou": 0.7}}, {"val": {"iou": 0.6}}], 2),
        ([{"val": {"loss": 0.5}}, {"val": {"loss": 0.4}}, {"val": {"loss": 0.6}}], 2),
        ([{"val": {"iou": 0.9}, "best": True}, {"val": {"iou": 1.0}, "best": False}], 1),
        ([{"train": {"iou": 0.9}}], None),
    ],
)
def test_the_best_epoch(epochs, best):
    events = [{"kind": "epoch", "time": 0.0, "epoch": n, **epoch} for n, epoch in enumerate(epochs, 1)]
    found = fold(History(), events).best
    assert (found and found["epoch"]) == best


def test_a_metric_per_class_is_averaged_over_the_classes_that_have_it():
    assert metric_of({"val": {"iou": {"a": 0.5, "b": 1.0, "c": None}}}, "val", "iou") == pytest.approx(0.75)
    assert np.isnan(metric_of({"val": {"iou": {}}}, "val", "iou"))


@given(st.data())
def test_columns_are_values(data):
    """Whatever is appended to or cut from any table of a family, no other one changes."""
    family: list[tuple[Columns, list[float]]] = [(Columns(["a"]), [])]
    for _ in range(data.draw(st.integers(1, 12))):
        table, rows = family[data.draw(st.integers(0, len(family) - 1))]
        if data.draw(st.booleans()):
            new = data.draw(st.lists(st.floats(-9, 9), max_size=70))
            family.append((table.append([{"a": value} for value in new]), rows + new))
        else:
            length = data.draw(st.integers(0, 80))
            family.append((table.first(length), rows[:length]))
        for known, expected in family:
            np.testing.assert_array_equal(known.a, expected)
    with pytest.raises(ValueError):
        family[-1][0].a[:] = 0 if len(family[-1][0]) else np.zeros(1)
