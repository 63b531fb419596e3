"""Whether a model is as often right as it is sure: the numbers of a diagram."""

from __future__ import annotations

import numpy as np
import pytest

from voxloop.review.reliability import reliability, reliability_of
from voxloop.review.run_figure import draw_reliability


def test_a_model_that_is_as_right_as_it_is_sure_lies_on_the_line():
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1.0, 40_000)
    honest = reliability(sure, rng.random(len(sure)) < sure)
    assert honest.error < 0.01
    known = np.isfinite(honest.sure)
    assert known.tolist() == [False] * 5 + [True] * 5
    assert honest.right[known] == pytest.approx(honest.sure[known], abs=0.03)
    boastful = reliability(sure, rng.random(len(sure)) < 0.5)
    assert boastful.error == pytest.approx(0.25, abs=0.01)
    assert b"share that is right" in draw_reliability(boastful)


def test_a_training_without_a_record_has_none(tmp_path):
    from voxloop.config import DeepConfig
    from voxloop.runs import Runs

    assert reliability_of(Runs(tmp_path).create("deep-1", "voxloop.deep.learner:train", DeepConfig())) is None
