"""Strokes held out in turn: which settings they choose, how sure they let a model be, which of them are in doubt."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from texture import CLASSES, SPACING, strokes, textured

from voxloop.config import ShallowConfig
from voxloop.errors import ModelError
from voxloop.geometry import Box
from voxloop.shallow import record
from voxloop.shallow.calibration import calibration_error, fit_temperature, tempered
from voxloop.shallow.choice import CANDIDATES, choose_settings, free
from voxloop.shallow.classifier import fit_classifier
from voxloop.shallow.crossfit import CrossFit
from voxloop.shallow.fitting import fit_examples, measure
from voxloop.shallow.folds import folds_for
from voxloop.shallow.model import ShallowModel, describe
from voxloop.shallow.planning import bank_for
from voxloop.shallow.samples import in_block
from voxloop.shallow.table import Example, Watch, gather, source_of

CONFIG = ShallowConfig(scales=3, samples=2000, passes=5, context=0)


def example(shape=(8, 96, 96), planes=(1, 4, 7), seed=0) -> Example:
    image, truth = textured(shape, seed)
    labels = strokes(truth, planes)
    return Example(
        name="image",
        read=lambda box: image[None][:, *box.slices],
        shape=shape,
        channels=1,
        spacing_um=SPACING,
        labelled=in_block(labels, Box.whole(shape)),
    )


def material(config: ShallowConfig, one: Example):
    bank = bank_for(config, 1, SPACING, one.shape[0])
    normalisation = measure([one])
    table = gather(config, [one], bank, normalisation, CLASSES, 1, Watch())
    return bank, normalisation, table


# --------------------------------------------------------------------------------------------------------------- folds


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 99), st.integers(0, 99)), min_size=8, max_size=60))
def test_slices_that_are_close_are_held_out_together(places):
    at = np.array(places)
    folds = folds_for(at)
    parts = folds.of(at)
    assert parts.min() >= 0
    assert parts.max() < folds.count <= 4
    if folds.centre is None:
        for z in np.unique(at[:, 0]):
            near = np.abs(at[:, 0] - z) <= 2
            assert len(np.unique(parts[near])) == 1
    else:
        assert (np.diff(np.unique(at[:, 0])) <= 2).all()


def test_a_single_picture_is_cut_into_quarters():
    at = np.array([[0, y, x] for y in range(0, 100, 5) for x in range(0, 100, 5)])
    folds = folds_for(at)
    assert folds.count == 4
    assert np.bincount(folds.of(at)).min() > 60


# ----------------------------------------------------------------------------------------------------------- cross-fit


@pytest.mark.parametrize(
    "changes",
    [{}, {"smoothing": 0}, {"dimensions": "3d"}, {"unit": "supervoxels", "smoothing": 0, "refine": "edge"}],
    ids=["smoothed", "voxels", "3d", "supervoxels"],
)
def test_held_out_voxels_are_told_what_a_model_would_predict(changes):
    config = CONFIG.changed(**changes)
    one = example()
    bank, normalisation, table = material(config, one)
    voxels = material(config.changed(unit="voxels"), one)[2] if table.supervoxels else table
    fit = CrossFit([source_of(one, normalisation)], bank, voxels, seed=0)
    answers = fit.answers(config, table)
    assert len(answers.at) > 100
    parts = fit.folds.of(answers.at)
    assert len(np.unique(parts)) == 3
    for part in np.unique(parts):
        rows = fit.folds.of(table.seats.at) != part
        classifier = fit_classifier(table.features[rows], table.targets[rows], config)
        spec = describe(bank, normalisation, table.classes, config.smoothing, table.supervoxels, table.refinement)
        with ShallowModel(spec, classifier).open(threads=1) as predictor:
            predicted = predictor(one.read(Box.whole(one.shape))[None])[0]
        z, y, x = answers.at[parts == part].T
        told = answers.probabilities[parts == part]
        agree = np.abs(predicted[:, z, y, x].T - told).max(axis=1) < 0.02
        assert agree.mean() > (0.9 if table.supervoxels else 0.99)  # refinement ends at the box that was looked at


def test_weights_give_classes_their_share_of_all_labels():
    one = example()
    bank, normalisation, table = material(CONFIG.changed(samples=300), one)
    answers = CrossFit([source_of(one, normalisation)], bank, table).answers(CONFIG.changed(smoothing=0), table)
    share = np.bincount(answers.targets, answers.weights) / answers.weights.sum()
    values = one.labelled.values
    np.testing.assert_allclose(share, [(values == 1).mean(), (values == 2).mean()], atol=0.02)


# -------------------------------------------------------------------------------------------------------------- choice


def chosen(config: ShallowConfig, one: Example):
    bank = bank_for(config, 1, SPACING, one.shape[0])
    return choose_settings(config, [one], bank, measure([one]), CLASSES, 1, Watch())


def test_the_best_candidate_is_chosen_and_said():
    choice = chosen(CONFIG.changed(choose="auto", choose_seconds=600, samples=600), example())
    assert set(choice.tried) | set(choice.left_out) == set(CANDIDATES)
    if choice.name == "as it is":
        assert max(choice.tried.values()) - choice.tried["as it is"] < 0.2
    else:
        assert choice.tried[choice.name] - choice.tried["as it is"] > 0.05
    assert choice.name in choice.words
    assert "cross-validation on strokes" in choice.words
    for name, value in CANDIDATES[choice.name].items():
        assert getattr(choice.config, name) == value


def test_thin_things_are_not_smoothed_away():
    shape = (8, 96, 96)
    rng = np.random.default_rng(0)
    truth = np.full(shape, 2, np.uint8)
    truth[:, :, ::8] = 1
    image = np.where(truth == 1, 60, 160) + rng.normal(0, 20, shape)
    labels = np.zeros_like(truth)
    labels[1::3, 10:20] = truth[1::3, 10:20]
    labels[1::3, 50:60] = truth[1::3, 50:60]
    one = Example(
        name="walls",
        read=lambda box: image[None][:, *box.slices],
        shape=shape,
        channels=1,
        spacing_um=SPACING,
        labelled=in_block(labels, Box.whole(shape)),
    )
    choice = chosen(CONFIG.changed(choose="auto", choose_seconds=600, samples=1000), one)
    assert choice.tried["without smoothing"] > choice.tried["as it is"]
    assert choice.config.smoothing == 0


def test_what_somebody_set_is_kept():
    assert free(CONFIG)
    assert not free(CONFIG.changed(smoothing=1))
    choice = chosen(CONFIG.changed(choose="auto", classifier="linear"), example())
    assert choice.name == "as it is"
    assert len(choice.tried) == 1
    assert choice.config.classifier == "linear"
    fixed = chosen(CONFIG.changed(choose="fixed"), example())
    assert fixed.config == CONFIG.changed(choose="fixed")


def test_supervoxels_of_large_labelled_parts_are_named_as_not_tried(monkeypatch):
    monkeypatch.setattr("voxloop.shallow.choice._PER_SECOND", 1000)  # every labelled part is a large one
    choice = chosen(CONFIG.changed(choose="auto", samples=600), example())
    assert set(choice.tried) | set(choice.left_out) == set(CANDIDATES)
    assert "supervoxels, forest, edges" in choice.left_out
    assert "Not tried: supervoxels, forest, edges" in choice.words


def test_the_spec_says_nothing_of_how_fast_the_machine_is():
    one = example()
    first, second = (fit_examples(CONFIG, [one], CLASSES, judge=True) for _ in range(2))
    assert first.choice.seconds > 0
    assert first.model.spec.hash == second.model.spec.hash


def test_too_few_strokes_choose_nothing():
    one = example(planes=(1,))
    single = one.labelled.take(one.labelled.values == 1)
    other = one.labelled.take(np.flatnonzero(one.labelled.values == 2)[:1])
    few = Example(
        name="few",
        read=one.read,
        shape=one.shape,
        channels=1,
        spacing_um=SPACING,
        labelled=type(single)(np.concatenate([single.at, other.at]), np.concatenate([single.values, other.values])),
    )
    choice = chosen(CONFIG.changed(choose="auto"), few)
    assert "too few strokes" in choice.words or len(choice.tried) >= 1
    assert fit_examples(CONFIG, [few], CLASSES, judge=True).model.spec.classes


# --------------------------------------------------------------------------------------------------------- calibration


@given(st.floats(0.4, 4.0), st.integers(2, 4))
def test_the_temperature_of_answers_is_found_again(temperature, classes):
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([0.6] * classes, 4000).astype(np.float32)
    targets = np.array([rng.choice(classes, p=row / row.sum()) for row in probabilities[:800].astype(float)])
    hot = tempered(probabilities[:800], 1 / temperature, axis=1)
    found = fit_temperature(hot, targets, np.ones(800))
    assert found == pytest.approx(temperature, rel=0.35)
    assert (tempered(hot, found, axis=1).argmax(axis=1) == hot.argmax(axis=1)).all(), "labels stay as they are"


def test_calibration_error_is_how_far_sure_lies_from_right():
    sure = np.repeat([0.95, 0.55], 100)
    right = np.concatenate([np.arange(100) < 70, np.arange(100) < 55])
    assert calibration_error(sure, right) == pytest.approx((0.25 + 0) / 2)


def test_a_judged_model_knows_its_score_and_temperature():
    fitted = fit_examples(CONFIG, [example()], CLASSES, judge=True)
    extra = fitted.model.spec.extra
    assert 0 < extra["crossfit"]["iou"] <= 1
    assert extra["crossfit"]["cells"] > 8
    assert extra["choice"]["words"]
    assert fitted.model.temperature == extra["temperature"]
    plain = fit_examples(CONFIG, [example()], CLASSES).model
    block = textured()[0][None]
    judged = fitted.model.predict(block)
    np.testing.assert_array_equal(judged.argmax(axis=0), plain.predict(block).argmax(axis=0))
    np.testing.assert_allclose(judged.sum(axis=0), 1, rtol=1e-4)


def test_a_damaged_record_is_refused(tmp_path):
    assert record.load(tmp_path) is None
    (tmp_path / record.NAME).write_bytes(b"nothing")
    with pytest.raises(ModelError, match="train again"):
        record.load(tmp_path)
