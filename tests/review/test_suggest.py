"""Where to paint next: on predictions made by hand, and the rules by which places are ordered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxloop.errors import PredictionError, VolumeError
from voxloop.geometry import Box
from voxloop.review import STRATEGIES, Ground, suggest
from voxloop.review.ranking import (
    rank_by_chance,
    rank_by_clusters,
    rank_by_difference,
    rank_by_gain,
    rank_by_kinds,
    rank_evenly,
)
from voxloop.review.survey import look_over, pool, readable_axes
from voxloop.review.texture import comparable, describe_pieces
from voxloop.store import Store

from .made import SHAPE, Made


def ground(made=None, *, image=None, spacing=(1.0, 1.0, 1.0), name="image", **more):
    """An image with, or without, a prediction; flat where not given."""
    if image is None:
        image = np.zeros(SHAPE if made is None else made.probability.shape, np.float32)
    return Ground(
        image=name,
        read=lambda box: image[None][(slice(None), *box.slices)],
        shape=image.shape,
        spacing_um=spacing,
        predictions=[] if made is None else [made],
        **more,
    )


def unsure_at(places, shape=SHAPE, half=12):
    probability = np.zeros(shape, np.float32)
    for z, y, x in places:
        probability[z, y - half : y + half, x - half : x + half] = 0.49
    return probability


@pytest.mark.parametrize("keeps", [("probabilities",), ("uncertainty",)])
@pytest.mark.parametrize("strategy", ["gain", "uncertainty"])
def test_what_is_unsure_is_found_and_said(keeps, strategy):
    places = [(1, 32, 32), (4, 168, 210), (1, 168, 32)]
    found = suggest([ground(Made(unsure_at(places), keeps))], 3, strategy=strategy)
    assert len(found) == 3
    for z, y, x in places:
        assert any(s.index == z and np.hypot(s.centre[1] - y, s.centre[2] - x) < 30 for s in found)
    scores = [s.score for s in found]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == 1
    for one in found:
        assert one.image == "image"
        assert one.box.holds(one.centre)
        assert one.region == one.box.slices
        assert "background and disc" in one.reason
        assert "%" in one.reason
        assert 4 < one.seconds < 60


def test_entropy_alone_is_enough():
    made = Made(unsure_at([(2, 100, 100)]), ("uncertainty",), "entropy")
    assert suggest([ground(made)], 1)[0].index == 2
    with pytest.raises(PredictionError, match="predict again"):
        suggest([ground(Made(unsure_at([(2, 100, 100)]), ()))], 1)


def test_labelled_places_are_not_suggested(tmp_path):
    with Store.create(tmp_path / "w", image=np.zeros(SHAPE, np.uint8), classes=["background", "disc"]) as store:
        labels = store.labels()
        made = Made(unsure_at([(1, 40, 40), (4, 104, 104)], half=4))
        labels.write((slice(1, 2), slice(30, 50), slice(30, 50)), np.full((1, 20, 20), 1))
        assert {s.index for s in suggest([ground(made, labels=labels)], 5)} == {4}
    assert suggest([ground(Made(np.zeros(SHAPE, np.float32)))], 5) == []


def test_what_was_found_right_is_not_suggested_again_and_its_like_comes_later():
    places = [(1, 32, 32), (4, 168, 210), (1, 168, 32)]
    image = np.random.default_rng(0).normal(0, 1, SHAPE).astype(np.float32)
    image[:, :, :70] *= 20  # two of the three look alike
    made = Made(unsure_at(places))
    first, *_ = suggest([ground(made, image=image)], 3)
    assert first.centre[2] < 70
    again = suggest([ground(made, image=image, seen=[first.box])], 3)
    assert first.box not in [place.box for place in again]
    assert again[0].centre[2] > 140
    for strategy in ("random", "diversity", "uncertainty"):
        found = suggest([ground(made, image=image, seen=[first.box])], 500, strategy=strategy)
        assert first.box not in [place.box for place in found]


def test_a_class_that_nobody_painted_is_looked_for_where_nothing_is_unsure(tmp_path):
    image = np.zeros(SHAPE, np.float32)
    image[2, 70:120, 140:190] = np.random.default_rng(0).normal(0, 9, (50, 50))
    with Store.create(tmp_path / "w", image=image, classes=["background", "disc", "vesicle"]) as store:
        labels = store.labels()
        labels.write((slice(0, 1), slice(0, 8), slice(0, 16)), np.repeat([[[1, 2]]], 8, axis=1).repeat(8, axis=2))
        made = Made(unsure_at([(5, 32, 32)]))
        unlike, unsure, *_ = suggest([ground(made, image=image, labels=labels)], 6)
        assert (unlike.index, unsure.index) == (2, 5)
        assert "there is no vesicle yet" in unlike.reason
        labels.write((slice(3, 4), slice(0, 8), slice(0, 8)), np.full((1, 8, 8), 3))
        assert suggest([ground(made, image=image, labels=labels)], 1)[0].index == 5


def test_a_kind_of_mistake_that_is_everywhere_comes_before_a_rare_one():
    rng = np.random.default_rng(0)
    image = rng.normal(0, 1, SHAPE).astype(np.float32)
    image[:, :64] *= 20  # the first rows look like nothing else
    probability = np.zeros(SHAPE, np.float32)
    probability[:, 40:60, 40:60] = 0.5
    for x in (20, 90, 160, 220):
        probability[:, 140:160, x : x + 20] = 0.49
    assert suggest([ground(Made(probability), image=image)], 1)[0].box.start[1] > 60


def test_a_piece_that_is_unsure_as_a_whole_comes_before_seams_along_borders():
    probability = np.zeros(SHAPE, np.float32)
    probability[1, 4:48:8, 4:48] = 0.45  # as many voxels as in the piece
    probability[4, 110:126, 110:126] = 0.45
    assert suggest([ground(Made(probability))], 1)[0].index == 4


def test_a_mistake_in_a_rare_class_weighs_more():
    class Three(Made):
        @property
        def _stack(self):
            rare = np.zeros_like(self.probability)
            rare[5, 150:158, 150:158] = 0.4
            return np.stack([1 - self.probability - rare, self.probability, rare])

        @property
        def labels(self):
            from voxloop.volumes import open_volume

            return open_volume((1 + self._stack.argmax(axis=0)).astype(np.uint8))

    from voxloop.model import ClassInfo

    from .made import CLASSES

    probability = np.zeros(SHAPE, np.float32)
    probability[0] = 1.0
    probability[1, 20:36, 20:36] = 0.45
    made = Three(probability, ("probabilities",), classes=(*CLASSES, ClassInfo(value=3, name="rare")))
    assert suggest([ground(made)], 1)[0].index == 5


def test_planes_across_every_axis_where_voxels_are_cubic():
    shape = (64, 64, 64)
    probability = np.zeros(shape, np.float32)
    probability[10:50, 10:50, 28:36] = 0.49  # a sheet: one plane across x shows it whole
    found = suggest([ground(Made(probability))], 1)[0]
    assert found.axis == "x"
    assert 28 <= found.index < 36
    assert found.box.shape == (64, 64, 1)
    assert {s.axis for s in suggest([ground(Made(probability), spacing=(5.0, 1.0, 1.0))], 4)} == {"z"}
    assert {s.axis for s in suggest([ground(Made(probability), frames=True)], 4)} == {"z"}
    assert readable_axes((1, 500, 500), (1, 1, 1)) == ("z",)


def test_the_first_strokes_go_to_each_kind_of_place():
    image = np.zeros((1, 256, 256), np.float32)
    rng = np.random.default_rng(0)
    image[:, :, 128:] = rng.normal(0, 1, (1, 256, 128))
    image[:, 192:, :64] = 40 * rng.normal(0, 1, (1, 64, 64))

    def kinds(strategy, n, seed):
        found = suggest([ground(image=image)], n, strategy=strategy, seed=seed)
        return len({(s.box.start[2] >= 128, s.box.start[1] >= 192 and s.box.start[2] < 64) for s in found})

    assert kinds("kmeans", 3, 0) == kinds("diversity", 3, 0) == 3
    by_lot, by_chance = (sum(kinds(strategy, 3, seed) for seed in range(12)) for strategy in ("gain", "random"))
    assert by_lot > by_chance
    with pytest.raises(PredictionError, match="needs a prediction"):
        suggest([ground(image=image)], 3, strategy="uncertainty")


def test_the_first_places_are_seldom_the_odd_one():
    image = np.random.default_rng(0).normal(0, 1, (12, 192, 192)).astype(np.float32)
    image[:, :64, :64] *= 30  # a ninth of each plane stands out, and looks like nothing else
    found = [s for seed in range(6) for s in suggest([ground(image=image)], 3, seed=seed)]
    assert 0 < sum(s.box.start[1:] == (0, 0) for s in found) < len(found) / 2
    assert all("of the image" in s.reason for s in found)


def test_several_images_are_looked_at_together():
    one = ground(Made(unsure_at([(1, 40, 40)], half=4)), name="one")
    other = ground(Made(unsure_at([(1, 40, 40), (4, 168, 210)])), name="other")
    found = suggest([one, other], 6)
    assert found[0].image == "other"
    assert {s.image for s in found} == {"one", "other"}
    assert {s.image for s in suggest([one, other], 6, strategy="stride")} == {"one", "other"}


def test_what_moves_and_what_is_next_in_line():
    frames = np.zeros((12, 40, 50), np.float32)
    frames[7:] = 1
    frames += np.random.default_rng(0).normal(0, 0.01, frames.shape)
    assert suggest([ground(image=frames, frames=True)], 1, strategy="motion")[0].index == 7
    assert [s.index for s in suggest([ground(image=frames, frames=True)], 3, strategy="stride")] == [2, 5, 9]


def test_only_where_was_asked_and_predicted():
    made = Made(unsure_at([(1, 40, 40), (4, 168, 210)]))
    region = Box((4, 128, 128), (5, 200, 260))
    assert {s.index for s in suggest([ground(made, inside=region)], 5)} == {4}
    with pytest.raises(VolumeError, match="shape"):
        suggest([ground(made, image=np.zeros((6, 200, 250), np.float32))], 2)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_keeps_to_the_image_and_to_its_seed(strategy):
    probability = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    here = ground(Made(probability), image=probability)
    found = suggest([here], 4, strategy=strategy, seed=3)
    assert 1 <= len(found) <= 4
    assert all(Box.whole(SHAPE).covers(s.box) and s.reason and s.box.crosses(s.axis, s.index) for s in found)
    assert len({s.box for s in found}) == len(found)
    assert found == suggest([here], 4, strategy=strategy, seed=3)


def test_bad_wishes_are_refused_in_a_sentence():
    with pytest.raises(PredictionError, match="n=0"):
        suggest([ground()], 0)
    with pytest.raises(PredictionError, match="did you mean 'gain'"):
        suggest([ground()], 1, strategy="gains")


def test_a_large_image_is_read_within_the_budget():
    asked = 0

    def read(box):
        nonlocal asked
        asked += box.size
        return np.zeros((1, *box.shape), np.uint8)

    survey = look_over(read, Box.whole((600, 4000, 4000)), (1.0, 1.0, 1.0), share=0.02)
    assert 0 < asked <= 0.02 * 32_000_000
    assert len(survey) <= 0.02 * 6_000


# --------------------------------------------------------------------------------------------------------------- rules


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 2**16))
@settings(max_examples=40, deadline=None)
def test_a_greedy_choice_never_rises_and_never_repeats(count, n, seed):
    rng = np.random.default_rng(seed)
    loss = rng.random(count) * (rng.random(count) < 0.7)
    features = rng.normal(size=(count, 3)).astype(np.float32)
    seconds = 1 + rng.random(count)
    ranked = rank_by_gain(loss, features, seconds, n)
    assert len(ranked.order) <= min(n, int((loss > 0).sum()))
    assert len(set(ranked.order.tolist())) == len(ranked.order)
    assert (np.diff(ranked.score) <= 0).all()
    assert (ranked.share >= 0).all()
    assert (ranked.share <= 1).all()
    assert (loss[ranked.order] > 0).all()


def test_a_place_that_takes_twice_as_long_must_be_worth_it():
    features = np.array([[0.0], [9.0]], np.float32)
    assert rank_by_gain(np.array([1.0, 1.1]), features, np.array([5.0, 10.0]), 1).order.tolist() == [0]


@given(st.integers(1, 30), st.integers(1, 10), st.integers(0, 2**16))
@settings(max_examples=30, deadline=None)
def test_rules_without_a_prediction_take_each_place_once(count, n, seed):
    features = np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)
    for ranked in (
        rank_by_clusters(features, n, seed),
        rank_by_difference(features, n),
        rank_by_chance(count, n, seed),
        rank_by_kinds(np.ones(count, bool), features, features[:, :3], n, seed, np.empty(0, int)),
        rank_evenly(np.linspace(0, 1, count), n),
    ):
        assert 1 <= len(ranked.order) <= n
        assert len(set(ranked.order.tolist())) == len(ranked.order)
        assert set(ranked.order.tolist()) <= set(range(count))


@given(st.floats(0.1, 50), st.floats(-100, 100))
@settings(max_examples=20, deadline=None)
def test_exposure_does_not_change_what_pieces_look_like(gain, offset):
    pieces = np.random.default_rng(0).normal(size=(6, 1, 20, 24)) * np.arange(1, 7).reshape(6, 1, 1, 1)
    one, other = (comparable(describe_pieces(p)) for p in (pieces, pieces * gain + offset))
    assert np.abs(one - other).max() < 0.02


def test_pieces_with_a_few_extreme_pixels_are_described_by_numbers():
    pieces = np.ones((3, 2, 16, 16))
    pieces[0, 0, :2, :4] = -1e6
    pieces[1, :, 3, 3] = np.inf
    assert np.isfinite(comparable(describe_pieces(pieces))).all()


def test_cells_are_means_even_at_the_rim():
    planes = np.random.default_rng(0).random((2, 19, 8))
    cells = pool(planes)
    assert cells.shape == (2, 3, 1)
    assert np.allclose(cells[1, 2, 0], planes[1, 16:].mean())
