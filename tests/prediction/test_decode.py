"""Labels, uint8 probabilities and uncertainty of a block against plain numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.prediction.fakes import make_spec

from voxloop.errors import PredictionError
from voxloop.model import ClassInfo, ModelSpec, Output
from voxloop.prediction.decode import foreground, label_dtype, learnt_objects, quantise, semantic, semantic_channels


@given(st.integers(1, 300), st.integers(0, 2**31), st.sampled_from(["margin", "entropy"]))
@settings(max_examples=40, deadline=None)
def test_semantic_agrees_with_sorting(classes, seed, measure):
    p = np.random.default_rng(seed).dirichlet(np.full(classes, 0.3), size=(2, 3, 4)).astype(np.float32)
    p = np.moveaxis(p, -1, 0)
    values = np.arange(1, classes + 1, dtype=np.uint16)[::-1].copy()
    got = semantic(p, values, measure=measure)
    assert np.array_equal(got.labels, values[p.argmax(axis=0)])
    assert np.abs(got.probabilities / 255 - p).max() <= 0.5 / 255 + 1e-6
    ranked = np.sort(p, axis=0)
    second = ranked[-2] if classes > 1 else 0
    margin = 1 - (ranked[-1] - second)
    entropy = -(p * np.log(np.maximum(p, 1e-9))).sum(axis=0) / np.log(max(2, classes))
    wanted = margin if measure == "margin" else entropy
    assert np.abs(got.uncertainty / 255 - wanted).max() <= 0.5 / 255 + 1e-4


def test_quantise_ends():
    assert quantise(np.array([0.0, 1.0, 1.0000002, -1e-7, 0.5], np.float32)).tolist() == [0, 255, 255, 0, 128]


def test_what_is_not_finite_is_unlabelled_and_counted():
    p = np.full((2, 1, 1, 3), 0.5, np.float32)
    p[0, 0, 0, 1] = np.nan
    p[1, 0, 0, 2] = np.inf
    got = semantic(p, np.array([1, 2], np.uint8))
    assert got.labels.ravel().tolist() == [1, 0, 0]
    assert got.uncertainty.ravel().tolist() == [255, 255, 255]
    assert got.probabilities[:, 0, 0, 1:].max() == 0
    assert got.broken == 2


def test_label_dtype_holds_the_largest_value():
    assert label_dtype(tuple(ClassInfo(value=v, name=str(v)) for v in (1, 255))) == np.uint8
    assert label_dtype(tuple(ClassInfo(value=v, name=str(v)) for v in (1, 256))) == np.uint16


def test_foreground_makes_labels_and_uncertainty():
    p = np.zeros((3, 1, 1, 4), np.float32)
    p[0, 0, 0] = 0.1, 0.5, 0.9, np.nan
    p[2, 0, 0] = 0.2
    got = foreground(p, np.array([1, 2, 3], np.uint8))
    assert got.labels.ravel().tolist() == [0, 0, 1, 0]
    assert got.uncertainty.ravel().tolist() == [51, 255, 51, 255]
    assert got.probabilities[:, 0, 0, 2].tolist() == [230, 0, 51]
    assert got.broken == 1
    objects = Output(name="objects", kind="boundary_distance", channels=3)
    classes = tuple(ClassInfo(value=v, name=str(v)) for v in (1, 2, 3))
    spec = ModelSpec(learner="fake", channels=1, classes=classes, outputs=(objects,))
    assert learnt_objects(spec)
    assert semantic_channels(spec) == slice(0, 3)


def test_semantic_channels_are_found_among_others():
    spec = make_spec()
    other = Output(name="distance", kind="boundary_distance", channels=3)
    both = ModelSpec(learner="fake", channels=1, classes=spec.classes, outputs=(other, *spec.outputs))
    assert semantic_channels(both) == slice(3, 5)
    none = ModelSpec(learner="fake", channels=1, classes=(), outputs=(other,))
    with pytest.raises(PredictionError, match="boundary_distance"):
        semantic_channels(none)
