"""Thin classes are told by narrow strokes on what stands out, not by a fine brush alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from voxloop.deep.begin.material import suit_thin
from voxloop.deep.data.labelled_image import LabelledImage
from voxloop.deep.data.thin import across, thin_labels
from voxloop.deep.data.training_data import assemble


def world(make: Any, *, walls: bool, tiny: Any) -> Any:
    """Walls of two voxels, or stripes twelve wide, painted along their middle with a brush of two voxels."""
    rng = np.random.default_rng(0)
    every, wide = 40, 2 if walls else 12
    x = np.arange(200)
    inside = (x % every) < wide
    truth = np.broadcast_to(inside, (3, 200, 200))
    raw = gaussian_filter(np.where(truth, 200.0, 100.0), (0, 0.7, 0.7)) + rng.normal(0, 8, truth.shape)
    middle = wide // 2
    labels = np.zeros(truth.shape, np.uint8)
    for start in range(0, 200, every):
        for top in range(10, 180, 40):
            labels[1, top : top + 20, start + middle - 1 : start + middle + 1] = 3
            labels[1, top : top + 20, start + 22 : start + 30] = 1
    image = LabelledImage(
        name="image", volume=make.volume(raw.clip(0, 255).astype(np.uint8)), labels=make.labels(labels)
    )
    return assemble([image], make.classes, tiny)


@pytest.mark.parametrize("walls", [True, False])
def test_walls_are_thin_and_a_fine_brush_on_stripes_is_not(make: Any, tiny: Any, walls: bool) -> None:
    data = world(make, walls=walls, tiny=tiny)
    assert thin_labels(data.images, [2]) == ((2,) if walls else ())
    assert thin_labels(data.images, [1]) == ()  # painted eight wide


def test_what_is_across_is_found_whatever_way_a_stroke_runs() -> None:
    for axis in (0, 1):
        plane = np.zeros((40, 40))
        own = np.zeros(plane.shape, bool)
        line = [slice(None), slice(None)]
        line[axis] = slice(19, 21)
        plane[tuple(line)] = 10.0
        own[tuple(line)] = True
        assert np.allclose(across(plane, own), -10.0)
    assert len(across(plane, np.zeros_like(own))) == 0


def test_what_is_set_for_thin_classes_leaves_what_users_set(tiny: Any) -> None:
    suited = suit_thin(tiny.changed(scale="auto"))
    assert (suited.scale, suited.boundary_weight) == (1.0, 2.0)
    kept = suit_thin(tiny.changed(scale=0.5, boundary_weight=7.0))
    assert (kept.scale, kept.boundary_weight) == (0.5, 7.0)
