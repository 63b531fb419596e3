"""A channel as it is shown while it is set up: the channel itself, or one of a coarser image, which is said."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

import voxloop as vl
from voxloop.channels import ChannelChain, ChannelRecipe
from voxloop.channels import preview as previews
from voxloop.geometry import Box

PLANE = Box((1, 0, 0), (2, 301, 260))


@pytest.fixture
def volume():
    picture = ndi.gaussian_filter(np.random.default_rng(0).normal(0, 400, (3, 301, 260)), (0, 12, 12)) * 10 + 128
    return vl.open_volume(picture.clip(0, 255).astype(np.uint8), axes="zyx", spacing=(0.03, 0.01, 0.01))


def chain(volume):
    recipes = [
        ChannelRecipe(name="even", filter="zscore"),
        ChannelRecipe(name="smooth", source="even", settings={"sigma_um": 0.05}),
    ]
    return ChannelChain(volume, recipes)


def test_what_is_soon_done_is_shown_itself(volume, monkeypatch):
    monkeypatch.setattr(previews, "SOON", 60.0)
    found = previews.preview(chain(volume), "smooth", vl.scales(volume), PLANE)
    assert (found.coarser, found.words) == (1, "")
    np.testing.assert_array_equal(found.volume[1].to_numpy(), chain(volume).read("smooth", PLANE)[0])


def test_what_takes_long_is_shown_coarser_and_says_so(volume, monkeypatch):
    monkeypatch.setattr(previews, "SOON", 0.0)
    found = previews.preview(chain(volume), "smooth", vl.scales(volume), PLANE)
    assert found.coarser == 8
    assert "8 times coarser" in found.words
    assert found.volume.shape == volume.shape
    shown, itself = found.volume[1].to_numpy(), chain(volume).read("smooth", PLANE)[0]
    # lengths and what was measured are those of the image: the same picture, in larger voxels
    assert np.corrcoef(shown.ravel(), itself.ravel())[0, 1] > 0.95
    assert abs(shown.std() / itself.std() - 1) < 0.2


def test_what_nobody_would_wait_for_is_not_shown(volume, monkeypatch):
    monkeypatch.setattr(previews, "SOON", 0.0)
    monkeypatch.setattr(previews, "TOO_LONG", 0.0)
    found = previews.preview(chain(volume), "smooth", vl.scales(volume), PLANE)
    assert found.volume is None
    assert "Not previewed" in found.words
