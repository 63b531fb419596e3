"""Putting right who is who: swap, join, split, delete from a frame on, and what may be wrong."""

from __future__ import annotations

import numpy as np
import pytest

import voxloop as vl
from voxloop.errors import LabelError


@pytest.fixture
def pts(tmp_path):
    """Two that go right on rows 5 and 15, one frame after the other; a pixel a frame, tracks a and b."""
    with vl.Workspace.create(tmp_path / "ws") as ws:
        ws.images.add("film", np.zeros((10, 20, 30), np.uint8), axes="zyx", z_kind="frame")
        ws.levels.add("flies", kind="points")
        pts = ws.points()
        pts.add_many(
            {"frame": frame, "points": {"point": (row, 5 + frame)}, "track": name, "score": 0.9}
            for frame in range(10)
            for name, row in (("a", 5), ("b", 15))
        )
        yield pts


def rows(pts, name):
    return {one.frame: one.points["point"][0] for frame in pts.frames for one in pts.read(frame) if one.track == name}


def test_tracks_are_swapped_split_joined_and_deleted_from_a_frame_on(pts):
    pts.swap_tracks("a", "b", 6)
    assert rows(pts, "a") == {**dict.fromkeys(range(6), 5), **dict.fromkeys(range(6, 10), 15)}
    pts.undo()
    new = pts.split_track("a", 4)
    assert (new, sorted(rows(pts, "a")), sorted(rows(pts, new))) == ("1", [0, 1, 2, 3], list(range(4, 10)))
    with pytest.raises(LabelError, match="both in frame 4"):
        pts.join_tracks("b", new)
    pts.join_tracks("a", new)
    assert sorted(rows(pts, "a")) == list(range(10))
    assert pts.remove_track("b", 7) == 3
    assert sorted(rows(pts, "b")) == list(range(7))
    pts.undo()
    assert sorted(rows(pts, "b")) == list(range(10))
    for wrong in (
        lambda: pts.swap_tracks("a", "nobody"),
        lambda: pts.swap_tracks("a", "a"),
        lambda: pts.split_track("a", 0),
        lambda: pts.split_track("a", 3, new="b"),
        lambda: pts.set_tracks({1: "a", 2: "a"}),
        lambda: pts.remove_track("a", 99),
    ):
        before = pts.sequence
        with pytest.raises(LabelError):
            wrong()
        assert pts.sequence == before
    pts.change(1, locked=True)
    assert pts.set_tracks({1: "c", 2: "d"}) == 1
    with pytest.raises(LabelError, match="locked"):
        pts.remove_track("a")


def test_what_may_be_wrong_is_found_the_most_suspicious_first(pts):
    assert pts.likely_mistakes() == []
    pts.swap_tracks("a", "b", 6)
    pts.remove([one.id for frame in (2, 3) for one in pts.read(frame) if one.track == "a"])
    late = pts.add(8, {"point": (10, 20)}, track="c", score=0.2)
    found = pts.likely_mistakes()
    assert [(one.kind, one.frame, one.track) for one in found] == [
        ("jump", 6, "b"), ("jump", 6, "a"), ("spawn", 8, "c"), ("gap", 4, "a"), ("low score", 8, "c")
    ]  # fmt: skip
    assert found[2].number == late
    assert "after 2 frames" in found[3].words
    assert pts.likely_mistakes(1) == found[:1]
    pts.clear([2, 3])  # nothing at all in these frames: nobody looked
    assert "gap" not in {one.kind for one in pts.likely_mistakes()}
