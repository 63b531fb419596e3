from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxloop.errors import VolumeError
from voxloop.geometry import Box, cover, plane_axes, unit_um

shapes = st.tuples(*[st.integers(1, 12)] * 3)
steps = st.tuples(*[st.integers(1, 5)] * 3)


@st.composite
def inside(draw, shape=None):
    """A box in a volume, and the volume's shape."""
    shape = shape or draw(shapes)
    starts = [draw(st.integers(0, size - 1)) for size in shape]
    stops = [draw(st.integers(start + 1, size)) for start, size in zip(starts, shape, strict=True)]
    return shape, Box(tuple(starts), tuple(stops))


def mask(shape, *boxes):
    """Which voxels lie in any of the boxes."""
    out = np.zeros(shape, bool)
    for box in boxes:
        out[box.slices] = True
    return out


@given(inside(), steps)
def test_blocks_cover_a_box_exactly_once(drawn, block):
    shape, box = drawn
    seen = np.zeros(shape, int)
    for part in box.blocks(block):
        seen[part.slices] += 1
        last = [stop - 1 for stop in part.stop]
        assert part.cell(block) == Box.at(last, (1, 1, 1)).cell(block), "one cell of the grid"
    assert np.array_equal(seen, mask(shape, box).astype(int))
    assert seen.sum() == box.size == np.prod(box.shape)


@given(inside(), st.data())
def test_two_boxes_meet_where_both_lie(drawn, data):
    shape, one = drawn
    _, other = data.draw(inside(shape=shape))
    both = one.meet(other)
    expected = mask(shape, one) & mask(shape, other)
    assert np.array_equal(mask(shape, *([both] if both else [])), expected)
    assert one.covers(other) == np.array_equal(expected, mask(shape, other))
    around = cover([one, other])
    assert around.covers(one)
    assert around.covers(other)
    assert around.start == tuple(map(min, one.start, other.start))


@given(inside(), st.tuples(*[st.integers(0, 4)] * 3))
def test_growing_and_clipping_keeps_the_box_inside_and_the_volume_around(drawn, by):
    shape, box = drawn
    grown = box.grow(by).clip(shape)
    assert grown.covers(box)
    assert Box.whole(shape).covers(grown)
    assert all(
        start == max(0, first - more) and stop == min(size, last + more)
        for start, stop, first, last, more, size in zip(
            grown.start, grown.stop, box.start, box.stop, by, shape, strict=True
        )
    )


@given(inside(), st.data())
def test_within_finds_a_box_in_a_block_that_was_read_around_it(drawn, data):
    shape, box = drawn
    outer = box.grow(data.draw(st.tuples(*[st.integers(0, 3)] * 3))).clip(shape)
    volume = np.arange(np.prod(shape)).reshape(shape)
    block = volume[outer.slices]
    assert np.array_equal(block[box.within(outer).slices], volume[box.slices])
    assert box.within(outer).shift(outer.start) == box


@given(inside(), steps)
def test_an_aligned_box_is_the_smallest_with_faces_on_the_grid(drawn, stride):
    _, box = drawn
    aligned = box.aligned(stride)
    assert aligned.covers(box)
    assert aligned.aligned(stride) == aligned
    for first, last, start, stop, step in zip(box.start, box.stop, aligned.start, aligned.stop, stride, strict=True):
        assert start % step == stop % step == 0
        assert first - start < step
        assert stop - last < step


@given(inside(), steps)
def test_scaling_finds_the_same_voxels_in_a_finer_volume(drawn, factors):
    shape, box = drawn
    finer = mask(shape, box)
    for axis, factor in enumerate(factors):
        finer = finer.repeat(factor, axis)
    assert np.array_equal(mask(finer.shape, box.scale(factors)), finer)


@given(inside(), st.tuples(*[st.integers(-3, 15)] * 3), st.sampled_from("zyx"))
def test_points_planes_and_distances(drawn, point, axis):
    shape, box = drawn
    at = "zyx".index(axis)
    assert box.holds(point) == (box.distance(point, (1, 1, 1)) == 0)
    assert box.holds(box.centre)
    assert box.crosses(axis, point[at]) == (box.start[at] <= point[at] < box.stop[at])
    nearest = np.argwhere(mask(shape, box))
    um = np.linalg.norm((nearest - point) * (2.0, 1.0, 0.5), axis=1).min()
    assert box.distance(point, (2.0, 1.0, 0.5)) == pytest.approx(um)
    assert box.cut(axis, 1, 9).along(axis) == slice(1, 9)


@given(inside())
def test_boxes_are_kept_as_json_and_written_as_code(drawn):
    shape, box = drawn
    assert Box.from_json(json.loads(json.dumps(box.to_json()))) == box
    assert Box.from_json(np.array(box.to_json())).to_json() == box.to_json()
    assert Box.of(eval(box.code()), shape) == box


@given(inside(), st.data())
def test_regions_index_like_numpy(drawn, data):
    shape, box = drawn
    array = np.arange(np.prod(shape)).reshape(shape)
    negative = data.draw(st.booleans())
    region = tuple(
        slice(part.start - size if negative else part.start, None if part.stop == size else part.stop)
        for part, size in zip(box.slices, shape, strict=True)
    )
    assert np.array_equal(array[Box.of(region, shape).slices], array[region])
    assert Box.of(box, shape) == Box.of(box.slices, shape) == box
    assert Box.of(None, shape) == Box.of((), shape) == Box.whole(shape)
    assert Box.of(box.start[0], shape).shape == (1, *shape[1:])


def test_region_from_the_end_and_from_fewer_axes():
    assert Box.of((slice(-2, None), 3), (10, 10, 10)) == Box((8, 3, 0), (10, 4, 10))


def test_shift_moves_by_voxels():
    assert Box((0, 3, 5), (2, 4, 9)).shift((1, 0, -5)) == Box((1, 3, 0), (3, 4, 4))


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ((slice(4, 4),), "empty"),
        ((slice(0, 99),), "reaches past"),
        ((12,), "outside"),
        ((slice(0, 8, 2),), "step"),
        ((0, 0, 0, 0), "three slices"),
        (Box((0, 0, 0), (9, 1, 1)), "reaches past"),
    ],
)
def test_impossible_regions_say_why(region, message):
    with pytest.raises(VolumeError, match=message):
        Box.of(region, (8, 8, 8))


@pytest.mark.parametrize(
    ("unit", "um"),
    [("nm", 1e-3), ("nanometre", 1e-3), ("µm", 1.0), ("micrometers", 1.0), ("MM", 1e3), ("Å", 1e-4), ("m", 1e6)],
)
def test_units(unit, um):
    assert unit_um(unit) == um


def test_unknown_unit_names_the_known_ones():
    with pytest.raises(VolumeError, match="micrometer"):
        unit_um("furlong")


def test_plane_axes_keep_their_order():
    assert [plane_axes(axis) for axis in "zyx"] == [("y", "x"), ("z", "x"), ("z", "y")]
