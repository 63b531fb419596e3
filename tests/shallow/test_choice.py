"""Strokes held out in turn: which settings they choose, how sure they let a model be, which of them are in doubt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texture import CLASSES, SPACING, strokes, textured

from voxloop.config import ShallowConfig
from voxloop.errors import ModelError
from voxloop.geometry import Box
from voxloop.shallow import record
from voxloop.shallow.calibration import calibration_error, fit_temperature, tempered
from voxloop.shallow.choice import choose_settings
from voxloop.shallow.classifier import Member, fit_classifier
from voxloop.shallow.consensus import distance, near_forests, overrated
from voxloop.shallow.crossfit import CrossFit
from voxloop.shallow.fitting import fit_examples, measure
from voxloop.shallow.folds import folds_for
from voxloop.shallow.last_choice import LastChoice
from voxloop.shallow.likeness import BOUND, likeness
from voxloop.shallow.model import ShallowModel, describe
from voxloop.shallow.planning import bank_for
from voxloop.shallow.samples import in_block
from voxloop.shallow.surroundings import VOXELS, surroundings
from voxloop.shallow.table import Example, Watch, gather, source_of
from voxloop.shallow.thin import thin_classes
from voxloop.shallow.worth import TEMPER, counts, iou_of_members, noise_of

CONFIG = ShallowConfig(scales=3, samples=2000, passes=5, context=0, choose="fixed")
OPEN = CONFIG.changed(choose="auto")


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
    # one object in a corner is cut too: held out as a whole, nothing would be left to tell it by
    targets = ((at[:, 1] > 70) & (at[:, 2] > 70)).astype(int)
    parts = folds_for(at, targets).of(at)
    assert len(np.unique(parts[targets == 1])) == 4


# ----------------------------------------------------------------------------------------------------------- cross-fit


@pytest.mark.parametrize(
    "changes",
    [
        {"smoothing": 2},
        {"dimensions": "3d"},
        {"dimensions": "3d", "classifier": "blend", "planes_share": 0.3},
        {"unit": "supervoxels", "refine": "edge"},
    ],
    ids=["smoothed", "3d", "blend", "supervoxels"],
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
        beside = table.beside.take(rows) if table.beside else None
        classifier = fit_classifier(table.features[rows], table.targets[rows], config, beside=beside)
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


def test_what_is_blended_is_chosen_and_said():
    choice = chosen(OPEN, example())
    config = choice.config
    assert (config.choose, config.classifier, config.dimensions) == ("fixed", "blend", "3d")
    assert list(choice.scores) == ["perceptron", "forest"], (
        "these voxels are nearly cubic: planes alone tell nothing more"
    )
    better = max(choice.scores, key=choice.scores.get)
    share = {"perceptron": 1 - config.forest_share, "forest": config.forest_share}[better]
    assert share >= 0.5
    assert f"tell these apart to {choice.noise:.2f}" in choice.words
    assert f"perceptron {1 - config.forest_share:.0%} and forest {config.forest_share:.0%}" in choice.words
    assert "cross-validation on strokes" in choice.words
    assert choice.to_json()["settings"]["classifier"] == "blend"
    assert config.class_weights == "balanced", "strokes do not say how common classes are"


@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.6), st.floats(0, 0.4))
def test_classifiers_that_are_as_good_as_strokes_say_are_never_doubted(seed, share, noise):
    rng = np.random.default_rng(seed)
    truth = rng.random(400) < share
    said = {
        Member(kind, planes): (truth ^ (rng.random(400) < noise)).astype(int)
        for kind in ("perceptron", "forest")
        for planes in (False, True)
    }
    scores = {member: 1 - distance(one, truth.astype(int), [1]) for member, one in said.items()}
    assert not any(overrated(scores, said, [1]).values())


@pytest.mark.parametrize("alone", [Member("perceptron", False), Member("forest", False)])
def test_who_alone_calls_the_unpainted_ground_an_object_is_doubted(alone):
    truth = np.repeat([1, 0], [20, 380])
    members = [Member(kind, planes) for kind in ("perceptron", "forest") for planes in (False, True)]
    said = {member: np.ones(400, int) if member == alone else truth for member in members}
    charges = overrated(dict.fromkeys(members, 0.9), said, [1])
    assert charges[alone] > 0.5
    assert sum(charge > 0 for charge in charges.values()) == 1
    # of two alone the forest is believed: it says of the unknown what it says of the nearest that it knows
    pair = {member: said[member] for member in (Member("perceptron", False), Member("forest", False))}
    assert overrated(dict.fromkeys(pair, 0.9), pair, [1])[Member("forest", False)] == 0
    # where all tell strokes badly, scores allow any difference; but no stroke is like what no forest calls an object
    assert not any(overrated(dict.fromkeys(members, 0.4), said, [1]).values())
    lonely = alone.kind == "perceptron"
    assert near_forests(said, [1]) == {member: 0.0 if lonely and member == alone else 1.0 for member in members}


@pytest.mark.parametrize("lead", [0.03, 0.2])
def test_a_lead_counts_by_how_many_strokes_tell_it(lead):
    first, second = Member("perceptron", False), Member("forest", False)
    right = np.random.default_rng(0).uniform(0.3, 0.6, 8)

    def joints(times: int) -> dict[Member, np.ndarray]:
        strokes = {first: np.tile(right + lead * np.array([2, 0] * 4), times), second: np.tile(right, times)}
        return {
            member: np.array([[[1, 0], [1 - share, share]] for share in shares]) for member, shares in strokes.items()
        }

    shares = []
    for times in (1, 4, 100):
        worth = iou_of_members(joints(times), [1])
        assert worth[first] == pytest.approx(iou_of_members(joints(1), [1])[first]), "the score does not tell"
        shares.append(counts(worth, noise_of(joints(times), worth, [1]))[second])
    assert shares == sorted(shares, reverse=True)
    assert shares[0] < 1
    assert shares[2] == pytest.approx(np.exp((worth[second] - worth[first]) / TEMPER), abs=0.05)
    # what all find equally hard tells nothing of which is better, and adds no doubt to that of so few strokes
    alike = {first: joints(1)[first], second: joints(1)[first]}
    assert noise_of(alike, iou_of_members(alike, [1]), [1]) == pytest.approx(1 / 9)


def test_planes_labelled_whole_say_how_common_classes_are():
    _, truth = textured((8, 96, 96), 0)
    truth[:, ::3] = truth[2:7] = 0  # three planes, and of these two rows of three
    choice = chosen(OPEN, replace(example(), labelled=in_block(truth, Box.whole(truth.shape))))
    assert choice.config.class_weights == "none"
    assert "not evened out" in choice.words


def test_a_choice_kept_fixed_teaches_the_same_model():
    one = example()
    open_one = fit_examples(OPEN, [one], CLASSES, judge=True)
    kept = fit_examples(ShallowConfig(**open_one.choice.to_json()["settings"]), [one], CLASSES, judge=True)
    for first, second in zip(open_one.model.classifier.weights, kept.model.classifier.weights, strict=True):
        np.testing.assert_array_equal(first, second)


def test_planes_are_blended_in_where_voxels_are_flat():
    flat = replace(example(), spacing_um=(0.05, 0.01, 0.01))
    bank = bank_for(OPEN, 1, flat.spacing_um, flat.shape[0])
    assert bank.dimensions == 3
    choice = choose_settings(OPEN, [flat], bank, measure([flat]), CLASSES, 1, Watch())
    assert len(choice.scores) == 4
    assert "filters through the stack" in choice.words
    assert "within planes" in choice.words


def test_frames_are_never_filtered_through():
    frames = replace(example(), frames=True)
    choice = fit_examples(OPEN, [frames], CLASSES, judge=True).choice
    assert choice.config.planes_share == 0
    assert not choice.table.through
    assert "filters within planes" in choice.words


def test_what_somebody_set_is_kept():
    assert OPEN.is_open
    assert not CONFIG.is_open
    choice = chosen(OPEN.changed(classifier="linear"), example())
    assert not choice.scores
    assert choice.config.classifier == "linear"
    assert "as they are" in choice.words
    assert chosen(OPEN.changed(smoothing=1, dimensions="2d"), example()).config.smoothing == 1
    fixed = chosen(CONFIG, example())
    assert fixed.config == CONFIG


def test_settings_of_runs_on_disk_that_name_what_is_gone_are_read():
    assert ShallowConfig.from_json({**CONFIG.to_json(), "choose_seconds": 20.0}) == CONFIG


def test_what_a_run_chose_is_kept_or_shown_where_that_is_open():
    settings = {"choose": "fixed", "classifier": "blend", "forest_share": 0.8, "dimensions": "3d", "seed": 7}
    last = LastChoice("shallow-1", "Chosen: ...", settings)
    kept = last.kept(OPEN)
    assert (kept.classifier, kept.forest_share, kept.dimensions, kept.seed) == ("blend", 0.8, "3d", 0)
    assert last.shown(OPEN).dimensions == "auto", "filters through the stack take longer than a stroke"
    assert last.kept(CONFIG) == last.shown(CONFIG) == CONFIG


def test_the_spec_says_nothing_of_how_fast_the_machine_is():
    one = example()
    first, second = (fit_examples(OPEN, [one], CLASSES, judge=True) for _ in range(2))
    assert first.choice.seconds > 0
    assert first.model.spec.hash == second.model.spec.hash


# ------------------------------------------------------------------------------------------------------------ the image


@settings(max_examples=15)
@given(st.integers(0, 5), st.floats(0.1, 1.0))
def test_surroundings_lie_in_the_planes_that_were_painted_on(seed, share):
    rng = np.random.default_rng(seed)
    shape = (9, 192, 128)  # whole pieces: a narrow rest at an edge has no more voxels than it has
    at = np.column_stack([rng.choice([2, 5], 40), rng.integers(0, 192, 40), rng.integers(0, 128, 40)])
    for dimensions in ("2d", "3d"):
        bank = bank_for(CONFIG.changed(dimensions=dimensions), 1, SPACING, shape[0])
        places = surroundings(at, shape, bank, share, rng)
        assert set(np.unique(places[:, 0])) <= set(at[:, 0])
        assert (places >= 0).all()
        assert (places < shape).all()
        assert 0.5 * share * VOXELS < len(places) <= share * VOXELS + 100


def test_what_is_painted_too_often_counts_less():
    rng = np.random.default_rng(0)
    image = rng.normal(size=(4000, 5)) + np.where(rng.random((4000, 1)) < 0.9, 0, 8)
    labelled = rng.normal(size=(1000, 5)) + np.where(np.arange(1000)[:, None] < 500, 0, 8)
    weights = likeness(labelled.astype(np.float32), image.astype(np.float32))
    common, rare = weights[:500].mean(), weights[500:].mean()
    assert common / rare == pytest.approx(9, rel=0.3)
    assert weights.min() >= 1 / BOUND
    assert weights.max() <= BOUND


@pytest.mark.parametrize(("width", "thin"), [(1, True), (2, True), (3, False), (6, False)])
def test_thin_classes_are_recognised_by_their_strokes(width, thin):
    labels = np.zeros((3, 64, 64), np.uint8)
    labels[1, 10:50, 20 : 20 + width] = 1
    labels[1, 10:50, 30:33] = 2
    one = replace(example(), shape=labels.shape, labelled=in_block(labels, Box.whole(labels.shape)))
    assert thin_classes([one], CLASSES) == (("disc",) if thin else ())


def test_thin_things_are_said_and_not_smoothed():
    one = example()
    lines = one.labelled.take(np.flatnonzero((one.labelled.values == 2) | (one.labelled.at[:, 1] % 2 == 0)))
    words = chosen(OPEN, replace(one, labelled=lines)).words
    assert "nowhere three voxels wide where painted: disc" in words
    assert "not smoothed" in words
    smoothed = chosen(OPEN.changed(smoothing=2), replace(one, labelled=lines)).words
    assert "set smoothing=0" in smoothed


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
    choice = chosen(OPEN, few)
    assert "too few strokes" in choice.words
    assert (choice.config.classifier, choice.config.forest_share) == ("blend", 0.5)
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
