"""A time series of volumes goes out as one file, with the labels of every time point, and comes back as it was."""

from __future__ import annotations

import json

import numpy as np
import pytest
import zarr

from voxloop import VoxloopError, Workspace, open_volume
from voxloop.errors import VolumeError
from voxloop.volumes import spacing_of
from voxloop.volumes.series import save_series

TIMES, SHAPE = 3, (5, 40, 50)


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    folder = tmp_path_factory.mktemp("time")
    data = np.random.default_rng(0).integers(0, 65_000, (TIMES, 2, *SHAPE), np.uint16)
    volumes = [open_volume(one, spacing=(0.3, 0.1, 0.1), axes="czyx").assign_coords(c=["a", "b"]) for one in data]
    for one in volumes:
        one.attrs["channel_names"] = ["a", "b"]
    save_series(volumes, folder / "in.zarr")
    with Workspace.create(folder / "ws", classes=["background", "cell"]) as opened:
        opened.images.add_times("cells", folder / "in.zarr")
        for time, name in enumerate(opened.images.names):
            labels = np.zeros(SHAPE, np.uint8)
            labels[time : time + 2, 3:9, 2 * time : 20] = 2
            labels[4] = 1
            opened.labels(image=name).write(None, labels)
        yield opened


@pytest.mark.parametrize("suffix", [".zarr", ".ome.tif", ".tif"])
def test_pictures_and_labels_of_all_time_points_come_back(ws, tmp_path, suffix):
    pictures = ws.export("cells", tmp_path / f"p{suffix}")
    masks = [ws.export("labels", tmp_path / f"m{suffix}", image="cells")]
    if suffix == ".zarr":
        from ome_zarr_models.v05 import Image, Labels

        Image.from_zarr(zarr.open_group(pictures, mode="r"))
        Labels.from_zarr(zarr.open_group(pictures / "labels", mode="r"))
        masks.append(pictures / "labels/labels")
    for time, name in enumerate(ws.images.names):
        picture = open_volume(pictures, timepoint=time)
        np.testing.assert_array_equal(picture.values, ws.images.open(name).values)
        np.testing.assert_allclose(spacing_of(picture), (0.3, 0.1, 0.1))
        assert picture.attrs["timepoints"] == TIMES
        if suffix != ".tif":  # ImageJ has no place for the names of channels
            assert picture.attrs["channel_names"] == ["a", "b"]
        for mask in masks:
            labels = open_volume(mask, timepoint=time)
            np.testing.assert_array_equal(labels.values, ws.labels(image=name).read())
            assert [one["name"] for one in json.loads(labels.attrs["classes"])] == ["background", "cell"]


def test_one_image_goes_out_with_its_labels_and_what_is_not_alike_is_refused(ws, tmp_path):
    alone = ws.export("cells t1", tmp_path / "a.zarr")
    np.testing.assert_array_equal(open_volume(alone).values, ws.images.open("cells t1").values)
    np.testing.assert_array_equal(open_volume(alone / "labels/labels").values, ws.labels(image="cells t1").read())
    with pytest.raises(VolumeError, match="exists"):
        ws.export("cells", alone)
    with pytest.raises(VoxloopError, match="an axis of time"):
        ws.export("cells", tmp_path / "a.npy")
    first = open_volume(np.zeros(SHAPE, np.uint8), spacing=1.0)
    for other, words in [
        (first.isel(z=slice(3)), "time point 1 has"),
        (first.assign_coords(z=first.z * 2), "another size"),
    ]:
        with pytest.raises(VolumeError, match=words):
            save_series([first, other], tmp_path / "b.zarr")
    assert [one.name for one in tmp_path.iterdir()] == ["a.zarr"]
