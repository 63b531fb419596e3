"""What the classifier learnt from is what it is shown ever after."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texture import CLASSES, SPACING, accuracy, strokes, textured

from voxloop.config import ShallowConfig
from voxloop.errors import ModelError
from voxloop.model import load_model
from voxloop.shallow.classifier import Projected, fit_classifier
from voxloop.shallow.fitting import fit
from voxloop.shallow.perceptron import Perceptron
from voxloop.shallow.projection import fit_projection
from voxloop.shallow.storage import PROJECTION

QUICK = {"scales": 2, "samples": 800, "context": 0, "dimensions": "2d", "validation": 0, "trees": 8, "components": 4}
KINDS = ["standard", "pca", "random"]


def uneven(count=400, seed=0):
    """Two classes told apart along a feature of small spread; others are wide, shifted, mixed or constant."""
    rng = np.random.default_rng(seed)
    targets = np.arange(count) % 2
    small = 0.02 * (targets + 0.2 * rng.normal(size=count))
    wide = 500 + 300 * rng.normal(size=(count, 3))
    return np.column_stack([small, wide, wide @ [1, 2, 3], np.ones(count)]).astype(np.float32), targets


@pytest.mark.parametrize("classifier", ["perceptron", "forest", "linear"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_fresh_volume_is_seen_through_the_projection_of_the_training(kind, classifier, tmp_path):
    image, truth = textured()
    config = ShallowConfig(**QUICK, projection=kind, classifier=classifier)
    model = fit(config, [(image, strokes(truth))], SPACING, CLASSES)
    fresh, wanted = textured((2, 96, 96), seed=5)
    found = model.predict(fresh[None])
    assert accuracy(found, wanted) > 0.85
    loaded = load_model(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict(fresh[None]), found)


@given(seed=st.integers(0, 50), kind=st.sampled_from(KINDS), components=st.integers(1, 9))
@settings(max_examples=30, deadline=None)
def test_a_layer_that_took_the_projection_in_does_what_both_did(seed, kind, components):
    rng = np.random.default_rng(seed)
    rows = uneven(seed=seed)[0]
    projection = fit_projection(kind, rows, components, seed)
    weights, bias = rng.normal(size=(projection.components, 3)).astype(np.float32), np.ones(3, np.float32)
    within, shift = projection.before(weights, bias)
    wanted = projection(rows) @ weights + bias
    np.testing.assert_allclose(rows @ within + shift, wanted, atol=2e-2, rtol=1e-3)


def test_standardised_features_have_one_spread_and_constant_ones_none():
    rows = uneven()[0]
    shown = fit_projection("standard", rows, 1, 0)(rows)
    np.testing.assert_allclose(shown.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(shown.std(axis=0), [1, 1, 1, 1, 1, 0], atol=1e-3)


def test_principal_components_keep_what_varies_most():
    rows = uneven()[0]
    projection = fit_projection("pca", rows, 4, 0)
    shown = projection(rows)
    spread = shown.std(axis=0)
    assert (np.diff(spread) <= 1e-3).all()
    # six features, of which one is constant and one a mixture of three others: four directions hold all variance
    assert (spread**2).sum() == pytest.approx(5, abs=1e-2)


@pytest.mark.parametrize("classifier", ["svm", "linear"])
def test_what_needs_standardised_features_gets_them_unasked(classifier):
    features, targets = uneven()
    found = fit_classifier(features, targets, ShallowConfig(classifier=classifier))
    fresh, truth = uneven(seed=1)
    assert (found.rows(fresh).argmax(axis=1) == truth).mean() > 0.95


def test_a_network_stays_one_and_others_keep_their_projection():
    features, targets = uneven()
    assert isinstance(fit_classifier(features, targets, ShallowConfig(projection="pca")), Perceptron)
    forest = fit_classifier(features, targets, ShallowConfig(projection="pca", components=3, classifier="forest"))
    assert isinstance(forest, Projected)
    assert forest.within.estimator.n_features_in_ == 3


def test_a_changed_or_missing_projection_is_refused(tmp_path):
    image, truth = textured()
    config = ShallowConfig(**QUICK, projection="pca", classifier="forest")
    folder = fit(config, [(image, strokes(truth))], SPACING).save(tmp_path / "model")
    content = dict(np.load(folder / PROJECTION))
    for changed in (
        {**content, "offset": content["offset"] + 1},
        {**content, "axes": content["axes"][:-1]},
        {**content, "more": content["axes"]},
        {"offset": content["offset"]},
        {**content, "scale": np.ones(3)},
    ):
        np.savez(folder / PROJECTION, **changed)
        with pytest.raises(ModelError):
            load_model(folder)
    (folder / PROJECTION).unlink()
    with pytest.raises(ModelError):
        load_model(folder)
    assert json.loads((folder / "spec.json").read_text())["learner"] == "shallow"
