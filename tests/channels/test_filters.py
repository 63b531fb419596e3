"""Every filter says of any box what it says of the whole, and agrees with the libraries that know it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi

from voxloop.channels import FILTERS, ChannelChain, ChannelRecipe
from voxloop.geometry import Box
from voxloop.volumes import open_volume

SHAPE = (13, 34, 29)
SPACING = (0.05, 0.02, 0.02)
#: settings that keep a reach within a block of a few voxels
SMALL = {
    "total_variation": {"iterations": 4},
    "non_local_means": {"patch": 3, "distance": 2},
    "scale_space": {"last_um": 0.06},
    "wavelet": {"band": 2},
    "threshold": {"low": 90.0, "high": 160.0},
    "distance": {"low": 110.0, "up_to_um": 0.12},
    "clahe": {"tiles": 3},
    "gabor": {"wavelength_um": 0.08},
    "structure": {"which": "smallest"},
    "hessian": {"which": "middle"},
}


@pytest.fixture(scope="module")
def volume():
    rng = np.random.default_rng(0)
    array = ndi.gaussian_filter(rng.normal(size=SHAPE), 1.2)
    return open_volume((array / array.std() * 40 + 120).clip(0, 255).astype(np.uint8), axes="zyx", spacing=SPACING)


def chain_of(volume, name, **more):
    other = 0 if FILTERS[name].sources == 2 else None
    first = ChannelRecipe(name="smooth", filter="gaussian", settings={"sigma_um": 0.02})
    last = ChannelRecipe(name="last", filter=name, source="smooth", other=other, settings=SMALL.get(name, {}) | more)
    return ChannelChain(volume, [last, first])


@pytest.mark.parametrize("dimensions", ["2d", "3d"])
@pytest.mark.parametrize("name", FILTERS)
def test_a_box_says_what_the_whole_says(volume, name, dimensions):
    if dimensions == "3d" and name in ("gabor", "clahe"):
        dimensions = "2d"
    chain = chain_of(volume, name, dimensions=dimensions)
    whole = chain.read("last", Box.whole(SHAPE))
    assert whole.shape == SHAPE
    assert whole.dtype == np.float32
    assert whole.std() > 0
    scale = np.abs(whole).max()
    for box in (Box((0, 0, 0), (3, 9, 7)), Box((5, 11, 8), (7, 20, 21)), Box((10, 30, 20), (13, 34, 29))):
        np.testing.assert_allclose(chain.read("last", box), whole[box.slices], atol=2e-5 * scale)


@settings(max_examples=25)
@given(data=st.data())
def test_chains_of_chains_agree_on_any_box(volume, data):
    recipes = [
        ChannelRecipe(name="a", filter="gaussian", settings={"sigma_um": 0.03}),
        ChannelRecipe(name="b", filter="open", source="a"),
        ChannelRecipe(name="c", filter="difference", source="a", other="b"),
        ChannelRecipe(name="d", filter="gradient", source="c", low=0.1, high=5.0),
    ]
    chain = ChannelChain(volume, data.draw(st.permutations(recipes)))
    starts = [data.draw(st.integers(0, size - 1)) for size in SHAPE]
    stops = [data.draw(st.integers(start + 1, size)) for start, size in zip(starts, SHAPE, strict=True)]
    box = Box(tuple(starts), tuple(stops))
    whole = chain.read("d", Box.whole(SHAPE))
    np.testing.assert_allclose(chain.read("d", box), whole[box.slices], atol=1e-4)


def test_filters_agree_with_the_libraries(volume):
    array = np.asarray(volume).astype(np.float64)
    sigma = [0.04 / step for step in SPACING]

    def made(name, **settings):
        recipe = ChannelRecipe(name="one", filter=name, settings=settings)
        return ChannelChain(volume, [recipe]).read("one", Box.whole(SHAPE))

    smooth = ndi.gaussian_filter(array, sigma, truncate=6)
    assert np.abs(made("gaussian", sigma_um=0.04) - smooth).max() < 0.02 * array.std()
    laplacian = sum(
        s**2 * ndi.gaussian_filter(array, sigma, order=2 * np.eye(3, dtype=int)[i], truncate=6)
        for i, s in enumerate(sigma)
    )
    assert np.corrcoef(made("log", sigma_um=0.04).ravel(), laplacian.ravel())[0, 1] > 0.999
    np.testing.assert_allclose(
        made("local_mean", radius_um=0.04), ndi.uniform_filter(array, (3, 5, 5), mode="reflect"), atol=1e-3
    )
    disc = ndi.generate_binary_structure(2, 1)[None]
    np.testing.assert_array_equal(
        made("erode", radius_um=0.02, dimensions="2d"), ndi.grey_erosion(array, footprint=disc)
    )
    inside = array >= 120
    away = ndi.distance_transform_edt(inside, sampling=SPACING)
    np.testing.assert_allclose(
        made("distance", low=120.0, side="inside", up_to_um=0.1), np.minimum(away, 0.1), atol=1e-6
    )
    mean, deviation = array.mean(), array.std()
    np.testing.assert_allclose(made("zscore"), (array - mean) / deviation, atol=0.1)


def test_stripes_and_tubes_are_found_where_they_are():
    _, y, x = np.mgrid[:3, :64, :64]
    picture = np.where(x < 32, np.sin(2 * np.pi * y / 8), 0.0)
    volume = open_volume(picture.astype(np.float32), axes="zyx", spacing=(1, 1, 1))
    found = ChannelChain(volume, [ChannelRecipe(name="g", filter="gabor")]).read("g", Box.whole(picture.shape))
    assert found[:, 16:48, 8:24].min() > 20 * found[:, :, 48:].max()
    tube = np.exp(-((y - 32) ** 2) / 8.0)
    volume = open_volume(tube.astype(np.float32), axes="zyx", spacing=(1, 1, 1))
    settings = {"dimensions": "2d", "response": "bright"}
    frangi = ChannelChain(volume, [ChannelRecipe(name="f", filter="frangi", settings=settings)])
    found = frangi.read("f", Box.whole(tube.shape))
    assert found[:, 32].min() > 0.5
    assert found[:, :20].max() < 0.1


def test_frames_are_never_mixed():
    frames = np.zeros((4, 20, 20), np.float32)
    frames[2] = 1
    volume = open_volume(frames, axes="zyx", spacing=(1, 1, 1), z_kind="frame")
    chain = ChannelChain(volume, [ChannelRecipe(name="g", settings={"dimensions": "3d"})])
    np.testing.assert_allclose(chain.read("g", Box.whole(frames.shape)), frames, atol=1e-6)
    assert chain.reach("g")[0] == 0


def test_a_lazy_channel_computes_what_is_sliced(volume):
    chain = chain_of(volume, "gradient")
    lazy = chain.lazy("last", block=(5, 16, 16))
    assert lazy.dims == ("z", "y", "x")
    assert lazy.attrs["spacing_um"] == pytest.approx(volume.attrs["spacing_um"])
    whole = chain.read("last", Box.whole(SHAPE))
    np.testing.assert_allclose(lazy.to_numpy(), whole, atol=1e-3)
    np.testing.assert_allclose(lazy[6, 10:20, ::3].to_numpy(), whole[6, 10:20, ::3], atol=1e-3)


def test_an_even_stack_stays_even():
    volume = open_volume(np.full((5, 20, 20), 7, np.uint16), axes="zyx", spacing=(1, 1, 1))
    for name, kind in FILTERS.items():
        recipe = ChannelRecipe(name="one", filter=name, other=0 if kind.sources == 2 else None)
        found = ChannelChain(volume, [recipe]).read("one", Box.whole((5, 20, 20)))
        assert np.isfinite(found).all(), name
        assert np.ptp(found) < 1e-3, name
