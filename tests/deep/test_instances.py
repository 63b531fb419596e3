"""The loss of objects: what lowers it, and what it does not see."""

from __future__ import annotations

import numpy as np
import torch

from voxloop.deep.instances import InstanceLoss
from voxloop.deep.targets import instance_targets


def window() -> np.ndarray:
    coded = np.ones((1, 48, 48), np.uint8)
    coded[0, 8:20, 8:20], coded[0, 20:34, 10:30] = 2, 3
    return coded


def logits_of(coded: np.ndarray) -> torch.Tensor:
    values = np.clip(instance_targets(coded[0]).values, 1e-3, 1 - 1e-3)
    return torch.logit(torch.from_numpy(values))[None]


def test_the_truth_costs_least() -> None:
    loss, coded = InstanceLoss((1.0, 1.0)), window()
    labels, right = torch.from_numpy(coded), logits_of(coded)
    best = float(loss(right, labels))
    assert best < 0.05
    for channel in range(3):
        wrong = right.clone()
        wrong[:, channel] *= -1
        assert float(loss(wrong, labels)) > best + 0.2


def test_unlabelled_voxels_have_no_gradient() -> None:
    coded = window()
    coded[0, :, 24:] = 0
    logits = torch.zeros(1, 3, 48, 48, requires_grad=True)
    InstanceLoss((1.0, 1.0))(logits, torch.from_numpy(coded)).backward()
    assert logits.grad is not None
    assert not logits.grad[..., 24:].any()
    assert logits.grad[:, 0, :, :24].all()
    empty = torch.zeros(1, 3, 48, 48, requires_grad=True)
    assert float(InstanceLoss((1.0, 1.0))(empty, torch.zeros(1, 48, 48, dtype=torch.uint8)).detach()) < 1.0


def test_scores_are_of_objects_against_background() -> None:
    said = torch.tensor([[[[2.0, -2.0]]] * 3]).reshape(1, 3, 1, 2)
    logits, labels = InstanceLoss.scored(said, torch.tensor([[[7, 1]]]))
    assert logits.argmax(1).flatten().tolist() == [1, 0]
    assert labels.flatten().tolist() == [2, 1]
