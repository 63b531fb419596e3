"""Films of slices and frames: which planes, what lies over them, proportions, and what cannot be filmed."""

from __future__ import annotations

import numpy as np
import pytest
from tests.film.test_film import frames_of

import voxloop as vl
from voxloop.errors import VoxloopError
from voxloop.film.colors import color, rgb


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    """A stack of flat grays, plane z has 10 z; a block of class 1; points in the stack."""
    image = np.broadcast_to((10 * np.arange(12, dtype=np.uint8))[:, None, None], (12, 40, 60)).copy()
    folder = tmp_path_factory.mktemp("clip")
    with vl.Workspace.create(folder / "ws", image, [{"name": "cell", "color": "#e69f00"}], spacing=(2, 1, 1)) as ws:
        ws.labels().write((slice(4, 8), slice(10, 20), slice(10, 20)), 1)
        ws.levels.add("empty", classes=["nothing yet"])
        ws.levels.add("spots", kind="points")
        ws.points("spots").add(None, {"point": (5, 30, 40)})
        yield ws


def test_slices_with_labels_in_the_colours_of_their_classes(ws, tmp_path):
    told = []
    ws.clip(
        tmp_path / "a.mp4", start=2, stop=10, step=2, layers=["labels"], contrast=(0, 255), scale_bar=False,
        caption=False, progress=lambda *how: told.append(how),
    )  # fmt: skip
    there = frames_of(tmp_path / "a.mp4")
    assert there.shape == (4, 40, 60, 3)
    assert told == [(n, 4) for n in (1, 2, 3, 4)]
    assert there[:, 30, 50, 0] == pytest.approx([20, 40, 60, 80], abs=3)
    mixed = [(gray + tint) / 2 for tint in rgb("#e69f00") for gray in (60,)]
    assert there[2, 15, 15] == pytest.approx(mixed, abs=10)  # colours are halved in size by yuv420p
    assert there[0, 15, 15] == pytest.approx([20] * 3, abs=3)  # nothing is labelled in plane 2


def test_proportions_are_physical_and_points_lie_in_their_planes(ws, tmp_path):
    ws.clip(
        tmp_path / "x.mp4", axis="x", region=(slice(0, 12), slice(0, 40), slice(38, 43)), scale=2, layers=["spots"],
        contrast=(0, 255), scale_bar=False, caption=False,
    )  # fmt: skip
    there = frames_of(tmp_path / "x.mp4")
    assert there.shape == (5, 48, 80, 3)  # a voxel is 2 x 1 µm
    spot = there[:, 22, 61].astype(int)
    assert [bool(np.ptp(one) > 60) for one in spot] == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"layers": ["empty"]}, "level 'empty' holds nothing"),
        ({"layers": ["label"]}, "did you mean 'labels'"),
        ({"start": 5, "stop": 13}, "those are 0 to 11"),
        ({"start": 5, "stop": 5}, "stop is one more than the last"),
        ({"axis": "t"}, "none of 'z', 'y', 'x'"),
        ({"scale": 70}, "at most 64"),
        ({"fps": 0}, "such as 10"),
        ({"contrast": (5, 5)}, "black is below white"),
        ({"channels": [1]}, "channels 0 to 0"),
    ],
)
def test_what_cannot_be_filmed_is_said_and_leaves_nothing(ws, tmp_path, how, words):
    with pytest.raises(VoxloopError, match=words):
        ws.clip(tmp_path / "a.mp4", **how)
    assert list(tmp_path.iterdir()) == []


def test_who_is_told_can_stop_it(ws, tmp_path):
    def stop(done: int, total: int) -> None:
        if done == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        ws.clip(tmp_path / "a.gif", progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_bodies_and_trails_of_tracks_in_the_colours_of_the_panel(tmp_path):
    with vl.Workspace.create(tmp_path / "ws", np.zeros((6, 60, 80), np.uint8), z_kind="frame") as ws:
        ws.levels.add("animals", kind="points", skeleton={"nodes": ["a", "b"], "edges": [("a", "b")]})
        ws.points("animals").add_many(
            [
                {"frame": frame, "points": {"a": (10, 8 * frame + 10), "b": (40, 8 * frame + 10)}, "track": "one"}
                for frame in range(6)
            ]
        )
        ws.clip(tmp_path / "a.mp4", trail=2, scale=4, names=True, caption=False, scale_bar=False)
    there = frames_of(tmp_path / "a.mp4")
    assert there.shape == (6, 240, 320, 3)
    tint = np.array(rgb(color(0)))
    on_body = [there[frame, 4 * 10 + 2, 4 * (8 * frame + 10) + 2] for frame in range(6)]
    assert np.array(on_body) == pytest.approx(np.tile(tint, (6, 1)), abs=25)
    trail = there[:, 98:106, 4 * 20 : 4 * 22].max(axis=(1, 2, 3))  # between the middles of frames 1 and 2
    assert [bool(bright > 90) for bright in trail] == [False, False, True, True, False, False]
