"""Which of two predictions is better, on places that neither learned. The truth is made up and known here."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from voxloop.errors import PredictionError
from voxloop.review import open_audit
from voxloop.review.compare import compare
from voxloop.review.comparison import Comparison, Pair
from voxloop.review.evidence import Evidence, Unit, drawn_units, later_strokes
from voxloop.store import Store
from voxloop.store.layout import Layout

from .made import SHAPE, Made

SEEN = {"labels": {"labels/image": 0}, "model_hash": "a"}


def blobs(seed: int, sigma=(1, 9, 9)) -> np.ndarray:
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal(SHAPE), sigma)
    return noise / noise.std()


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return np.where(blobs(0) > 1.2, 2, 1)


def made(seed: int, name: str, noise: float = 1.4, **facts) -> Made:
    """A prediction that is the more wrong the more noise there is."""
    doubt = 3.5 * (blobs(0) - 1.2) + noise * blobs(seed + 1, sigma=(1, 5, 5))
    return Made(1 / (1 + np.exp(-doubt)).astype(np.float32), name=name, lineage=SEEN, **facts)


def iou(prediction: Made, truth: np.ndarray) -> float:
    said = np.asarray(prediction.labels) == 2
    return float((said & (truth == 2)).sum() / (said | (truth == 2)).sum())


def points_of(truth: np.ndarray, n: int, seed: int = 0) -> Evidence:
    """Voxels drawn alike everywhere, with what is true there."""
    rng = np.random.default_rng(seed)
    places = np.column_stack([rng.integers(0, size, n) for size in SHAPE])
    units = [Unit(place[None], truth[tuple(place)][None], truth.size / n) for place in places]
    return Evidence(True, tuple(units), f"{n} points checked")


def strokes_on(where: np.ndarray, truth: np.ndarray, n: int, beside: str) -> list[Unit]:
    """Strokes of a few voxels at places that a mask names."""
    rng = np.random.default_rng(3)
    inside = np.argwhere(where)
    picks = inside[rng.choice(len(inside), n, replace=False)]
    return [Unit(place[None], truth[tuple(place)][None], 1.0, beside) for place in picks]


def test_differences_are_near_the_truth_and_say_how_near(truth):
    one, other = made(1, "one", 1.0), made(2, "other", 2.5)
    exact = iou(one, truth) - iou(other, truth)
    assert exact > 0.1
    pairs = [compare([one, other], points_of(truth, 400, seed)).pairs[0] for seed in range(20)]
    values = np.array([pair.difference for pair in pairs])
    assert abs(values[:, 0].mean() - exact) < 0.04
    assert np.mean((values[:, 1] <= exact) & (exact <= values[:, 2])) >= 0.75
    assert not any(pair.better == "other" for pair in pairs)
    swapped = compare([other, one], points_of(truth, 400, 0)).pairs[0]
    assert swapped.difference[0] == pytest.approx(-pairs[0].difference[0], abs=0.02)


def test_few_points_decide_nothing_and_many_decide(truth):
    one, other = made(1, "one", 1.0), made(2, "other", 2.5)
    few = compare([one, other], points_of(truth, 5))
    assert few.best is None
    assert "not known which is better" in few.words
    many = compare([one, other], points_of(truth, 3000))
    assert many.best == "one"
    assert many.words.startswith("one is better than other by 0.")
    assert many.words.endswith("from 3000 points checked")
    assert many.table()[0]["better"] == "one"
    assert many.pairs[0].per_class["disc"] == many.pairs[0].difference


def test_audits_of_one_prediction_judge_others(tmp_path, truth):
    one, other, audited = made(1, "one", 1.0), made(2, "other", 2.5), made(4, "audited")
    exact = iou(one, truth) - iou(other, truth)
    values = []
    for seed in range(8):
        folder = tmp_path / str(seed)
        audit = open_audit(Layout(folder).audits, audited, "points", 100, seed)
        for i in audit.left[:19]:
            audit.answer(i, int(truth[audit.points[i]]))
        assert drawn_units(Layout(folder), [one, other, audited]).units == (), "too little was answered to judge by"
        for i in audit.left:
            audit.answer(i, int(truth[audit.points[i]]))
        evidence = drawn_units(Layout(folder), [one, other, audited])
        assert sum(unit.weight for unit in evidence.units) == pytest.approx(truth.size, rel=0.01)
        values.append(compare([one, other], evidence).pairs[0].difference)
    table = np.array(values)
    assert abs(table[:, 0].mean() - exact) < 0.08
    assert np.mean((table[:, 1] <= exact) & (exact <= table[:, 2])) >= 0.6


def test_fields_judge_too(tmp_path, truth):
    one, other = made(1, "one", 0.8), made(2, "other", 3.0)
    audit = open_audit(Layout(tmp_path).audits, other, "fields", 24, 0)
    for i in audit.left:
        audit.correct(i, truth[audit.fields[i]])
    found = compare([one, other], drawn_units(Layout(tmp_path), [one, other]))
    low, high = found.pairs[0].difference[1:]
    assert low <= iou(one, truth) - iou(other, truth) <= high
    assert found.words.endswith("from 24 fields proof-read")


def test_strokes_on_errors_of_what_was_on_show_do_not_make_the_other_one_better(truth):
    one, other = made(1, "one"), made(2, "other")
    wrong = np.asarray(one.labels) != truth
    units = strokes_on(wrong, truth, 30, beside="one")
    found = compare([one, other], Evidence(False, tuple(units), "30 places that neither learned"))
    assert found.best is None, "all of them lie on errors of one, since people paint there"
    assert found.pairs[0].difference[1] < 0 < found.pairs[0].difference[2]
    unknown = compare([one, other], Evidence(False, tuple(strokes_on(wrong, truth, 30, "")), "30 places"))
    assert unknown.best is None


def test_what_is_right_even_where_it_was_corrected_is_better(truth):
    one, other = made(1, "one", 0.3), made(2, "other", 4.0)
    wrong = (np.asarray(other.labels) != truth) & (np.asarray(one.labels) == truth)
    units = strokes_on(wrong, truth, 40, beside="one")
    found = compare([one, other], Evidence(False, tuple(units), "40 places that neither learned"))
    assert found.best == "one", "corrected beside one, and yet it is the other that is wrong there"


def test_fewer_than_ten_strokes_ask_for_more(truth):
    one, other = made(1, "one"), made(2, "other")
    units = strokes_on(np.asarray(one.labels) != truth, truth, 9, beside="one")
    found = compare([one, other], Evidence(False, tuple(units), "9 places"), lacking="check 100 points")
    assert found.words == "not known which of one and other is better: check 100 points"
    assert np.isnan(found.pairs[0].difference[0])


def test_predictions_that_say_the_same_are_as_good(truth):
    found = compare([made(1, "one"), made(1, "other")], points_of(truth, 100))
    assert found.words == "one and other say the same everywhere"
    assert found.best is None
    assert found.pairs[0].equal


def test_strokes_that_a_model_learned_from_are_no_evidence(tmp_path):
    with Store.create(tmp_path / "w", image=np.zeros(SHAPE, np.uint8), classes=["background", "disc"]) as store:
        labels = store.labels()
        for number in range(20):
            labels.beside = "one" if number >= 15 else ""
            labels.paint(axis="z", index=number % 6, points=[(10 + 8 * number, 20)], radius=2, value=1 + number % 2)
        layout = Layout(store.path)
        one, other = made(1, "one"), made(2, "other")
        other.lineage = {"labels": {"labels/image": 12}}
        units = later_strokes(layout, [one, other], labels).units
        assert len(units) == 8, "those after the latest of both had learned"
        assert [unit.beside for unit in units] == [""] * 3 + ["one"] * 5
        other.lineage = {"labels": {"labels/elsewhere": 12}}
        assert len(later_strokes(layout, [one, other], labels).units) == 20, "it learned from another image alone"
        other.lineage = {}
        assert later_strokes(layout, [one, other], labels).units == (), "nobody knows what it learned from"


def test_what_cannot_be_compared_is_said(truth):
    one, other = made(1, "one"), made(2, "other", image="elsewhere")
    with pytest.raises(PredictionError, match="same image"):
        compare([one, other], points_of(truth, 10))
    with pytest.raises(PredictionError, match="two predictions at least"):
        compare([one], points_of(truth, 10))
    with pytest.raises(PredictionError, match="were not compared"):
        Comparison(names=("a", "b"), pairs=(Pair(one="a", other="b"),)).pair("a", "c")
