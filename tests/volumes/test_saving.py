"""Writing and reading back: voxels, spacing, scales, metadata, and nothing lost on the way."""

from __future__ import annotations

import json
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

WRITERS = (".zarr", ".tif", ".ome.tif", ".h5", ".nc", ".npy", ".mrc", ".mrcs", ".nii", ".nii.gz")
SIDES = st.sampled_from([1, 2, 3, 4, 5, 12])
#: what each format can hold, of what is tried here
DTYPES = {
    ".mrc": ("uint8", "int16", "uint16", "float32"),
    ".mrcs": ("uint8", "int16", "uint16", "float32"),
    ".nii": ("uint8", "int16", "uint32", "float32", "float64"),
    ".nii.gz": ("uint8", "int16", "uint32", "float32", "float64"),
}
CLASSES = [
    {"value": 1, "name": "background", "color": "#56b4e9"},
    {"value": 3, "name": "ER / <rough> \u00b5", "color": "#e69f00"},
]


@given(
    suffix=st.sampled_from(WRITERS),
    shape=st.tuples(SIDES, SIDES, SIDES),
    channels=st.sampled_from([None, None, 2, 3]),
    dtype=st.sampled_from(["uint8", "uint16", "uint32", "int16", "float32", "float64"]),
    z_kind=st.sampled_from(["space", "frame"]),
    kind=st.sampled_from(["image", "labels"]),
    spacing=st.tuples(*[st.floats(0.002, 50)] * 3),
)
@example(".tif", (2, 1, 1), None, "uint8", "space", "image", (1.0, 1.0, 1.0))
@example(".tif", (3, 5, 1), None, "uint32", "space", "labels", (1.0, 1.0, 1.0))
@example(".npy", (12, 12, 4), None, "uint8", "frame", "labels", (2.0, 0.5, 0.5))
@example(".zarr", (4, 5, 12), 3, "uint8", "frame", "image", (2.0, 0.5, 0.5))
@settings(max_examples=60, deadline=None)
def test_what_is_saved_and_opened_again_is_what_it_was(
    tmp_path_factory, suffix, shape, channels, dtype, z_kind, kind, spacing
):
    channels = None if suffix.startswith(".mrc") else channels
    dtype = dtype if dtype in DTYPES.get(suffix, (dtype,)) else "uint8"
    kind = "image" if dtype.startswith("float") or channels else kind
    full = shape if channels is None else (channels, *shape)
    data = np.random.default_rng(0).integers(0, 250, full).astype(dtype)
    axes = "zyx" if channels is None else "czyx"
    volume = open_volume(da.from_array(data, chunks=7), spacing=spacing, axes=axes, z_kind=z_kind)
    if kind == "labels":
        volume = volume.assign_attrs(kind="labels", classes=json.dumps(CLASSES))
    path = tmp_path_factory.mktemp("save") / f"a{suffix}"
    assert save_volume(volume, path) == path
    again = open_volume(path)
    np.testing.assert_array_equal(read_block(again), read_block(volume))
    np.testing.assert_allclose(spacing_of(again), spacing_of(volume), rtol=1e-4)
    assert again.dims == volume.dims
    assert shape[0] == 1 or again.attrs["z_kind"] == z_kind
    assert again.attrs["spacing_from"] == "metadata"
    assert suffix in (".tif",) or again.attrs["axes_from"] == "metadata"
    if not suffix.startswith(".mrc"):
        assert again.dtype == data.dtype
    if kind == "labels" and suffix not in (".mrc", ".mrcs", ".nii", ".nii.gz"):
        assert again.attrs["kind"] == "labels"
        assert json.loads(again.attrs["classes"]) == CLASSES
    assert {item.name for item in path.parent.iterdir()} <= {path.name, path.name + ".json"}


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


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("sources", ["assumed assumed assumed", "assumed metadata metadata"])
def test_a_size_that_was_assumed_is_not_written_as_if_it_were_known(tmp_path, suffix, sources):
    volume = open_volume(np.zeros((3, 8, 9), np.uint8), axes="zyx", spacing=(1, 1, 1) if " m" not in sources else 0.8)
    volume.attrs |= {"spacing_from_zyx": sources, "spacing_from": "assumed"}
    again = open_volume(save_volume(volume, tmp_path / f"a{suffix}"))
    assert again.attrs["spacing_from_zyx"] == sources
    np.testing.assert_allclose(spacing_of(again), spacing_of(volume), rtol=1e-5)


@pytest.mark.parametrize("suffix", [".zarr", ".ome.tif", ".h5", ".npy"])
def test_channel_names_origin_and_frames_survive(tmp_path, suffix):
    data = np.random.default_rng(0).integers(0, 255, (2, 5, 9, 9), dtype=np.uint8)
    volume = open_volume(data, spacing=2, z_kind="frame").isel(y=slice(3, 9)).assign_coords(c=["a", "b"])
    volume.attrs["channel_names"] = ["a", "b"]
    again = open_volume(save_volume(volume, tmp_path / f"a{suffix}"))
    assert again.attrs["channel_names"] == ["a", "b"]
    assert again.attrs["z_kind"] == "frame"
    if suffix == ".zarr":  # the others have no place for where the first voxel lies
        np.testing.assert_allclose(again.y, volume.y)


@pytest.mark.parametrize(("suffix", "axes"), [(".tif", "TYX"), (".ome.tif", "TYX")])
def test_frames_are_time_to_other_programs(tmp_path, suffix, axes):
    film = open_volume(np.zeros((5, 8, 9), np.uint8), axes="tyx")
    with tifffile.TiffFile(save_volume(film, tmp_path / f"a{suffix}")) as tif:
        assert tif.series[0].axes == axes
    group = zarr.open_group(save_volume(film, tmp_path / "a.zarr"), mode="r")
    assert [axis["type"] for axis in group.attrs["ome"]["multiscales"][0]["axes"]] == ["time", "space", "space"]


def test_labels_of_32_bits_carry_their_size_and_classes_their_colours(tmp_path):
    labels = open_volume(np.full((2, 8, 9), 70_001, np.uint32), spacing=(2, 0.5, 0.25)).assign_attrs(
        kind="labels", classes=json.dumps(CLASSES)
    )
    with tifffile.TiffFile(save_volume(labels, tmp_path / "a.tif")) as tif:
        assert tif.is_ome
        assert 'PhysicalSizeZ="2.0"' in tif.ome_metadata
    with tifffile.TiffFile(save_volume((labels - 70_000).astype(np.uint8), tmp_path / "b.tif")) as tif:
        assert tif.is_imagej
    group = zarr.open_group(save_volume(labels, tmp_path / "a.zarr"), mode="r")
    assert group.attrs["ome"]["image-label"]["colors"][1] == {"label-value": 3, "rgba": [230, 159, 0, 255]}


def test_nibabel_mrcfile_and_xarray_read_what_is_written(tmp_path):
    import mrcfile
    import nibabel
    import xarray

    data = np.arange(3 * 8 * 9, dtype=np.int16).reshape(3, 8, 9)
    volume = open_volume(data, spacing=(2, 0.5, 0.25))
    image = nibabel.load(save_volume(volume, tmp_path / "a.nii.gz"))
    np.testing.assert_array_equal(np.asarray(image.dataobj).T, data)
    assert nibabel.aff2axcodes(image.affine) == ("R", "A", "S")
    with mrcfile.open(save_volume(volume, tmp_path / "a.mrc")) as file:
        np.testing.assert_array_equal(file.data, data)
        assert float(file.voxel_size.z) == pytest.approx(20_000)
    volume.to_netcdf(tmp_path / "a.nc", engine="scipy")
    assert open_volume(tmp_path / "a.nc").attrs["spacing_um"] == pytest.approx((2, 0.5, 0.25))
    xarray.open_dataarray(tmp_path / "a.nc", engine="scipy").close()
    with pytest.raises(VolumeError, match=r"16 bits at most.*70000"):
        save_volume(np.full((1, 2, 2), 70_000, np.int32), tmp_path / "b.mrc")


def test_imagej_reads_it_as_a_stack(tmp_path):
    save_volume(open_volume(np.zeros((3, 4, 5), np.uint16), spacing=(40, 8, 9), unit="nm"), tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert tif.is_imagej
        assert tif.imagej_metadata["slices"] == 3
        assert tif.imagej_metadata["spacing"] == pytest.approx(0.04)
        assert tif.imagej_metadata["unit"] == "um"


def test_large_tiff_is_bigtiff(tmp_path, monkeypatch):
    from voxloop.volumes import tiff_writer

    monkeypatch.setattr(tiff_writer, "BIG", 1000)
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
        with pytest.raises(VolumeError, match="disk full"):
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
