"""Writing and reading back: voxels, spacing, scales, metadata, and nothing lost on the way."""

from __future__ import annotations

import tracemalloc

import dask.array as da
import h5py
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from voxloop.errors import VolumeError
from voxloop.volumes import open_volume, read_block, save_volume, scales, spacing_of
from voxloop.volumes.downsample import downsample


@given(
    shape=st.one_of(st.tuples(*[st.integers(1, 20)] * 3), st.tuples(st.integers(2, 3), *[st.integers(5, 12)] * 3)),
    dtype=st.sampled_from(["uint8", "uint16", "float32", "int32", "float64"]),
    suffix=st.sampled_from([".zarr", ".tif", ".ome.tif"]),
    spacing=st.tuples(*[st.floats(0.002, 50)] * 3),
)
@example(shape=(2, 1, 1), dtype="uint8", suffix=".tif", spacing=(1.0, 1.0, 1.0))
@example(shape=(3, 5, 1), dtype="int32", suffix=".tif", spacing=(1.0, 1.0, 1.0))
@settings(max_examples=50, deadline=None)
def test_round_trip(tmp_path_factory, shape, dtype, suffix, spacing):
    data = np.random.default_rng(0).integers(0, 250, shape).astype(dtype)
    volume = open_volume(da.from_array(data, chunks=7), spacing=spacing, channels=None)
    path = tmp_path_factory.mktemp("save") / f"a{suffix}"
    assert save_volume(volume, path) == path
    again = open_volume(path)
    assert again.dtype == data.dtype
    np.testing.assert_array_equal(read_block(again), read_block(volume))
    np.testing.assert_allclose(spacing_of(again), spacing_of(volume), rtol=1e-4)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_zarr_is_valid_multiscale_and_labels_keep_their_values(tmp_path):
    from ome_zarr_models.v05 import Image

    labels = np.random.default_rng(0).choice([0, 3, 200], (20, 600, 300)).astype(np.uint8)
    volume = open_volume(labels, spacing=(0.04, 0.01, 0.01))
    save_volume(volume, tmp_path / "a.zarr", kind="labels")
    Image.from_zarr(zarr.open_group(tmp_path / "a.zarr", mode="r"))
    again = open_volume(tmp_path / "a.zarr")
    assert again.attrs["kind"] == "labels"
    assert again.attrs["scale_count"] == 3
    fine, coarse, coarsest = scales(again)
    np.testing.assert_array_equal(read_block(coarse)[0], downsample(labels, (1, 2, 2), "mode"))
    np.testing.assert_allclose(spacing_of(coarsest), (0.04, 0.04, 0.04))
    assert float(coarse.y[0]) == pytest.approx(float(fine.y[:2].mean()))


def test_channel_names_origin_and_frames_survive(tmp_path):
    data = np.random.default_rng(0).integers(0, 255, (2, 5, 9, 9), dtype=np.uint8)
    volume = open_volume(data, spacing=2, z_kind="frame").isel(y=slice(3, 9)).assign_coords(c=["a", "b"])
    volume.attrs["channel_names"] = ["a", "b"]
    again = open_volume(save_volume(volume, tmp_path / "a.zarr"))
    assert again.attrs["channel_names"] == ["a", "b"]
    assert again.attrs["z_kind"] == "frame"
    np.testing.assert_allclose(again.y, volume.y)


def test_imagej_reads_it_as_a_stack(tmp_path):
    save_volume(open_volume(np.zeros((3, 4, 5), np.uint16), spacing=(40, 8, 9), unit="nm"), tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert tif.is_imagej
        assert tif.imagej_metadata["slices"] == 3
        assert tif.imagej_metadata["spacing"] == pytest.approx(0.04)
        assert tif.imagej_metadata["unit"] == "um"


def test_large_tiff_is_bigtiff(tmp_path, monkeypatch):
    from voxloop.volumes import saving

    monkeypatch.setattr(saving, "BIG", 1000)
    data = np.random.default_rng(0).integers(0, 255, (5, 20, 20), dtype=np.uint8)
    save_volume(data, tmp_path / "a.tif", spacing=(3, 1, 2))
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert tif.is_bigtiff
    again = open_volume(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_block(again)[0], data)
    np.testing.assert_allclose(spacing_of(again), (3, 1, 2))


def test_nothing_is_overwritten_or_half_written(tmp_path):
    data = np.zeros((2, 8, 8), np.uint8)
    save_volume(data, tmp_path / "a.zarr")
    with pytest.raises(VolumeError, match="overwrite=True"):
        save_volume(data + 1, tmp_path / "a.zarr")

    def burst(block):
        raise OSError("disk full")

    broken = da.from_array(data, chunks=(1, 8, 8)).map_blocks(burst, dtype=np.uint8, meta=np.empty((0, 0, 0), np.uint8))
    for suffix in ("zarr", "tif"):
        with pytest.raises(OSError, match="disk full"):
            save_volume(broken, tmp_path / f"a.{suffix}", overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]
    assert not read_block(open_volume(tmp_path / "a.zarr")).any()
    save_volume(data + 1, tmp_path / "a.zarr", overwrite=True)
    assert read_block(open_volume(tmp_path / "a.zarr")).all()


@pytest.mark.parametrize("channels", [None, 2])
def test_hdf5_reads_back(tmp_path, channels):
    rng = np.random.default_rng(0)
    shape = (5, 40, 300) if channels is None else (channels, 5, 40, 300)
    array = rng.integers(0, 9, shape, dtype=np.uint16)
    array[..., :2, :, :] = 0
    volume = open_volume(array, spacing=(0.3, 0.1, 0.1), axes="zyx" if channels is None else "czyx")
    path = save_volume(volume, tmp_path / "a.h5", kind="labels" if channels is None else "image", chunks=(2, 32, 64))
    with h5py.File(path) as file:
        data = file["labels" if channels is None else "volume"]
        assert data.compression == "gzip"
        assert data.attrs["axes"] == ("zyx" if channels is None else "czyx")
    back = open_volume(path)
    np.testing.assert_array_equal(back.values, array)
    assert back.dtype == array.dtype
    assert back.attrs["spacing_um"] == pytest.approx((0.3, 0.1, 0.1))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"path": "a.png"}, "must end in"), ({"kind": "masks"}, "neither"), ({"kind": "labels"}, "whole numbers")],
)
def test_bad_requests(tmp_path, options, message):
    path = tmp_path / options.pop("path", "a.zarr")
    with pytest.raises(VolumeError, match=message):
        save_volume(np.zeros((2, 3, 4)), path, **options)


@pytest.mark.parametrize("suffix", ["zarr", "tif", "h5"])
def test_memory_does_not_grow_with_the_volume(tmp_path, monkeypatch, suffix):
    from voxloop.volumes import chunks

    monkeypatch.setattr(chunks, "TARGET", 2**20)
    monkeypatch.setattr(chunks, "LIMIT", 2**21)

    def peak(depth):
        lazy = da.zeros((depth, 256, 256), dtype=np.uint8, chunks=(8, 256, 256))
        tracemalloc.start()
        save_volume(lazy, tmp_path / f"{depth}.{suffix}")
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(8)  # imports
    small, large = peak(512), peak(1024)  # 32 and 64 MB
    assert large < 1.2 * small + 2e6
