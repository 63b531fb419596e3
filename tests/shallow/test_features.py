"""Features are the same however a volume is cut, and mean the same whatever its spacing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from voxloop.config import ShallowConfig
from voxloop.errors import ConfigError
from voxloop.geometry import Box
from voxloop.shallow.features import FeatureBank
from voxloop.shallow.planning import bank_for
from voxloop.shallow.scales import ladder, plan

CUBIC, FLAT, SKEW = (1.0, 1.0, 1.0), (4.0, 1.0, 1.0), (2.0, 1.0, 2.5)


def volume(shape, channels=1, seed=0):
    return np.random.default_rng(seed).normal(size=(channels, *shape)).astype(np.float32)


@given(
    spacing=st.sampled_from([CUBIC, FLAT, SKEW]),
    dimensions=st.sampled_from([2, 3]),
    context=st.sampled_from([0, 1, 3]),
    count=st.integers(1, 3),
    channels=st.integers(1, 2),
    data=st.data(),
)
@settings(max_examples=15, deadline=None)
def test_blockwise_equals_whole(spacing, dimensions, context, count, channels, data):
    bank = FeatureBank(channels, spacing, ladder(spacing, count), dimensions, context=context if dimensions == 2 else 0)
    shape = (9, 70, 61) if dimensions == 2 else (20, 40, 37)
    block = volume(shape, channels)
    core = []
    for size, step in zip(shape, bank.stride, strict=True):
        start = data.draw(st.integers(0, (size - 1) // step)) * step
        core.append((start, data.draw(st.integers(start + 1, size))))
    core = Box.from_json(core)
    outer = core.grow(bank.halo).aligned(bank.stride).clip(shape)
    part = bank.full(block[:, *outer.slices])[:, *core.within(outer).slices]
    whole = bank.full(block)
    assert part.shape[0] == len(bank.names) == bank.count
    np.testing.assert_allclose(part, whole[:, *core.slices], atol=1e-4)


@pytest.mark.parametrize(("dimensions", "context"), [(2, 0), (2, 3), (3, 0)])
def test_nothing_beyond_the_halo_matters_and_what_is_within_does(dimensions, context):
    bank = FeatureBank(1, FLAT, ladder(FLAT, 2 if dimensions == 3 else 3), dimensions, context=context)
    at = [h + 2 * s for h, s in zip(bank.halo, bank.stride, strict=True)]
    shape = tuple(2 * n + s for n, s in zip(at, bank.stride, strict=True))
    block = volume(shape)
    before = bank.full(block)
    for axis in range(3):
        for distance, matters in ((bank.halo[axis] + bank.stride[axis], False), (1 if bank.halo[axis] else None, True)):
            if distance is None:
                continue
            changed = block.copy()
            beyond = [slice(None)] * 3
            beyond[axis] = slice(0, at[axis] - distance + 1) if not matters else slice(0, at[axis])
            changed[(0, *beyond)] += 100
            after = bank.full(changed)
            same = np.allclose(before[(slice(None), *at)], after[(slice(None), *at)], atol=1e-3)
            assert same is not matters, (axis, distance)


def test_the_same_object_gives_the_same_features_at_another_spacing():
    """A smooth blob sampled with planes one and two apart: features agree where both have a voxel."""

    def blob(spacing, shape):
        z, y, x = (np.arange(n) * s for n, s in zip(shape, spacing, strict=True))
        r = (z[:, None, None] - 24) ** 2 / 60 + (y[:, None] - 30) ** 2 / 90 + (x - 30) ** 2 / 120
        return np.exp(-r)[None].astype(np.float32)

    sigmas = (1.6, 3.2)
    fine = FeatureBank(1, (1, 1, 1), sigmas, 3).full(blob((1, 1, 1), (49, 61, 61)))
    coarse = FeatureBank(1, (2, 1, 1), sigmas, 3).full(blob((2, 1, 1), (25, 61, 61)))
    for name, a, b in zip(FeatureBank(1, (1, 1, 1), sigmas, 3).names, fine[:, 8:41:2], coarse[:, 4:21], strict=True):
        assert np.abs(a - b)[:, 10:50, 10:50].max() < 0.12 * max(np.abs(a).max(), 0.1), name


@pytest.mark.parametrize("sigma", [0.8, 1.6, 3.2, 6.4, 12.8])
def test_gaussian_at_reduced_resolution_stays_a_gaussian(sigma):
    picture = ndimage.gaussian_filter(np.random.default_rng(2).normal(size=(320, 320)), 3.0)
    bank = FeatureBank(1, CUBIC, (sigma,), 2, kinds=("gaussian",))
    found, wanted = bank.full(picture[None, None])[0, 0], ndimage.gaussian_filter(picture, sigma)
    middle = slice(64, -64)
    assert (found - wanted)[middle, middle].std() < 0.02 * wanted[middle, middle].std()


@pytest.mark.parametrize("dimensions", [2, 3])
def test_deviation_is_that_of_the_weighted_surroundings(dimensions):
    block = volume((24, 24, 24) if dimensions == 3 else (1, 40, 40)) * 3 + 7
    bank = FeatureBank(1, CUBIC, (1.2,), dimensions, kinds=("deviation",))
    sigma = (1.2,) * 3 if dimensions == 3 else (0, 1.2, 1.2)
    mean, square = (ndimage.gaussian_filter(values, sigma, mode="reflect") for values in (block[0], block[0] ** 2))
    np.testing.assert_allclose(bank.full(block)[0], np.sqrt(square - mean**2), rtol=0.05)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("sign", [1, -1], ids=["bright", "dark"])
def test_vesselness_finds_tubes_and_neither_blobs_nor_sheets(dimensions, sign):
    z, y, x = np.mgrid[:40, :40, :40].astype(np.float32) - 20
    shapes = {"tube": y**2 + z**2, "blob": x**2 + y**2 + z**2, "sheet": z**2}
    bank = FeatureBank(1, CUBIC, (2.0,), dimensions, kinds=("vesselness", "determinant", "hessian"))
    found = {name: bank.full(sign * 4 * np.exp(-away / 8)[None]) for name, away in shapes.items()}
    assert bank.names[-1].startswith("vesselness")
    middle = {name: sign * values[-1][20, 20, 20] for name, values in found.items()}
    assert middle["tube"] > 0.6
    assert middle["blob"] < 0.4
    if dimensions == 3:
        assert abs(middle["sheet"]) < 0.1
    assert all(np.abs(values[-1]).max() <= 1 for values in found.values())
    values = found["blob"]
    np.testing.assert_allclose(values[dimensions], np.prod(values[:dimensions], axis=0), rtol=1e-5, atol=1e-6)


def test_a_frame_is_never_mixed_with_its_neighbours():
    bank = bank_for(ShallowConfig(dimensions="3d"), 1, CUBIC, depth=5, frames=True)
    block = volume((5, 32, 32))
    other = block.copy()
    other[:, [0, 1, 3, 4]] += 50
    np.testing.assert_array_equal(bank.full(block)[:, 2], bank.full(other)[:, 2])


def test_auto_goes_through_nearly_cubic_stacks_and_stays_in_planes_elsewhere():
    fixed = ShallowConfig(choose="fixed")

    def dims(spacing, depth=30, live=False, config=fixed):
        return bank_for(config, 1, spacing, depth, live=live).dimensions

    assert (dims(CUBIC), dims(FLAT), dims(CUBIC, depth=1), dims(CUBIC, live=True)) == (3, 2, 2, 2)
    assert bank_for(fixed, 1, FLAT, 30).context > 0
    chooses = ShallowConfig()
    assert dims(FLAT, config=chooses) == 3, "a run that chooses tries both"
    assert (dims(FLAT, live=True, config=chooses), dims(FLAT, depth=1, config=chooses)) == (2, 2)


def test_sigmas_out_of_reach_are_refused_with_the_nearest_that_works():
    with pytest.raises(ConfigError, match="smallest that tells"):
        plan((0.1,), CUBIC, 2)
    with pytest.raises(ConfigError, match="at most"):
        plan((1000.0,), CUBIC, 2)
    for sigmas in ((), (0.0,), (float("nan"),), (0.01, float("inf"))):
        with pytest.raises(ConfigError, match="sigmas above 0"):
            ShallowConfig(sigmas_um=sigmas)
