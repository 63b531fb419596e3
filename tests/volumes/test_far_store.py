"""Pictures behind an address: how often it is asked, what is kept, and what happens when it fails."""

from __future__ import annotations

import numpy as np
import pytest
import zarr
from tests.web_store import WebStore

from voxloop.errors import AwayError, VolumeError
from voxloop.volumes import far_store, open_volume, save_volume, scales

STACK = np.random.default_rng(0).integers(0, 255, (8, 1200, 1200), np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("far")
    save_volume(open_volume(STACK, spacing=(0.04, 0.01, 0.01)), folder / "new.ome.zarr", chunks=(8, 600, 600))
    old = zarr.open_group(folder / "old.zarr", mode="w", zarr_format=2)
    old.create_array("0", data=STACK[:, :64, :64], chunks=(4, 64, 64))
    old.create_array("1", data=STACK[:, :64:2, :64:2], chunks=(4, 32, 32))
    steps = [
        {"path": str(i), "coordinateTransformations": [{"type": "scale", "scale": [1, 2**i, 2**i]}]} for i in (0, 1)
    ]
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    old.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": steps}]
    zarr.create_array(folder / "sharded.zarr", data=STACK[:, :64, :64], shards=(8, 64, 64), chunks=(4, 32, 32))
    return folder


@pytest.fixture(autouse=True)
def by_itself(tmp_path, monkeypatch):
    """Nothing known of any address; no long waits."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(far_store, "PAUSES_S", (0.01, 0.01, 0.01))
    monkeypatch.setattr(far_store, "_KNOWN", {})


def as_another_process():
    far_store._KNOWN.clear()


def test_opening_asks_once_for_each_head_and_reading_once_for_each_chunk(folder):
    with WebStore(folder) as web:
        volume = open_volume(f"{web.url}/new.ome.zarr")
        assert web.count() == 1 + volume.attrs["scale_count"]
        assert len(scales(volume)) == volume.attrs["scale_count"] > 1
        assert web.count() == 0
        np.testing.assert_array_equal(volume[:, :600, :600].values, STACK[:, :600, :600])
        assert [asked[0] for asked in web.asked] == ["HEAD", "GET"]
        web.count()
        np.testing.assert_array_equal(volume[3, :90].values, STACK[3, :90])
        assert web.count() == 1  # the right half
        as_another_process()
        again = open_volume(f"{web.url}/new.ome.zarr")
        np.testing.assert_array_equal(again[:, :600].values, STACK[:, :600])
        assert not any("/c/" in path for _, path, _ in web.asked)
        web.count()
        old = open_volume(f"{web.url}/old.zarr")
        assert web.count() <= 5 + 3 * 2
        np.testing.assert_array_equal(old.isel(x=slice(9, 30)).isel(z=3).values, STACK[3, :64, 9:30])
        assert sum("/0/" in path for _, path, status in web.asked if status == 200) == 1  # and no other of its block
        np.testing.assert_array_equal(old.values, STACK[:, :64, :64])
        with pytest.raises(VolumeError, match="nothing is there: neither"):
            open_volume(f"{web.url}/nowhere")


def test_parts_of_shards_are_asked_for_by_their_range(folder):
    with WebStore(folder) as web:
        volume = open_volume(f"{web.url}/sharded.zarr")
        np.testing.assert_array_equal(volume[1, 40:50, 40:50].values, STACK[1, 40:50, 40:50])
        assert 206 in {status for _, _, status in web.asked}


def test_answers_that_fail_are_asked_for_again(folder):
    with WebStore(folder, fails=lambda number: number % 3 == 0) as web:
        np.testing.assert_array_equal(open_volume(f"{web.url}/new.ome.zarr").values, STACK)


def test_a_server_that_dies_midway_and_comes_back(folder):
    with WebStore(folder) as web:
        volume = open_volume(f"{web.url}/old.zarr")
        volume[:4].values  # noqa: B018
    np.testing.assert_array_equal(volume[:4].values, STACK[:4, :64, :64])
    with pytest.raises(AwayError, match=r"does not give the picture now \(.*; asked 4 times .*\)\. Labels lie here"):
        volume[4:].values  # noqa: B018
    with WebStore(folder, port=web.port):
        np.testing.assert_array_equal(volume.values, STACK[:, :64, :64])


def test_a_picture_that_is_written_anew_is_read_anew(tmp_path):
    def write(value):
        zarr.create_array(tmp_path / "a.zarr", data=np.full((4, 8, 8), value, np.uint8), overwrite=True)

    write(1)
    with WebStore(tmp_path) as web:
        assert open_volume(f"{web.url}/a.zarr").values.max() == 1
        write(2)
        as_another_process()
        assert open_volume(f"{web.url}/a.zarr").values.max() == 2


@pytest.mark.parametrize(("limit", "kept"), [("0", 0), ("0.5", 1), ("", 4)])
def test_chunks_on_disk_have_a_limit(folder, tmp_path, monkeypatch, limit, kept):
    monkeypatch.setenv("VOXLOOP_REMOTE_MB", limit)
    monkeypatch.setattr(far_store, "_LOOK_AFTER", 1)
    with WebStore(folder) as web:
        np.testing.assert_array_equal(open_volume(f"{web.url}/new.ome.zarr").values, STACK)
    files = list((tmp_path / "cache").rglob("remote-chunks/*/*"))
    assert len(files) == kept if not limit else len(files) <= kept
