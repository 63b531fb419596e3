"""Brush masks against the plain definition: every voxel whose centre is within the radius of the line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxloop.errors import LabelError
from voxloop.store.strokes import as_points, ball, stroke

coordinate = st.floats(-12, 45, allow_nan=False).map(lambda v: round(v, 3))
step = st.sampled_from([0.25, 1.0, 1.7, 5.0])


def distance_to_line(points: np.ndarray, spacing: tuple[float, float], shape: tuple[int, int]) -> np.ndarray:
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1) * spacing
    um = points * spacing
    best = np.full(shape, np.inf)
    for a, b in zip(um, um[1:] if len(um) > 1 else um, strict=False):
        length = ((b - a) ** 2).sum()
        share = np.clip(((grid - a) @ (b - a)) / length, 0, 1) if length else np.zeros(shape)
        best = np.minimum(best, np.linalg.norm(grid - (a + share[..., None] * (b - a)), axis=-1))
    return best


@given(st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=5), st.floats(0, 14), step, step)
def test_a_stroke_is_all_within_the_radius(points: list, radius: float, row_step: float, column_step: float) -> None:
    shape, spacing = (31, 37), (row_step, column_step)
    line = as_points(points)
    found = stroke(line, radius, spacing, shape, thin=False)
    mask = np.zeros(shape, bool)
    if found is not None:
        rows, columns = (slice(o, o + n) for o, n in zip(found.origin, found.mask.shape, strict=True))
        mask[rows, columns] = found.mask
    distance = distance_to_line(line, spacing, shape)
    clear = np.abs(distance - radius) > 1e-4 * (1 + radius)  # rounding decides on the rim
    np.testing.assert_array_equal(mask[clear], (distance <= radius)[clear])


@given(st.tuples(st.floats(0, 30), st.floats(0, 36)), st.tuples(st.floats(0, 30), st.floats(0, 36)), step)
def test_the_thinnest_stroke_is_a_connected_line(start: tuple, end: tuple, across: float) -> None:
    from scipy.ndimage import label

    found = stroke(as_points([start, end]), 0.0, (across, 1.0), (31, 37))
    assert found is not None
    for row, column in (start, end):
        assert found.mask[int(np.floor(row + 0.5)) - found.origin[0], int(np.floor(column + 0.5)) - found.origin[1]]
    assert label(found.mask, np.ones((3, 3)))[1] == 1


def test_a_ball_is_round_in_micrometres() -> None:
    cuts = ball(radius_um=0.1, across_um=0.04, reach=9, index=10, count=30)
    assert [index for index, _ in cuts] == [8, 9, 10, 11, 12]
    np.testing.assert_allclose([radius for _, radius in cuts], [0.06, 0.0916515, 0.1, 0.0916515, 0.06], rtol=1e-5)
    assert [index for index, _ in ball(0.1, 0.04, 1, 0, 30)] == [0, 1]


@pytest.mark.parametrize("points", [[], [1, 2, 3], [[1, 2, 3]], [[1, np.nan]], "ab", None])
def test_points_that_are_none(points: object) -> None:
    with pytest.raises(LabelError, match=r"points"):
        as_points(points)
