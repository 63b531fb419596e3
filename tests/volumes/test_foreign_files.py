"""What other programs leave in files: axes, units, numbers, more than is shown, damage. Never silently wrong."""

from __future__ import annotations

import json
import subprocess

import h5py
import mrcfile
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image
from xarray import DataArray

from voxloop.errors import VolumeError, VolumeWarning
from voxloop.volumes import open_volume, opened_with, scales, spacing_of, spacing_sources

STACK = np.arange(5 * 16 * 20, dtype=np.uint16).reshape(5, 16, 20)


def remarks(volume) -> str:
    return " ".join(volume.attrs["remarks"])


# ------------------------------------------------------------------------------------------------------------- axes


@pytest.mark.parametrize(
    ("attributes", "shape", "sizes"),
    [
        ({"axistags": json.dumps({"axes": [{"key": k} for k in "zyxc"]})}, (8, 24, 32, 1), {"z": 8, "y": 24, "x": 32}),
        ({"axistags": json.dumps({"axes": [{"key": k} for k in "tzyxc"]})}, (1, 8, 24, 32, 2), {"c": 2, "z": 8}),
        ({"axes": "zyx"}, (12, 20, 4), {"z": 12, "y": 20, "x": 4}),
        ({"axes": "x,y,z"}, (4, 20, 12), {"z": 12, "y": 20, "x": 4}),
        ({"_ARRAY_DIMENSIONS": ["time", "row", "col"]}, (6, 20, 12), {"z": 6, "y": 20, "x": 12}),
    ],
)
@pytest.mark.parametrize("kind", ["hdf5", "zarr"])
def test_axes_that_are_stated_are_not_guessed(tmp_path, attributes, shape, sizes, kind):
    path = tmp_path / ("a.h5" if kind == "hdf5" else "a.zarr")
    if kind == "hdf5":
        with h5py.File(path, "w") as file:
            file.create_dataset("data", data=np.zeros(shape, np.uint8)).attrs.update(attributes)
    else:
        zarr.create_array(path, shape=shape, dtype="uint8", chunks=shape, attributes=attributes)
    volume = open_volume(path)
    assert {axis: volume.sizes[axis] for axis in sizes} == sizes
    assert volume.attrs["axes_from"] == "metadata"


def test_a_guess_of_axes_is_said(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((12, 20, 4), np.uint8))
    volume = open_volume(tmp_path / "a.npy")
    assert volume.attrs["axes_from"] == "assumed"
    assert "taken for colours" in remarks(volume)
    assert open_volume(tmp_path / "a.npy", axes="zyx").shape == (12, 20, 4)


def test_a_statement_that_contradicts_another_or_does_not_fit_is_said(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", data=np.zeros((3, 4, 5), np.uint8)).attrs.update(
            {"axes": "zyx", "axistags": "{bad"}
        )
        file.create_dataset("more", data=np.zeros((3, 4, 5), np.uint8)).attrs.update({"axes": "yx"})
    assert "axistags cannot be understood" in remarks(open_volume(tmp_path / "a.h5", dataset="data"))
    assert "names 2 axes" in remarks(open_volume(tmp_path / "a.h5", dataset="more"))


# ---------------------------------------------------------------------------------------------------- size and units


def test_a_file_that_states_the_plane_alone_has_no_z_size(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK, resolution=(12_500, 12_500), resolutionunit="CENTIMETER")
    volume = open_volume(tmp_path / "a.tif")
    assert spacing_sources(volume) == ("assumed", "metadata", "metadata")
    assert volume.attrs["spacing_from"] == "assumed"
    assert spacing_of(volume)[1:] == pytest.approx((0.8, 0.8))
    single = open_volume(DataArray(STACK[:1], dims=("z", "y", "x"), attrs={"spacing_um": (1, 0.8, 0.8)}))
    assert single.attrs["spacing_from"] == "metadata"
    with pytest.raises(VolumeError, match="give three"):
        open_volume(tmp_path / "a.tif", spacing=(1, 2))


OME = (
    '<?xml version="1.0"?><OME{space}><Image ID="Image:0" Name="A{name}B"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" '
    'Type="uint16" SizeX="20" SizeY="16" SizeZ="5" SizeC="1" SizeT="1" PhysicalSizeX="{size}" PhysicalSizeY="{size}" '
    'PhysicalSizeXUnit="{unit}" PhysicalSizeYUnit="{unit}"><Channel ID="Channel:0:0" SamplesPerPixel="1"/><TiffData/>'
    "</Pixels></Image></OME>"
)
SPACE = ' xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ({"name": " & "}, 0.325),  # not well formed
        ({"size": "0,325"}, 0.325),
        ({"unit": "?m"}, 0.325),
        ({"size": "325000", "unit": "pm"}, 0.325),
        ({"space": ""}, 0.325),
        ({"size": "INF"}, None),
        ({"size": "-1"}, None),
        ({"unit": "pixel"}, None),
        ({"size": "1e300"}, None),
    ],
)
def test_ome_xml_with_faults_opens_with_what_can_be_understood(tmp_path, text, size):
    xml = OME.format(**{"name": "", "space": SPACE, "size": "0.325", "unit": "µm", **text})
    tifffile.imwrite(tmp_path / "a.ome.tif", STACK, photometric="minisblack", description=xml.encode(), metadata=None)
    volume = open_volume(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(volume.values, STACK)
    if size is None:
        assert spacing_of(volume) == (1, 1, 1)
        assert "PhysicalSizeX" in remarks(volume)
    else:
        assert spacing_of(volume)[2] == pytest.approx(size)


@pytest.mark.parametrize(("unit", "um"), [("picometer", 1e-6), ("inch", 25_400), ("pixel", None), ("furlong", None)])
def test_units_of_ome_zarr_that_are_rare_or_none(tmp_path, unit, um):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.create_array("0", shape=STACK.shape, chunks=STACK.shape, dtype="uint16")
    axes = [{"name": name, "type": "space", "unit": unit} for name in "zyx"]
    scale = [{"type": "scale", "scale": [2, 0.5, 0.5]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    volume = open_volume(tmp_path / "a.zarr")
    if um is None:
        assert volume.attrs["spacing_from"] == "assumed"
        assert unit in remarks(volume)
        assert open_volume(tmp_path / "a.zarr", spacing=3).attrs["spacing_from"] == "given"
    else:
        np.testing.assert_allclose(spacing_of(volume), (2 * um, um / 2, um / 2))


@pytest.mark.parametrize(
    ("datasets", "says"),
    [
        ([{"path": str(i)} for i in range(3)], "scales 1, 2 are named but not there"),
        ([{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1]}]}], "2 numbers for 3 axes"),
        ([{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [0, -1, 2]}]}], "no size"),
        ([{"path": "0", "coordinateTransformations": [{"type": "scale"}]}], "voxel size cannot be understood"),
    ],
)
def test_faults_in_the_metadata_of_ome_zarr_leave_its_voxels_readable(tmp_path, datasets, says):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.create_array("0", data=STACK)
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    volume = open_volume(tmp_path / "a.zarr")
    np.testing.assert_array_equal(volume.values, STACK)
    assert says in remarks(volume)
    assert min(spacing_of(volume)) > 0
    assert len(scales(volume)) == 1
    with pytest.raises(VolumeError, match="scale=2"):
        open_volume(tmp_path / "a.zarr", scale=2)


def test_sizes_in_the_tags_of_electron_microscopes(tmp_path):
    fei = "[Scan]\r\nPixelWidth=4e-009\r\nPixelHeight=4e-009\r\n"
    zeiss = "0\r\n0\r\n0\r\nAP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 5.0 nm\r\n"
    for code, text, size in ((34682, fei, 0.004), (34118, zeiss, 0.005)):
        tags = [(code, 2, 0, text, True)]
        tifffile.imwrite(tmp_path / "a.tif", STACK[0], photometric="minisblack", metadata=None, extratags=tags)
        assert spacing_of(open_volume(tmp_path / "a.tif"))[2] == pytest.approx(size)


def test_coordinates_beside_a_zarr_array_and_sizes_of_cremi(tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    group.create_array("v", shape=(3, 4, 5), chunks=(3, 4, 5), dtype="u1", dimension_names=["z", "y", "x"])
    for axis, step in (("z", 2.0), ("y", 0.5), ("x", 0.5)):
        size = {"z": 3, "y": 4, "x": 5}[axis]
        group.create_array(axis, data=np.arange(size) * step, dimension_names=[axis]).attrs["units"] = "micrometer"
    assert spacing_of(open_volume(tmp_path / "a.zarr")) == pytest.approx((2, 0.5, 0.5))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("raw", data=np.zeros((3, 4, 5), "u1")).attrs["resolution"] = (40.0, 4.0, 4.0)
    assert spacing_of(open_volume(tmp_path / "a.h5")) == pytest.approx((0.04, 0.004, 0.004))


# ------------------------------------------------------------------------------------------------ what numbers mean


def test_masks_of_another_orientation_lie_on_their_image(tmp_path):
    import nibabel

    image = np.zeros((20, 24, 6), np.int16)
    image[2:8, 3:9, 1:3] = 100
    straight = np.diag([0.5, 0.5, 2.0, 1.0])
    turned = np.array([[0, -0.5, 0, 9.5], [-0.5, 0, 0, 11.5], [0, 0, 2.0, 0], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(image, straight), tmp_path / "image.nii")
    stored = image.transpose(1, 0, 2)[::-1, ::-1]
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(stored), turned), tmp_path / "mask.nii.gz")
    volume, mask = open_volume(tmp_path / "image.nii"), open_volume(tmp_path / "mask.nii.gz")
    np.testing.assert_array_equal(mask.values, volume.values)
    assert spacing_of(mask) == spacing_of(volume) == (2000, 500, 500)
    assert mask.attrs["remarks"]
    assert not any("turned" in remark for remark in volume.attrs["remarks"])


@pytest.mark.parametrize(("flags", "expected"), [(0, 200), (1, -56)])
def test_bytes_of_mrc_have_the_sign_that_imod_notes(tmp_path, flags, expected):
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(np.full((2, 3, 4), -56, np.int8))
        file.header.mapc, file.header.mapr, file.header.maps = 2, 1, 3
    raw = bytearray((tmp_path / "a.mrc").read_bytes())
    raw[152:160] = np.array([1146047817, flags], "<i4").tobytes()
    (tmp_path / "a.mrc").write_bytes(raw)
    volume = open_volume(tmp_path / "a.mrc")
    assert volume.shape == (2, 4, 3)
    assert int(volume[0, 0, 0]) == expected


def test_scale_offset_and_sign_of_netcdf_are_followed(tmp_path):
    with h5py.File(tmp_path / "a.nc", "w") as file:
        data = file.create_dataset("v", data=np.array([[0, 10], [-1, 5]], np.int8))
        data.attrs.update({"scale_factor": 0.5, "add_offset": 2.0, "_FillValue": np.int8(10)})
        file.create_dataset("u", data=np.array([[0, -1]], np.int8)).attrs["_Unsigned"] = "true"
    np.testing.assert_array_equal(open_volume(tmp_path / "a.nc", dataset="v")[0], [[2, np.nan], [1.5, 4.5]])
    assert int(open_volume(tmp_path / "a.nc", dataset="u").max()) == 255


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_upright(tmp_path, orientation):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[274] = orientation
    stored = np.random.default_rng(0).integers(0, 255, (8, 12), np.uint8)
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(open_volume(tmp_path / "a.png")[0], upright)


def test_palettes_are_places_and_gray_ones_grays(tmp_path):
    mask = Image.fromarray(np.tile(np.arange(3, dtype=np.uint8), (6, 4)))
    mask.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0] + [0] * 759)
    mask.save(tmp_path / "mask.png")
    assert np.unique(open_volume(tmp_path / "mask.png")).tolist() == [0, 1, 2]
    assert "palette" in remarks(open_volume(tmp_path / "mask.png"))
    mask.putpalette([9, 9, 9, 90, 90, 90, 200, 200, 200] + [0] * 759)
    mask.save(tmp_path / "gray.png")
    assert np.unique(open_volume(tmp_path / "gray.png")).tolist() == [9, 90, 200]


def test_a_colour_picture_with_a_blank_middle_keeps_its_colours(tmp_path):
    slide = np.full((1400, 1400, 3), 240, np.uint8)
    slide[:40, :40] = (180, 60, 120)
    Image.fromarray(slide).save(tmp_path / "slide.png")
    assert open_volume(tmp_path / "slide.png").sizes["c"] == 3
    film = np.zeros((7, 16, 20, 3), np.uint8)
    film[1:3] = (200, 30, 30)
    tifffile.imwrite(tmp_path / "film.tif", film, photometric="rgb", metadata=None)
    assert open_volume(tmp_path / "film.tif").sizes["c"] == 3


def test_frames_of_a_video_of_variable_rate_are_the_true_ones(tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    frames = np.zeros((10, 32, 48, 3), np.uint8) + (20 * np.arange(10, dtype=np.uint8) + 20)[:, None, None, None]
    rate = "setpts='if(lt(N,5),N*1,N*7-30)/10/TB'"
    command = [ffmpeg, "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "48x32", "-r", "10"]
    coded = ["-vf", rate, "-fps_mode", "vfr", "-c:v", "libx264", "-crf", "1", "-pix_fmt", "yuv444p"]
    subprocess.run([*command, "-i", "-", *coded, tmp_path / "a.mkv"], input=frames.tobytes(), check=True)
    volume = open_volume(tmp_path / "a.mkv")
    assert volume.shape[-3:] == (10, 32, 48)
    for index in (9, 0, 5, 4, 8):
        assert float(volume[..., index, :, :].mean()) == pytest.approx(20 * index + 20, abs=8)


# ------------------------------------------------------------------------------------- more in the file than is shown


def test_pictures_of_unlike_type_are_widened_and_of_unlike_kind_refused(tmp_path):
    (tmp_path / "depth").mkdir()
    Image.fromarray(np.full((6, 8), 200, np.uint8)).save(tmp_path / "depth" / "s1.png")
    Image.fromarray(np.full((6, 8), 40_000, np.uint16)).save(tmp_path / "depth" / "s2.png")
    tifffile.imwrite(tmp_path / "depth" / "s3.tif", np.full((6, 8), 0.5, np.float32))
    volume = open_volume(tmp_path / "depth")
    assert volume.dtype == np.float32
    np.testing.assert_array_equal(volume[:, 0, 0], [200, 40_000, 0.5])
    assert "uint16" in remarks(volume)
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(tmp_path / "depth" / "s4.png")
    with pytest.raises(VolumeError, match=r"s1\.png: 6 x 8, gray.*s4\.png: 6 x 8, 3 colours"):
        open_volume(tmp_path / "depth")


def test_a_folder_of_stacks_is_refused_with_the_way_out(tmp_path):
    for number in range(2):
        tifffile.imwrite(tmp_path / f"{number}.tif", STACK, photometric="minisblack")
    with pytest.raises(VolumeError, match=r"0\.tif \(5\).*add_folder"):
        open_volume(tmp_path)


def test_other_series_and_missing_planes_are_said(tmp_path):
    with tifffile.TiffWriter(tmp_path / "preview.tif") as file:
        file.write(np.zeros((10, 12), np.uint8), metadata=None)
        file.write(STACK, metadata=None, contiguous=False, photometric="minisblack")
    with pytest.warns(VolumeWarning, match=r"series 1 \(5, 16, 20\) of 2.*left out: 0 \(10, 12\)"):
        volume = open_volume(tmp_path / "preview.tif")
    np.testing.assert_array_equal(volume.values, STACK)
    assert open_volume(tmp_path / "preview.tif", dataset="0").shape == (1, 10, 12)
    with tifffile.TiffWriter(tmp_path / "appended.tif") as file:
        for plane in STACK:
            file.write(plane, compression="zlib")
    np.testing.assert_array_equal(open_volume(tmp_path / "appended.tif").values, STACK)
    xml = OME.format(name="", space=SPACE, size="1", unit="µm").replace('SizeZ="5"', 'SizeZ="8"')
    tifffile.imwrite(tmp_path / "a.ome.tif", STACK, photometric="minisblack", description=xml.encode(), metadata=None)
    with pytest.warns(VolumeWarning, match="3 of 8 planes are not in the file"):
        assert open_volume(tmp_path / "a.ome.tif").shape == (8, 16, 20)


def test_a_bad_private_tag_does_not_matter_and_a_cut_jpeg_does(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif",
        STACK,
        photometric="minisblack",
        metadata=None,
        extratags=[(65000, 4, 4, (1, 2, 3, 4), True)],
    )
    raw = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        at = file.pages[0].tags[65000].offset
    raw[at + 8 : at + 12] = (2_000_000_000).to_bytes(4, "little")
    (tmp_path / "a.tif").write_bytes(raw)
    volume = open_volume(tmp_path / "a.tif")
    np.testing.assert_array_equal(volume.values, STACK)
    assert "65000" in remarks(volume)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 300), np.uint8)).save(tmp_path / "a.jpg")
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(VolumeError, match="cut short"):
        open_volume(tmp_path / "a.jpg")


def test_what_is_left_out_of_a_pixel_is_said(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (6, 8, 4), np.uint8), "RGBA").save(tmp_path / "a.png")
    volume = open_volume(tmp_path / "a.png")
    assert volume.sizes["c"] == 3
    assert "transparency" in remarks(volume)
    channels = np.random.default_rng(0).integers(0, 255, (6, 8, 4), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", channels, photometric="minisblack", planarconfig="contig")
    assert open_volume(tmp_path / "a.tif").sizes["c"] == 4


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.txt", b"\xef\xbb\xbf\"pics\\0.png\"\n'pics\\1.png'\n"),
        ("list.json", b'\xef\xbb\xbf["pics/0.png", "pics/1.png"]'),
    ],
)
def test_lists_as_other_systems_write_them(tmp_path, name, content):
    (tmp_path / "pics").mkdir()
    for number in range(2):
        Image.fromarray(np.full((6, 8), number, np.uint8)).save(tmp_path / "pics" / f"{number}.png")
    (tmp_path / name).write_bytes(content)
    assert open_volume(tmp_path / name)[:, 0, 0].values.tolist() == [0, 1]


def test_annotations_are_called_by_their_name(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"images": [], "annotations": [], "categories": []}))
    with pytest.raises(VolumeError, match="COCO annotations, which are labels"):
        open_volume(tmp_path / "a.json")


@pytest.mark.parametrize("name", ["a#1", "50% öl", "what?", "a::b", "-dash", "[x]"])
def test_odd_names_of_folders(tmp_path, name):
    place = tmp_path / name
    zarr.create_array(place / "a.zarr", data=STACK)
    np.testing.assert_array_equal(open_volume(place / "a.zarr").values, STACK)
    np.testing.assert_array_equal(open_volume((place / "a.zarr").as_uri()).values, STACK)


def test_torch_tensors_masked_arrays_and_datasets(tmp_path):
    torch = pytest.importorskip("torch")
    assert open_volume(torch.zeros(3, 4, 5, requires_grad=True)).shape == (3, 4, 5)
    assert "masked" in remarks(open_volume(np.ma.masked_less(STACK, 9)))
    with pytest.raises(VolumeError, match="'v'"):
        open_volume(DataArray(STACK, dims=("z", "y", "x")).to_dataset(name="v"))


def test_files_behind_an_address_are_fetched_once(tmp_path, monkeypatch):
    import fsspec
    import pooch

    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache")
    tifffile.imwrite(tmp_path / "a.tif", STACK, photometric="minisblack")
    with fsspec.open("memory://files/a.tif", "wb") as file:
        file.write((tmp_path / "a.tif").read_bytes())
    volume = open_volume("memory://files/a.tif")
    np.testing.assert_array_equal(volume.values, STACK)
    assert opened_with(volume) == {"source": "memory://files/a.tif"}
    with pytest.raises(VolumeError, match="cannot be fetched"):
        open_volume("memory://files/none.tif")


def test_signed_numbers_of_imagej_are_signed_again(tmp_path):
    stored = np.array([[0, 32_768, 65_535]] * 2, np.uint16)
    metadata = {"c0": -32768.0, "c1": 1.0, "cf": 0, "vunit": "gray value"}
    tifffile.imwrite(tmp_path / "a.tif", stored, imagej=True, metadata=metadata)
    volume = open_volume(tmp_path / "a.tif")
    assert volume[0, 0].values.tolist() == [-32_768, 0, 32_767]
    assert "signed" in remarks(volume)


def test_a_picture_with_a_preview_behind_it_is_one_picture(tmp_path):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8))
    picture.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[picture.resize((6, 4))])
    assert open_volume(tmp_path / "a.jpg").shape == (3, 1, 20, 30)
    tifffile.imwrite(tmp_path / "b.png", STACK, photometric="minisblack")
    np.testing.assert_array_equal(open_volume(tmp_path / "b.png").values, STACK)


def test_bigdataviewer_says_size_and_sign_beside_its_file(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["t00000/s00/0/cells"] = np.full((3, 8, 8), -1, np.int16)
        file["t00000/s00/1/cells"] = np.full((3, 4, 4), -1, np.int16)
        file["s00/resolutions"] = [[1.0, 1, 1], [2, 2, 1]]
    size = "<voxelSize><unit>um</unit><size>0.5 0.5 2.0</size></voxelSize>"
    (tmp_path / "a.xml").write_text(f"<SpimData><ViewSetup><id>0</id>{size}</ViewSetup></SpimData>")
    volume = open_volume(tmp_path / "a.h5", dataset="t00000/s00/1/cells")
    assert spacing_of(volume) == (2, 1, 1)
    assert int(volume.max()) == 65_535
