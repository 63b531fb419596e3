"""Parts of windows: gray values change and labels stay; pasted objects are whole, and nobody's number is taken."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from voxloop.config import DeepConfig
from voxloop.config.augment import Augmentation
from voxloop.deep.data.augment import Augmenter
from voxloop.errors import ConfigError


def only(**on: dict[str, object]) -> Augmentation:
    return Augmentation.only(**{name: {"probability": 1.0, **settings} for name, settings in on.items()})


def batch(shape: tuple[int, ...], seed: int = 0, n: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    pixels = torch.from_numpy(rng.normal(size=(n, 1, *shape)).astype(np.float32))
    labels = torch.from_numpy(rng.integers(0, 3, (n, *shape)).astype(np.uint8))
    return pixels, labels


@pytest.mark.parametrize("shape", [(96, 80), (4, 96, 80)], ids=["planes", "blocks"])
@pytest.mark.parametrize("kind", ["local_contrast", "cut_noise", "cut_blur"])
def test_gray_values_change_and_labels_stay(kind: str, shape: tuple[int, ...]) -> None:
    pixels, labels = batch(shape)
    kept = pixels.clone()
    changed, marked = Augmenter(only(**{kind: {}}), 0)(pixels, labels, 0)
    assert torch.equal(marked, labels)
    assert torch.equal(pixels, kept)
    assert all(not torch.equal(new, old) for new, old in zip(changed, pixels, strict=True))
    assert changed.dtype == pixels.dtype
    again, _ = Augmenter(only(**{kind: {}}), 0)(pixels, labels, 0)
    assert torch.equal(again, changed)


@pytest.mark.parametrize(("kind", "most"), [("cut_noise", 0.25), ("cut_blur", 0.25)])
def test_a_box_is_changed_and_no_more(kind: str, most: float) -> None:
    pixels, labels = batch((100, 100))
    changed, _ = Augmenter(only(**{kind: {"size": (0.5, 0.5)}}), 1)(pixels, labels, 0)
    for new, old in zip(changed[:, 0], pixels[:, 0], strict=True):
        rows, columns = np.nonzero((new != old).numpy())
        assert np.ptp(rows) < 50
        assert np.ptp(columns) < 50
        assert len(rows) > 0.9 * most * new.numel()


def test_coarse_voxels_are_flat_and_keep_the_mean() -> None:
    pixels, labels = batch((64, 64))
    changed, _ = Augmenter(only(cut_blur={"size": (1.0, 1.0), "factor": (4.0, 4.0)}), 0)(pixels, labels, 0)
    cells = changed[0, 0].reshape(16, 4, 16, 4)
    assert (cells.amax(dim=(1, 3)) - cells.amin(dim=(1, 3))).max() == 0
    assert changed[0].mean() == pytest.approx(float(pixels[0].mean()), abs=1e-5)


def test_equalising_keeps_the_range_and_lifts_what_is_faint() -> None:
    x = torch.arange(128.0).expand(128, 128)
    pixels = torch.where(x < 64, 0.02 * torch.sin(x / 2), 5.0)[None, None]
    changed, _ = Augmenter(only(local_contrast={"limit": (0.03, 0.03)}), 0)(
        pixels, torch.ones(1, 128, 128, dtype=torch.uint8), 0
    )
    assert changed.min() >= pixels.min()
    assert changed.max() <= pixels.max()
    assert changed[..., :40].std() > 5 * pixels[..., :40].std()


def objects(seed: int, n: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Squares with numbers from 2 on background 1; each voxel's gray value says whose it was."""
    rng = np.random.default_rng(seed)
    labels = np.ones((n, 64, 64), np.uint8)
    for row in range(n):
        for number in range(2, 6):
            y, x = rng.integers(0, 52, 2)
            if (labels[row, y : y + 12, x : x + 12] == 1).all():
                labels[row, y : y + 12, x : x + 12] = number
    pixels = labels.astype(np.float32) + 100 * np.arange(n)[:, None, None]
    return torch.from_numpy(pixels[:, None]), torch.from_numpy(labels)


@given(st.integers(0, 10_000))
def test_pasted_objects_are_whole_and_have_numbers_of_their_own(seed: int) -> None:
    pixels, labels = objects(seed)
    changed, marked = Augmenter(only(copy_paste={}), 0, background=1, numbered=True)(pixels, labels, seed)
    for row in range(3):
        came = (changed[row, 0] // 100).long() != row
        assert torch.equal(marked[row][~came], labels[row][~came])
        assert (labels[row][came] == 1).all()  # what was there is not covered
        for number in torch.unique(marked[row][came]).tolist():
            assert number not in torch.unique(labels[row]).tolist()
            area = marked[row] == number
            assert area.sum() == 144
            assert len(torch.unique(changed[row, 0][area])) == 1  # one object of one window


def test_pasted_classes_fill_what_is_no_object_and_keep_their_class() -> None:
    pixels, labels = objects(3)
    labels = labels.clamp_max(2)
    changed, marked = Augmenter(only(copy_paste={}), 0, background=1)(pixels, labels, 0)
    came = (changed[:, 0] // 100).long() != torch.arange(3)[:, None, None]
    assert came.any()
    assert (marked[came] == 2).all()
    assert (labels[came] == 1).all()
    assert torch.equal(marked[~came], labels[~came])


def test_a_single_window_has_nothing_to_paste_from() -> None:
    pixels, labels = objects(0, n=1)
    changed, marked = Augmenter(only(copy_paste={}), 0)(pixels, labels, 0)
    assert torch.equal(changed, pixels)
    assert torch.equal(marked, labels)


def test_other_augmentations_draw_as_before() -> None:
    pixels, labels = batch((64, 64))
    plain = Augmenter(only(flip={}, noise={}, cutout={}), 4)(pixels, labels, 2)[1]
    both = Augmenter(only(flip={}, noise={}, cutout={}, cut_noise={}, local_contrast={}), 4)(pixels, labels, 2)[1]
    assert torch.equal(plain, both)


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="must lie above 0"):
        DeepConfig(augmentation={"local_contrast": {"limit": (0, 0.1)}})
