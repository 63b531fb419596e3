"""What is said of a model without the truth: by strokes, by points, by fields. The truth is made up and known here."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from voxloop.errors import LabelError, PredictionError
from voxloop.model import ClassInfo
from voxloop.review import accept, open_audit, score_corrections, score_prediction
from voxloop.review.cells import Cells
from voxloop.review.corrections import Strokes, score_strokes
from voxloop.review.fields import draw_fields, score_fields
from voxloop.review.points import draw_points, score_points
from voxloop.review.population import Population
from voxloop.review.score import Score, iou_of, summarise, tails, unknown_score
from voxloop.store import Store
from voxloop.store.layout import Layout

from .made import CLASSES, SHAPE, Made

SEEN = {"labels": {"labels/image": 0}, "model_hash": "a"}


def blobs(seed: int, shape=SHAPE, sigma=(1, 9, 9)) -> np.ndarray:
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), sigma)
    return noise / noise.std()


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return np.where(blobs(0) > 1.2, 2, 1)


def unsure_prediction(seed: int, **given) -> Made:
    """A prediction that is wrong near borders and about some objects, and mostly knows where."""
    doubt = 3.5 * (blobs(0) - 1.2) + 1.4 * blobs(seed + 1, sigma=(1, 5, 5))
    return Made(1 / (1 + np.exp(-doubt)).astype(np.float32), lineage=SEEN, **given)


def true_iou(prediction: Made, truth: np.ndarray) -> float:
    said = np.asarray(prediction.labels) == 2
    return float((said & (truth == 2)).sum() / (said | (truth == 2)).sum())


@pytest.fixture
def store(tmp_path):
    with Store.create(tmp_path / "w", image=np.zeros(SHAPE, np.uint8), classes=["background", "disc"]) as opened:
        yield opened


# ------------------------------------------------------------------------------------------------------------- a score


def test_a_score_says_what_it_knows_in_words():
    classes = (*CLASSES, ClassInfo(value=3, name="wall"))
    best, draws = np.array([0.9, 0.6, 0.4]), np.array([[0.9, 0.5, 0.3], [0.9, 0.7, 0.5], [0.9, np.nan, 0.4]])
    score = summarise(best, draws, classes, (0.0, 1.0), basis="audit", n=14, source="14 points checked")
    assert score.iou == pytest.approx(0.5), "the mean over foreground classes"
    assert score.interval == pytest.approx((0.4, 0.6))
    assert score.per_class["wall"] == pytest.approx((0.4, 0.3, 0.5))
    assert score.words == "IoU 0.40-0.60, from 14 points checked"
    assert unknown_score("check 100 points").words == "not known yet: check 100 points"
    assert Score(known=False).to_json()["iou"] is None


def test_few_units_make_wide_intervals():
    assert tails(0.9) == pytest.approx((0.05, 0.95))
    low = [tails(0.9, n)[0] for n in (2, 5, 12, 1000)]
    assert low == sorted(low)
    assert low[0] < 1e-4
    assert low[-1] == pytest.approx(0.05, abs=1e-3)


def test_iou_of_a_table_is_that_of_voxels():
    assert iou_of(np.array([[6.0, 2.0], [1.0, 3.0]])) == pytest.approx([6 / 9, 3 / 6])
    assert np.isnan(iou_of(np.array([[1.0, 0], [0, 0]]))[1])


# --------------------------------------------------------------------------------------------------------- corrections


def strokes(labels, places: int, *, wrong: int = 0) -> None:
    """Short strokes on background and disc, in turn; the first ``wrong`` of them where discs were not predicted."""
    for number in range(places):
        y, x = 12 + 14 * (number % 13), 20 + 30 * (number // 13)
        value = 2 if number < wrong else 1 + number % 2
        labels.paint(axis="z", index=number % 6, points=[(y, x), (y, x + 12)], radius=2, value=value)


def test_nothing_is_said_below_ten_strokes(store):
    labels, made = store.labels(), unsure_prediction(1)
    strokes(labels, 9)
    score = score_corrections(store.path, made, labels)
    assert not score.known
    assert np.isnan(score.iou)
    assert score.words == "not known yet: correct 1 more place, or check 100 points"
    labels.paint(axis="z", index=3, points=[(150, 200)], radius=3, value=2)
    assert score_corrections(store.path, made, labels).known


def test_classes_without_strokes_are_asked_for(store):
    labels = store.labels()
    for y in range(10, 190, 15):
        labels.paint(axis="z", index=2, points=[(y, 40), (y, 60)], radius=2, value=1)
    score = score_corrections(store.path, unsure_prediction(1), labels)
    assert score.words == "not known yet: correct 2 more places of disc, or check 100 points"


def told(wrong: float) -> Score:
    """The score by 40 strokes, of which so many are predicted as another class where the model was fairly sure."""
    count = 40
    sure = np.zeros((count, 2))
    sure[:, 0] = 1
    shares = (np.arange(count) < wrong * count).astype(float)
    strokes_made = Strokes(np.arange(count) % 2, shares, sure, np.array([-2.2, 0.0]))
    cells = Cells(np.array([9e5, 1e5]), np.array([0, 1]), np.array([[0.98, 0.02], [0.2, 0.8]]), np.zeros((2, 256)))
    return score_strokes(strokes_made, cells, CLASSES)


def test_more_errors_under_the_strokes_are_a_lower_score():
    scores = [told(wrong) for wrong in (0.1, 0.4, 0.7, 0.95)]
    assert [score.iou for score in scores] == sorted((score.iou for score in scores), reverse=True)
    assert scores[0].iou - scores[-1].iou > 0.1
    for score in scores:
        assert score.per_class["disc"] == (score.iou, *score.interval)
        assert 0 <= score.interval[0] < score.iou < score.interval[1] <= 1
        assert score.interval[1] - score.interval[0] > 0.1, "places that people choose leave much open"


def test_what_the_model_saw_or_a_prediction_said_is_no_evidence(store):
    labels = store.labels()
    made = unsure_prediction(1)
    made.lineage = {"labels": {"labels/image": 12}}
    strokes(labels, 12)
    accept(labels, made, above=0.9)
    assert score_corrections(store.path, made, labels).n == 0
    strokes(labels, 30)
    assert 0 < score_corrections(store.path, made, labels).n <= 18
    while labels.sequence < 60 and labels.undo():
        pass
    assert score_corrections(store.path, made, labels).n == 0, "what was taken back is no evidence either"


def test_a_prediction_without_probabilities_asks_for_them(store):
    labels = store.labels()
    strokes(labels, 20)
    assert "predict again" in score_corrections(store.path, unsure_prediction(1, keeps=()), labels).words
    unmarked = unsure_prediction(1)
    unmarked.lineage = {}
    assert "not on record" in score_corrections(store.path, unmarked, labels).words


# -------------------------------------------------------------------------------------------------------------- audits


def points_said(audit, truth) -> None:
    for i in audit.left:
        audit.answer(i, int(truth[audit.points[i]]))


def fields_said(audit, truth) -> None:
    for i in audit.left:
        audit.correct(i, truth[audit.fields[i]])


SAY = {"points": points_said, "fields": fields_said}


def by_points(population: Population, truth: np.ndarray, seed: int) -> Score:
    points = draw_points(population, 100, seed)
    return score_points(points, truth[tuple(points.places.T)] - 1, population.classes, 0.9)


def by_fields(population: Population, truth: np.ndarray, seed: int) -> Score:
    fields = draw_fields(population, 12, seed)
    joints = []
    for box in fields.boxes:
        pairs = (truth[box.slices] - 1) * 2 + population.read(box)
        joints.append(np.bincount(pairs.ravel(), minlength=4).reshape(2, 2))
    return score_fields(fields, np.array(joints, float), np.ones(len(joints), bool), population.classes, 0.9)


@pytest.mark.parametrize("audited", [by_points, by_fields])
@pytest.mark.parametrize("keeps", [("uncertainty",), ()])
def test_audits_are_near_the_truth_and_say_how_near(truth, audited, keeps):
    made = unsure_prediction(3, keeps=keeps)
    population, exact = Population(made), true_iou(made, truth)
    scores = [audited(population, truth, seed) for seed in range(30)]
    errors = [score.iou - exact for score in scores]
    covered = [score.interval[0] <= exact <= score.interval[1] for score in scores]
    assert np.abs(errors).mean() < 0.07
    assert abs(np.mean(errors)) < 0.03
    assert np.mean(covered) >= 0.75  # 0.9 is meant; fewer than 22 of 30 are all but impossible then


@pytest.mark.parametrize("audited", [by_points, by_fields])
def test_an_audit_without_an_error_does_not_say_that_there_is_none(audited):
    made = unsure_prediction(3)
    score = audited(Population(made), np.asarray(made.labels), 0)
    low, high = score.interval
    assert high - low > 0.05
    assert high > 0.95


@pytest.mark.parametrize("how", ["points", "fields"])
def test_an_audit_goes_on_where_it_was_left(tmp_path, truth, how):
    made = unsure_prediction(2)
    begin = partial(open_audit, tmp_path, made, how, None, 5)
    audit = begin()
    places = audit.points if how == "points" else audit.fields
    assert len({str(place) for place in places}) == audit.count == {"points": 100, "fields": 12}[how]
    assert not audit.score().known
    assert audit.score().words == f"not known yet: check {20 if how == 'points' else 5} more {how}"
    SAY[how](audit, truth)
    audit.skip(3)
    again = begin()
    assert again.left == []
    assert again.answered == audit.answered
    assert 3 not in again.answered
    assert again.score().interval == audit.score().interval
    assert (again.points if how == "points" else again.fields) == places
    with again.path.open("ab") as file:
        file.write(b'{"i": 3, "val')
    assert begin().answered == audit.answered, "a torn line is not there yet"
    assert open_audit(tmp_path, made, how, None, 6).left, "another seed is another audit"
    made.lineage = {**SEEN, "model_hash": "b"}
    assert begin().left, "a prediction made anew under this name has been judged by nobody"


def test_points_lie_in_their_strata(tmp_path):
    made = unsure_prediction(2)
    predicted = np.asarray(made.labels)
    audit = open_audit(tmp_path, made, "points", 100, 0)
    inside = np.array([predicted[point] == 2 for point in audit.points])
    assert 35 <= inside.sum() <= 45
    assert 8 <= inside[:25].sum() <= 12, "whoever leaves off early has seen of everything"


def test_answers_that_do_not_fit_are_refused(tmp_path, truth):
    made = unsure_prediction(2)
    points = open_audit(tmp_path, made, "points", 100, 0)
    points.answer(0, "disc")
    assert points.said(0) == 2
    points.answer(0, "background")
    assert points.said(0) == 1, "the last answer counts"
    assert points.answered == [0]
    with pytest.raises(LabelError, match="did you mean"):
        points.answer(0, "2 disk")
    with pytest.raises(PredictionError, match="0 to 99"):
        points.answer(100, 1)
    fields = open_audit(tmp_path, made, "fields", 12, 0)
    with pytest.raises(LabelError, match="do not fit"):
        fields.correct(0, np.ones((3, 3), int))
    with pytest.raises(LabelError, match="no classes"):
        fields.correct(0, np.full(fields.predicted(0).shape, 9))
    with pytest.raises(PredictionError, match="kind of audit"):
        open_audit(tmp_path, made, "point", 100, 0)
    with pytest.raises(PredictionError, match="too little"):
        open_audit(tmp_path, made, "fields", 1, 0)


def test_fields_tell_fractions_and_objects(tmp_path, truth):
    made = unsure_prediction(2)
    audit = open_audit(tmp_path, made, "fields", 24, 1)
    for i in range(audit.count):
        audit.accept(i) if i % 2 else audit.correct(i, truth[audit.fields[i]][0])
    assert (audit.corrected(1) == audit.predicted(1)).all()
    value, low, high = audit.fractions()["disc"]
    assert low <= value <= high
    assert value == pytest.approx((truth == 2).mean(), rel=0.25)
    count, low, high = audit.objects("disc")
    assert 0 < low <= count <= high


def test_accepting_everything_is_a_perfect_score(tmp_path):
    made = unsure_prediction(2)
    audit = open_audit(tmp_path, made, "fields", 12, 0)
    for i in audit.left:
        audit.accept(i)
    assert audit.score().iou == pytest.approx(1, abs=0.02)


def test_large_predictions_are_sampled_by_blocks(monkeypatch, tmp_path, truth):
    made = unsure_prediction(2)
    whole = Population(made).blocks(0, (1, 64, 64))
    assert whole[1] == 1.0
    boxes, scale = Population(made).blocks(0, (1, 64, 64), most=20)
    assert len(boxes) == 20
    assert scale * sum(box.size for box in boxes) == pytest.approx(truth.size)


def test_an_audit_counts_before_corrections(store, truth):
    labels, made, layout = store.labels(), unsure_prediction(2), Layout(store.path)
    strokes(labels, 30)
    assert score_prediction(layout, made, labels).basis == "corrections"
    audit = open_audit(layout.audits, made, "points", None, 0)
    assert score_prediction(layout, made, labels).basis == "corrections", "nobody has answered yet"
    points_said(audit, truth)
    score = score_prediction(layout, made, labels)
    assert score.basis == "audit"
    assert score.words.endswith("from 100 points checked")
    assert score_prediction(Layout(store.path / "elsewhere"), made, None).words == "not known yet: check 100 points"


def test_strokes_beside_another_prediction_count_as_less_of_a_choice(store):
    labels, made = store.labels(), unsure_prediction(1)
    made.name = "predict-1"
    scores = []
    for beside in ("predict-1", "predict-2"):
        labels.beside = beside
        strokes(labels, 30, wrong=20)
        scores.append(score_corrections(store.path, made, labels))
        while labels.undo():
            pass
    assert scores[0].n == scores[1].n
    assert scores[1].iou < scores[0].iou - 0.01, "nobody looked for its errors, and yet the strokes lie on them"
