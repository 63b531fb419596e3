"""Planes of volumes at every scale: the right voxels, within the budget, read once."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxloop.panels.view.planes import GROUP, TileCache, VolumePlanes
from voxloop.volumes.view import dask_over
from voxloop.volumes.volume import make_volume


class Watched:
    """An array that notes every block it is asked for."""

    def __init__(self, array: np.ndarray, chunks: tuple[int, ...]) -> None:
        self.array, self.chunks = array, chunks
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim
        self.reads: list[tuple[slice, ...]] = []

    def __getitem__(self, key):
        self.reads.append(key)
        return self.array[key]


def watched(array: np.ndarray, chunks: tuple[int, ...]):
    source = Watched(array, chunks)
    return source, VolumePlanes([make_volume(dask_over(source, (4, 256, 256)))])


@pytest.fixture(scope="module")
def array():
    return np.random.default_rng(0).integers(0, 60000, (11, 700, 900)).astype(np.uint16)


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_a_plane_is_what_slicing_gives(array, data):
    planes = VolumePlanes([make_volume(da.from_array(array, chunks=(4, 256, 300)))], budget=2**20)
    axis = data.draw(st.sampled_from("zyx"))
    at = "zyx".index(axis)
    shape = [size for i, size in enumerate(array.shape) if i != at]
    index = data.draw(st.integers(0, array.shape[at] - 1))
    top, left = (data.draw(st.integers(0, size - 1)) for size in shape)
    bottom, right = data.draw(st.integers(top + 1, shape[0])), data.draw(st.integers(left + 1, shape[1]))
    expected = np.take(array, index, axis=at)[top:bottom, left:right]
    assert np.array_equal(planes.read(axis, index, (top, left, bottom, right))[0], expected)


def test_planes_of_one_chunk_are_read_together_and_once(array):
    source, planes = watched(array, (16, 64, 64))
    for index in (0, 3, GROUP - 1):
        planes.read("z", index, (0, 0, 400, 400))
    assert len(source.reads) == 1


def scaled(shape: tuple[int, int, int], spacing: tuple[float, float, float], factor: int):
    origin = tuple((n - 1) / 2 * s for n, s in zip((1, factor, factor), spacing, strict=True))
    coarse = (spacing[0], spacing[1] * factor, spacing[2] * factor)
    size = (shape[0], shape[1] // factor, shape[2] // factor)
    return make_volume(da.zeros(size, chunks=256, dtype="u1"), spacing_um=coarse, origin_um=origin)


def test_scales_agree_on_physical_places():
    spacing = (0.03, 0.008, 0.008)
    planes = VolumePlanes([scaled((20, 2048, 1024), spacing, factor) for factor in (1, 2, 4)])
    for scale, factor in enumerate((1, 2, 4)):
        for axis, factors in (("z", (factor, factor)), ("y", (1, factor)), ("x", (1, factor))):
            geometry = planes.geometry(axis, scale)
            assert geometry.factor[:2] == pytest.approx(factors)
            assert geometry.offset == pytest.approx((0, 0, 0), abs=1e-6)
            assert geometry.outer((0, 0, *geometry.shape)) == pytest.approx((0, 0, *planes.geometry(axis).shape))
    assert planes.geometry("y", 1).plane_of(5) == 2


def test_the_scale_follows_the_screen_never_coarser_than_a_pixel():
    planes = VolumePlanes([scaled((20, 2048, 2048), (0.03, 0.008, 0.008), factor) for factor in (1, 2, 4)])
    assert [planes.scale_for("z", pixel * 0.008) for pixel in (0.2, 1, 1.9, 2, 3.9, 4, 50)] == [0, 0, 0, 1, 1, 2, 2]
    # across a plane with coarse z, the fine axis decides
    assert planes.scale_for("y", 2 * 0.008) == 1


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 400)), max_size=60))
def test_the_cache_keeps_its_budget_and_its_count(puts):
    cache = TileCache(1000)
    for key, size in puts:
        cache.put((key,), np.zeros(size, np.uint8))
        assert cache.size == sum(array.nbytes for array in cache._arrays.values()) <= 1000
        assert (key,) in cache
