"""The report of a run that somebody else made: whatever stands in its log, the page holds no code and no traceback."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from voxloop.config import DeepConfig
from voxloop.errors import VoxloopError
from voxloop.runs import Run, Runs
from voxloop.runs.history import History, fold

SCRIPT = "<img src=x onerror=alert(1)>"
SCORE = {"name": "trivial", "iou": {"object": 0.5}, "mean": 0.5, "low": 0.4, "high": 0.6}
EVENTS: list[dict[str, Any]] = [
    {"kind": "started", "time": 1e9, "host": "h", "device": "cpu", "threads": 2, "seed": 1, "versions": {"torch": "2"}},
    {"kind": "step", "time": 1e9 + 1, "iteration": 5, "loss": 0.5, "lr": 0.1, "epoch": 1},
    {"kind": "epoch", "time": 1e9 + 2, "epoch": 1, "iteration": 5, "train": {"loss": 1},
     "val": {"loss": 1, "iou": {"object": 0.5}}},
    {"kind": "sample", "time": 1e9 + 3, "path": "samples/1.png", "window": 0, "epoch": 1, "iteration": 5},
    {"kind": "updated", "time": 1e9 + 4, "what": "learning_rate", "old": 1, "new": 2},
    {"kind": "warning", "time": 1e9 + 5, "text": "words"},
    {"kind": "progress", "time": 1e9 + 6, "done": 1, "total": 2, "eta_s": 5},
    {"kind": "test", "time": 1e9 + 7, "voxels": 9, "windows": 3, "on": "test", "iou": {"object": 0.5}, "mean": 0.5,
     "low": 0.4, "high": 0.6, "baseline": SCORE},
    {"kind": "failed", "time": 1e9 + 8, "error": "e", "hint": "h"},
]  # fmt: skip


def leaves(value: Any, path: tuple = ()) -> Iterator[tuple]:
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, key)
            yield from leaves(one, (*path, key))


def put(events: list[dict[str, Any]], path: tuple, value: Any) -> list[dict[str, Any]]:
    changed: Any = copy.deepcopy(events)
    inside = changed
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    return list(changed)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Runs(tmp_path / "ws" / "runs").create("deep-1", "voxloop.deep.learner:train", DeepConfig())
    (run.path / "samples").mkdir()
    (run.path / "samples" / "1.png").write_bytes(b"png")
    return run


def report(run: Run, events: list[dict[str, Any]]) -> str:
    (run.path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    try:
        return Run(run.path).report().read_text()
    except VoxloopError as error:
        return str(error)


def test_what_the_log_says_is_on_the_page(run: Run) -> None:
    page = report(run, EVENTS)
    for words in ("IoU on 9 held-out voxels in 3 windows", "learning_rate: 1 to 2", "epoch 1", "words"):
        assert words in page


def test_of_objects_the_page_tells_how_many_were_found_again(run: Run) -> None:
    page = report(run, put(EVENTS, (7, "objects"), {"ap50": 0.625, "pq": 0.375}))
    assert re.search(r"AP@0\.5 of separate objects.*0\.625.*panoptic quality.*0\.375", page, re.DOTALL)


def test_blocks_are_named_by_what_they_are_for(run: Run) -> None:
    state = run.path / "checkpoints" / "last" / "state.json"
    state.parent.mkdir(parents=True)
    split = {"stack": {"cell": [1, 8, 8], "cells": [[0, 0, n] for n in range(5)], "tested": [[0, 0, 4]]}}
    state.write_text(json.dumps({"split": split}))
    assert "stack: 4 validation blocks, 1 test block" in report(run, EVENTS)


def test_no_field_of_the_log_becomes_code(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxloop.review.run_report.draw", lambda runs, kind: b"<svg></svg>")  # drawn in the next test
    for path in leaves(EVENTS):
        if path[1:] and path[1] != "kind":
            assert SCRIPT not in report(run, put(EVENTS, path, SCRIPT)), path


@pytest.mark.parametrize("odd", [SCRIPT, [1], {"a": None}, 1e300, -1, True, 10**400], ids=lambda odd: repr(odd)[:9])
def test_a_field_of_another_type_is_left_out(odd: Any) -> None:
    for path in leaves(EVENTS):
        if path[1:] and path[1] != "kind":
            history = fold(History(), put(EVENTS, path, odd))
            assert isinstance(history.epoch, int)
            assert history.eta_s is None or history.eta_s >= 0
            assert 0 <= history.progress <= 1
            assert history.curve("val", "iou")[0].dtype == float


def test_a_name_in_the_log_is_drawn_as_text(run: Run) -> None:
    assert SCRIPT not in report(run, put(EVENTS, (2, "val", "iou"), {SCRIPT: 0.5}))


def test_the_score_is_the_headline_and_agreement_is_called_that(run: Run) -> None:
    page = report(run, EVENTS)
    score, training = page.index("<h2>Score</h2>"), page.index("<h2>Training</h2>")
    assert "not known yet: predict with it first" in page[score:training]
    assert "0.500" not in page[score:training], "what held-out strokes say is no score"
    assert "agreement with held-out strokes" in page[training:]
    assert "not how good either is on the image" in page[training:]
    for word in ("Best epoch", "best mean IoU", "mean IoU"):
        assert word not in page


def test_of_places_the_page_tells_what_was_reached_on_held_out_pictures(tmp_path: Path) -> None:
    from voxloop.config import PoseConfig

    run = Runs(tmp_path / "ws" / "runs").create("pose-1", "voxloop.deep.pose.learner:train_pose", PoseConfig())
    node = {"true": 8, "missed": 0.125, "p50": 1.5, "p75": 2, "p90": 3, "p95": 4, "p99": 6}
    told = {
        "kind": "measured", "time": 1e9 + 6, "name": "OKS", "pictures": 4, "mean": 0.8, "low": 0.7, "high": 0.9,
        "measures": {"oks_map": 0.75, "median_px": 1.5, "median_px/head": 1.5},
        "detail": {"intervals": {"oks_map": [0.61, 0.83]}, "counts": [["film#3", 2, 3]], "nodes": {SCRIPT: node},
                   "pck": {"shares": [0.1, 0.2], "within": [0.5, 0.9]}},
    }  # fmt: skip
    epoch = {**EVENTS[2], "val": {"loss": 1, "oks_map": 0.75}}
    page = report(run, [EVENTS[0], EVENTS[1], epoch, told, {"kind": "finished", "time": 1e9 + 8}])
    for words in ("Held-out pictures", "OKS mAP (0.5 to 0.95)", "0.610 to 0.830", "12.5%", "film#3", "+1", "PCK"):
        assert words in page
    assert "<img src=x" not in page
    assert "held-out strokes" not in page
    confusion = {"names": ["disc", "ring"], "table": [[3, 1], [0, 4]]}
    page = report(run, [EVENTS[0], EVENTS[1], epoch, {**told, "detail": {}, "confusion": confusion}])
    assert "75.0%" in page
