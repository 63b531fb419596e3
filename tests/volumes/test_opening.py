"""Opening: laziness, spacing, axes of arrays, and the errors that say what works."""

from __future__ import annotations

import os
import tracemalloc

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from xarray import DataArray
from zarr.storage import MemoryStore

from voxloop.errors import VolumeError
from voxloop.geometry import UNITS_UM
from voxloop.volumes import (
    channels_of,
    open_volume,
    opened_with,
    read_block,
    save_volume,
    scales,
    shape_zyx,
    spacing_of,
)
from voxloop.volumes.chunks import LIMIT, chunk_plan


class Poisoned:
    """An array that must not be read."""

    ndim = 3

    def __init__(self, shape=(64, 512, 512), dtype="uint8"):
        self.shape, self.dtype = shape, np.dtype(dtype)

    def __getitem__(self, key):
        raise AssertionError(f"read {key}")


class PoisonedStore(MemoryStore):
    """A zarr store whose chunks must not be read."""

    async def get(self, key, prototype, byte_range=None):
        assert key.endswith(("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")), f"chunk {key} was read"
        return await super().get(key, prototype, byte_range)


def test_opening_and_scaling_compute_nothing():
    volume = open_volume(Poisoned(), spacing=(0.04, 0.008, 0.008))
    assert [shape_zyx(v) for v in scales(volume, smallest=128)] == [(64, 512, 512), (64, 256, 256), (64, 128, 128)]
    assert spacing_of(volume) == (0.04, 0.008, 0.008)
    repr(volume)
    with pytest.raises(VolumeError, match="cannot be read"):
        read_block(volume, (0,))


def test_a_huge_zarr_opens_without_chunks_and_in_little_memory():
    array = zarr.create_array(PoisonedStore(), shape=(10_000, 100_000, 100_000), chunks=(16, 256, 256), dtype="uint8")
    tracemalloc.start()
    volume = open_volume(array)
    pyramid = scales(volume)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert volume.nbytes == 10**14
    assert len(pyramid) == 9
    assert peak < 60e6
    with pytest.raises(VolumeError, match="chunk c/0/0/0 was read"):
        read_block(volume, (slice(0, 1), slice(0, 10), slice(0, 10)))


@given(
    shape=st.lists(st.integers(1, 9), min_size=2, max_size=4).map(tuple),
    dtype=st.sampled_from(["bool", "uint8", ">u2", "int32", "float32", "<f8"]),
    backing=st.sampled_from(["numpy", "dask", "list"]),
    spacing=st.lists(st.floats(0.001, 1000), min_size=3, max_size=3),
    unit=st.sampled_from(sorted(UNITS_UM)),
)
@settings(max_examples=60, deadline=None)
def test_arrays_keep_their_voxels_and_take_the_spacing(shape, dtype, backing, spacing, unit):
    array = np.random.default_rng(1).integers(0, 2, shape).astype(dtype)
    given_array = {"numpy": array, "dask": da.from_array(array, chunks=2), "list": array.tolist()}[backing]
    volume = open_volume(given_array, spacing=spacing, unit=unit)
    np.testing.assert_allclose(spacing_of(volume), np.array(spacing) * UNITS_UM[unit], rtol=1e-6)
    assert volume.dims[-3:] == ("z", "y", "x")
    expected = array.astype(np.uint8) if array.dtype == bool else array
    if shape[-1] not in (3, 4):  # else it may be colour
        np.testing.assert_array_equal(read_block(volume).ravel(), expected.ravel())
        assert channels_of(volume) == (shape[0] if len(shape) == 4 else 1)


@given(
    shape=st.tuples(st.integers(1, 4000), st.integers(1, 40_000), st.integers(1, 40_000)),
    own=st.one_of(st.none(), st.tuples(st.integers(1, 128), st.integers(1, 1024), st.integers(1, 1024))),
    itemsize=st.sampled_from([1, 2, 4, 8]),
)
def test_chunks_are_bounded_multiples_of_the_files_own(shape, own, itemsize):
    plan = chunk_plan(shape, "zyx", itemsize, own=own)
    assert all(1 <= c <= n for c, n in zip(plan, shape, strict=True))
    native = own or (1, 1, 1)
    smallest = int(np.prod([min(c, n) for c, n in zip(native, shape, strict=True)])) * itemsize
    assert np.prod(plan, dtype=float) * itemsize <= max(LIMIT, smallest)
    for chunk, unit, size in zip(plan, native, shape, strict=True):
        assert chunk == size or chunk % min(unit, size) == 0
    if np.prod(plan, dtype=float) * itemsize < 2 * 2**20:
        assert plan == shape or own is not None


def test_open_arguments_open_it_again(tmp_path):
    data = np.random.default_rng(0).integers(0, 255, (2, 4, 9, 10), dtype=np.uint8)
    np.save(tmp_path / "a.npy", data)
    first = open_volume(tmp_path / "a.npy", spacing=(40, 8, 8), unit="nm", channels=[1], chunks=(1, 5, 5))
    arguments = opened_with(first)
    again = open_volume(**arguments)
    assert again.identical(first)
    assert again.chunks == first.chunks
    assert opened_with(open_volume(data)) is None


def test_dataarray_units_and_origin_are_kept():
    array = DataArray(
        np.zeros((3, 4, 5), np.uint8),
        dims=("z", "y", "x"),
        coords={"z": ("z", [100.0, 150, 200], {"units": "nm"}), "x": ("x", np.arange(5) * 5.0, {"units": "nm"})},
    )
    volume = open_volume(array)
    np.testing.assert_allclose(spacing_of(volume), (0.05, 0.005, 0.005))
    assert float(volume.z[0]) == pytest.approx(0.1)
    assert open_volume(volume).identical(
        volume.assign_attrs(volume.attrs | {"source": "DataArray given", "axes_from": "metadata"})
    )


def test_spacing_of_a_single_plane_is_known():
    volume = open_volume(np.zeros((6, 7), np.uint8), spacing=(2, 0.5, 0.25))
    assert spacing_of(volume) == (2, 0.5, 0.25)
    assert spacing_of(open_volume(volume)) == (2, 0.5, 0.25)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (np.zeros((3, 4), complex), {}, "numpy.abs"),
        (np.array([[object()]]), {}, "dtype object"),
        (np.zeros((0, 4, 4)), {}, "nothing in it"),
        (np.zeros((2,) * 6), {}, "2 to 5 axes"),
        (np.zeros(7), {}, "2 to 5 axes"),
        (np.zeros((2, 3, 4, 5, 6)), {}, "timepoint=0 to 1"),
        (np.zeros((3, 4, 5)), {"spacing": (1, 2, 3, 4)}, "4 numbers"),
        (np.zeros((3, 4, 5)), {"spacing": (1, 0, 3)}, "positive"),
        (np.zeros((3, 4, 5)), {"spacing": "big"}, "not a number"),
        (np.zeros((3, 4, 5)), {"spacing": 1, "unit": "furlong"}, "furlong"),
        (np.zeros((3, 4, 5)), {"chunks": "small"}, "neither 'auto'"),
        (np.zeros((3, 4, 5)), {"z_kind": "time"}, "neither 'space'"),
        (np.zeros((3, 4, 5)), {"scale": 1}, "no scales"),
        (np.zeros((3, 4, 5)), {"scale": "x"}, "no whole number"),
        (np.zeros((3, 4, 5)), {"dataset": "x"}, "no datasets"),
        (np.zeros((3, 4, 5)), {"timepoint": "x"}, "no whole number"),
        (np.zeros((3, 4, 5)), {"channels": 1.5}, "name or number"),
        (np.zeros((3, 4, 5)), {"axes": 3}, "no text"),
        (np.zeros((3, 4, 5)), {"spacing": (1, 2)}, "give three"),
        (np.zeros((2**26, 1, 1), bool), {}, "no axis is longer"),
        (np.zeros((2, 3, 9, 9)), {"channels": [2]}, "channel 2 is not in"),
        (None, {}, "path or an array"),
        ("", {}, "empty name"),
    ],
)
def test_what_cannot_be_a_volume_says_why(source, options, message):
    with pytest.raises(VolumeError, match=message) as caught:
        open_volume(source, **options)
    assert "\n" not in str(caught.value)


def test_a_missing_file_names_the_nearest(tmp_path):
    (tmp_path / "mitochondria.tif").write_bytes(b"x")
    with pytest.raises(VolumeError, match=r"did you mean .*mitochondria\.tif"):
        open_volume(tmp_path / "mitochondira.tif")
    with pytest.raises(VolumeError, match=r"folder .*nowhere is missing too"):
        open_volume(tmp_path / "nowhere" / "a.tif")
    with pytest.raises(VolumeError, match="TIFF"):
        open_volume(tmp_path / "mitochondria.tif")


def test_read_block_always_has_channels():
    data = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(read_block(open_volume(data), (slice(1, 3), 2))[:, :, 0], data[:, 1:3, 2])
    np.testing.assert_array_equal(read_block(open_volume(data[0]), (1,)), data[:1, 1:2])
    with pytest.raises(VolumeError, match="reaches past"):
        read_block(open_volume(data), (slice(0, 9),))


def test_axes_may_be_said():
    data = np.zeros((6, 7, 3), np.uint8)
    assert open_volume(data).shape == (1, 6, 7)
    assert open_volume(data, axes="zyx").shape == (6, 7, 3)
    assert open_volume(np.zeros((5, 6, 2, 7), np.uint8), axes="YXCZ").shape == (2, 7, 5, 6)
    with pytest.raises(VolumeError, match="axes 'zy'"):
        open_volume(data, axes="zy")


@pytest.mark.parametrize("head", ["zarr.json", "0/zarr.json"])
def test_a_pipe_in_place_of_a_head_keeps_nobody_waiting(tmp_path, head):
    store = save_volume(np.zeros((2, 8, 8), np.uint8), tmp_path / "a.zarr", spacing=1.0)
    (store / head).unlink()
    os.mkfifo(store / head)
    with pytest.raises(VolumeError, match="no plain file"):
        open_volume(store)
