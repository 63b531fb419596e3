"""Pictures of another exposure are brought to one that is common, as wholes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxloop.geometry import Box
from voxloop.volumes import open_volume, read_block
from voxloop.volumes.exposure import are_alike, as_exposed, common_exposure, differ, measure_exposure


def picture(gain: float = 1.0, offset: float = 0.0, seed: int = 0, planes: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.gamma(2.0, 20.0, (planes, 96, 96)) * gain + offset).astype(np.float32)


@settings(max_examples=15)
@given(gain=st.floats(0.05, 20), offset=st.floats(-200, 200))
def test_the_same_picture_is_the_same_whatever_its_exposure(gain: float, offset: float) -> None:
    plain, other = open_volume(picture()), open_volume(picture(gain, offset))
    reference = common_exposure([measure_exposure(plain)])
    shown = np.asarray(as_exposed(other, reference))
    assert shown.dtype == np.float32
    assert np.abs(shown - picture()).max() < 0.01 * np.ptp(picture())


def test_a_part_of_a_picture_is_as_in_the_whole() -> None:
    volume = open_volume(picture(0.3, 7))
    shown = as_exposed(volume, {"low": [0.0], "high": [100.0]})
    box = Box((1, 10, 20), (2, 60, 64))
    assert np.array_equal(read_block(shown, box)[0], np.asarray(shown)[box.slices])


def test_pictures_of_a_stack_of_frames_are_scaled_one_by_one() -> None:
    frames = picture(planes=4) * np.array([1, 0.4, 0.2, 2])[:, None, None]
    volume = open_volume(frames)
    volume.attrs["z_kind"] = "frame"
    exposure = measure_exposure(volume)
    assert exposure.low.shape == (1, 4)
    assert not are_alike([exposure])
    shown = np.asarray(as_exposed(volume, common_exposure([exposure]), exposure))
    spread = np.percentile(shown, 99.8, axis=(1, 2))
    assert spread == pytest.approx(spread[0], rel=1e-3)
    volume.attrs["z_kind"] = "space"
    assert measure_exposure(volume).low.shape == (1, 1)


def test_alike_pictures_are_alike_and_others_are_not() -> None:
    plain = [measure_exposure(open_volume(picture(seed=seed))) for seed in range(3)]
    assert are_alike(plain)
    darker = measure_exposure(open_volume(picture(0.4)))
    shifted = measure_exposure(open_volume(picture(1.0, 400)))
    assert differ([*plain, darker]) == pytest.approx(2.5, rel=0.1)
    assert not are_alike([*plain, darker])
    assert not are_alike([*plain, shifted])


def test_a_flat_picture_stays_as_it_is() -> None:
    flat = open_volume(np.full((1, 40, 40), 9, np.uint8))
    assert measure_exposure(flat).flat.all()
    reference = common_exposure([measure_exposure(open_volume(picture())), measure_exposure(flat)])
    assert reference == common_exposure([measure_exposure(open_volume(picture()))])
    assert (np.asarray(as_exposed(flat, reference)) == 9).all()
