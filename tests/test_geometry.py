from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxloop.errors import VolumeError
from voxloop.geometry import (
    as_region,
    blocks,
    full_region,
    grow,
    intersect,
    plane_axes,
    region_shape,
    shift,
    unit_um,
)

shapes = st.tuples(*[st.integers(1, 12)] * 3)


@st.composite
def regions(draw, shape=None):
    shape = shape or draw(shapes)
    parts = []
    for size in shape:
        start = draw(st.integers(0, size - 1))
        parts.append(slice(start, draw(st.integers(start + 1, size))))
    return shape, tuple(parts)


@given(regions(), st.tuples(*[st.integers(1, 5)] * 3))
def test_blocks_cover_a_region_exactly_once(found, block):
    shape, region = found
    seen = np.zeros(shape, int)
    for part in blocks(region, block):
        seen[part] += 1
        assert all(p.start // b == (p.stop - 1) // b for p, b in zip(part, block, strict=True)), "one cell of the grid"
    assert (seen[region] == 1).all()
    assert seen.sum() == np.prod(region_shape(region))


@given(regions(), st.data())
def test_intersection_is_what_both_cover(found, data):
    shape, a = found
    _, b = data.draw(regions(shape=shape))
    one, two = np.zeros(shape, bool), np.zeros(shape, bool)
    one[a], two[b] = True, True
    both = intersect(a, b)
    expected = np.zeros(shape, bool)
    if both is not None:
        expected[both] = True
    assert np.array_equal(one & two, expected)


@given(regions(), st.tuples(*[st.integers(0, 4)] * 3))
def test_growing_keeps_the_region_inside_and_the_volume_around(found, by):
    shape, region = found
    grown = grow(region, by, shape)
    assert intersect(grown, region) == region
    assert intersect(grown, full_region(shape)) == grown


def test_shift_moves_by_voxels():
    assert shift((slice(0, 2), slice(3, 4), slice(5, 9)), (1, 0, -5)) == (slice(1, 3), slice(3, 4), slice(0, 4))


@given(regions())
def test_regions_index_like_numpy(found):
    shape, region = found
    array = np.arange(np.prod(shape)).reshape(shape)
    assert np.array_equal(array[as_region(region, shape)], array[region])
    assert as_region(None, shape) == full_region(shape)


def test_region_from_the_end_and_from_fewer_axes():
    assert as_region((slice(-2, None), 3), (10, 10, 10)) == (slice(8, 10), slice(3, 4), slice(0, 10))


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ((slice(4, 4),), "empty"),
        ((slice(0, 99),), "reaches past"),
        ((12,), "outside"),
        ((slice(0, 8, 2),), "step"),
        ((0, 0, 0, 0), "three slices"),
    ],
)
def test_impossible_regions_say_why(region, message):
    with pytest.raises(VolumeError, match=message):
        as_region(region, (8, 8, 8))


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
