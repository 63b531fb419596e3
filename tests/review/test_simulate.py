"""The simulated annotator: strokes only inside their class, where they teach, the same by seed, and never too many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi

from voxloop.errors import LabelError, VolumeError
from voxloop.review import simulate
from voxloop.review.annotator import Scene, first_strokes, visible_errors
from voxloop.review.effort import CENTIMETRE, CENTIMETRES_PER_VOXEL, DECIDE, KEY, LINE, POINT, AnnotationEffort
from voxloop.review.tracing import depth_in, fatten, trace
from voxloop.store import Store


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    """Discs (2) and a thin wall (3) on ground (1); a corner that nobody knows (0)."""
    z, y, x = np.mgrid[:9, :120, :140]
    found = np.ones(z.shape, np.uint8)
    for cy, cx, r in ((30, 30, 14), (80, 70, 20), (40, 110, 9)):
        found[(y - cy) ** 2 + (x - cx) ** 2 < r**2] = 2
    found[(np.abs(y - 0.4 * x - 55 + z) < 2.5) & (found == 1)] = 3
    found[:, 110:, :20] = 0
    return found


@pytest.fixture
def store(tmp_path, truth):
    picture = (truth * 60 + np.random.default_rng(0).normal(0, 9, truth.shape)).clip(0, 255).astype(np.uint8)
    with Store.create(tmp_path / "w", image=picture, classes=["background", "disc", "wall"], spacing=0.01) as opened:
        yield opened


def wrong(labels, truth):
    return int(((labels != 0) & (labels != truth)).sum())


def test_a_first_round_covers_all_classes_and_stays_inside(store, truth):
    done = simulate(store, truth, strokes=30, seed=3)
    labels = store.labels().read()
    assert wrong(labels, truth) == 0
    assert set(np.unique(labels)) == {0, 1, 2, 3}
    assert done.strokes == len(done.edits) == 30
    assert all(edit.tool == "paint" for edit in done.edits)
    assert done.labelled_voxels == (labels > 0).sum()
    assert done.labelled_share == pytest.approx((labels > 0).mean())
    painted = tuple(int(z) for z in np.flatnonzero(labels.any(axis=(1, 2))))
    assert set(painted) <= set(done.slices)
    assert done.slice_share == pytest.approx((labels[list(done.slices)] > 0).mean())
    assert done.mistakes == ()


def test_seconds_follow_the_stated_model(store, truth):
    done = simulate(store, truth, slices=[4], strokes=7, seed=0)
    expected, last = DECIDE, None  # looking at the one plane
    for edit in done.edits:
        stroke = store.labels().history(edit.sequence)["arguments"]
        length = np.hypot(*np.diff(np.array(stroke["points"]), axis=0).T).sum()
        expected += DECIDE + POINT + LINE + CENTIMETRE * CENTIMETRES_PER_VOXEL * length
        expected += KEY * (stroke["value"] != last)
        last = stroke["value"]
    assert done.annotation_seconds == pytest.approx(expected)


def test_a_longer_way_costs_more_up_to_the_slider():
    ways = []
    for index in (4, 5, 9, 60):
        effort = AnnotationEffort()
        effort.go("z", 4)
        before = effort.seconds
        effort.go("z", index)
        ways.append(effort.seconds - before)
    assert ways == pytest.approx([0, KEY + DECIDE, 5 * KEY + DECIDE, POINT + DECIDE])


def test_mistakes_come_at_the_set_rate_and_by_seed(tmp_path, truth):
    rounds, painted = [], []
    for name, rate in (("none", 0.0), ("some", 0.3), ("again", 0.3)):
        with Store.create(tmp_path / name, image=truth, classes=["background", "disc", "wall"]) as store:
            rounds.append(simulate(store, truth, strokes=40, mistakes=rate, seed=5))
            painted.append(store.labels().read())
    assert rounds[0].mistakes == ()
    assert wrong(painted[0], truth) == 0
    assert 4 <= len(rounds[1].mistakes) <= 20
    assert wrong(painted[1], truth) > 100
    assert set(rounds[1].mistakes) <= {edit.sequence for edit in rounds[1].edits}
    np.testing.assert_array_equal(painted[1], painted[2])
    assert "mistakes" in repr(rounds[1])


@dataclass
class Place:
    """What a suggestion says of where it is."""

    region: tuple
    axis: str
    index: int


@pytest.mark.parametrize(
    ("axis", "region"),
    [("z", np.s_[6:7, 55:105, 45:95]), ("y", np.s_[0:9, 80:81, 45:95]), ("x", np.s_[0:9, 60:100, 70:71])],
)
def test_strokes_at_a_suggested_place_stay_around_it_and_in_its_plane(store, truth, axis, region):
    prediction = np.ones_like(truth)
    place = Place(region, axis, region["zyx".index(axis)].start)
    done = simulate(store, truth, prediction, suggest=[place], strokes=10, seed=0)
    labels = store.labels().read()
    assert done.strokes == 2
    assert wrong(labels, truth) == 0
    assert (labels[region] == 2).any()
    around = tuple(
        slice(max(0, part.start - (24 if name != axis else 0)), part.stop + (24 if name != axis else 0))
        for name, part in zip("zyx", region, strict=True)
    )
    assert (labels > 0).sum() == (labels[around] > 0).sum()


def test_a_place_that_looks_right_is_looked_at_and_left(store, truth):
    off_by_one = np.where(ndi.binary_dilation(truth == 2, np.ones((1, 3, 3))), 2, truth).astype(truth.dtype)
    place = Place(np.s_[6:7, 55:105, 45:95], "z", 6)
    done = simulate(store, truth, off_by_one, suggest=[place], strokes=4)
    assert (done.strokes, done.right) == (0, (place,))
    assert done.annotation_seconds == pytest.approx(KEY + DECIDE)


def test_a_wall_that_was_not_found_is_seen_however_thin():
    truth = np.ones((40, 40), np.uint8)
    truth[20:22] = 2
    scene = Scene(truth=truth, labelled=np.zeros(truth.shape, bool), foreground=[2], background=[1])
    np.testing.assert_array_equal(visible_errors(scene, np.ones_like(truth)), truth == 2)
    beside = np.roll(truth, 1, axis=0)
    assert not visible_errors(scene, beside).any()
    assert visible_errors(scene, np.roll(truth, 4, axis=0)).any()


def test_suggestions_are_asked_of_the_workspace(store, truth):
    asked = []

    class Asked:
        images, path, labels = store.images, store.path, store.labels

        def suggest(self, prediction, n, **settings):
            asked.append((n, settings))
            return [Place(np.s_[6:7, 55:105, 45:95], "z", 6)]

    simulate(Asked(), truth, np.ones_like(truth), suggest=True, strokes=8)
    simulate(Asked(), truth, np.ones_like(truth), suggest="random", strokes=8)
    assert asked == [(4, {}), (4, {"strategy": "random"})]


def test_borders_are_painted_on_both_sides(store, truth):
    simulate(store, truth, slices=[4], strokes=24, seed=1)
    labels, plane = store.labels().read()[4], truth[4]
    inner = ndi.binary_dilation(plane == 1, iterations=5) & (plane == 2)
    outer = ndi.binary_dilation(plane == 2, iterations=5) & (plane == 1)
    assert (labels[inner] == 2).sum() > 20
    assert (labels[outer] == 1).sum() > 20


def test_corrections_go_where_the_prediction_is_wrong(store, truth):
    prediction = truth.copy()
    missed = np.zeros(truth.shape, bool)
    missed[6, 60:101, 49:92] = True
    missed &= truth == 2
    prediction[missed] = 1  # a disc that was not found, on one plane
    invented = np.zeros(truth.shape, bool)
    invented[6, 5:25, 70:95] = True
    prediction[invented] = 2
    done = simulate(store, truth, prediction, strokes=4, seed=0)
    labels = store.labels().read()
    assert 6 in done.slices
    assert wrong(labels, truth) == 0
    assert (labels[missed] == 2).sum() > 60
    assert (labels[invented] == 1).sum() > 60


def test_the_same_seed_paints_the_same(tmp_path, truth):
    painted = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        with Store.create(tmp_path / name, image=truth, classes=["background", "disc", "wall"]) as store:
            simulate(store, truth, strokes=10, seed=seed)
            painted.append(store.labels().read())
    np.testing.assert_array_equal(painted[0], painted[1])
    assert (painted[0] != painted[2]).any()


def test_the_share_is_a_cap_over_all_rounds(store, truth):
    for seed in range(3):
        done = simulate(store, truth, slices=[2, 6], strokes=40, share=0.02, seed=seed)
        assert done.slice_share <= 0.02
    assert done.strokes < 40
    assert (store.labels().read()[[2, 6]] > 0).mean() <= 0.02


def test_instances_get_their_ids(tmp_path, truth):
    ids = np.zeros(truth.shape, np.uint16)
    ids[truth == 2] = ndi.label(truth == 2)[0][truth == 2] + 6
    with Store.create(tmp_path / "i", image=truth, classes=["nuclei"], kind="instances") as store:
        simulate(store, ids, strokes=12, seed=0)
        labels = store.labels().read()
    assert wrong(labels, ids) == 0
    assert set(np.unique(labels)) == {0, 7, 8, 9}


def test_anisotropic_planes(tmp_path, truth):
    with Store.create(
        tmp_path / "a", image=truth, classes=["background", "disc", "wall"], spacing=(0.1, 0.03, 0.01)
    ) as store:
        simulate(store, truth, strokes=20, seed=0)
        assert wrong(store.labels().read(), truth) == 0
        assert store.labels().counts().keys() == {1, 2, 3}


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        (lambda t: t[:5], {}, VolumeError, "must be the same"),
        (lambda t: t * 80, {}, LabelError, r"values \[80, 160, 240\]"),
        (lambda t: t, {"slices": [9]}, VolumeError, "0 to 8"),
        (lambda t: t, {"slices": []}, VolumeError, "at least one"),
        (lambda t: t, {"mistakes": 2}, LabelError, "between 0 and 1"),
    ],
)
def test_truth_that_does_not_fit(store, truth, change, options, error, message):
    with pytest.raises(error, match=message):
        simulate(store, change(truth), **options)
    assert store.labels().counts() == {}


@given(seed=st.integers(0, 10_000), widest=st.floats(0.5, 9), sampling=st.sampled_from([(1.0, 1.0), (2.5, 1.0)]))
@settings(max_examples=25)
def test_no_stroke_leaves_its_class_in_any_texture(seed, widest, sampling):
    rng = np.random.default_rng(seed)
    plane = 1 + (ndi.gaussian_filter(rng.standard_normal((60, 70)), rng.uniform(2, 6)) > 0).astype(np.uint8)
    scene = Scene(plane, np.zeros(plane.shape, bool), [2], [1], sampling=sampling, widest=widest, longest=40)
    for stroke, _ in zip(first_strokes(scene, rng), range(8), strict=False):
        assert (plane[stroke.window][stroke.covers] == stroke.value).all()
        scene.done(stroke)


def test_a_trace_follows_what_suits():
    suits = np.zeros((40, 40), np.float32)
    suits[5, 5:35] = suits[5:35, 34] = 1  # an L
    path = trace(suits, (5, 20), 200)
    assert {tuple(path[0]), tuple(path[-1])} == {(5, 5), (34, 34)}
    assert (suits[tuple(path.T)] > 0).all()


def test_a_stroke_is_as_fat_as_there_is_room():
    mask = np.zeros((60, 60), bool)
    mask[20:41, 2:58] = True
    path = np.array([(30, x) for x in range(5, 55)])
    assert fatten(path, depth_in(mask, (1, 1)), 1, 6.0, (1, 1)).radius == 6.0
    mask[20:28] = mask[33:41] = False
    assert 0.5 < fatten(path, depth_in(mask, (1, 1)), 1, 6.0, (1, 1)).radius < 2.0
    mask[:] = False
    mask[30, 30] = True
    assert fatten(path, depth_in(mask, (1, 1)), 1, 6.0, (1, 1)) is None


def test_a_round_says_in_a_line_what_was_painted(store, truth):
    done = simulate(store, truth, strokes=7, seed=0)
    assert repr(done).startswith("<SimulatedRound: 7 strokes on slices ")
    assert "edits" not in repr(done)
