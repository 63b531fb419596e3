"""Scales: values, physical coordinates, the cache, and the plan for writing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from voxloop.volumes import open_volume, read_block, scales, shape_zyx, spacing_of
from voxloop.volumes.downsample import downsample
from voxloop.volumes.pyramid import plan_scales

arrays = hnp.arrays(
    st.sampled_from([np.uint8, np.int16, np.uint16]), hnp.array_shapes(min_dims=3, max_dims=3, max_side=7)
)
factors = st.tuples(*[st.integers(1, 3)] * 3)


def cells(block, by):
    """Every coarse voxel with the fine ones it stands for."""
    shape = tuple(-(-n // f) for n, f in zip(block.shape, by, strict=True))
    for index in np.ndindex(shape):
        yield index, block[tuple(slice(i * f, (i + 1) * f) for i, f in zip(index, by, strict=True))]


@given(block=arrays, by=factors)
def test_mean_is_the_mean_of_each_cell(block, by):
    coarse = downsample(block, by, "mean")
    assert coarse.dtype == block.dtype
    for index, cell in cells(block, by):
        assert abs(float(coarse[index]) - cell.mean()) <= 0.5


@given(block=arrays.map(lambda a: a % 4), by=factors)
def test_mode_is_the_most_frequent_value_the_smallest_on_a_tie(block, by):
    coarse = downsample(block, by, "mode")
    for index, cell in cells(block, by):
        values, counts = np.unique(cell, return_counts=True)
        assert coarse[index] == values[counts.argmax()]


def test_mean_of_large_integers_does_not_overflow():
    top = np.full((2, 2, 2), 2**32 - 1, np.uint32)
    assert downsample(top, (2, 2, 2), "mean").item() == 2**32 - 1


@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 70), st.integers(1, 70)),
    chunks=st.tuples(st.integers(1, 3), st.integers(9, 40), st.integers(9, 40)),
)
@settings(max_examples=25, deadline=None)
def test_halvings_for_any_chunking(shape, chunks):
    data = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    pyramid = scales(open_volume(data, spacing=(3.0, 1.0, 2.0), chunks=chunks), smallest=8)
    expected = data
    for fine, coarse in itertools.pairwise(pyramid):
        expected = downsample(expected, (1, 2, 2), "mean")
        np.testing.assert_array_equal(read_block(coarse)[0], expected)
        assert coarse.attrs["spacing_um"][1:] == tuple(2 * s for s in fine.attrs["spacing_um"][1:])
        for axis in "yx":  # a coarse voxel lies amid its two
            if fine.sizes[axis] > 1:
                assert float(coarse[axis][0]) == pytest.approx(float(fine[axis][:2].mean()))
        np.testing.assert_array_equal(coarse.z, fine.z)
    assert max(shape_zyx(pyramid[-1])[1:]) <= 8


def test_channels_are_halved_too():
    data = np.random.default_rng(0).integers(0, 255, (2, 3, 16, 16), dtype=np.uint8)
    coarse = scales(open_volume(data), smallest=8)[1]
    np.testing.assert_array_equal(read_block(coarse), downsample(data, (1, 1, 2, 2), "mean"))


def test_a_cache_is_filled_once_and_renewed_when_the_file_changes(tmp_path, monkeypatch):
    from voxloop.volumes import halving

    data = np.random.default_rng(0).integers(0, 255, (3, 40, 40), dtype=np.uint8)
    np.save(tmp_path / "a.npy", data)
    calls = []
    monkeypatch.setattr(halving, "downsample", lambda *a: calls.append(1) or downsample(*a))

    def coarse():
        return scales(open_volume(tmp_path / "a.npy"), cache=tmp_path / "cache", smallest=20)[1]

    expected = downsample(data, (1, 2, 2), "mean")
    np.testing.assert_array_equal(read_block(coarse(), (1,))[0], expected[1:2])
    assert len(calls) == 1
    np.testing.assert_array_equal(read_block(coarse())[0], expected)
    assert len(calls) == 3
    np.testing.assert_array_equal(read_block(coarse())[0], expected)
    assert len(calls) == 3
    np.save(tmp_path / "a.npy", 255 - data)
    np.testing.assert_array_equal(read_block(coarse())[0], downsample(255 - data, (1, 2, 2), "mean"))


@given(
    shape=st.tuples(*[st.integers(1, 5000)] * 3),
    spacing=st.tuples(*[st.floats(0.001, 10)] * 3),
    frames=st.booleans(),
)
def test_a_plan_ends_small_and_keeps_the_field_of_view(shape, spacing, frames):
    plan = plan_scales(shape, spacing, frames=frames)
    assert plan[0].shape == shape
    for fine, coarse in itertools.pairwise(plan):
        assert coarse.shape == tuple(-(-n // f) for n, f in zip(fine.shape, coarse.factors, strict=True))
        assert max(coarse.factors) == 2
        for axis in range(3):  # the low edge of the volume stays where it was
            edge = [s.origin_um[axis] - s.spacing_um[axis] / 2 for s in (fine, coarse)]
            assert edge[0] == pytest.approx(edge[1], abs=1e-9)
        if frames:
            assert coarse.factors[0] == 1
    assert max(plan[-1].shape[1 if frames else 0 :]) <= 256


def test_anisotropic_volumes_become_isotropic_first():
    assert [s.factors for s in plan_scales((200, 2048, 2048), (0.04, 0.01, 0.01))] == [
        (1, 1, 1),
        (1, 2, 2),
        (1, 2, 2),
        (2, 2, 2),
    ]


def test_a_cut_volume_does_not_take_the_files_scales(tmp_path):
    from voxloop.volumes import save_volume

    data = np.random.default_rng(0).integers(0, 255, (4, 300, 300), dtype=np.uint8)
    volume = open_volume(save_volume(data, tmp_path / "a.zarr", spacing=1))
    assert volume.attrs["scale_count"] == 2
    cut = volume.isel(y=slice(10, 200), x=slice(0, 200))
    coarse = scales(cut, smallest=128)[1]
    np.testing.assert_array_equal(read_block(coarse)[0], downsample(data[:, 10:200, :200], (1, 2, 2), "mean"))
    assert spacing_of(coarse) == (1, 2, 2)
