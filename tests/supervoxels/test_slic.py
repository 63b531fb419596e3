"""Supervoxels are compact, follow edges, and are the same to the last bit however a volume is cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxloop.supervoxels.cells import TOLERANCE, AxisCells, grid_for
from voxloop.supervoxels.slic import reach, slic

CUBIC, FLAT = (1.0, 1.0, 1.0), (4.0, 1.0, 1.0)


@given(size=st.integers(3, 64), stride=st.sampled_from([1, 2, 4, 8, 16]), thick=st.sampled_from([0.5, 1, 3, 40]))
def test_cells_are_as_wide_as_asked_and_repeat_with_the_stride(size, stride, thick):
    grid = grid_for(size, (thick, 1.0, 1.0), (stride, stride, stride), planar=False)
    for axis, spacing in zip(grid.axes, grid.spacing_um, strict=True):
        wanted = max(1.0, size / spacing)
        assert axis.period % stride == 0
        assert abs(axis.size / wanted - 1) <= TOLERANCE
        assert axis.period <= max(stride, 6 * wanted + stride)


@given(period=st.integers(1, 40), count=st.integers(1, 40), times=st.integers(1, 3))
def test_every_voxel_lies_in_the_cell_whose_centre_is_nearest(period, count, times):
    cells, voxels = AxisCells(period, min(count, period)), period * times
    centres = (np.arange(times * cells.count) + 0.5) * cells.size - 0.5
    away = np.arange(voxels)[:, None] - centres
    nearest = np.abs(away).min(axis=1)
    np.testing.assert_allclose(np.abs(away[np.arange(voxels), cells.of(voxels)]), nearest, atol=1e-9)
    np.testing.assert_allclose(cells.sites(0, voxels).from_centre, away[np.arange(voxels), cells.of(voxels)], atol=1e-5)
    edges = cells.edges(voxels)
    assert all((cells.of(voxels)[a:b] == n).all() for n, (a, b) in enumerate(pairwise(edges)))


def seats(labels, grid):
    """The seed's cell of every voxel, and the cell that the voxel lies in: (3, z, y, x) each."""
    chosen = np.stack(np.unravel_index(labels, grid.shape(labels.shape)))
    own = [axis.of(size) for axis, size in zip(grid.axes, labels.shape, strict=True)]
    return chosen, np.stack(np.meshgrid(*own, indexing="ij"))


@pytest.mark.parametrize(("spacing", "planar"), [(CUBIC, False), (FLAT, False), (FLAT, True)])
def test_an_even_image_is_cut_into_its_cells_and_no_voxel_goes_further_than_next_door(spacing, planar):
    grid = grid_for(8, spacing, (2, 2, 2), planar)
    shape = tuple(3 * step * (4 if step < 4 else 2) for step in grid.stride)
    chosen, own = seats(slic(np.zeros((1, *shape), np.float32), grid, 20.0), grid)
    np.testing.assert_array_equal(chosen, own)
    noise = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    chosen, own = seats(slic(noise, grid, 1.0), grid)
    away = np.abs(chosen - own)
    assert away.max() == 1
    assert (away[0] == 0).all() or not planar


def straddling(labels, side):
    """Share of voxels that lie on the smaller side of their supervoxel."""
    size = labels.max() + 1
    total, inside = np.bincount(labels.ravel(), minlength=size), np.bincount(labels.ravel(), side.ravel(), size)
    return np.minimum(inside, total - inside).sum() / labels.size


@pytest.mark.parametrize("planar", [False, True])
def test_supervoxels_end_at_an_edge_that_the_grid_does_not_know(planar):
    grid = grid_for(8, CUBIC, (1, 1, 1), planar)
    shape = (1, 96, 96) if planar else (32, 48, 48)
    z, y, x = np.indices(shape)
    side = x + 0.4 * y + 0.3 * z > 41
    image = (side + 0.1 * np.random.default_rng(0).normal(size=shape)).astype(np.float32)[None]
    cells = slic(image, grid, 1e5)
    followed = {compactness: straddling(slic(image, grid, compactness), side) for compactness in (5.0, 60.0)}
    assert followed[5.0] < 0.25 * straddling(cells, side)
    assert followed[5.0] < followed[60.0] < straddling(cells, side)


@given(
    planar=st.booleans(),
    spacing=st.sampled_from([CUBIC, FLAT]),
    stride=st.sampled_from([1, 2]),
    data=st.data(),
    rounds=st.integers(0, 2),
)
@settings(max_examples=12, deadline=None)
def test_a_part_with_its_reach_is_cut_as_the_whole_is_to_the_last_bit(planar, spacing, stride, rounds, data):
    grid = grid_for(3, spacing, (stride, stride, stride), planar)
    cells = 2 * (reach(rounds) + 1) + 4
    shape = tuple(
        (3 if planar and a == 0 else -(-cells * axis.size // axis.period)) * axis.period
        for a, axis in enumerate(grid.axes)
    )
    shape = tuple(int(size) for size in shape)
    image = np.random.default_rng(1).normal(size=(1, *shape)).astype(np.float32)
    whole = np.unravel_index(slic(image, grid, 10.0, rounds), grid.shape(shape))
    cut, inner = [], []
    for size, axis, far in zip(shape, grid.axes, grid.reach(reach(rounds) + 1), strict=True):
        start = data.draw(st.integers(0, size // axis.period - 1)) * axis.period
        stop = data.draw(st.integers(start // axis.period + 1, size // axis.period)) * axis.period
        cut.append(slice(start, stop))
        inner.append(slice(start + far if start else 0, stop - far if stop < size else size))
    part = np.unravel_index(
        slic(image[(slice(None), *cut)], grid, 10.0, rounds), grid.shape(tuple(c.stop - c.start for c in cut))
    )
    for one, other, axis, edge in zip(part, whole, grid.axes, cut, strict=True):
        own = one + edge.start // axis.period * axis.count
        here = tuple(slice(i.start, max(i.start, i.stop)) for i in inner)
        local = tuple(slice(h.start - c.start, h.stop - c.start) for h, c in zip(here, cut, strict=True))
        np.testing.assert_array_equal(own[local], other[here])


@pytest.mark.parametrize("axis", [1, 2])
def test_what_lies_within_reach_does_matter(axis):
    """The halo is what is needed, not a cautious guess: a change more than a cell away is still felt."""
    grid = grid_for(8, CUBIC, (1, 1, 1), planar=True)
    image = np.random.default_rng(3).normal(size=(1, 1, 160, 160)).astype(np.float32)
    other = image.copy()
    edge = [slice(None)] * 4
    edge[axis + 1] = slice(0, 64)
    other[tuple(edge)] = np.random.default_rng(4).normal(size=other[tuple(edge)].shape)
    beyond = [slice(None)] * 3
    beyond[axis] = slice(76, None)
    assert (slic(image, grid, 5.0)[tuple(beyond)] != slic(other, grid, 5.0)[tuple(beyond)]).any()
