"""What is written, read by the libraries of others: voxels, axes, size, names; valid by the formats' own rules."""

from __future__ import annotations

import json

import numpy as np
import pytest
import zarr

from voxloop.store import Store
from voxloop.volumes import open_volume, save_volume

STACK = np.random.default_rng(0).integers(0, 200, (5, 40, 30)).astype(np.uint16)
SIZE_UM = (0.04, 0.008, 0.006)


def volume(kind: str):
    """A stack, channels, a film, or labels with classes."""
    if kind == "channels":
        made = open_volume(np.stack([STACK, STACK + 7]), spacing=SIZE_UM, axes="czyx")
        made.attrs["channel_names"] = ["DAPI", "GFP"]
        return made.assign_coords(c=["DAPI", "GFP"])
    if kind == "film":
        return open_volume(STACK, spacing=SIZE_UM, axes="tyx")
    if kind == "labels":
        classes = [{"value": 1, "name": "cell µ", "color": "#e69f00"}]
        made = open_volume((STACK % 2).astype(np.uint32), spacing=SIZE_UM)
        return made.assign_attrs(kind="labels", classes=json.dumps(classes))
    return open_volume(STACK, spacing=SIZE_UM)


KINDS = ("stack", "channels", "film", "labels")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", [".ome.tif", ".zarr"])
def test_bioio_reads_it(tmp_path, kind, suffix):
    bioio = pytest.importorskip("bioio")
    reader = pytest.importorskip("bioio_ome_tiff" if suffix == ".ome.tif" else "bioio_ome_zarr").Reader
    made = volume(kind)
    image = bioio.BioImage(str(save_volume(made, tmp_path / f"a{suffix}")), reader=reader)
    expected = made.to_numpy()
    if kind == "film":
        expected = expected[:, None, None]
    elif kind == "channels":
        expected = expected[None]
    else:
        expected = expected[None, None]
    assert image.dims.order == "TCZYX"
    np.testing.assert_array_equal(image.data, expected)
    sizes = image.physical_pixel_sizes
    np.testing.assert_allclose((sizes.Y, sizes.X), SIZE_UM[1:])
    if kind != "film":
        np.testing.assert_allclose(sizes.Z, SIZE_UM[0])
    if kind == "channels":
        assert list(image.channel_names) == ["DAPI", "GFP"]


@pytest.mark.parametrize("kind", KINDS)
def test_ome_xml_is_valid(tmp_path, kind):
    ome_types = pytest.importorskip("ome_types")
    path = save_volume(volume(kind), tmp_path / "a.ome.tif")
    pixels = ome_types.from_tiff(path).images[0].pixels
    sizes = (pixels.size_t, pixels.size_c, pixels.size_z, pixels.size_y, pixels.size_x)
    assert sizes == {"film": (5, 1, 1, 40, 30), "channels": (1, 2, 5, 40, 30)}.get(kind, (1, 1, 5, 40, 30))
    assert pixels.physical_size_x_quantity.to("nm").magnitude == pytest.approx(6)


@pytest.mark.parametrize("kind", KINDS)
def test_ome_zarr_is_valid(tmp_path, kind):
    from ome_zarr_models.v05 import Image

    group = zarr.open_group(save_volume(volume(kind), tmp_path / "a.zarr"), mode="r")
    Image.from_zarr(group)


def test_labels_of_a_workspace_are_valid(tmp_path):
    from ome_zarr_models.v05 import Image
    from ome_zarr_models.v05.image_label import ImageLabel

    with Store.create(tmp_path / "ws", image=volume("stack"), classes=["a", "b"]) as store:
        labels = store.labels()
        labels.paint(axis="z", index=1, points=[(5, 5)], radius=3, value=1)
        place = labels.path
    group = zarr.open_group(place, mode="r")
    Image.from_zarr(group)
    ImageLabel.from_zarr(group)


@pytest.mark.parametrize("kind", KINDS)
def test_xarray_reads_netcdf(tmp_path, kind):
    pytest.importorskip("h5netcdf")
    import xarray as xr

    made = volume(kind)
    name = "labels" if kind == "labels" else "volume"
    with xr.open_dataset(save_volume(made, tmp_path / "a.nc"), engine="h5netcdf") as opened:
        np.testing.assert_array_equal(opened[name].to_numpy(), made.to_numpy())
        assert opened["x"].attrs["units"] == "micrometer"
        np.testing.assert_allclose(opened["x"], made["x"])


def test_xarray_writes_volumes_as_netcdf(tmp_path):
    pytest.importorskip("h5netcdf")
    made = volume("channels")
    made.attrs["remarks"].append("5 µm are assumed")
    made.to_netcdf(tmp_path / "a.nc")
    again = open_volume(tmp_path / "a.nc")
    np.testing.assert_array_equal(again.to_numpy(), made.to_numpy())
    assert again.attrs["channel_names"] == ["DAPI", "GFP"]


@pytest.mark.parametrize("kind", ["stack", "labels"])
def test_itk_reads_nifti_and_nrrd_says_the_same(tmp_path, kind):
    itk = pytest.importorskip("SimpleITK")
    pytest.importorskip("nibabel")
    made = volume(kind)
    image = itk.ReadImage(str(save_volume(made, tmp_path / "a.nii.gz")))
    np.testing.assert_array_equal(itk.GetArrayFromImage(image), made.to_numpy())
    assert image.GetSpacing() == pytest.approx([size / 1000 for size in SIZE_UM[::-1]])
