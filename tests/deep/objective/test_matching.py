"""Objects found again: right, missed, merged, and those nobody labelled."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from voxloop.deep.data.targets import instance_targets
from voxloop.deep.objective.matching import Matcher


def coded(depth: int = 0) -> np.ndarray:
    """Three discs (balls' middles) as codes from 2 on background 1."""
    labels = np.ones((48, 96), np.uint8)
    y, x = np.mgrid[:48, :96]
    for number, cx in enumerate((16, 48, 80)):
        labels[(y - 24) ** 2 + (x - cx) ** 2 < 100] = number + 2
    return np.repeat(labels[None], depth, 0) if depth else labels


def logits_of(labels: np.ndarray) -> torch.Tensor:
    """What a network that knows everything says."""
    values = instance_targets(labels, (1.0,) * labels.ndim).values.clip(1e-4, 1 - 1e-4)
    return torch.from_numpy(np.log(values / (1 - values)))[None]


def scored(logits: torch.Tensor, labels: np.ndarray) -> dict[str, float]:
    matcher = Matcher((1.0,) * labels.ndim)
    matcher.add(logits, torch.from_numpy(labels)[None])
    return matcher.scores()


@pytest.mark.parametrize("depth", [0, 6])
def test_all_are_found(depth):
    found = scored(logits_of(coded(depth)), coded(depth))
    assert found["ap50"] == 1
    assert found["pq"] > 0.8


def test_one_is_missed_and_one_too_many():
    logits, labels = logits_of(coded()), coded()
    logits[:, 0, :, :32] = -9  # the first is not seen
    assert scored(logits, labels)["ap50"] == pytest.approx(2 / 3)
    labels[labels == 3] = 1  # the second is none
    assert scored(logits_of(coded()), labels)["ap50"] == pytest.approx(2 / 3)


def test_what_nobody_labelled_is_neither_right_nor_wrong():
    labels = coded()
    labels[:, 64:] = 0
    assert scored(logits_of(coded()), labels)["ap50"] == 1


def test_objects_of_a_volume_are_found_where_one_plane_of_it_is_labelled():
    labels = coded(6)
    labels[:2], labels[3:] = 0, 0
    assert scored(logits_of(coded(6)), labels)["ap50"] == 1


def test_no_object_at_all_is_no_score():
    nothing = torch.full((1, 3, 48, 96), -9.0)
    assert math.isnan(scored(nothing, np.ones((48, 96), np.uint8))["ap50"])
