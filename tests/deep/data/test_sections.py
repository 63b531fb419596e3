"""Worn sections: what is lost is not trained on, what is labelled stays where its label is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from voxloop.config.augment import Augmentation
from voxloop.deep.data.augment import Augmenter
from voxloop.deep.data.sections import wear_sections


def only(**on: dict[str, object]) -> Augmentation:
    return Augmentation.only(**{name: {"probability": 1.0, **settings} for name, settings in on.items()})


def batch(slices: int = 5, channels: int = 2, side: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(4, channels * slices, side, side, generator=generator)
    return pixels, torch.ones(4, side, side, dtype=torch.uint8)


KINDS = [{"missing_section": {}}, {"misaligned": {}}, {"missing_parts": {}}, {"motion_blur": {}}]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: next(iter(kind)))
@pytest.mark.parametrize("slices", [1, 5])
def test_a_batch_keeps_its_shape_its_numbers_and_its_source(kind: dict, slices: int) -> None:
    pixels, labels = batch(slices)
    kept = pixels.clone(), labels.clone()
    augment = Augmenter(only(**kind), 0, slices)
    changed, marked = augment(pixels, labels, 3)
    assert changed.shape == pixels.shape
    assert torch.isfinite(changed).all()
    assert torch.equal(pixels, kept[0])
    assert torch.equal(labels, kept[1])
    again = Augmenter(only(**kind), 0, slices)(pixels, labels, 3)
    assert torch.equal(changed, again[0])
    assert torch.equal(marked, again[1])
    between = slices == 1 and next(iter(kind)) in ("missing_section", "misaligned")
    assert torch.equal(changed, pixels) == between, "one slice has no neighbours to lose or to shift"


@pytest.mark.parametrize("kind", ["missing_section", "misaligned"])
def test_the_labelled_slice_stays(kind: str) -> None:
    pixels, labels = batch(5)
    for step in range(10):
        changed, marked = Augmenter(only(**{kind: {}}), 0, 5)(pixels, labels, step)
        assert torch.equal(marked, labels)
        for channel in (0, 1):
            assert torch.equal(changed[:, channel * 5 + 2], pixels[:, channel * 5 + 2])


def test_channels_lose_the_same_slice() -> None:
    pixels, labels = batch(3)
    changed, _ = Augmenter(only(missing_section={}), 1, 3)(pixels, labels, 0)
    lost = (changed == pixels).flatten(2).all(2).unflatten(1, (2, 3))
    assert torch.equal(lost[:, 0], lost[:, 1])
    assert lost[:, :, 1].all()


def test_labels_under_a_tear_are_taken_away_and_no_others() -> None:
    pixels, labels = batch(1, 1)
    changed, marked = Augmenter(only(missing_parts={"width": (6, 6)}), 2, 1)(pixels, labels, 0)
    torn = (changed != pixels)[:, 0]
    assert torch.equal(marked == 0, torn | (marked == 0))
    assert torch.equal(marked[~torn], labels[~torn])
    assert (marked == 0).float().mean() < 0.5


def test_stacks_are_worn_with_their_labels() -> None:
    pixels = torch.arange(3 * 2 * 6 * 16 * 16, dtype=torch.float32).reshape(3, 2, 6, 16, 16)
    labels = torch.ones(3, 6, 16, 16, dtype=torch.uint8)
    config = only(missing_section={"slices": (2, 2)}, missing_parts={})
    changed, marked = wear_sections(pixels, labels, 1, config, np.random.default_rng(0))
    lost = (marked == 0).flatten(2).all(2).sum(1)
    assert lost.tolist() == [2, 2, 2]
    kept = marked > 0
    assert torch.equal(changed[:, 0][kept], pixels[:, 0][kept])
    moved, shifted = wear_sections(pixels, labels, 1, only(misaligned={"shift": (4, 4)}), np.random.default_rng(0))
    assert torch.equal(shifted, labels)
    assert not torch.equal(moved, pixels)
    assert torch.equal(moved[:, :, 0], pixels[:, :, 0])


def test_motion_blur_keeps_the_mean_and_smears_along_one_line() -> None:
    pixels = torch.zeros(1, 1, 41, 41)
    pixels[..., 20, 20] = 1
    blurred, _ = Augmenter(only(motion_blur={"length": (9, 9)}), 0)(pixels, torch.ones(1, 41, 41).byte(), 1)
    assert blurred.sum() == pytest.approx(1, abs=1e-4)
    y, x = torch.nonzero(blurred[0, 0] > 1e-3, as_tuple=True)
    reach = torch.hypot(y.float() - 20, x.float() - 20)
    assert 3.5 <= reach.max() <= 6.5
    moments = torch.linalg.eigvalsh(torch.cov(torch.stack([y, x]).float()))
    assert moments[1] > 4 * moments[0]
