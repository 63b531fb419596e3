"""Rounds: how long somebody was at work, which strokes count, and what a table says of a loop."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from tests.in_process import in_process

from voxloop.cli import main
from voxloop.config import ShallowConfig
from voxloop.model import read_spec
from voxloop.review import RoundLog, simulate
from voxloop.review.annotation_time import FIRST_S, PAUSE_S, Line, work_of
from voxloop.workspace.workspace import Workspace


def lines(*times, **facts):
    return [Line(at, "paint", time, **facts) for at, time in enumerate(times, 1)]


def test_time_between_edits_is_work_and_a_pause_counts_half_a_minute():
    assert work_of([lines(100, 104, 110)], None).seconds == FIRST_S + 4 + 6
    assert work_of([lines(100, 104, 4000)], 95).seconds == 5 + 4 + PAUSE_S
    assert work_of([], 95).seconds == 0


def test_edits_of_several_images_are_one_line_of_time():
    assert work_of([lines(100, 120), lines(105, 115)], 98).seconds == 2 + 5 + 10 + 5


def test_strokes_of_nobody_count_what_the_time_model_says():
    work = work_of([lines(100, 100.1, simulated=True), [Line(3, "paint", 104)]], 90, modelled=7.0)
    assert work.seconds == pytest.approx(7.0 + 3.9)
    assert work.simulated


def test_what_was_taken_back_is_no_stroke_and_pieces_are_one():
    made = [
        Line(1, "paint", 1),
        Line(2, "paint", 2, joined=True),
        Line(3, "polygon", 3),
        Line(4, "undo", 4, of=(3,), reverse=True),
        Line(5, "accept", 5),
        Line(6, "redo", 6, of=(3,)),
        Line(7, "undo", 7, of=(1, 2), reverse=True),
    ]
    work = work_of([made], 0)
    assert work.strokes == 1
    assert work.accepted == 1
    assert work_of([made[3:4]], 0).strokes == 0  # of the round before


@pytest.fixture(scope="module")
def loop(tmp_path_factory):
    """Two rounds on a small stack: painted, trained, predicted, corrected, trained."""
    rng = np.random.default_rng(0)
    truth = np.ones((6, 90, 100), np.uint8)
    truth[:, 20:50, 24:60] = truth[:, 60:80, 70:90] = 2
    image = (truth * 50 + rng.normal(0, 14, truth.shape)).clip(0, 255).astype(np.uint8)
    with Workspace.create(tmp_path_factory.mktemp("rounds") / "w", image=image, classes=["background", "disc"]) as ws:
        painted = [simulate(ws, truth, strokes=16, seed=1)]
        with in_process():
            ws.train(ShallowConfig(), name="first").wait()
            ws.predict("first", name="answer").wait()
        painted.append(simulate(ws, truth, ws.predictions["answer"], strokes=10, seed=2))
        ws.labels().paint(axis="z", index=0, points=[(2, 2), (2, 30)], value=1)
        with in_process():
            ws.train(ShallowConfig(), name="second").wait()
        yield ws, painted


def test_a_row_says_what_a_round_cost_and_reached(loop):
    ws, painted = loop
    table = ws.rounds.table()
    assert list(table["run"]) == ["first", "second"]
    assert table["prediction"][0] == "answer"
    assert table["prediction"].isna()[1]
    assert list(table["strokes"]) == [16, 11]
    assert table["annotation_seconds"][0] == pytest.approx(painted[0].annotation_seconds, abs=0.1)
    assert table["annotation_seconds"][1] > painted[1].annotation_seconds
    assert list(table["simulated"]) == [True, True]
    assert table["labelled_voxels"][0] == painted[0].labelled_voxels
    assert table["labelled_voxels"][1] == sum(ws.labels().counts().values())
    assert 0 < table["low"][0] <= table["iou"][0] <= table["high"][0] <= 1
    assert table["basis"][0] == "corrections"
    assert table["score"][1] == "not known yet: predict with it first"
    assert table["cpu_seconds"].min() > 0
    assert list(table["learner"]) == ["shallow", "shallow"]
    assert "second: not known yet" in repr(ws.rounds)


def test_lines_of_older_versions_and_removed_runs_stay_rows(loop, tmp_path):
    ws, _ = loop
    old = {"v": 1, "round": 1, "time": 5.0, "run": "gone", "level": "labels", "labels": {"labels/image": 3}}
    (tmp_path / "rounds.jsonl").write_text(json.dumps(old) + "\n[1]\nnonsense\n")
    log = RoundLog(tmp_path)
    assert log.read() == [old]
    rounds = ws.rounds
    rounds.log = log
    (row,) = rounds.table().to_dict("records")
    assert (row["run"], row["state"], row["strokes"], row["labelled_voxels"]) == ("gone", "deleted", 3, None)


def test_the_methods_paragraph_says_what_is_on_record(loop):
    ws, painted = loop
    text = ws.methods()
    minutes = painted[0].annotation_seconds / 60
    low, high = ws.score("answer").interval
    for words in (
        "(6 x 90 x 100 voxels of ",
        "16 strokes were painted by a simulated annotator that knows a reference in 1 round",
        f"which took {minutes:.1f} minutes by its time model",
        f"is {low:.2f} to {high:.2f} (90% interval, estimated from ",
        "(run 'first')",
        "voxloop ",
    ):
        assert words in text
    assert "None" not in text


def test_a_replay_trains_the_same_model_again_and_leaves_the_workspace_alone(loop):
    ws, _ = loop

    def files():
        listed = [path for path in ws.path.rglob("*") if path.is_file() and path.name != "writer.lock"]
        return sorted((str(path), path.stat().st_mtime_ns) for path in listed)

    before = files()
    done = CliRunner().invoke(main, ["replay", str(ws.path), "--run", "first", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["same"]
    assert told["then"] == told["now"] == read_spec(ws.runs["first"].path / "model").hash
    assert told["differences"] == []
    assert files() == before


def test_a_replay_says_what_is_another(loop, tmp_path):
    ws, _ = loop
    copied = tmp_path / "copy"
    shutil.copytree(ws.path, copied, ignore=shutil.ignore_patterns("writer.lock"))
    config = copied / "runs" / "first" / "config.json"
    facts = json.loads(config.read_text())
    facts["settings"]["smoothing"] = 2.0
    config.write_text(json.dumps(facts))
    done = CliRunner().invoke(main, ["replay", str(copied), "--run", "first"])
    assert done.exit_code == 1, done.output
    assert "the model is another" in done.stdout
    assert "smoothing" in done.stdout
    refused = CliRunner().invoke(main, ["replay", str(copied), "--run", "answer"])
    assert refused.exit_code == 2
    assert "no training; name one of" in refused.stderr


def test_the_command_prints_a_table_csv_or_json(loop, tmp_path):
    ws, _ = loop
    shown = CliRunner().invoke(main, ["rounds", str(ws.path)])
    assert shown.exit_code == 0, shown.output
    assert len(shown.stdout.splitlines()) == 3
    assert "answer" in shown.stdout
    told = json.loads(CliRunner().invoke(main, ["rounds", str(ws.path), "--json"]).stdout)
    assert [one["run"] for one in told["rounds"]] == ["first", "second"]
    assert told["rounds"][1]["iou"] is None
    written = tmp_path / "rounds.csv"
    CliRunner().invoke(main, ["rounds", str(ws.path), "--csv", str(written)])
    assert written.read_text().startswith("round,run,prediction,")
