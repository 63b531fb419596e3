"""Strokes that a training left out: said right after it, each kept or dropped with a click."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.panels.screen import Screen
from tests.panels.train.stand_ins import finished, paint

from voxloop.panels.train.train_panel import TrainPanel
from voxloop.shallow.record import LearningRecord


@pytest.fixture
def panel(ui, ws):
    """Three strokes; a training has left the second and the third out."""
    for number, value in enumerate((1, 2, 2)):
        paint(ws, value, index=number)
    labels = ws.labels().read()
    at = np.argwhere(labels)
    run = finished(ws, "shallow-1", 0.5, level="labels", labels={"labels/image": 3})
    LearningRecord(
        at=at,
        image=np.zeros(len(at), np.int64),
        images=("image",),
        painted=labels[tuple(at.T)],
        probabilities=np.tile(np.array([[250, 5]], np.uint8), (len(at), 1)),
        values=np.array([1, 2]),
        left_out=np.array([[0, 2], [0, 3]]),
    ).save(run.path)
    chosen = {"settings": {"classifier": "blend"}, "words": "Chosen: a blend.", "left_out": "2 strokes were left out."}
    (run.path / "model" / "spec.json").write_text(json.dumps({"extra": {"choice": chosen}}))
    panel = TrainPanel(ws)
    panel.learner = "shallow"
    panel.refresh()
    yield panel
    panel.close()


def test_what_was_left_out_is_shown_and_judged_with_a_click(panel, ws):
    screen = Screen(panel)
    screen.wait()
    words = "Left out: painted mito, the others say background (98%)"
    assert screen.text.count(words) == 2
    assert "Look" not in screen.buttons, "there is no picture beside this panel"
    screen.click("Keep")
    assert "the next training learns the stroke of mito" in screen.message
    assert screen.text.count(words) == 1
    assert [doubt.sequence for doubt in ws.doctor()] == [3]
    screen.click("Drop")
    assert "voxels are unlabelled again" in screen.message
    assert words not in screen.text
    assert "Drop" not in screen.buttons
    assert set(np.unique(ws.labels().read(slice(2, 3))).tolist()) == {0}
    ws.labels().undo()
    assert (ws.labels().read(slice(2, 3)) == 2).any()


def test_a_training_that_left_nothing_out_says_nothing_of_it(panel, ws):
    run = finished(ws, "shallow-2", 0.5, level="labels")
    chosen = {"settings": {"classifier": "blend"}, "words": "Chosen: a blend."}
    (run.path / "model" / "spec.json").write_text(json.dumps({"extra": {"choice": chosen}}))
    panel.refresh()
    screen = Screen(panel)
    screen.wait()
    assert "Left out" not in screen.text
