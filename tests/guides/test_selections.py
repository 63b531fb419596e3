"""Selections keep their shape when they are moved, turned and scaled, and come back."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from voxloop.guides.selections import Selection

lengths = st.floats(-50, 50)


def box(spacing: tuple[float, float]) -> Selection:
    hole = np.array([(15, 25), (15, 30), (20, 30), (20, 25)], float)
    return Selection((np.array([(10, 20), (10, 40), (30, 40), (30, 20)], float), hole), spacing)


@settings(max_examples=50, deadline=None)
@given(lengths, lengths, st.floats(-180, 180), st.floats(0.2, 5), st.sampled_from([(1.0, 1.0), (3.0, 1.0)]))
def test_what_is_done_is_undone_by_its_contrary(row, column, degrees, factor, spacing):
    first, by = box(spacing), np.array([row, column])
    back = first.moved(by).scaled(factor).scaled(1 / factor).moved(-by)
    for one, other in zip(first.outlines, back.outlines, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    turned = first.turned(degrees)
    size = lambda line: np.linalg.norm(np.diff(line, axis=0) * spacing, axis=1)  # noqa: E731
    for one, other in zip(first.outlines, turned.outlines, strict=True):
        np.testing.assert_allclose(size(one), size(other), atol=1e-6)  # rigid as it looks, whatever the voxels


def test_a_hole_is_outside_and_a_corner_that_is_pulled_leaves_the_opposite_one():
    one = box((1.0, 1.0))
    assert one.holds(np.array([12.0, 22.0]))
    assert not one.holds(np.array([17.0, 27.0]))
    assert not one.holds(np.array([5.0, 27.0]))
    pulled = one.pulled(2, np.array([50.0, 60.0]))
    np.testing.assert_allclose(pulled.bounds, [[10, 20], [50, 60]])
    assert one.angle_to(one.knob) == 0
    assert one.angle_to(np.array([20.0, 99.0])) == 90
