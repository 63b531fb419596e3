"""The pieces without a process: messages, lanes, views, planes."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxloop.errors import RunError
from voxloop.geometry import AXES, Box
from voxloop.helper.handlers import Job, View, handler
from voxloop.helper.jobs import Lanes, Request
from voxloop.helper.messages import Sender, receive
from voxloop.helper.planes import Planes

plain = st.recursive(st.none() | st.integers() | st.text() | st.booleans(), lambda c: st.lists(c, max_size=3))


@given(st.lists(st.dictionaries(st.text(), plain, max_size=3), max_size=4), st.integers(0, 3))
def test_messages_come_back_whole_or_not_at_all(messages, cut):
    stream = io.BytesIO()
    for message in messages:
        Sender(stream).send(message)
    data = stream.getvalue()
    torn = io.BytesIO(data[: len(data) - cut] if cut else data)
    found = []
    while (message := receive(torn)) is not None:
        found.append(message)
    assert found == (messages if not cut else messages[:-1])


@pytest.mark.parametrize(
    "data", [b"\xff\xff\xff\xff" + b"x" * 9, struct.pack("<I", 3) + b"abc", struct.pack("<I", 2) + b"[]"]
)
def test_a_broken_stream_ends_instead_of_waiting(data):
    assert receive(io.BytesIO(data)) is None


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 5)), min_size=1, max_size=12))
def test_of_each_lane_only_the_newest_is_done(pairs):
    lanes = Lanes()
    dropped = []
    requests = [Request(n, "live", lane, generation) for n, (lane, generation) in enumerate(pairs)]
    for request in requests:
        if (old := lanes.put(request)) is not None:
            dropped.append(old.number)
    taken = []
    while (request := lanes.take(0)) is not None:
        taken.append(request)
        assert not lanes.stale(request)
    assert sorted([*dropped, *(r.number for r in taken)]) == list(range(len(pairs)))
    for lane in {lane for lane, _ in pairs}:
        newest = max(g for name, g in pairs if name == lane)
        assert [r.generation for r in taken if r.lane == lane] == [newest]


def test_a_request_under_way_learns_that_it_is_not_wanted():
    lanes = Lanes()
    lanes.put(Request(1, "live", "overlay", 1))
    running = lanes.take(0)
    lanes.put(Request(2, "inputs", "inputs", 9))
    assert not lanes.stale(running)
    lanes.cancel("overlay", 1)
    assert lanes.stale(running)
    assert lanes.put(Request(3, "live", "overlay", 1)).number == 3
    assert lanes.put(Request(4, "live", "overlay", 2)) is None


@given(
    axis=st.sampled_from(AXES),
    index=st.integers(0, 3),
    step=st.integers(1, 5),
    grid=st.integers(2, 9),
    corner=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
)
def test_parts_of_any_grid_fill_every_pixel_with_its_voxel(axis, index, step, grid, corner, size):
    shape = tuple(4 if name == axis else 30 for name in AXES)
    volume = np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
    box = [[c, c + s] for c, s in zip(corner, size, strict=True)]
    view = View.from_json({"axis": axis, "index": index, "box": box, "step": step}, shape)
    planes = Planes.create(view.pixels)
    try:
        planes.values[:] = 77
        told = []
        job = Job(None, {}, {}, stale=lambda: False, tell=told.append, planes=planes)
        for first in range(0, 30, grid):
            for second in range(0, 30, grid):
                edges = [slice(first, min(30, first + grid)), slice(second, min(30, second + grid))]
                edges = [slice(max(e.start, b[0]), min(e.stop, b[1])) for e, b in zip(edges, box, strict=True)]
                if all(e.start < e.stop for e in edges):
                    edges.insert(AXES.index(axis), slice(index, index + 1))
                    part = volume[tuple(edges)]
                    job.part(view, Box.of(edges, shape), part, part)
        wanted = volume[view.box.slices].take(0, axis=AXES.index(axis))[::step, ::step]
        np.testing.assert_array_equal(planes.values, wanted)
        np.testing.assert_array_equal(planes.confidence, wanted)
        assert sum((r[1] - r[0]) * (c[1] - c[0]) for r, c in (t["part"] for t in told)) == wanted.size
    finally:
        planes.close()


@pytest.mark.parametrize(
    "view",
    [
        {"axis": "z", "index": 9},
        {"axis": "z", "index": 0, "box": [[5, 5], [0, 4]]},
        {"axis": "z", "index": 0, "step": 0},
        {"axis": "z", "index": 0, "box": [[40, 50], [0, 4]]},
    ],
)
def test_a_view_outside_of_the_volume_is_refused(view):
    with pytest.raises(RunError, match="does not lie in a volume"):
        View.from_json(view, (4, 30, 30))


def test_an_unknown_kind_names_those_there_are():
    with pytest.raises(RunError, match="'overlay'"):
        handler("overlaid")
