"""Only labelled voxels count."""

from __future__ import annotations

import pytest
import torch

from voxloop.deep.loss import PartialLoss, balanced_weights

LOSSES = [
    PartialLoss(cross_entropy=1, dice=0),
    PartialLoss(cross_entropy=0, dice=1),
    PartialLoss(cross_entropy=1, dice=0.5),
]


@pytest.mark.parametrize("loss", LOSSES, ids=["ce", "dice", "both"])
def test_unlabelled_voxels_change_neither_loss_nor_gradient(loss: PartialLoss) -> None:
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
    assert torch.allclose(logits.grad, other.grad, atol=1e-7)
    assert (logits.grad[(labels == 0).unsqueeze(1).expand_as(logits)] == 0).all()
    assert (logits.grad != 0).any()


@pytest.mark.parametrize("loss", LOSSES, ids=["ce", "dice", "both"])
def test_batch_without_labels_gives_zero_and_no_nan(loss: PartialLoss) -> None:
    logits = torch.randn(1, 2, 5, 5, requires_grad=True)
    value = loss(logits, torch.zeros(1, 5, 5, dtype=torch.uint8))
    value.backward()
    assert value == 0
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
