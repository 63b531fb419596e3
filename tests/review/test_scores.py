"""Scores: equal to those of skimage and sklearn, the same for any chunking, honest about what was left out."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import skimage.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sk

from voxloop.errors import VolumeError
from voxloop.model import ClassInfo
from voxloop.review import evaluate
from voxloop.review.contingency import count, merge
from voxloop.review.metrics import bootstrap, information, match, rand_error

CLASSES = (
    ClassInfo(value=1, name="ground", background=True),
    ClassInfo(value=2, name="cell"),
    ClassInfo(value=3, name="wall"),
)
shapes = st.tuples(*[st.integers(1, 6)] * 3)


def pairs(high, low=0):
    volume = shapes.flatmap(
        lambda shape: st.tuples(*[hnp.arrays(np.uint32, shape, elements=st.integers(low, high)) for _ in range(2)])
    )
    return volume


@given(pair=pairs(3, low=1))
@settings(max_examples=30)
def test_class_scores_equal_sklearn(pair):
    truth, prediction = pair
    report = evaluate(prediction, truth, classes=CLASSES)
    a, b = truth.ravel(), prediction.ravel()
    assert report.accuracy == pytest.approx(sk.accuracy_score(a, b))
    for value, name in ((1, "ground"), (2, "cell"), (3, "wall")):
        if value not in a and value not in b:
            assert np.isnan(report.iou_per_class[name])
            continue
        one = {"labels": [value], "average": "macro", "zero_division": np.nan}
        assert report.iou_per_class[name] == pytest.approx(sk.jaccard_score(a == value, b == value))
        assert report.dice_per_class[name] == pytest.approx(sk.f1_score(a == value, b == value))
        np.testing.assert_allclose(report.precision_per_class[name], sk.precision_score(a, b, **one))
        np.testing.assert_allclose(report.recall_per_class[name], sk.recall_score(a, b, **one))
    foreground = [report.iou_per_class[n] for n in ("cell", "wall") if np.isfinite(report.iou_per_class[n])]
    if foreground:
        assert report.iou == pytest.approx(np.mean(foreground))


@given(pair=pairs(6))
def test_instance_scores_equal_skimage(pair):
    truth, prediction = pair
    table = count(truth, prediction)
    if (truth > 0).any():
        split, merged = skimage.metrics.variation_of_information(truth, prediction, ignore_labels=(0,))
        np.testing.assert_allclose(information(table), (split, merged), atol=1e-9)
        if (truth > 0).sum() > 1 and len(np.unique(truth[truth > 0])) < (truth > 0).sum():
            error, *_ = skimage.metrics.adapted_rand_error(truth, prediction, ignore_labels=(0,))
            np.testing.assert_allclose(rand_error(table), error, atol=1e-9)


@given(pair=pairs(5), threshold=st.sampled_from([0.5, 0.65, 0.9]))
def test_matching_is_the_best_one_to_one(pair, threshold):
    from scipy.optimize import linear_sum_assignment

    truth, prediction = pair
    a, b = (np.setdiff1d(np.unique(x), [0]) for x in (truth, prediction))
    overlap = np.array(
        [[((truth == i) & (prediction == j)).sum() / ((truth == i) | (prediction == j)).sum() for j in b] for i in a]
    ).reshape(len(a), len(b))
    rows, columns = linear_sum_assignment(-(overlap >= threshold).astype(float))
    expected = int((overlap[rows, columns] >= threshold).sum())
    found = match(count(truth, prediction), threshold)
    assert (found.matched, found.missed, found.extra) == (expected, len(a) - expected, len(b) - expected)
    assert 0 <= found.quality <= found.f1 <= 1


@given(pair=pairs(70_000), cut=st.integers(0, 6))
@settings(max_examples=50)
def test_tables_of_parts_add_up(pair, cut):
    truth, prediction = pair
    whole = count(truth, prediction)
    parts = merge([count(truth[:cut], prediction[:cut]), count(truth[cut:], prediction[cut:])])
    for name in ("truth", "prediction", "voxels"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
    assert whole.total == truth.size
    pair_counts = {
        (int(a), int(b)): int(n) for a, b, n in zip(whole.truth, whole.prediction, whole.voxels, strict=True)
    }
    for (a, b), n in pair_counts.items():
        assert n == ((truth == a) & (prediction == b)).sum()


def test_large_ids_are_counted_exactly():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2**40, 500).astype(np.uint64)[rng.integers(0, 500, 5000)]
    table = count(truth, truth)
    values, counts = np.unique(truth, return_counts=True)
    np.testing.assert_array_equal(table.truth, values)
    np.testing.assert_array_equal(table.voxels, counts)


def test_blocks_and_backing_change_nothing():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, (20, 300, 270), dtype=np.uint8)
    prediction = np.where(rng.random(truth.shape) < 0.7, truth, rng.integers(1, 4, truth.shape)).astype(np.uint8)
    whole = evaluate(prediction, truth, classes=CLASSES).to_json()
    assert evaluate(da.from_array(prediction, chunks=(7, 100, 90)), truth, classes=CLASSES).to_json() == whole
    a, b = truth[truth > 0], prediction[truth > 0]
    assert whole["iou_per_class"]["cell"] == pytest.approx(sk.jaccard_score(a == 2, b == 2))
    low, high = whole["iou_interval"]
    assert low < whole["iou"] < high
    assert high - low < 0.02


def test_unlabelled_truth_excluded_voxels_and_region():
    truth = np.array([[[1, 2, 2, 0], [1, 2, 3, 3]]], np.uint8)
    prediction = np.array([[[1, 2, 1, 3], [2, 2, 3, 1]]], np.uint8)
    assert evaluate(prediction, truth, classes=CLASSES).voxels == 7
    labels = np.zeros_like(truth)
    labels[0, 0, 2] = labels[0, 1, 3] = labels[0, 0, 3] = 2
    report = evaluate(prediction, truth, exclude=labels, classes=CLASSES)
    assert (report.voxels, report.excluded) == (5, 2)
    assert report.iou_per_class == {"ground": 0.5, "cell": pytest.approx(2 / 3), "wall": 1.0}
    part = evaluate(prediction, truth, region=(slice(0, 1), slice(1, 2), slice(1, 3)), classes=CLASSES)
    assert (part.voxels, part.iou) == (2, 1.0)


def test_not_predicted_counts_as_wrong():
    truth = np.full((1, 2, 4), 2, np.uint8)
    prediction = truth.copy()
    prediction[0, 0] = 0
    assert evaluate(prediction, truth, classes=CLASSES).iou_per_class["cell"] == 0.5


def test_instances():
    truth = np.zeros((1, 8, 30), np.uint16)
    truth[0, :, 0:10], truth[0, :, 10:20], truth[0, :, 22:30] = 1, 2, 3
    prediction = np.zeros_like(truth)
    prediction[0, :, 0:9], prediction[0, :, 9:14], prediction[0, :, 14:20] = 4, 5, 6  # 3 is missed, 2 is split
    report = evaluate(prediction, truth, kind="instances")
    assert report.objects == (3, 3)
    assert report.ap50 == pytest.approx(2 / 4)
    assert report.ap[0.65] == pytest.approx(1 / 5)
    assert report.f1 == pytest.approx(2 / 3)
    assert report.pq == pytest.approx((0.9 + 0.6) / 3)
    assert report.voi_split > report.voi_merge > 0
    assert report.iou == pytest.approx(160 / 224)
    perfect = evaluate(truth, truth, kind="instances")
    assert (perfect.ap_mean, perfect.pq, perfect.arand, perfect.voi) == (1, 1, 0, 0)


def test_the_interval_covers_what_it_should():
    """Blocks drawn from a known rate: the 95 % interval holds the true IoU in about 95 of 100 experiments."""
    rng = np.random.default_rng(0)
    held = 0
    for trial in range(100):
        tp = rng.binomial(100, np.clip(rng.normal(0.7, 0.15, 60), 0, 1))
        low, high = bootstrap(np.stack([tp, 100 - tp, np.zeros(60, int)], axis=1)[:, None], [0], draws=300, seed=trial)
        held += low <= 0.7 <= high
    assert 85 <= held <= 100


def test_report_shows_itself_and_is_plain_json():
    import json

    report = evaluate(np.full((1, 3, 3), 2, np.uint8), np.full((1, 3, 3), 2, np.uint8), classes=CLASSES)
    assert "IoU 1.000" in repr(report)
    assert "<td>1.000</td>" in report._repr_html_()
    data = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert data["iou_per_class"] == {"ground": None, "cell": 1.0, "wall": None}
    named = ClassInfo(value=2, name="<b>")
    assert "<b>" not in evaluate(np.full((1, 3, 3), 2), np.full((1, 3, 3), 2), classes=[named])._repr_html_()


@pytest.mark.parametrize(
    ("prediction", "truth", "options", "message"),
    [
        (np.ones((2, 3, 4), int), np.ones((2, 3, 5), int), {}, r"\(2, 3, 4\) and the truth \(2, 3, 5\)"),
        (np.ones((2, 3, 4)), np.ones((2, 3, 4), int), {}, "whole numbers"),
        (np.ones((2, 3, 4), int), np.full((2, 3, 4), 255), {"classes": CLASSES}, r"\[255\].*1 ground, 2 cell"),
        (np.ones((2, 3, 4), int), np.ones((2, 3, 4), int), {"kind": "masks"}, "kind 'masks'"),
        (np.ones((2, 3, 4), int), np.ones((2, 3, 4), int), {"exclude": np.ones((1, 3, 4), int)}, "exclude has shape"),
    ],
)
def test_what_does_not_fit_says_so(prediction, truth, options, message):
    with pytest.raises(VolumeError, match=message):
        evaluate(prediction, truth, **options)


def test_memory_does_not_grow_with_the_volume():
    import tracemalloc

    def peak(depth):
        truth = da.ones((depth, 512, 512), dtype=np.uint8, chunks=(16, 512, 512))
        tracemalloc.start()
        evaluate(truth + np.uint8(1), truth, classes=CLASSES)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(16)
    assert peak(64) < 1.3 * peak(32) + 2e6
