"""Hints become seeds, seeds become masks; masks go through slices; outlines follow edges; networks that fit no pair."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxloop.errors import LabelError, ModelError
from voxloop.guides.carrying import carried
from voxloop.guides.hints import INSIDE, OUTSIDE, Hints, Spot
from voxloop.guides.objects import by_classes, by_picture, contrast
from voxloop.guides.scissors import traced

SIZE = (120, 140)


def disc(row: float, column: float, radius: float) -> np.ndarray:
    y, x = np.ogrid[: SIZE[0], : SIZE[1]]
    return np.asarray((y - row) ** 2 + (x - column) ** 2 <= radius**2)


def iou(spot: Spot | None, truth: np.ndarray) -> float:
    assert spot is not None
    mask = spot.on((slice(0, SIZE[0]), slice(0, SIZE[1])))
    return float((mask & truth).sum() / (mask | truth).sum())


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 8, SIZE)
    return np.asarray(np.where(disc(60, 50, 20) | disc(60, 100, 15), 150, 90) + noise, np.float32)


@pytest.mark.parametrize("way", ["edges", "walker", "grabcut"])
def test_a_click_or_a_box_finds_the_object_by_the_picture(way, picture):
    look = lambda rows, columns: picture[rows, columns]  # noqa: E731
    truth = disc(60, 50, 20)
    for hints in (Hints.of(SIZE, box=[(36, 27), (84, 74)]), Hints.of(SIZE, [(60, 50)], [(60, 100), (20, 20)])):
        assert iou(by_picture(way, hints, SIZE, look), truth) > 0.85


def test_a_model_says_what_is_around_the_click_and_a_click_outside_cuts_at_the_neck():
    both = disc(60, 50, 20) | disc(60, 85, 20)
    classes, sure = np.where(both, 2, 1).astype(np.uint8), np.full(SIZE, 230, np.uint8)
    said = lambda rows, columns: (classes[rows, columns], sure[rows, columns], frozenset({1}))  # noqa: E731
    assert iou(by_classes(Hints.of(SIZE, [(60, 50)]), SIZE, said), both) > 0.99
    cut = by_classes(Hints.of(SIZE, [(60, 50)], [(60, 85)]), SIZE, said)
    assert iou(cut, disc(60, 50, 20)) > 0.9
    assert by_classes(Hints.of(SIZE, [(10, 10)]), SIZE, said) is None  # it says background there


def test_a_hole_stays_where_it_was_pointed_at():
    ring = disc(60, 60, 30) & ~disc(60, 60, 12)
    classes, sure = np.where(ring, 2, 1).astype(np.uint8), np.full(SIZE, 230, np.uint8)
    said = lambda rows, columns: (classes[rows, columns], sure[rows, columns], frozenset({1}))  # noqa: E731
    assert iou(by_classes(Hints.of(SIZE, [(60, 38)]), SIZE, said), disc(60, 60, 30)) > 0.99
    assert iou(by_classes(Hints.of(SIZE, [(60, 38)], [(60, 60)]), SIZE, said), ring) > 0.98


def test_an_object_is_carried_as_far_as_it_goes_on():
    stack = [disc(60, 50 + 2 * z, radius) for z, radius in enumerate((0, 0, 11, 14, 16, 14, 11))]
    stack[0] = stack[1] = disc(10, 10, 5)

    def again(index: int, hints: Hints) -> Spot | None:
        return by_picture("edges", hints, SIZE, lambda rows, columns: stack[index][rows, columns] * 50.0)

    first = Spot((0, 0), stack[4]).trimmed()
    stands_out = lambda index, spot: contrast(spot, SIZE, lambda rows, columns: stack[index][rows, columns] * 50.0)  # noqa: E731
    found = carried(first, 4, len(stack), 9, again, stands_out)
    assert [index for index, _ in found] == [2, 3, 4, 5, 6]
    assert all(iou(spot, stack[index]) > 0.8 for index, spot in found)


def test_scissors_follow_the_edge_between_anchors(picture):
    angles = np.arange(0, 2 * np.pi, np.pi / 3)
    anchors = np.stack([60 + 20 * np.sin(angles), 50 + 20 * np.cos(angles)], axis=1)
    line = traced(anchors, SIZE, lambda rows, columns: picture[rows, columns])
    away = np.abs(np.hypot(line[:, 0] - 60, line[:, 1] - 50) - 20)
    straight = 20 * (1 - np.cos(np.pi / 6))  # how far a straight side would leave it
    assert len(line) > 20
    assert np.percentile(away, 90) < straight
    with pytest.raises(LabelError, match="outside of the plane"):
        traced(np.array([(0, 0), (500, 3)]), SIZE, lambda rows, columns: picture[rows, columns])


places = st.tuples(st.floats(0, SIZE[0] - 1), st.floats(0, SIZE[1] - 1))


@settings(max_examples=25, deadline=None)
@given(st.lists(places, min_size=1, max_size=4), st.lists(places, max_size=4), st.integers(1, 5))
def test_hints_survive_json_and_their_seeds_lie_where_they_were_put(inside, outside, step):
    hints = Hints.of(SIZE, inside, outside)
    again = Hints.from_json(hints.to_json())
    window = hints.window(SIZE)
    assert again.window(SIZE) == window
    seeds = hints.seeds(window, SIZE, step)
    assert set(np.unique(seeds)) <= {0, INSIDE, OUTSIDE}
    for row, column in inside:
        at = [round((n - part.start) / step) for n, part in zip((row, column), window, strict=True)]
        near = seeds[max(0, at[0] - 1) : at[0] + 2, max(0, at[1] - 1) : at[1] + 2]
        assert (near == INSIDE).any()


@settings(max_examples=40, deadline=None)
@given(st.integers(-5, 30), st.integers(-5, 30), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_a_spot_on_a_window_is_the_same_voxels(row, column, rows, columns, seed):
    mask = np.random.default_rng(seed).random((rows, columns)) < 0.4
    window = slice(3, 20), slice(2, 25)
    whole = np.zeros((60, 60), bool)
    whole[row + 10 : row + 10 + rows, column + 10 : column + 10 + columns] = mask
    spot = Spot((row, column), mask)
    np.testing.assert_array_equal(spot.on(window), whole[13:30, 12:35])
    trimmed = spot.trimmed()
    assert (trimmed is None) == (not mask.any())
    if trimmed is not None:
        np.testing.assert_array_equal(trimmed.on(window), spot.on(window))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "point at the object"),
        ({"positive": [(500, 3)]}, "lies outside"),
        ({"positive": "here"}, "no list of points"),
        ({"positive": [(1, 2, 3)]}, "no list of points"),
        ({"box": [(1, 1)]}, "2 opposite corners"),
        ({"box": [(1, 1), (1, 9)]}, "at least a voxel apart"),
        ({"box": [(-9, -9), (-2, -2)]}, "box lies outside"),
        ({"scribble": [(1, float("nan"))]}, "no list of points"),
    ],
)
def test_bad_hints_are_a_sentence(given, words):
    with pytest.raises(LabelError, match=words):
        Hints.of(SIZE, **given)


def test_what_is_no_pair_of_files_is_a_sentence(tmp_path):
    from voxloop.guides.sam_pair import files_of

    for wrong, words in ((tmp_path, "no folder with one"), (3, "two files"), (("a.onnx", "b.onnx"), "no file a.onnx")):
        with pytest.raises(ModelError, match=words):
            files_of(wrong)
