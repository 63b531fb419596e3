"""Every file format: written by its own library, opened by ours, equal voxels and spacing."""

from __future__ import annotations

import json

import h5py
import imageio.v3 as iio
import mrcfile
import numpy as np
import pytest
import tifffile
import zarr

from voxloop.errors import VolumeError
from voxloop.volumes import open_volume, opened_with, read_block, spacing_of

SHAPE = (5, 12, 17)


@pytest.fixture
def stack() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, SHAPE, dtype=np.uint8)


def voxels(volume) -> np.ndarray:
    block = read_block(volume)
    return block[0] if "c" not in volume.dims else block


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}, {"bigtiff": True}])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", ">u2"])
def test_tiff_kinds_give_their_voxels(tmp_path, stack, options, dtype):
    bigtiff = {"bigtiff": options["bigtiff"]} if "bigtiff" in options else {}
    rest = {k: v for k, v in options.items() if k != "bigtiff"}
    byteorder = {"byteorder": ">"} if dtype.startswith(">") else {}
    tifffile.imwrite(tmp_path / "a.tif", stack.astype(dtype), **bigtiff, **rest, **byteorder, photometric="minisblack")
    volume = open_volume(tmp_path / "a.tif")
    assert volume.dims == ("z", "y", "x")
    assert volume.dtype == np.dtype(dtype).newbyteorder("=")
    assert volume.attrs["spacing_from"] == "assumed"
    np.testing.assert_array_equal(voxels(volume), stack)


def test_imagej_spacing_unit_and_channels(tmp_path):
    data = np.arange(3 * 2 * 6 * 7, dtype=np.uint16).reshape(3, 2, 6, 7)
    tifffile.imwrite(
        tmp_path / "a.tif",
        data,
        imagej=True,
        resolution=(1 / 0.05, 1 / 0.04),
        metadata={"axes": "ZCYX", "unit": "um", "spacing": 0.3},
    )
    volume = open_volume(tmp_path / "a.tif")
    assert volume.dims == ("c", "z", "y", "x")
    np.testing.assert_allclose(spacing_of(volume), (0.3, 0.04, 0.05), rtol=1e-5)
    np.testing.assert_array_equal(voxels(volume), data.transpose(1, 0, 2, 3))


def test_ome_tiff_spacing_in_its_unit_and_channel_names(tmp_path):
    data = np.arange(2 * 3 * 6 * 7, dtype=np.uint16).reshape(2, 3, 6, 7)
    sizes = {"PhysicalSizeX": 8, "PhysicalSizeY": 9, "PhysicalSizeZ": 40}
    units = {f"{name}Unit": "nm" for name in sizes}
    meta = {"axes": "CZYX", **sizes, **units, "Channel": {"Name": ["actin", "dapi"]}}
    tifffile.imwrite(tmp_path / "a.ome.tif", data, metadata=meta)
    volume = open_volume(tmp_path / "a.ome.tif", channels="dapi")
    assert volume.dims == ("z", "y", "x")
    np.testing.assert_allclose(spacing_of(volume), (0.04, 0.009, 0.008))
    np.testing.assert_array_equal(voxels(volume), data[1])
    with pytest.raises(VolumeError, match="did you mean 'dapi'"):
        open_volume(tmp_path / "a.ome.tif", channels="dappi")


def test_time_and_depth_need_a_timepoint(tmp_path, stack):
    data = np.stack([stack, 255 - stack])
    tifffile.imwrite(tmp_path / "a.ome.tif", data, metadata={"axes": "TZYX"})
    with pytest.raises(VolumeError, match="timepoint=0 to 1"):
        open_volume(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(voxels(open_volume(tmp_path / "a.ome.tif", timepoint=1)), 255 - stack)
    with pytest.raises(VolumeError, match="timepoint=2"):
        open_volume(tmp_path / "a.ome.tif", timepoint=2)


def test_time_without_depth_is_frames(tmp_path, stack):
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, metadata={"axes": "TYX"})
    volume = open_volume(tmp_path / "a.ome.tif")
    assert volume.attrs["z_kind"] == "frame"
    np.testing.assert_array_equal(voxels(volume), stack)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"imagej": True}])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.95])
def test_truncated_tiff_is_an_error_on_opening(tmp_path, options, share):
    data = np.random.default_rng(0).integers(0, 255, (9, 128, 128), dtype=np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, data, photometric="minisblack", **options)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(VolumeError, match=r"a\.tif") as caught:
        open_volume(path)
    assert "\n" not in str(caught.value)


def test_pyramidal_tiff_has_scales(tmp_path):
    from voxloop.volumes import scales

    data = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    with tifffile.TiffWriter(tmp_path / "p.tif") as tif:
        tif.write(data, subifds=1, tile=(16, 16), resolution=(2e4, 2e4), resolutionunit="CENTIMETER")
        tif.write(data[::2, ::2], subfiletype=1, tile=(16, 16))
    volume = open_volume(tmp_path / "p.tif")
    assert spacing_of(volume)[1:] == (0.5, 0.5)
    coarse = scales(volume)[1]
    assert coarse.shape == (1, 32, 32)
    assert spacing_of(coarse)[1:] == (1.0, 1.0)
    np.testing.assert_array_equal(voxels(coarse)[0], data[::2, ::2])


def test_hdf5_takes_the_only_dataset_and_lists_several(tmp_path, stack):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        raw = file.create_dataset("volumes/raw", data=stack, chunks=(2, 8, 8))
        raw.attrs["element_size_um"] = (0.3, 0.1, 0.2)
        file["attributes"] = np.arange(3)  # one axis: no picture
    volume = open_volume(tmp_path / "a.h5")
    assert spacing_of(volume) == (0.3, 0.1, 0.2)
    np.testing.assert_array_equal(voxels(volume), stack)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["labels"] = stack.astype(np.uint16)
    with pytest.raises(VolumeError, match=r"'labels' \(5, 12, 17\); 'volumes/raw' \(5, 12, 17\)"):
        open_volume(tmp_path / "a.h5")
    with pytest.raises(VolumeError, match="did you mean 'volumes/raw'"):
        open_volume(tmp_path / "a.h5", dataset="/volume/raw")
    np.testing.assert_array_equal(voxels(open_volume(tmp_path / "a.h5", dataset="/volumes/raw")), stack)


def test_netcdf_classic_and_dimension_scales(tmp_path, stack):
    from scipy.io import netcdf_file

    with netcdf_file(tmp_path / "a.nc", "w") as file:
        for name, size, step in zip("zyx", SHAPE, (50, 5, 5), strict=True):
            file.createDimension(name, size)
            axis = file.createVariable(name, "f4", (name,))
            axis[:] = np.arange(size) * step + 100
            axis.units = "nm"
        file.createVariable("picture", "i2", ("z", "y", "x"))[:] = stack
    volume = open_volume(tmp_path / "a.nc")
    np.testing.assert_allclose(spacing_of(volume), (0.05, 0.005, 0.005))
    assert float(volume.z[0]) == pytest.approx(0.1)
    np.testing.assert_array_equal(voxels(volume), stack)
    with h5py.File(tmp_path / "b.nc", "w") as file:
        data = file.create_dataset("picture", data=stack)
        for axis, (name, step) in enumerate(zip("zyx", (50, 5, 5), strict=True)):
            file[name] = np.arange(SHAPE[axis]) * float(step)
            file[name].attrs["units"] = "nm"
            file[name].make_scale(name)
            data.dims[axis].attach_scale(file[name])
    np.testing.assert_allclose(spacing_of(open_volume(tmp_path / "b.nc")), (0.05, 0.005, 0.005))


def test_mrc_voxel_size_is_in_angstrom(tmp_path, stack):
    with mrcfile.new(tmp_path / "a.rec", data=stack.astype(np.int16)) as file:
        file.voxel_size = (50, 60, 400)  # x, y, z
    volume = open_volume(tmp_path / "a.rec")
    np.testing.assert_allclose(spacing_of(volume), (0.04, 0.006, 0.005), rtol=1e-5)
    np.testing.assert_array_equal(voxels(volume), stack)
    (tmp_path / "a.rec").write_bytes((tmp_path / "a.rec").read_bytes()[:1500])
    with pytest.raises(VolumeError, match=r"a\.rec"):
        open_volume(tmp_path / "a.rec")


def test_numpy_files(tmp_path, stack):
    np.save(tmp_path / "a.npy", stack)
    np.testing.assert_array_equal(voxels(open_volume(tmp_path / "a.npy")), stack)
    np.savez(tmp_path / "a.npz", raw=stack, other=stack[0])
    np.testing.assert_array_equal(voxels(open_volume(tmp_path / "a.npz", dataset="raw")), stack)
    np.save(tmp_path / "o.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    with pytest.raises(VolumeError, match="Python objects"):
        open_volume(tmp_path / "o.npy")
    (tmp_path / "t.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:300])
    with pytest.raises(VolumeError, match="complete"):
        open_volume(tmp_path / "t.npy")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_axes_and_zooms(tmp_path, stack, suffix):
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image(stack.T.copy(), np.diag([0.5, 0.6, 2.0, 1.0]))
    image.header.set_xyzt_units("micron")
    nibabel.save(image, tmp_path / f"a{suffix}")
    volume = open_volume(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(spacing_of(volume), (2.0, 0.6, 0.5), rtol=1e-6)
    assert volume.dtype == np.uint8
    np.testing.assert_array_equal(voxels(volume), stack)


def test_video_frames(tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    levels = np.arange(20, 220, 2, dtype=np.uint8)
    frames = np.broadcast_to(levels[:, None, None, None], (100, 32, 48, 3))
    keys = ["-g", "30", "-bf", "2"]  # frames that others stand on, and such as stand on later ones
    iio.imwrite(tmp_path / "a.mp4", frames, plugin="FFMPEG", fps=4, output_params=keys)
    volume = open_volume(tmp_path / "a.mp4")
    assert volume.shape == (100, 32, 48)
    assert volume.attrs["z_kind"] == "frame"
    in_turn = voxels(volume)
    np.testing.assert_allclose(in_turn.mean((1, 2)), levels, atol=1.5)
    volume = open_volume(tmp_path / "a.mp4")
    for frame in (2, 95, 94, 88, 60, 59, 3, 99, 0):  # far ahead, a step back, a few more, where a new part begins
        np.testing.assert_array_equal(read_block(volume, (frame,))[0, 0], in_turn[frame])
    (tmp_path / "b.mp4").write_bytes(b"not a video")
    with pytest.raises(VolumeError, match="video"):
        open_volume(tmp_path / "b.mp4")


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "bmp"])
def test_folder_of_pictures_in_natural_order(tmp_path, stack, suffix):
    smooth = np.broadcast_to(stack[:, :1, :1], SHAPE)  # JPEG keeps flat pictures within a gray level
    for i, plane in enumerate(smooth):
        iio.imwrite(tmp_path / f"s{i + 8}.{suffix}", plane)
    (tmp_path / "notes.txt").write_text("not a picture")
    volume = open_volume(tmp_path)
    assert volume.attrs["z_kind"] == "frame"
    assert open_volume(tmp_path, z_kind="space").attrs["z_kind"] == "space"
    np.testing.assert_allclose(voxels(volume).astype(int), smooth, atol=1)


def test_lists_of_pictures(tmp_path, stack):
    names = []
    for i, plane in enumerate(stack):
        iio.imwrite(tmp_path / f"{i}.png", plane)
        names.append(f"{i}.png")
    (tmp_path / "list.txt").write_text("# reversed\n" + "\n".join(names[::-1]))
    (tmp_path / "list.json").write_text(json.dumps(names[:2]))
    np.testing.assert_array_equal(voxels(open_volume(tmp_path / "list.txt")), stack[::-1])
    np.testing.assert_array_equal(voxels(open_volume(tmp_path / "list.json")), stack[:2])
    listed = open_volume([tmp_path / name for name in names[1:3]])
    np.testing.assert_array_equal(voxels(listed), stack[1:3])
    np.testing.assert_array_equal(voxels(open_volume(**opened_with(listed))), stack[1:3])


def test_pictures_of_several_sizes_name_what_works(tmp_path, stack):
    iio.imwrite(tmp_path / "a.png", stack[0])
    iio.imwrite(tmp_path / "b.png", stack[0, :5])
    with pytest.raises(VolumeError, match=r"b\.png \(5, 17\).*add_folder"):
        open_volume(tmp_path)


@pytest.mark.parametrize("alpha", [False, True])
def test_equal_colours_become_gray_and_alpha_is_dropped(tmp_path, stack, alpha):
    gray = np.stack([stack[0]] * 3 + [np.full_like(stack[0], 255)] * alpha, axis=-1)
    iio.imwrite(tmp_path / "g.png", gray)
    volume = open_volume(tmp_path / "g.png")
    assert volume.dims == ("z", "y", "x")
    np.testing.assert_array_equal(voxels(volume)[0], stack[0])
    colour = gray.copy()
    colour[3, 4, 1] ^= 1
    iio.imwrite(tmp_path / "c.png", colour)
    volume = open_volume(tmp_path / "c.png")
    assert volume.attrs["channel_names"] == ["red", "green", "blue"]
    np.testing.assert_array_equal(voxels(volume)[:, 0], colour[..., :3].transpose(2, 0, 1))


def ome_zarr(path, data, version, factor=2, translation=True):
    group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
    datasets = []
    for level in range(2):
        step = factor**level
        group.create_array(str(level), data=np.ascontiguousarray(data[..., ::step, ::step]), chunks=(1, 2, 8, 8))
        transformations = [{"type": "scale", "scale": [1, 40, 8.0 * step, 8.0 * step]}]
        if translation:
            transformations.append({"type": "translation", "translation": [0, 0, 4.0 * (step - 1), 4.0 * (step - 1)]})
        datasets.append({"path": str(level), "coordinateTransformations": transformations})
    axes = [{"name": "c", "type": "channel"}, *({"name": a, "type": "space", "unit": "nanometer"} for a in "zyx")]
    multiscales = [{"version": version, "axes": axes, "datasets": datasets}]
    omero = {"channels": [{"label": "red"}, {"label": "far red"}]}
    group.attrs.update(
        {"ome": {"version": "0.5", "multiscales": multiscales, "omero": omero}}
        if version == "0.5"
        else {"multiscales": multiscales, "omero": omero}
    )


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("translation", [True, False])
def test_ome_zarr_versions_scales_units_and_half_voxels(tmp_path, stack, version, translation):
    from voxloop.volumes import scales

    data = np.stack([stack, 255 - stack])
    ome_zarr(tmp_path / "a.zarr", data, version, translation=translation)
    volume = open_volume(tmp_path / "a.zarr")
    np.testing.assert_allclose(spacing_of(volume), (0.04, 0.008, 0.008))
    assert volume.attrs["channel_names"] == ["red", "far red"]
    np.testing.assert_array_equal(voxels(volume), data)
    fine, coarse = scales(volume)
    assert fine is volume
    np.testing.assert_array_equal(voxels(coarse), data[..., ::2, ::2])
    np.testing.assert_allclose(spacing_of(coarse), (0.04, 0.016, 0.016))
    assert float(coarse.y[0]) == pytest.approx((float(fine.y[0]) + float(fine.y[1])) / 2)
    with pytest.raises(VolumeError, match="2 scales; scale=2"):
        open_volume(tmp_path / "a.zarr", scale=2)
    said = scales(open_volume(tmp_path / "a.zarr", spacing=(80, 10, 10), unit="nm"))
    np.testing.assert_allclose(spacing_of(said[1]), (0.08, 0.02, 0.02))


def test_ome_zarr_through_fsspec_and_series(tmp_path, stack):
    data = np.stack([stack, 255 - stack])
    root = tmp_path / "many.zarr"
    zarr.open_group(root, mode="w", zarr_format=2).attrs["bioformats2raw.layout"] = 3
    for series in range(2):
        ome_zarr(root / str(series), data + series, "0.4")
    with pytest.raises(VolumeError, match="'0', '1'"):
        open_volume(root)
    np.testing.assert_array_equal(voxels(open_volume(root, dataset="1")), data + 1)
    np.testing.assert_array_equal(voxels(open_volume(f"file://{root}/0")), data)
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.put(str(root / "0"), "/remote.zarr", recursive=True)
    np.testing.assert_array_equal(voxels(open_volume("memory://remote.zarr")), data)


@pytest.mark.parametrize("version", [2, 3])
def test_plain_zarr_array_and_group(tmp_path, stack, version):
    array = zarr.create_array(tmp_path / "a.zarr", data=stack, chunks=(2, 8, 8), zarr_format=version)
    array.attrs["element_size_um"] = [0.3, 0.1, 0.2]
    volume = open_volume(tmp_path / "a.zarr")
    assert spacing_of(volume) == (0.3, 0.1, 0.2)
    np.testing.assert_array_equal(voxels(volume), stack)
    group = zarr.open_group(tmp_path / "g.zarr", mode="w", zarr_format=version)
    group.create_array("s/raw", data=stack)
    np.testing.assert_array_equal(voxels(open_volume(tmp_path / "g.zarr")), stack)
    group.create_array("other", data=stack)
    with pytest.raises(VolumeError, match=r"'s/raw' \(5, 12, 17\)"):
        open_volume(tmp_path / "g.zarr")
    np.testing.assert_array_equal(voxels(open_volume(tmp_path / "g.zarr", dataset="s/raw")), stack)


def test_plugin_formats_come_first(tmp_path, monkeypatch, stack):
    from voxloop.volumes.formats import registry
    from voxloop.volumes.formats.contract import Contents, Format, has_suffix

    plugin = Format(
        name="raw bytes",
        suffixes=(".raw",),
        accepts=has_suffix(".raw"),
        read=lambda source: Contents(array=np.memmap(source.path, np.uint8, "r", shape=SHAPE), axes="zyx"),
    )

    class Point:
        name = "raw"

        def load(self):
            return plugin

    monkeypatch.setattr(registry, "entry_points", lambda group: [Point()] if group == "voxloop.formats" else [])
    registry.formats.cache_clear()
    stack.tofile(tmp_path / "a.raw")
    try:
        np.testing.assert_array_equal(voxels(open_volume(tmp_path / "a.raw")), stack)
    finally:
        registry.formats.cache_clear()
    monkeypatch.undo()
    with pytest.raises(VolumeError, match=r"a\.raw is of no kind.*OME-Zarr"):
        open_volume(tmp_path / "a.raw")
