"""The room Progress: the curve and what it says, the rounds, going back and branching, two predictions side by side."""

from __future__ import annotations

import numpy as np
import pytest
from tests.panels.screen import Screen

from voxloop.panels.review.error_curve import MINUTES, curve
from voxloop.panels.review.review_panel import ReviewPanel
from voxloop.panels.view.layers import ArrayLayer
from voxloop.panels.view.swipe_layer import SwipeLayer
from voxloop.review import Outlook, Reached
from voxloop.review.score import Score, unknown_score


def reached(name: str, low: float, high: float, round: int | None = None, seconds: float | None = None) -> Reached:
    score = Score(known=True, iou=(low + high) / 2, interval=(low, high), n=40, source="40 corrected places")
    return Reached(
        prediction=name, round=round, strokes=None if round is None else 24 * round, seconds=seconds, score=score
    )


def test_the_curve_goes_over_rounds_or_minutes_and_shows_what_is_to_come():
    points = [reached("a", 0.5, 0.7, 1, 90), reached("b <", 0.6, 0.8, 2, 150), reached("old", 0.4, 0.5)]
    ahead = Outlook(trend="unknown", words="Not known", gain=0.01, interval=(-0.01, 0.03))
    rounds, minutes = curve(points, ahead=ahead), curve(points, MINUTES, ahead)
    assert (rounds.count("<circle"), minutes.count("<circle")) == (3, 2)
    assert ">1</text>" in rounds
    assert ">old</text>" in rounds
    assert ">1.5</text>" in minutes
    assert "vx-curve-ahead" in rounds
    assert "b <" not in rounds
    assert curve([Reached(prediction="a", score=unknown_score("check 100 points"))]) == ""


def test_a_line_parts_two_layers_where_it_stands():
    shape = (4, 30, 40)
    left, right = (ArrayLayer(name, name, np.full(shape, value, np.uint8)) for name, value in (("l", 1), ("r", 2)))
    layer = SwipeLayer(left, right, shape, "l | r")
    layer.move(0.25)
    patch = layer.read("z", 1, (0, 0, 30, 40), (1.0, 1.0))
    np.testing.assert_array_equal(patch.indices, np.where(np.arange(40) < 10, 1, 2)[None].repeat(30, 0))
    part = layer.read("z", 1, (5, 6, 25, 26), (2.0, 2.0))
    np.testing.assert_array_equal(part.indices[0], [1, 1, *[2] * 8])
    assert (layer.read("x", 3, (0, 0, 4, 30), (1.0, 1.0)).indices[0] == np.where(np.arange(30) < 7, 1, 2)).all()
    layer.move(7)
    assert (layer.read("y", 3, (0, 0, 4, 40), (1.0, 1.0)).indices == 1).all()


@pytest.fixture
def progressed(ui, reviewed):
    """A panel in the room, after two rounds on record."""
    labels = reviewed.labels()
    log = reviewed.rounds.log
    facts = {"level": labels.level.name, "learner": "shallow"}
    log.append(run="shallow-1", labels={"labels/image": labels.sequence}, **facts)
    labels.paint(axis="z", index=1, points=[(40, 3), (40, 30)], value=2)
    log.append(run="gone", labels={"labels/image": labels.sequence}, **facts)
    reviewed.predict("shallow-1", name="second")
    panel = ReviewPanel(reviewed)
    panel.go("Progress")
    Screen(panel).wait(8)
    yield panel
    panel.close()


def test_rounds_are_listed_and_one_can_be_gone_back_to(progressed):
    screen = Screen(progressed)
    labels = progressed.labels
    now = labels.read()
    assert screen.field("Round").options == [1, 2]
    screen.field("Round").value = 1
    screen.click("Go back to it")
    assert screen.code == "ws.rounds.go_back('shallow-1')"
    assert "labels are those of round 1 again" in screen.message
    assert (labels.read() != now).any()
    assert labels.history(labels.sequence)["tool"] == "restore"
    labels.undo()
    np.testing.assert_array_equal(labels.read(), now)


def test_a_branch_is_a_level_of_its_own(progressed):
    screen = Screen(progressed)
    screen.field("Round").value = 1
    screen.click("Branch")
    assert "'labels-round-1'" in screen.message
    ws = progressed.ws
    branched = ws.labels("labels-round-1")
    assert branched.read()[1, 40, 10] == 0
    assert progressed.labels.read()[1, 40, 10] == 2
    assert [one.name for one in branched.level.classes] == [one.name for one in progressed.labels.level.classes]


def test_two_predictions_lie_on_either_side_of_a_line(progressed):
    screen = Screen(progressed)
    assert screen.field("Left").options == ["first", "second"]
    screen.click("Compare")
    assert [layer.id for layer in progressed.view.layers] == ["swipe", "labels", "preview"]
    screen.field("Line").value = 0.2
    assert progressed.progress.swipe.layer.share == 0.2
    (line,) = progressed.view.shapes
    assert line.points[0][1] == pytest.approx(0.2 * progressed.view.planes.shape[2] - 0.5)
    progressed.go("Correct")
    assert [layer.id for layer in progressed.view.layers] == ["uncertainty", "prediction", "labels", "preview"]
    assert progressed.view.shapes == ()
