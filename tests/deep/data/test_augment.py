"""Augmentation moves labels with the picture, invents none, and repeats itself for the same step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from voxloop.config.augment import Augmentation
from voxloop.deep.data.augment import Augmenter


def only(**on: dict[str, object]) -> Augmentation:
    return Augmentation.only(**{name: {"probability": 1.0, **settings} for name, settings in on.items()})


def picture() -> tuple[torch.Tensor, torch.Tensor]:
    """A smooth blob whose label is where it is bright."""
    y, x = np.mgrid[:96, :96]
    bright = np.exp(-((y - 40) ** 2 + (x - 55) ** 2) / (2 * 14**2))
    labels = np.where(bright > 0.5, 2, 1).astype(np.uint8)
    return torch.tensor(bright, dtype=torch.float32)[None, None].repeat(4, 1, 1, 1), torch.tensor(labels)[None].repeat(
        4, 1, 1
    )


@pytest.mark.parametrize(
    "augmentation",
    [only(affine={"rotation": 90}), only(elastic={"strength": (3.0, 3.0)}), only(affine={}, elastic={})],
    ids=["affine", "elastic", "both"],
)
def test_labels_go_where_the_picture_goes(augmentation: Augmentation) -> None:
    pixels, labels = picture()
    moved, marked = Augmenter(augmentation, 0)(pixels, labels, 3)
    assert not torch.equal(moved, pixels)
    known = marked > 0
    agree = ((moved[:, 0] > 0.5) == (marked == 2))[known].float().mean()
    assert agree > 0.99
    assert set(marked.unique().tolist()) <= {0, 1, 2}


def test_what_comes_in_from_outside_is_unlabelled() -> None:
    pixels, labels = picture()
    _, marked = Augmenter(only(affine={"rotation": 45, "scale": (0.5, 0.5)}), 0)(pixels, labels, 0)
    assert 0.6 < (marked == 0).float().mean() < 0.85  # at half size a quarter of the window is known


def test_gray_changes_leave_labels_and_cutout_hides_them() -> None:
    pixels, labels = picture()
    gray = only(gamma={}, contrast={}, brightness={}, noise={"strength": (0.1, 0.1)}, uniform_noise={}, blur={})
    changed, marked = Augmenter(gray, 0)(pixels, labels, 0)
    assert torch.equal(marked, labels)
    assert not torch.allclose(changed, pixels)
    _, hidden = Augmenter(only(cutout={}), 0)(pixels, labels, 0)
    assert (hidden == 0).any()
    assert torch.equal(hidden[hidden > 0], labels[hidden > 0])


def test_same_step_same_batch_and_inputs_stay() -> None:
    pixels, labels = picture()
    kept = pixels.clone(), labels.clone()
    augment = Augmenter(Augmentation(), 5)
    first, second, third = (
        augment(pixels, labels, 9),
        Augmenter(Augmentation(), 5)(pixels, labels, 9),
        augment(pixels, labels, 10),
    )
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[0], third[0])
    assert torch.equal(pixels, kept[0])
    assert torch.equal(labels, kept[1])


def test_all_off_changes_nothing() -> None:
    pixels, labels = picture()
    out = Augmenter(Augmentation.none(), 0)(pixels, labels, 0)
    assert torch.equal(out[0], pixels)
    assert torch.equal(out[1], labels)
