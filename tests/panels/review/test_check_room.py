"""Checking a prediction at the picture: points and fields drawn by chance, and strokes in doubt."""

from __future__ import annotations

import numpy as np
import pytest
from tests.panels.hand import Hand
from tests.panels.screen import Screen

from voxloop.geometry import Box
from voxloop.panels.review.audit_walk import AuditWalk, minutes
from voxloop.review import doctor
from voxloop.store.changes import Change
from voxloop.store.kept_strokes import kept_strokes


def begin(panel, button):
    """Open the room of checks and press a button there."""
    screen, hand = Screen(panel), Hand(panel)
    panel.go("Check")
    screen.wait(3)
    screen.click(button)
    return screen, hand


def visible(panel):
    return [state["id"] for state in panel.view.widget.layers if state["visible"]]


# --------------------------------------------------------------------------------------------------------------- points


def test_points_are_checked_with_one_key_each(panel, reviewed):
    before = panel.labels.sequence
    screen, hand = begin(panel, "Check 100 points (about 3 minutes)")
    audit = reviewed.audit("first")
    assert "0 of 100 points checked, about 3 minutes left" in screen.text
    assert "Point 1: which class is the voxel in the ring?" in screen.text
    assert "check 20 more points" in screen.text
    predicted = panel.prediction.labels.values
    truth = [int(predicted[point]) for point in audit.points]
    truth[0] = 3 - truth[0]
    for value in truth[:24]:
        at = panel.check.task.walk.at
        z, y, x = audit.points[at]
        assert (panel.view.axis, panel.view.index) == ("z", z)
        here = [shape for shape in panel.view.shapes if shape.is_on("z", z)]
        np.testing.assert_allclose(np.mean(here[0].points, axis=0), (y, x), atol=1e-6)
        hand.press(str(value))
    assert "24 of 100 points checked" in screen.text
    assert "IoU" in screen.text
    answered = reviewed.audit("first")
    assert [answered.said(i) for i in range(24)] == truth[:24]
    assert panel.labels.sequence == before  # no label was made
    assert screen.code == "ws.audit('first', how='points', n=100).answer(23, " + (
        "'class 1')" if truth[23] == 1 else "'class 2')"
    )
    namespace = {"ws": reviewed}
    exec(screen.code, namespace)
    assert reviewed.audit("first").said(23) == truth[23]


def test_nothing_suggests_the_answer_unless_somebody_asks(panel):
    usual = visible(panel)
    assert {"prediction", "labels"} <= set(usual)
    screen, hand = begin(panel, "Check 100 points (about 3 minutes)")
    assert visible(panel) == []
    hand.press("o")
    assert visible(panel) == ["prediction"]
    hand.press("1")
    assert visible(panel) == []
    screen.click("Show prediction")
    screen.click("Leave")
    assert visible(panel) == usual


def test_a_point_can_be_skipped_and_answered_again(panel, reviewed):
    screen, hand = begin(panel, "Check 100 points (about 3 minutes)")
    hand.press("1")
    hand.press("backspace")
    assert "Point 1: which class is the voxel in the ring, so far class 1?" in screen.text
    hand.press("2")
    hand.press("s")
    hand.press("x")
    screen.click("2 class 2")
    audit = reviewed.audit("first")
    assert (audit.said(0), audit.answered, audit.left[0]) == (2, [0, 3], 4)
    assert "4 of 100 points checked" in screen.text


def test_places_to_correct_leave_the_picture_to_the_check(panel):
    hand = Hand(panel)
    hand.press("n")
    framed = panel.view.shapes
    assert len(framed) == len(panel.suggestions) > 0
    begin(panel, "Check 100 points (about 3 minutes)")
    ring, place = panel.view.shapes, (panel.view.axis, panel.view.index)
    panel.places.renew()
    panel.places.look()
    assert (panel.view.shapes, (panel.view.axis, panel.view.index)) == (ring, place)
    panel.go("Correct")
    assert len(panel.view.shapes) == len(panel.suggestions)


def test_a_check_can_be_left_and_gone_on_with(panel, reviewed):
    screen, hand = begin(panel, "Check 100 points (about 3 minutes)")
    tools = {"b", "e", "n", "y", "d"}
    assert not tools & {key["key"] for key in panel.view.widget.bindings}
    assert panel.view.tool["name"] == "look"
    hand.press("2")
    panel.go("Correct")
    assert tools <= {key["key"] for key in panel.view.widget.bindings}
    assert (panel.view.tool["name"], panel.view.shapes) == ("brush", ())
    panel.go("Check")
    screen.wait(4)
    screen.click("Go on checking points (99 left)")
    hand.press("1")
    assert [reviewed.audit("first").said(i) for i in (0, 1)] == [2, 1]
    reviewed.predict("shallow-1", name="second")
    panel.refresh()
    assert panel.check.task is None
    assert "How good is it?" in screen.text


def test_the_walk_steps_through_what_is_checked_already(reviewed):
    audit = reviewed.audit("first", n=20)
    for i in range(20):
        audit.answer(i, 1)
    walk = AuditWalk(audit)
    assert (walk.at, walk.words) == (None, "20 of 20 points checked")
    walk.begin_anew()
    walk.go_on()
    assert walk.at == 1
    walk.at = 19
    walk.go_on()
    assert walk.at is None
    walk.go_back()
    assert walk.at == 19
    assert [minutes(seconds) for seconds in (10, 70, 180)] == [
        "less than a minute",
        "about a minute",
        "about 3 minutes",
    ]


# --------------------------------------------------------------------------------------------------------------- fields


def test_fields_are_accepted_or_corrected_on_a_copy(panel, reviewed):
    before = panel.labels.sequence
    screen, hand = begin(panel, "Check 12 fields (about 3 minutes)")
    audit = reviewed.audit("first", how="fields")
    assert audit.count == 12
    assert {"Brush", "Accept as it is"} <= set(screen.buttons)
    assert "Copy slice" not in screen.buttons
    assert visible(panel) == ["answers"]
    assert "Object" not in screen.buttons
    assert not {"w", "t", "s", "shift+u"} & {key["key"] for key in panel.view.widget.bindings}
    hand.press("y")
    draft = panel.check.task.draft
    z, y, x = draft.box.start
    old = draft.values.copy()
    value = 3 - int(old[10, 10])
    hand.stroke([y + 10, x + 10], [y + 10, x + 20], index=z, value=value, radius=2, parts=2)
    assert "Accept as corrected" in screen.buttons
    assert draft.values[10, 10] == value
    assert panel.view.look_of("answers")["visible"]
    hand.press("ctrl+z")
    np.testing.assert_array_equal(draft.values, old)
    hand.press("ctrl+shift+z")
    hand.stroke([y + 30, x + 30], index=z, value=0, radius=1, name="erase")
    hand.press("y")
    answered = reviewed.audit("first", how="fields")
    np.testing.assert_array_equal(answered.corrected(0), answered.predicted(0))
    assert answered.corrected(1)[0, 10, 15] == value
    assert answered.corrected(1)[0, 30, 30] == 0
    assert panel.labels.sequence == before
    assert not panel.labels.read().any()


def test_all_fields_tell_score_shares_and_counts(panel, reviewed):
    screen, hand = begin(panel, "Check 12 fields (about 3 minutes)")
    for _ in range(11):
        hand.press("y")
    hand.press("x")
    assert "All are checked" in screen.text
    assert "12 of 12 fields checked" in screen.text
    shares = reviewed.audit("first", how="fields").fractions()
    assert f"class 2 {100 * shares['class 2'][0]:.3g}%" in screen.text
    screen.click("Leave")
    screen.wait(8)
    assert f"{reviewed.score('first').words}." in screen.text
    assert "drawn by chance and judged by a person" in screen.text
    assert f"class 2 {100 * shares['class 2'][0]:.3g}%" in screen.text
    screen.click("Look at the 12 checked fields again")
    hand.press("backspace")
    assert "Field 1:" in screen.text


def test_what_lies_beside_the_field_is_left_alone(panel):
    screen, hand = begin(panel, "Check 12 fields (about 3 minutes)")
    draft = panel.check.task.draft
    z, y, x = draft.box.start
    old = draft.values.copy()
    hand.stroke([y + 5, x + 5], index=(z + 1) % 6, value=1, radius=3)
    assert "Paint inside the frame" in screen.message
    np.testing.assert_array_equal(draft.values, old)
    panel.state.value = 3 - int(old[5, 5])
    hand.click("fill", y + 5, x + 5, index=z)
    assert draft.values[5, 5] == panel.state.value
    hand.click("fill", y - 5, x + 5, index=z)
    hand.press("ctrl+z")
    np.testing.assert_array_equal(draft.values, old)


# ----------------------------------------------------------------------------------------------------- strokes in doubt


@pytest.fixture
def doubted(panel, reviewed, monkeypatch):
    """Three strokes that models contradict, as long as their labels stand and nobody has kept them."""
    labels = panel.labels
    path = reviewed.store.layout.kept_strokes
    made = []
    for number in range(3):
        labels.paint(axis="z", index=1 + number, points=[(20, 20 + 20 * number), (30, 30)], radius=3, value=1)
        made.append(labels.sequence)

    def look(*args, **kwargs):
        kept = kept_strokes(path)
        doubts = []
        for sequence in made:
            at = np.argwhere(labels.read())
            at = at[at[:, 0] == sequence]  # the first stroke is on slice 1, and so on
            if not len(at) or ("labels", "image", sequence) in kept:
                continue
            change = Change(sequence, "paint", at, np.ones(len(at), np.int64))
            region = Box.around(at).slices
            doubts.append(
                doctor.Doubt(
                    *(sequence, "labels", "image", region, "class 1", "class 2", 0.9),
                    left_out=sequence == 1,
                    _labels=labels,
                    _change=change,
                    _record=path,
                )
            )
        return doubts

    monkeypatch.setattr(reviewed, "doctor", look)
    return made


def test_strokes_in_doubt_are_kept_or_dropped_with_a_key(panel, doubted, reviewed):
    screen, hand = begin(panel, "Look for strokes in doubt")
    assert [row.cells for row in screen.rows] == [
        ["", "class 1 class 2", sure, str(z)] for z, sure in ((1, "90% left out"), (2, "90%"), (3, "90%"))
    ]
    assert "1 of them was left out" in screen.text
    assert panel.view.index == 1
    hand.press("n")
    assert panel.view.index == 2
    hand.press("k")
    assert [row.key for row in screen.rows] == ["labels/image/1", "labels/image/3"]
    assert [doubt.sequence for doubt in reviewed.doctor()] == [1, 3]  # it is on disk
    hand.press("d")
    assert "voxels are unlabelled again" in screen.message
    assert not panel.labels.read((slice(3, 4), slice(None), slice(None))).any()
    assert [row.key for row in screen.rows] == ["labels/image/1"]
    hand.press("ctrl+z")
    assert panel.labels.read((slice(3, 4), slice(None), slice(None))).any()
    assert [row.key for row in screen.rows] == ["labels/image/1", "labels/image/3"]
    screen.row("labels/image/3").click()
    screen.click("Drop")
    assert panel.check.task.current.sequence == 1
    screen.click("Keep")
    assert "No stroke is left that models contradict." in screen.text


def test_keys_of_the_doctor_work_only_while_its_list_is_in_use(panel, doubted):
    labelled = panel.labels.counts()
    screen, hand = begin(panel, "Look for strokes in doubt")
    assert {key["group"] for key in panel.view.widget.bindings} == {"Strokes in doubt"}
    screen.click("Leave")
    assert "k" not in {key["key"] for key in panel.view.widget.bindings}
    hand.press("d")  # the ball brush again
    assert panel.state.ball
    assert panel.labels.counts() == labelled


def test_without_a_classifier_the_doctor_says_what_it_takes(panel, reviewed):
    screen, _ = begin(panel, "Look for strokes in doubt")
    assert panel.check.task is None
    assert screen.message
