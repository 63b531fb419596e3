"""Settings of objects taken from labelled ones: touching discs come apart, specks go, a few labels are too few."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from scipy import ndimage as ndi

import voxloop as vl
from voxloop.config import ObjectsConfig
from voxloop.geometry import Box
from voxloop.objects.fields import VoxelField
from voxloop.review.object_fit import fit_field

SPACING = (1.0, 0.5, 0.5)


def touching_discs(planes: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and probability of rows of discs of radius 8 that overlap a little, and of specks that are none."""
    y, x = np.mgrid[:160, :160]
    numbers = np.zeros((160, 160), np.int64)
    nearest = np.full(numbers.shape, 9.0)
    for number, (row, column) in enumerate(((r, c) for r in range(16, 150, 28) for c in range(14, 150, 15)), start=1):
        away = np.hypot(y - row, x - column)
        inside = (away <= 8) & (away < nearest)
        numbers[inside] = number
        nearest[inside] = away[inside]
    probability = ndi.gaussian_filter((numbers > 0).astype(np.float32), 0.7)
    probability[2:158:28, 5:158:20] = 1
    return np.stack([numbers] * planes), np.stack([probability] * planes)


@pytest.fixture
def workspace(tmp_path):
    image = np.zeros((5, 160, 160), np.uint8)
    with vl.Workspace.create(tmp_path / "w", image, copy=True, level="discs", kind="instances", spacing=SPACING) as ws:
        yield ws


def fit(ws, planes: list[int], numbers: np.ndarray, probability: np.ndarray):
    """The fit where these planes are labelled, the background (given as the last number) included."""
    labels = ws.labels("discs")
    for plane in planes:
        labels.write((slice(plane, plane + 1), slice(None), slice(None)), numbers[plane : plane + 1])
    field = VoxelField((5, 160, 160), lambda box: probability[box.slices][None], SPACING)
    return fit_field(field, labels, Box.whole((5, 160, 160)))


def test_touching_discs_come_apart_as_they_were_labelled(workspace) -> None:
    numbers, probability = touching_discs(5)
    made = fit(workspace, [2], numbers, probability)
    assert made.objects == 50
    assert made.ap_before < 0.1  # rows of discs are one object each
    assert made.ap > 0.9
    assert made.config.seed_depth > 0
    assert made.config.min_size > 0.25  # a speck is a voxel of 0.25
    assert "50 labelled objects" in made.words


def test_settings_stay_where_nothing_is_won(workspace) -> None:
    numbers = np.zeros((5, 160, 160), np.int64)
    for number, at in enumerate(range(20, 150, 30), start=1):
        numbers[:, 70:82, at : at + 12] = number
    made = fit(workspace, [0, 4], numbers, (numbers > 0).astype(np.float32))
    assert made.config == ObjectsConfig()
    assert made.ap == made.ap_before == 1


def test_two_objects_are_too_few(workspace) -> None:
    numbers = np.zeros((5, 160, 160), np.int64)
    numbers[:, 20:40, 20:40], numbers[:, 60:80, 60:80] = 1, 2
    made = fit(workspace, [1], numbers, (numbers > 0).astype(np.float32))
    assert made.config == ObjectsConfig()
    assert isnan(made.ap)
    assert "label 3 whole objects" in made.words
