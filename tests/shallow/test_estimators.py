"""Every classifier learns, gives probabilities, survives a file, and is refused where the file was tampered with."""

from __future__ import annotations

import copy
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from texture import CLASSES, SPACING, accuracy, strokes, textured

import voxloop as vl
from voxloop.config import ShallowConfig
from voxloop.config.base import settings_of
from voxloop.config.classifiers import BOOSTED, FORESTS
from voxloop.errors import ConfigError, ModelError
from voxloop.model import load_model
from voxloop.shallow import storage
from voxloop.shallow.classifier import Estimated, Projected, fit_classifier
from voxloop.shallow.fitting import fit
from voxloop.shallow.soundness import kinds

QUICK = {"scales": 2, "samples": 800, "context": 0, "dimensions": "2d", "validation": 0, "trees": 8}
ALL = [*FORESTS, *BOOSTED, "svm", "linear"]


def blobs(classes=3, count=300, seed=0):
    """Rows in balls, every class around a corner of its own; the last one rare."""
    rng = np.random.default_rng(seed)
    targets = np.minimum(np.arange(count) % (2 * classes - 1), classes - 1) if classes > 2 else np.arange(count) % 2
    corners = 4 * np.eye(classes, 5)
    return (corners[targets] + rng.normal(size=(count, 5))).astype(np.float32), targets


@pytest.fixture(scope="module", params=ALL)
def model(request):
    image, truth = textured()
    config = ShallowConfig(**QUICK, classifier=request.param, svm_samples=100)
    return fit(config, [(image, strokes(truth))], SPACING, CLASSES)


def test_it_tells_textures_apart_with_probabilities(model):
    image, truth = textured((3, 96, 96), seed=5)
    found = model.predict(image[None])
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-4)
    assert found.min() >= 0
    assert accuracy(found, truth) > 0.85


def test_saved_and_loaded_it_says_the_same(model, tmp_path):
    loaded = load_model(model.save(tmp_path / "model"))
    assert loaded.spec.hash == model.spec.hash
    image, _ = textured((1, 40, 40))
    np.testing.assert_array_equal(loaded.predict(image[None]), model.predict(image[None]))


def test_as_onnx_it_says_the_same(model, tmp_path):
    image, _ = textured((3, 64, 64), seed=5)
    made = model.export(tmp_path / "m.zip", sample=image[None])
    assert made.difference["onnx"] < 1e-4, made
    assert not made.problems
    with zipfile.ZipFile(made.path) as archive:
        recipe = json.loads(archive.read("recipe.json"))
    assert recipe["features"] == list(model.bank.names)
    assert set(recipe["filters"]["kinds"]) == set(model.bank.kinds)
    back = vl.pull(made.path, tmp_path / "back", quiet=True).model()
    np.testing.assert_array_equal(back.predict(image[None]), model.predict(image[None]))


def test_every_number_that_decides_the_output_is_in_the_hash(model):
    changed = copy.deepcopy(_own(model.classifier))
    own = kinds()[type(changed)]
    before = [array.copy() for array in own.arrays(changed)]
    image, _ = textured((1, 40, 40))
    _shift(changed)
    other = replace(model, classifier=_with(model.classifier, changed))
    assert (other.predict(image[None]) != model.predict(image[None])).any()
    assert any((a != b).any() for a, b in zip(before, own.arrays(changed), strict=True))
    assert storage.add_hash(other.spec, other.classifier).hash != model.spec.hash


def test_what_was_changed_in_the_file_is_refused(model, tmp_path):
    changed = copy.deepcopy(_own(model.classifier))
    _shift(changed)
    folder = model.save(tmp_path / "model")
    storage._write(_with(model.classifier, changed), folder)
    with pytest.raises(ModelError, match="not what was saved"):
        load_model(folder)


def test_a_damaged_file_is_refused(model, tmp_path):
    folder = model.save(tmp_path / "model")
    path = folder / storage.ESTIMATOR
    with zipfile.ZipFile(path) as archive:
        names = {name: archive.read(name) for name in archive.namelist()}
    arrays = [name for name in names if name.endswith(".npy")]
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in names.items():
            archive.writestr(name, data[:40] if name in arrays[:1] else data)
    with pytest.raises(ModelError, match="train again"):
        load_model(folder)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("classes", [2, 3])
def test_rare_classes_are_found_and_probabilities_are_those_of_the_right_class(kind, classes):
    features, targets = blobs(classes)
    config = ShallowConfig(classifier=kind, trees=10, svm_samples=90)
    classifier = fit_classifier(features, targets, config)
    fresh, truth = blobs(classes, seed=1)
    found = classifier.rows(fresh)
    assert classifier.classes == classes
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    for value in range(classes):
        assert (found.argmax(axis=1) == truth)[truth == value].mean() > 0.85


def test_a_machine_is_fitted_to_no_more_than_its_samples_and_copes_with_a_single_one():
    features, targets = blobs(2, 2000)
    found = fit_classifier(features, targets, ShallowConfig(classifier="svm", svm_samples=60))
    (calibrated,) = _own(found).calibrated_classifiers_
    assert 0 < len(calibrated.estimator.support_vectors_) <= 60
    lone = np.concatenate([np.flatnonzero(targets == 0)[:30], np.flatnonzero(targets == 1)[:1]])
    assert fit_classifier(features[lone], targets[lone], ShallowConfig(classifier="svm")).classes == 2


def test_support_vectors_that_do_not_fit_their_counts_are_refused(tmp_path):
    image, truth = textured()
    config = ShallowConfig(**QUICK, classifier="svm", svm_samples=40)
    model = fit(config, [(image, strokes(truth))], SPACING)
    (calibrated,) = _own(model.classifier).calibrated_classifiers_
    calibrated.estimator._n_support = calibrated.estimator._n_support + np.int32(1000)
    replace(model, spec=storage.add_hash(model.spec, model.classifier)).save(tmp_path / "model")
    with pytest.raises(ModelError, match="do not fit"):
        load_model(tmp_path / "model")


def test_every_classifier_has_settings_that_are_shown_with_it_alone():
    def shown(kind):
        config = ShallowConfig(classifier=kind)
        return {s.name for s in settings_of(ShallowConfig) if s.group == "Classifier" and s.matters(config)}

    assert {"depth", "trees", "leaf"} <= shown("forest") & shown("random forest")
    assert {"boosting_rate", "boosting_depth"} <= shown("adaboost") & shown("gradient boosting")
    assert shown("gradient boosting") - shown("adaboost") == {"subsample"}
    assert {"svm_kernel", "svm_c", "svm_gamma", "svm_samples"} <= shown("svm")
    assert {"linear_loss", "penalty", "alpha", "iterations"} <= shown("linear")
    assert not shown("svm") & {"trees", "hidden", "penalty"}
    assert not shown("perceptron") & {"trees", "svm_c", "alpha"}


def test_rates_out_of_reach_are_refused():
    with pytest.raises(ConfigError, match="'auto' or a number"):
        ShallowConfig(boosting_rate=0)
    assert ShallowConfig(boosting_rate="0.5").boosting_rate == 0.5


def _shift(estimator):
    """Change one number of a fitted estimator."""
    if hasattr(estimator, "calibrated_classifiers_"):
        estimator.calibrated_classifiers_[0].calibrators[0].b_ += 1.0
    elif hasattr(estimator, "intercept_"):
        estimator.intercept_ += 1.0
    elif hasattr(estimator, "estimator_weights_"):
        estimator.estimator_weights_[0] *= 3.0
    else:
        tree = np.ravel(estimator.estimators_)[0].tree_
        tree.value[:] = tree.value[:, :, ::-1] if tree.value.shape[-1] > 1 else tree.value + 1


def _own(classifier):
    """The estimator of scikit-learn within a classifier."""
    return (classifier.within if isinstance(classifier, Projected) else classifier).estimator


def _with(classifier, estimator):
    """The classifier with another estimator within."""
    other = Estimated(estimator)
    return replace(classifier, within=other) if isinstance(classifier, Projected) else other
