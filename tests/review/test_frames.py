"""Which frames to label next: six rules, none of which offers what is labelled already."""

from __future__ import annotations

import numpy as np
import pytest

import voxloop as vl
from voxloop.errors import PredictionError


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    """Forty frames: dark, bright and striped ones in runs; one point that goes a pixel a frame, and once ten."""
    film = np.zeros((40, 48, 64), np.uint8)
    film[15:30] = 120
    film[30:, ::2] = 250
    film += np.random.default_rng(0).integers(0, 5, film.shape, dtype=np.uint8)
    with vl.Workspace.create(tmp_path_factory.mktemp("frames") / "ws") as ws:
        ws.images.add("film", film, axes="zyx", z_kind="frame")
        ws.levels.add("flies", kind="points", skeleton=["head", "tail"])
        x = np.arange(40) * 0.5 + np.where(np.arange(40) >= 22, 10, 0)
        ws.points().add_many(
            (
                {
                    "frame": frame,
                    # the head alone jumps once
                    "points": {"head": (10 + 9 * (frame == 33), at), "tail": (20, at)},
                    "score": 0.3 if frame == 8 else 0.9,
                }
                for frame, at in enumerate(x)
            ),
            predicted=True,
        )
        ws.points().accept([one.id for frame in (0, 1, 2) for one in ws.points().read(frame)])
        yield ws


def test_frames_worth_labelling_are_found_by_each_rule(ws):
    def frames(strategy, n=3, **how):
        found = ws.suggest(level="flies", strategy=strategy, n=n, **how)
        assert all(one.reason and one.axis == "z" and one.image == "film" for one in found)
        return [one.index for one in found]

    assert frames("score", 1) == [8]
    assert frames("velocity", 1) == [22]
    assert set(frames("displacement", 2)) <= {22, 33, 34}
    assert frames("chunk") == [3, 4, 5]
    assert frames("chunk", frames=range(20, 30)) == [20, 21, 22]
    assert len({(n >= 15) + (n >= 30) for n in frames("kmeans")}) == 3  # one of each look
    assert frames("stride") == [9, 21, 33]
    assert set(frames("motion", 2)) == {15, 30}
    drawn = frames("random", 37)
    assert sorted(drawn) == list(range(3, 40))
    assert frames("random", 3, seed=1) != drawn[:3]
    assert [one.index for one in ws.suggest(n=3)] == frames("kmeans")  # the only level there is


def test_what_cannot_be_asked_says_why(ws):
    with pytest.raises(PredictionError, match="strategy"):
        ws.suggest(level="flies", strategy="best")
    ws.levels.add("looks", kind="pictures", classes=["a", "b"])
    with pytest.raises(PredictionError, match="predict first"):
        ws.suggest(level="looks", strategy="score")
