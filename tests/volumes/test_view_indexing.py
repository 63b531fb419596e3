"""A volume is indexed as numpy is, whatever dask fuses into the key that reaches the file."""

from __future__ import annotations

import numpy as np
import pytest

from voxloop.store import Store

KEYS = [  # integers, steps, lists, nothing
    np.s_[3],
    np.s_[3, 4],
    np.s_[3, 4, 5],
    np.s_[..., 2],
    np.s_[1:5, 2],
    np.s_[::2, 1::3],
    np.s_[::-1],
    np.s_[[0, 3, 1]],
    np.s_[:, :, 3:3],
    np.s_[-1, -2:],
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_indexing_a_volume_kept_on_disk_equals_indexing_the_array(tmp_path, key):
    array = np.arange(6 * 7 * 8, dtype=np.uint16).reshape(6, 7, 8)
    with Store.create(tmp_path / "ws", image=array) as store:
        volume = store.images.open()
        assert np.array_equal(volume.data[key].compute(), array[key])
        assert np.array_equal(volume[key].to_numpy(), array[key])
