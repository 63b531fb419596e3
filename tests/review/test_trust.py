"""How far a model is trusted: by who learned it, and from which strokes."""

from __future__ import annotations

import pytest

from voxloop.config import ShallowConfig
from voxloop.review.trust import corrected_share, overconfidence
from voxloop.runs import Runs
from voxloop.store.layout import Layout


def test_corrections_make_classifiers_doubt_themselves_and_networks_are_too_sure():
    assert overconfidence("shallow", 0.8).mean < overconfidence("shallow", 0.2).mean
    assert overconfidence("deep", 0.8) == overconfidence("deep", 0.0)
    assert overconfidence("deep", 0.0).mean > 0.2


def test_what_came_after_the_first_training_is_a_correction(tmp_path):
    layout = Layout(tmp_path)
    assert corrected_share(layout, {"labels/a": 40}) == 0.0
    assert corrected_share(layout, {}) == 0.0
    runs = Runs(layout.runs)
    for name, seen in (("late", 60), ("first", 30)):
        runs.create(name, "voxloop.shallow.learner:train", ShallowConfig(), labels={"labels/a": seen, "labels/b": 0})
    assert corrected_share(layout, {"labels/a": 30}) == 0.0
    assert corrected_share(layout, {"labels/a": 60}) == pytest.approx(0.5)
    assert corrected_share(layout, {"labels/a": 60, "labels/b": 40}) == pytest.approx(0.3)
    assert corrected_share(layout, {"labels/a": 20}) == 0.0
