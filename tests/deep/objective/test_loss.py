"""Only labelled voxels count."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from voxloop.config.deep import DeepConfig
from voxloop.config.loss import LOSSES
from voxloop.config.parsing import parse_class_weights
from voxloop.deep.objective.loss import PartialLoss, balanced_weights, class_weights, near_boundary
from voxloop.errors import ConfigError
from voxloop.model import ClassInfo

SUMS = [{name: 1.0} for name in LOSSES] + [
    {"cross_entropy": 1.0, "dice": 0.5},
    {"cross_entropy": 1.0, "boundary_weight": 10.0},
    {"focal": 1.0, "lovasz": 0.3, "generalised_dice": 0.2, "ignore_border": 1},
]
NAMED = pytest.mark.parametrize("terms", SUMS, ids="+".join)


@NAMED
def test_unlabelled_voxels_change_neither_loss_nor_gradient(terms: dict[str, float]) -> None:
    loss = PartialLoss(**terms)
    torch.manual_seed(0)
    labels = torch.randint(0, 4, (2, 9, 11), dtype=torch.uint8)
    logits = torch.randn(2, 3, 9, 11, requires_grad=True)
    other = logits.detach().clone()
    other[(labels == 0).unsqueeze(1).expand_as(other)] += 37.0
    other.requires_grad_()
    first, second = loss(logits, labels), loss(other, labels)
    first.backward()
    second.backward()
    assert torch.allclose(first, second)
    assert torch.allclose(logits.grad, other.grad, atol=1e-6)
    assert (logits.grad[(labels == 0).unsqueeze(1).expand_as(logits)] == 0).all()
    assert (logits.grad != 0).any()


@NAMED
def test_batch_without_labels_gives_zero_and_no_nan(terms: dict[str, float]) -> None:
    loss = PartialLoss(**terms)
    logits = torch.randn(1, 2, 5, 5, requires_grad=True)
    value = loss(logits, torch.zeros(1, 5, 5, dtype=torch.uint8))
    value.backward()
    assert value == 0
    empty = torch.randn(0, 2, 5, 5, requires_grad=True)  # where all windows of a batch have pseudo-labels
    nothing = loss(empty, torch.zeros(0, 5, 5, dtype=torch.uint8))
    nothing.backward()
    assert nothing == 0
    assert (logits.grad == 0).all()


def test_cross_entropy_is_torchs_on_what_is_labelled() -> None:
    torch.manual_seed(0)
    weights = torch.tensor([0.5, 1.5, 1.0])
    labels = torch.randint(0, 4, (2, 6, 6), dtype=torch.uint8)
    logits = torch.randn(2, 3, 6, 6)
    expected = torch.nn.functional.cross_entropy(
        logits.movedim(1, -1)[labels > 0], labels[labels > 0].long() - 1, weights
    )
    assert torch.allclose(PartialLoss(cross_entropy=1, dice=0, weights=weights)(logits, labels), expected)


def test_dice_is_zero_for_a_perfect_answer() -> None:
    labels = torch.tensor([[[1, 2], [2, 0]]], dtype=torch.uint8)
    logits = torch.full((1, 2, 2, 2), -50.0)
    logits[0, 0, 0, 0] = logits[0, 1, 0, 1] = logits[0, 1, 1, 0] = 50.0
    assert PartialLoss(cross_entropy=0, dice=1)(logits, labels) < 1e-6


def test_weights_level_the_classes_within_bounds() -> None:
    a, b = balanced_weights([900, 100])
    assert a * 900 == pytest.approx(b * 100)
    assert a + b == pytest.approx(2)
    rare = balanced_weights([10**6, 1])
    assert rare[1] / rare[0] == pytest.approx(10)


@NAMED
def test_volumes_work_like_planes(terms: dict[str, float]) -> None:
    torch.manual_seed(1)
    labels = torch.randint(0, 4, (1, 6, 7, 5), dtype=torch.uint8)
    logits = torch.randn(1, 3, 6, 7, 5, requires_grad=True)
    loss = PartialLoss(**terms)(logits, labels)
    loss.backward()
    assert loss > 0
    assert torch.isfinite(logits.grad).all()


@NAMED
def test_right_answers_cost_less_than_wrong_ones(terms: dict[str, float]) -> None:
    labels = torch.tensor(np.kron([[1, 2], [3, 0]], np.ones((4, 4))), dtype=torch.uint8)[None]
    right = torch.zeros(1, 3, 8, 8).scatter_(1, (labels.long() - 1).clamp_min(0)[:, None], 12.0)
    loss = PartialLoss(**terms)
    assert loss(right, labels) < 0.2 * loss(right.roll(1, 1), labels)


def test_overlap_losses_look_only_at_classes_that_occur() -> None:
    """A class that is not in the batch neither helps nor dilutes."""
    labels = torch.tensor([[[1, 1, 2, 2]]], dtype=torch.uint8)
    two = torch.randn(1, 2, 1, 4)
    five = torch.cat([two, torch.full((1, 3, 1, 4), -50.0)], dim=1)
    for name in ("dice", "tversky"):
        assert torch.allclose(PartialLoss(**{name: 1})(two, labels), PartialLoss(**{name: 1})(five, labels))


def test_focal_loss_without_gamma_is_cross_entropy() -> None:
    labels = torch.randint(0, 4, (2, 6, 6), dtype=torch.uint8)
    logits = torch.randn(2, 3, 6, 6)
    plain = PartialLoss(cross_entropy=1)(logits, labels)
    assert torch.allclose(PartialLoss(focal=1, focal_gamma=0)(logits, labels), plain)
    assert PartialLoss(focal=1)(logits, labels) < plain


def test_boundary_weight_falls_with_distance_and_needs_two_labelled_sides() -> None:
    labels = torch.zeros(1, 1, 12, dtype=torch.uint8)
    labels[..., 2:6], labels[..., 6:11] = 1, 2  # unlabelled before and after
    near = near_boundary(labels, 4)[0, 0]
    assert near.tolist() == pytest.approx([0, 0, 0.25, 0.5, 0.75, 1, 1, 0.75, 0.5, 0.25, 0, 0], abs=0.26)
    assert near[5] == near[6] == 1
    assert (near.diff()[:5] >= 0).all()
    assert near_boundary((labels == 1).byte(), 4).sum() == 0


def test_border_of_a_window_does_not_count() -> None:
    logits = torch.randn(1, 2, 8, 8, requires_grad=True)
    PartialLoss(cross_entropy=1, ignore_border=3)(logits, torch.ones(1, 8, 8, dtype=torch.uint8)).backward()
    assert (logits.grad != 0)[0, 0].nonzero().unique().tolist() == [3, 4]


@pytest.mark.parametrize(
    ("setting", "weights"),
    [("none", [1, 1, 1]), ("auto", balanced_weights([10, 20, 30])), ("1,2,5", [1, 2, 5]), ("c=4, a=0.5", [0.5, 1, 4])],
)
def test_class_weights_by_number_and_by_name(setting: str, weights: list[float]) -> None:
    config = DeepConfig(class_weights=setting)
    assert class_weights(config.class_weights, ["a", "b", "c"], [10, 20, 30]) == pytest.approx(weights)
    assert DeepConfig.from_json(config.to_json()) == config


def test_class_weights_that_do_not_fit_say_what_does() -> None:
    with pytest.raises(ConfigError, match=r"2 numbers for 3 labelled classes \(a, b, c\)"):
        class_weights("1,2", ["a", "b", "c"], [1, 1, 1])
    with pytest.raises(ConfigError, match="did you mean 'mito'"):
        class_weights("mitos=2", ["mito", "rest"], [1, 1])
    for wrong in ("many", "1,-2", "0,0", "a=1,2", [], "mito=x"):
        with pytest.raises(ConfigError, match="class_weights"):
            DeepConfig(class_weights=wrong)


@given(st.lists(st.floats(0.01, 1e4), min_size=1, max_size=6))
def test_weights_survive_the_way_through_text(weights: list[float]) -> None:
    text = DeepConfig(class_weights=weights).class_weights
    assert parse_class_weights(text) == pytest.approx(tuple(weights), rel=1e-5)


def test_a_config_makes_its_loss() -> None:
    config = DeepConfig(cross_entropy=0, dice=0, focal=2, class_weights="b=3", ignore_border=1)
    infos = [ClassInfo(value=i, name=name) for i, name in enumerate("ab", 1)]
    loss = PartialLoss.of(config, infos, [5, 5], torch.device("cpu"))
    labels, logits = torch.randint(0, 3, (1, 9, 9), dtype=torch.uint8), torch.randn(1, 2, 9, 9)
    same = PartialLoss(focal=2, weights=torch.tensor([1.0, 3.0]), ignore_border=1)
    assert torch.equal(loss(logits, labels), same(logits, labels))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"cross_entropy": 0, "dice": 0}, "nothing to learn from"),
        ({"tversky": 1, "tversky_alpha": 0, "tversky_beta": 0}, "no mistake"),
        ({"window": "1,64,64", "ignore_border": 40}, "nearest is 16"),
        ({"freeze_encoder_epochs": 3}, "random weights"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        DeepConfig(**settings)


@pytest.mark.parametrize("classes", [2, 5])
def test_dice_is_that_of_smp(classes: int) -> None:
    from segmentation_models_pytorch.losses import DiceLoss

    torch.manual_seed(0)
    logits, labels = torch.randn(2, classes, 12, 10, requires_grad=True), torch.randint(0, classes, (2, 12, 10)) + 1
    labels[0, :5] = 0
    found = PartialLoss(dice=1.0)(logits, labels.to(torch.uint8))
    (gradient,) = torch.autograd.grad(found, logits)
    wanted = DiceLoss("multiclass", smooth=1.0, ignore_index=-100)(logits, torch.where(labels > 0, labels - 1, -100))
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(gradient, torch.autograd.grad(wanted, logits)[0])
