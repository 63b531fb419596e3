"""The loss of objects: what lowers it, and what it does not see."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from voxloop.deep.data.targets import instance_targets
from voxloop.deep.objective.instances import InstanceLoss


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


def test_small_objects_are_heard_beside_large_ones() -> None:
    coded = np.ones((1, 48, 48), np.uint8)
    coded[0, 4:36, 4:36], coded[0, 38:46, 38:46] = 2, 3
    _, counts = InstanceLoss((1.0, 1.0)).targets(torch.from_numpy(coded))
    background, large, small = (float(counts[0, 0, at, at]) for at in (0, 20, 42))
    assert background == 1
    assert small / large == pytest.approx(4)  # the root of 1024 / 64
    assert 1024 * large + 64 * small == pytest.approx(1024 + 64)


def test_scores_are_of_objects_against_background() -> None:
    said = torch.tensor([[[[2.0, -2.0]]] * 3]).reshape(1, 3, 1, 2)
    logits, labels = InstanceLoss.scored(said, torch.tensor([[[7, 1]]]))
    assert logits.argmax(1).flatten().tolist() == [1, 0]
    assert labels.flatten().tolist() == [2, 1]


def test_arrows_lead_to_the_middle_and_are_unknown_where_it_is() -> None:
    from voxloop.deep.data.targets import flow_targets

    coded = np.ones((30, 40), np.uint8)
    coded[5:16, 5:16] = 2
    coded[5:16, 16:27] = 3  # touches the first
    coded[20:30, 5:16] = 4  # cut by the edge
    coded[18:27, 28:37] = 5
    coded[20:22, 37:39] = 0  # next to what nobody labelled
    found = flow_targets(coded, (2.0, 1.0))
    assert not found.values[1].any()  # nothing along z in a plane
    np.testing.assert_allclose(np.hypot(found.values[2, 5, 5:12], found.values[3, 5, 5:12]), 1, atol=1e-6)
    assert (found.values[3, 10, 5:9] > 0.9).all()
    assert (found.values[3, 10, 12:16] < -0.9).all()
    assert (found.values[3, 10, 16:20] > 0.9).all()  # the other object has a middle of its own
    assert abs(found.values[2:, 10, 10]).max() < 1e-6
    np.testing.assert_allclose(found.values[2:, 7, 7], np.array([6, 3]) / np.hypot(6, 3), atol=1e-6)  # micrometres
    for value, known in ((2, True), (3, True), (4, False), (5, False)):
        assert (found.known[1:, coded == value] == known).all()
    assert not found.known[1:, coded == 1].any()
    assert (found.known[0] == (coded > 0)).all()


def test_flow_loss_is_small_for_the_truth_and_skips_what_is_unknown() -> None:
    from voxloop.deep.data.targets import flow_targets
    from voxloop.deep.objective.instances import FlowLoss

    coded = np.ones((1, 24, 24), np.uint8)
    coded[0, 4:15, 4:15] = 2
    coded[0, :, 20:] = 0
    values = torch.from_numpy(flow_targets(coded[0]).values)[None]
    good = torch.cat([values[:, :1] * 20 - 10, torch.logit((values[:, 1:] + 1) / 2, eps=1e-6)], 1)
    loss = FlowLoss((1.0, 1.0))
    assert float(loss(good, torch.from_numpy(coded))) < 0.01
    bad = good.clone()
    bad[..., 20:] = 7
    assert float(loss(bad, torch.from_numpy(coded))) == pytest.approx(float(loss(good, torch.from_numpy(coded))))
    turned = good.clone()
    turned[:, 2:] *= -1
    assert float(loss(turned, torch.from_numpy(coded))) > 1
