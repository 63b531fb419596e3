"""The fake learner is known under its name while these tests run."""

import pytest

from voxloop import model


@pytest.fixture(autouse=True)
def fake_learner(monkeypatch):
    monkeypatch.setitem(model.LEARNERS, "fake", "tests.prediction.fakes:load")
