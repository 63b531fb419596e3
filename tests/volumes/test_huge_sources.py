"""A piece of a source of 10^12 voxels: neither its blocks are listed nor its pages kept, whatever kind it is."""

from __future__ import annotations

import pickle  # noqa: TID251

import dask.array as da
import numpy as np
import psutil
import pytest
import zarr
from dask.blockwise import Blockwise

from voxloop.volumes import open_volume, read_block

SIDE = 10_000
PIECE = (slice(5000, 5010), slice(64, 200), slice(9990, 10_000))


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    array = zarr.create_array(
        store=str(tmp_path_factory.mktemp("huge") / "a.zarr"),
        shape=(SIDE,) * 3,
        chunks=(64, 128, 128),
        dtype="uint8",
        fill_value=90,
    )
    array[PIECE] = np.arange(10 * 136 * 10, dtype=np.uint8).reshape(10, 136, 10)
    return array


@pytest.mark.parametrize("lazy", ["opened", "from_zarr", "from_array", "computed with"])
def test_of_a_million_blocks_only_those_wanted_are_listed(stored, monkeypatch, lazy):
    chunks = (64, 128, 128)
    source = {
        "opened": lambda: str(stored.store.root),
        "from_zarr": lambda: da.from_zarr(str(stored.store.root)),
        "from_array": lambda: da.from_array(stored, chunks=chunks),
        "computed with": lambda: da.from_array(stored, chunks=chunks).astype(np.float32) * 2 / 2,
    }[lazy]()
    listed = []
    original = Blockwise.get_output_keys
    monkeypatch.setattr(Blockwise, "get_output_keys", lambda self: listed.append(len(self)) or original(self))
    volume = open_volume(source)
    np.testing.assert_array_equal(read_block(volume, PIECE)[0], stored[PIECE])
    np.testing.assert_array_equal(volume[PIECE].values, stored[PIECE])
    assert max(listed, default=0) < 1000


def test_pages_of_a_mapped_file_are_handed_back(tmp_path):
    data = np.lib.format.open_memmap(tmp_path / "a.npy", mode="w+", dtype=np.uint8, shape=(100, 200, 16_000))
    data[:, :, 8000:8004] = 7
    data.flush()
    del data
    volume = open_volume(tmp_path / "a.npy")
    before = psutil.Process().memory_info().rss
    found = read_block(volume, (slice(0, 100), slice(0, 200), slice(8000, 8008)))[0]
    assert psutil.Process().memory_info().rss - before < 60e6, "a third of a gigabyte was touched"
    assert found.sum() == 100 * 200 * 4 * 7
    again = pickle.loads(pickle.dumps(volume))  # another process maps the file for itself
    np.testing.assert_array_equal(again[5, 100:102, 7998:8006].values, found[5, 100:102][:, [7, 7, 0, 1, 2, 3, 4, 5]])
