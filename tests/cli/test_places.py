"""Marks from a terminal: a learner of places trained and asked, what it found linked and taken over."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
from click.testing import CliRunner

import voxloop as vl
from voxloop.cli import main


def call(*args: object) -> dict:
    done = CliRunner().invoke(main, [str(one) for one in (*args, "--json")])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_train_predict_and_track_spots_of_frames(tmp_path):
    y, x = np.mgrid[:48, :48]
    middles = [(12 + frame, 14 + 2 * frame) for frame in range(6)]
    film = np.stack([200 * np.exp(-((y - a) ** 2 + (x - b) ** 2) / 8) for a, b in middles]).astype(np.uint8)
    with vl.Workspace.create(tmp_path / "ws") as ws:
        ws.images.add("film", film, axes="zyx", z_kind="frame")
        ws.levels.add("spots", kind="points")
        ws.points().add_many({"frame": n, "points": {"point": at}} for n, at in enumerate(middles[:4]))
    tiny = {"filters": 4, "max_stride": 4, "steps_per_epoch": 20, "epochs": 2, "batch_size": 2, "threads": 1,
            "window": 32, "device": "cpu", "learning_rate": 0.01}  # fmt: skip
    sets = [word for name, value in tiny.items() for word in ("--set", f"{name}={value}")]
    trained = call("train", tmp_path / "ws", "--learner", "detect", "--name", "finder", *sets)
    assert trained["state"] == "finished"
    found = call("predict", tmp_path / "ws", "finder", "--frames", "unlabelled", "--name", "seen", "--accept")
    assert found["state"] == "finished"
    with vl.Workspace.open(tmp_path / "ws") as ws:
        pts = ws.points()
        assert ws.runs["seen"].result.frames == [4, 5]
        assert all(one.predicted for frame in pts.predicted for one in pts.read(frame))
    call("track", tmp_path / "ws", "spots", "--method", "kalman", "--set", "max_distance_um=6", "--set", "number=1",
         "--accept", "--table", tmp_path / "tracks.csv")  # fmt: skip
    table = pd.read_csv(tmp_path / "tracks.csv")
    assert table[table["frame"] < 4]["track"].tolist() == [1, 1, 1, 1]
    with vl.Workspace.open(tmp_path / "ws") as ws:
        assert [ws.points().read(frame)[0].track for frame in range(4)] == ["1"] * 4
