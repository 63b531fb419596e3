"""Reviewing from a panel: what would be accepted, what is, where to correct, whether it gets better."""

from __future__ import annotations

import numpy as np
import pytest
from tests.panels.hand import Hand
from tests.panels.screen import Screen

from voxloop.errors import PredictionError
from voxloop.panels.review import counts
from voxloop.panels.review.acceptance import tally
from voxloop.panels.review.review_panel import ReviewPanel
from voxloop.panels.review.subject import what_comes
from voxloop.review import scores


def settle(panel):
    """All that is due."""
    Screen(panel).wait(8)


def test_without_a_prediction_it_says_what_to_do_and_labels_can_be_painted(ui, ws, no_leak):
    panel = ReviewPanel(ws)
    screen = Screen(panel)
    screen.wait(3)
    assert "No prediction yet: the Predict step makes one." in screen.text
    assert not {"Accept", "It is right"} & set(screen.buttons)
    assert "better?" not in screen.text
    with pytest.raises(PredictionError, match="there is no prediction yet"):
        panel.next_place()
    Hand(panel).stroke([20, 20], value=1)
    assert panel.labels.counts()[1] > 0
    panel.close()
    assert no_leak.left() == []


def test_the_count_is_what_accept_takes(ui, reviewed, no_leak):
    panel = ReviewPanel(reviewed)
    screen = Screen(panel)
    panel.labels.paint(axis="z", index=panel.view.index, points=[(5, 5), (60, 60)], radius=5, value=1)
    settle(panel)
    screen.field("Probability ≥").value = 0.8
    screen.field("class 1").value = True
    plane = panel.correct.accepting.counts.count("plane")
    assert 0 < plane < 9000
    assert f"This plane {plane:,}" in screen.text
    before = sum(panel.labels.counts().values())
    screen.click("Accept")
    assert sum(panel.labels.counts().values()) - before == plane
    assert f"{plane:,} voxels are labels now" in screen.message
    settle(panel)
    assert panel.correct.accepting.counts.count("plane") == 0
    panel.undo()
    settle(panel)
    screen.field("Where to accept").value = "all"
    screen.field("class 1").value = False
    only = panel.correct.accepting.counts.count("everything")
    panel.accept_confident()
    assert panel.labels.history(panel.labels.sequence)["voxels"] == only
    panel.close()
    assert no_leak.left() == []


def test_the_background_is_accepted_only_where_somebody_asks_for_it(panel):
    screen = Screen(panel)
    assert (screen.field("class 1").value, screen.field("class 2").value) == (False, True)
    screen.field("Probability ≥").value = 0.5
    screen.click("Accept")
    assert set(panel.labels.counts()) == {2}
    screen.field("class 1").value = True
    screen.click("Accept")
    assert set(panel.labels.counts()) == {1, 2}


def test_a_count_that_fails_is_said_and_the_next_one_shows(panel, monkeypatch):
    screen = Screen(panel)
    settle(panel)
    readable = counts.tally
    monkeypatch.setattr(counts, "tally", lambda *args: (_ for _ in ()).throw(PredictionError("it keeps nothing")))
    panel.view.go_to_plane(1)
    screen.wait()
    assert "it keeps nothing" in screen.text
    monkeypatch.setattr(counts, "tally", readable)
    settle(panel)
    assert "it keeps nothing" not in screen.text
    assert f"This plane {panel.correct.accepting.counts.count('plane'):,}" in screen.text
    assert panel.correct.accepting.counts.count("everything") is not None


def test_a_score_that_fails_is_said_and_the_next_one_shows(panel, monkeypatch):
    screen = Screen(panel)
    panel.go("Progress")
    settle(panel)
    told = "the prediction 'first' was deleted"
    with monkeypatch.context() as patched:
        patched.setattr(scores, "score_prediction", lambda *args, **facts: (_ for _ in ()).throw(PredictionError(told)))
        label_places(panel)
        settle(panel)
        assert told in screen.text
    panel.labels.paint(axis="z", index=0, points=[(3, 3), (3, 30)], value=1)
    settle(panel)
    assert panel.reached[0].score.known
    assert told not in screen.text
    assert (screen.message, screen.failed) == ("", False)


def test_what_cannot_be_suggested_is_said_and_can_be_tried_again(panel, reviewed, monkeypatch):
    screen = Screen(panel)
    with monkeypatch.context() as patched:
        patched.setattr(
            reviewed, "suggest", lambda *args, **more: (_ for _ in ()).throw(PredictionError("not there yet"))
        )
        screen.click("Next place")
        assert screen.message == "not there yet"
        assert "Looking for places" not in screen.text
    panel.next_place()
    assert f"1 of {len(panel.suggestions)}, slice" in screen.text


def test_one_room_is_on_show_and_tools_stand_where_there_is_something_to_paint(panel):
    screen = Screen(panel)
    assert {"Accept", "Brush"} <= set(screen.buttons)
    assert "Classes" in screen.text
    for room, words in (("Check", "How good is it?"), ("Progress", "Is it getting better?")):
        screen.field("Room").value = room
        assert words in screen.text
        assert "Classes" not in screen.text
        assert "Accept" not in screen.buttons
    screen.field("Room").value = "Correct"
    assert "Classes" in screen.text


def test_what_was_said_in_a_room_leaves_with_it(panel):
    screen = Screen(panel)
    screen.click("Accept")
    screen.wait()
    assert screen.message
    screen.field("Room").value = "Check"
    assert not screen.message


def test_a_prediction_on_its_way_is_told_of(ui, ws, monkeypatch):
    made = ReviewPanel(ws)
    assert "No prediction yet" in Screen(made).text
    run = ws.runs.create("predict-1", "voxloop.prediction.task:run", {}, kind="predict")
    monkeypatch.setattr(type(run), "state", "queued")
    assert what_comes(ws) == "predict-1 is queued: it appears here with its first tile."
    made.close()


def test_accept_is_what_copy_as_code_says(panel, reviewed):
    screen = Screen(panel)
    screen.field("class 2").value = False
    screen.field("class 1").value = True
    assert panel.code.code == panel.review_code
    assert panel.review_code == (
        "ws.accept('first', region=(slice(3, 4), slice(0, 90), slice(0, 100)), classes=[1], above=0.95)"
    )
    screen.click("Accept")
    accepted = panel.labels.read()
    assert panel.labels.undo() is not None
    exec(panel.review_code, {"ws": reviewed})
    assert np.array_equal(panel.labels.read(), accepted)


def test_keys_go_through_the_suggestions_and_accept_what_is_right(panel):
    hand, screen = Hand(panel), Screen(panel)
    assert "o" not in {key["key"] for key in panel.view.widget.bindings}  # there is no live overlay here
    hand.press("n")
    first = panel.suggestions[0]
    assert panel.view.index == first.index
    assert f"1 of {len(panel.suggestions)}" in screen.text
    assert [shape.dashed for shape in panel.view.shapes].count(False) == 1
    hand.press("n")
    hand.press("shift+n")
    assert panel.places.current is first
    hand.press("y")
    assert (panel.labels.read(first.box) == panel.prediction.labels.values[first.box.slices]).all()
    assert first not in panel.suggestions
    screen.click("Accept")
    assert len(panel.view.shapes) == len(panel.suggestions)  # an edit elsewhere leaves the places framed


def test_the_list_is_made_anew_for_a_new_prediction_and_keeps_the_picture(panel, reviewed):
    hand = Hand(panel)
    hand.press(" ")
    place = panel.places.current
    row = place.box.centre
    panel.labels.paint(axis="z", index=place.index, points=[row[1:]], radius=3, value=1)
    assert place not in panel.suggestions
    reviewed.predict("shallow-1", name="second")
    panel.refresh()
    settle(panel)
    assert panel.prediction.name == "second"
    assert {one.prediction for one in panel.suggestions} == {"second"}
    assert panel.places.current is None
    hand.press("x")
    assert panel.places.current == panel.suggestions[0]


def test_the_score_of_the_prediction_is_said_in_words(panel):
    screen = Screen(panel)
    panel.go("Check")
    settle(panel)
    assert "Not known yet: correct 10 more places, or check 100 points." in screen.text
    label_places(panel)
    settle(panel)
    score = panel.ws.score("first")
    assert f"{score.words}." in screen.text
    assert all(f"{name} {value:.2f}" in screen.text for name, (value, _, _) in score.per_class.items())
    assert "strokes made after the model had learned" in screen.text


def test_the_slider_says_what_a_threshold_is_worth(panel):
    screen = Screen(panel)
    settle(panel)
    label_places(panel)
    settle(panel)
    score = panel.ws.score("first")
    worth = {}
    for above in (0.5, 0.9):
        screen.field("Probability ≥").value = above
        value, low, high = score.expected_precision(above, ["class 2"])
        assert f"About {value:.0%} of these are right ({100 * low:.0f} to {high:.0%})" in screen.text
        worth[above] = value
    assert worth[0.9] >= worth[0.5]
    screen.field("class 2").value = False
    assert "are right" not in screen.text


def label_places(panel):
    """Twelve strokes across the picture, a third of them right."""
    predicted = panel.prediction.labels.values
    for number in range(12):
        row = 2 + 7 * number
        value = 3 - int(predicted[3, row, 40]) if number % 3 else 1 + number % 2
        panel.labels.paint(axis="z", index=3, points=[(row, 40), (row, 60)], radius=2, value=value)


def test_the_curve_scores_predictions_on_what_was_labelled_later(panel):
    screen = Screen(panel)
    panel.go("Progress")
    settle(panel)
    assert not panel.reached[0].score.known
    assert "correct 10 more places" in screen.text
    label_places(panel)
    settle(panel)
    score = panel.reached[0].score
    assert score.n >= 10
    assert score.known
    assert score.words[3:] in screen.text
    assert "<circle" in screen.markup


def test_a_prediction_that_comes_while_the_panel_is_open_is_offered(panel, reviewed):
    screen = Screen(panel)
    reviewed.predict("shallow-1", name="second")
    panel.refresh()
    assert panel.prediction.name == "second"
    assert screen.field("Prediction").options == ["second", "first"]
    screen.field("Prediction").value = "first"
    assert panel.prediction.name == "first"
    assert [layer.id for layer in panel.view.layers] == ["uncertainty", "prediction", "labels", "preview"]


def test_errors_are_one_line_in_the_panel(panel):
    screen = Screen(panel)
    screen.field("class 2").value = False
    screen.click("Accept")
    assert (panel.message.kind, screen.failed) == ("error", True)
    assert "no class is chosen" in screen.message
    screen.field("class 2").value = True
    assert (screen.message, screen.failed) == ("", False)


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
