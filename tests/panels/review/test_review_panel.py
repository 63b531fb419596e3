"""Reviewing from a panel: what would be accepted, what is, where to correct, whether it gets better."""

from __future__ import annotations

import html

import numpy as np
import pytest
from tests.panels.predict.stand_ins import in_process, trained, ws  # noqa: F401

from voxloop.errors import PredictionError
from voxloop.panels.review.acceptance import tally
from voxloop.panels.review.error_curve import Scored, curve, verdict
from voxloop.panels.review.review_panel import ReviewPanel
from voxloop.review.score import Score, unknown_score


@pytest.fixture
def reviewed(ws, monkeypatch):  # noqa: F811
    """A workspace with a model, and a prediction of everything."""
    trained(ws)
    in_process(ws, monkeypatch)
    ws.predict("shallow-1", name="first")
    return ws


def settle(panel):
    """All that is due."""
    for _ in range(8):
        panel._review_tick()


def test_without_a_prediction_it_says_what_to_do_and_labels_can_be_painted(ui, ws, no_leak):  # noqa: F811
    panel = ReviewPanel(ws)
    assert "vx-hidden" in panel._review._dom_classes
    assert "vx-hidden" in panel._better._dom_classes
    assert "vx-hidden" not in panel._empty._dom_classes
    assert panel._accept_confident.disabled
    with pytest.raises(PredictionError, match="there is no prediction yet"):
        panel.next_place()
    panel.close()
    assert no_leak.left() == []


def test_the_count_is_what_accept_takes(ui, reviewed, no_leak):
    panel = ReviewPanel(reviewed)
    panel.labels.paint(axis="z", index=panel.view.index, points=[(5, 5), (60, 60)], radius=5, value=1)
    settle(panel)
    panel._above.value = 0.8
    values = [1, 2]
    plane = panel._plane_tally.above(0.8, values)
    assert 0 < plane < 9000
    assert f"{plane:,}" in panel._counts.value
    before = sum(panel.labels.counts().values())
    panel._accept_confident.click()
    assert sum(panel.labels.counts().values()) - before == plane
    assert f"{plane:,} voxels are labels now" in panel.message.words
    settle(panel)
    assert panel._plane_tally.above(0.8, values) == 0
    panel.undo()
    settle(panel)
    panel._where.value = "all"
    panel._class_boxes[1].value = False
    only = panel._whole_tally.above(0.8, [2])
    panel.accept_confident()
    edit = panel.labels.history(panel.labels.sequence)
    assert edit["voxels"] == only
    panel.close()
    assert no_leak.left() == []


def test_classes_stand_above_what_is_only_read(ui, reviewed):
    panel = ReviewPanel(reviewed)
    parts = list(panel.side.children)
    classes = next(at for at, part in enumerate(parts) if panel.classes.widget in part.children)
    assert classes < parts.index(panel._better)
    assert "vx-hidden" not in panel._better._dom_classes
    panel.close()


def test_accept_is_what_copy_as_code_says(ui, reviewed):
    panel = ReviewPanel(reviewed)
    panel._class_boxes[1].value = False
    assert panel.code.code == panel.review_code
    assert panel.review_code == (
        "ws.accept('first', region=(slice(3, 4), slice(0, 90), slice(0, 100)), classes=[2], above=0.95)"
    )
    panel.accept_confident()
    said = panel.labels.read()
    assert panel.labels.undo() is not None
    exec(panel.review_code, {"ws": reviewed})
    assert np.array_equal(panel.labels.read(), said)
    panel.close()


def test_keys_go_through_the_suggestions_and_accept_what_is_right(ui, reviewed):
    panel = ReviewPanel(reviewed)
    keys = {key["key"]: key.get("action") for key in panel.view.widget.bindings}
    assert (keys["n"], keys["shift+n"], keys["y"]) == ("next", "previous", "accept")
    assert "o" not in keys  # there is no live overlay here
    panel._on_action("next", [0, 0, 0])
    first = panel.suggestions[0]
    assert panel.view.index == first.index
    assert f"1 of {len(panel.suggestions)}" in panel._suggestion.value
    assert [shape.dashed for shape in panel.view._shapes].count(False) == 1
    panel._on_action("next", [0, 0, 0])
    panel._on_action("previous", [0, 0, 0])
    assert panel._at == 0
    panel._on_action("accept", [0, 0, 0])
    assert (panel.labels.read(first.region) == panel.prediction.labels.values[first.region]).all()
    assert first not in panel.suggestions
    panel.accept_confident()
    assert len(panel.view._shapes) == len(panel.suggestions)  # an edit elsewhere leaves the places framed
    panel.close()


def test_the_curve_scores_predictions_on_what_was_labelled_later(ui, reviewed):
    panel = ReviewPanel(reviewed)
    settle(panel)
    assert not panel.scores[0].score.known
    assert "correct 10 more places" in panel._verdict.value
    predicted = panel.prediction.labels.values
    for number in range(12):
        row = 2 + 7 * number
        value = 3 - int(predicted[3, row, 40]) if number % 3 else 1 + number % 2
        panel.labels.paint(axis="z", index=3, points=[(row, 40), (row, 60)], radius=2, value=value)
    settle(panel)
    score = panel.scores[0].score
    assert score.n >= 10
    assert score.known
    assert html.escape(score.words[3:]) in panel._verdict.value
    assert "<circle" in panel._curve.value
    panel.close()


def test_a_prediction_that_comes_while_the_panel_is_open_is_offered(ui, reviewed):
    panel = ReviewPanel(reviewed)
    reviewed.predict("shallow-1", name="second")
    panel.refresh()
    assert panel.prediction.name == "second"
    assert panel._which.options == ("second", "first")
    panel._which.value = "first"
    assert panel.prediction.name == "first"
    assert [layer.id for layer in panel.view.layers] == ["uncertainty", "prediction", "labels"]
    panel.close()


def test_errors_are_one_line_in_the_panel(ui, reviewed):
    panel = ReviewPanel(reviewed)
    for box in panel._class_boxes.values():
        box.value = False
    panel._accept_confident.click()
    assert panel.message.kind == "error"
    assert "no class is chosen" in panel.message.words
    panel.close()


def test_a_tally_of_a_part_of_the_blocks_is_scaled(reviewed, monkeypatch):
    from voxloop.panels.review import acceptance

    found = reviewed.predictions["first"]
    whole = tally(found, reviewed.labels(), found.box)
    monkeypatch.setattr(acceptance, "_BLOCK", (1, 30, 20))
    monkeypatch.setattr(acceptance, "LOOK_AT", 6 * 90 * 100 // 3)
    part = tally(found, reviewed.labels(), found.box)
    assert part.share == pytest.approx(1 / 3, abs=0.02)
    assert part.above(0.0, [1, 2]) == pytest.approx(whole.above(0.0, [1, 2]), rel=0.01)
    assert tally(found, reviewed.labels(), found.box, lambda: False) is None


def scored(name: str, low: float, iou: float, high: float) -> Scored:
    return Scored(name, Score(known=True, iou=iou, interval=(low, high), n=40, source="40 corrected places"))


def test_the_verdict_goes_by_the_intervals():
    one = scored("a", 0.65, 0.7, 0.75)
    unscored = Scored("a", unknown_score("correct 8 more places, or check 100 points"))
    assert verdict([one]) == "IoU 0.65-0.75, from 40 corrected places."
    assert verdict([one, scored("b", 0.85, 0.9, 0.95)]).startswith("Better")
    assert verdict([one, scored("b", 0.45, 0.5, 0.55)]).startswith("Worse")
    assert verdict([one, scored("b", 0.7, 0.74, 0.8)]).startswith("No difference")
    assert "correct 8 more places" in verdict([unscored])
    assert curve([unscored]) == ""
    assert curve([one, scored("a <b>", 0.85, 0.9, 0.95)]).count("<circle") == 2
