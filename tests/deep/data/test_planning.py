"""Levels and windows of 3-D networks follow the voxel's shape, whatever its unit and the order of the axes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxloop.deep.data.planning import SMALLEST, plan_levels, plan_window

steps = st.floats(0.01, 10, allow_nan=False)
spacings = st.tuples(steps, steps, steps)
windows = st.tuples(*[st.integers(1, 256)] * 3)


@given(spacings, windows, st.integers(1, 7))
def test_levels_are_legal(spacing, window, most) -> None:
    levels = plan_levels(spacing, window, most)
    assert 1 <= len(levels.kernels) == len(levels.strides) <= most
    assert levels.strides[0] == (1, 1, 1)
    assert {n for part in levels.strides for n in part} <= {1, 2}
    assert {n for part in levels.kernels for n in part} <= {1, 3}
    for axis in range(3):
        reach = [kernel[axis] for kernel in levels.kernels]
        assert reach == sorted(reach)  # never narrower again
        assert levels.stride[axis] == 1 or math.ceil(window[axis] / levels.stride[axis]) >= SMALLEST
    for stride in levels.strides[1:]:
        assert stride != (1, 1, 1)


@given(spacings, windows, st.integers(1, 7))
def test_a_coarse_axis_waits_until_voxels_are_about_cubes(spacing, window, most) -> None:
    edge, size = list(spacing), list(window)
    for stride in plan_levels(spacing, window, most).strides[1:]:
        room = [axis for axis in range(3) if size[axis] >= 2 * SMALLEST]
        finest = min(edge[axis] for axis in room)
        assert [stride[axis] == 2 for axis in range(3)] == [
            axis in room and edge[axis] < 2 * finest for axis in range(3)
        ]
        edge = [step * n for step, n in zip(edge, stride, strict=True)]
        size = [-(-n // part) for n, part in zip(size, stride, strict=True)]


@given(spacings, windows, st.sampled_from([0.5, 2.0, 1024.0]), st.permutations(range(3)))
def test_units_and_the_order_of_axes_do_not_matter(spacing, window, unit, order) -> None:
    levels = plan_levels(spacing, window, 6)
    assert plan_levels([step * unit for step in spacing], window, 6) == levels
    turned = plan_levels([spacing[i] for i in order], [window[i] for i in order], 6)
    assert turned.strides == tuple(tuple(part[i] for i in order) for part in levels.strides)
    assert turned.kernels == tuple(tuple(part[i] for i in order) for part in levels.kernels)


def test_known_plans() -> None:
    isotropic = plan_levels((1, 1, 1), (64, 64, 64), 5)
    assert set(isotropic.kernels) == {(3, 3, 3)}
    assert isotropic.strides == ((1, 1, 1), *[(2, 2, 2)] * 4)
    sections = plan_levels((40, 4, 4), (16, 128, 128), 5)  # serial sections of 40 nm, pixels of 4
    assert sections.kernels == ((1, 3, 3), (1, 3, 3), (1, 3, 3), (3, 3, 3), (3, 3, 3))
    assert sections.strides == ((1, 1, 1), (1, 2, 2), (1, 2, 2), (1, 2, 2), (2, 2, 2))
    assert plan_levels((1, 1, 1), (1, 128, 128), 5).kernels[0] == (1, 3, 3)  # a single plane has nothing above it


@given(spacings, st.tuples(*[st.integers(1, 2000)] * 3), st.sampled_from([2**15, 2**17, 2**20]))
def test_windows_hold_about_as_many_voxels_as_asked_for(spacing, extent, voxels) -> None:
    window = plan_window(spacing, extent, voxels)
    for size, full in zip(window, extent, strict=True):
        assert 1 <= size <= max(full + 7, 1)
        assert size % 8 == 0 or size < 8
    if math.prod(full + 7 for full in extent) <= voxels:  # sizes are rounded up
        assert all(size >= full for size, full in zip(window, extent, strict=True))


@pytest.mark.parametrize(
    ("spacing", "extent", "window"),
    [
        ((1, 1, 1), (500, 500, 500), (64, 64, 64)),
        ((4, 1, 1), (500, 500, 500), (24, 104, 104)),
        ((1, 1, 1), (10, 500, 500), (16, 128, 128)),
        ((5, 1, 1), (1, 500, 500), (1, 504, 504)),
    ],
)
def test_known_windows(spacing, extent, window) -> None:
    assert plan_window(spacing, extent, 2**18) == window
