"""A review panel over a workspace with a model and a prediction of everything."""

from __future__ import annotations

import pytest
from tests.panels.predict.stand_ins import in_process, trained, ws  # noqa: F401

from voxloop.panels.review.review_panel import ReviewPanel


@pytest.fixture
def reviewed(ws, monkeypatch):  # noqa: F811
    """A workspace with a model, and a prediction of everything."""
    trained(ws)
    in_process(ws, monkeypatch)
    ws.predict("shallow-1", name="first")
    return ws


@pytest.fixture
def panel(ui, reviewed):
    made = ReviewPanel(reviewed)
    yield made
    made.close()
