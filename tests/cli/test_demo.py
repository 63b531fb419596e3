"""What the demo makes of a mask and of a preset's name."""

from __future__ import annotations

import numpy as np
import pytest

from voxloop.config import DeepConfig, ShallowConfig
from voxloop.demo import read_mask, settings_of
from voxloop.errors import ConfigError, VolumeError


def test_a_mask_of_0_and_255_may_hold_a_few_grays() -> None:
    rng = np.random.default_rng(0)
    mask = np.zeros((4, 100, 100), np.uint8)
    mask[:, 20:60, 20:60] = 255
    grays = np.flatnonzero(rng.random(mask.size) < 0.005)
    clean = mask.copy()
    mask.ravel()[grays] = np.where(mask.ravel()[grays] > 127, 200, 30) + rng.integers(-20, 20, len(grays))
    assert len(np.unique(mask)) > 40
    classes, truth, words = read_mask(mask)
    assert [info["name"] for info in classes] == ["background", "foreground"]
    assert np.array_equal(truth, np.where(clean, 2, 1))
    assert words.startswith("mask: ")
    assert words.endswith("count as the nearest of 0 and 255")


def test_few_values_are_classes_however_rare() -> None:
    mask = np.zeros((2, 100, 100), np.uint8)
    mask[0, 0, :5] = 3
    mask[1, 20:] = 1
    classes, truth, words = read_mask(mask)
    assert [info["name"] for info in classes] == ["background", "class 1", "class 3"]
    assert np.count_nonzero(truth == 3) == 5
    assert words == ""


def test_numbers_of_objects_are_refused() -> None:
    with pytest.raises(VolumeError, match="not instances"):
        read_mask(np.arange(10_000, dtype=np.uint16).reshape(1, 100, 100))
    with pytest.raises(VolumeError, match="only the value 7"):
        read_mask(np.full((1, 8, 8), 7))


def test_a_preset_is_of_the_learner_that_is_asked_for() -> None:
    assert settings_of(None, "both") is None
    assert isinstance(settings_of("quick", "both"), DeepConfig)
    assert isinstance(settings_of("thin walls", "shallow"), ShallowConfig)
    with pytest.raises(ConfigError, match="--learner shallow"):
        settings_of("thin walls", "both")
    with pytest.raises(ConfigError, match="quick"):
        settings_of("quik", "both")
