"""The live overlay with somebody else answering: when it asks, what it shows, where it sends the hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.panels.hand import Hand
from tests.panels.later import Later
from tests.panels.screen import Screen, send

from voxloop.errors import LabelError
from voxloop.panels.label.label_panel import LabelPanel
from voxloop.panels.label.live_overlay import OverlayPiece, OverlayRequest
from voxloop.workspace.workspace import Workspace


class Learner:
    """Answers at once: class 1 left of column 80, 2 right of it; unsure in one spot."""

    def __init__(self) -> None:
        self.requests: list[OverlayRequest] = []
        self.closed = False
        self.error: Exception | None = None

    def ask(self, request, answered, failed):
        self.requests.append(request)
        if self.error is not None:
            failed(self.error)
            return
        top, left, bottom, right = request.box
        classes = np.ones((bottom - top, right - left), np.uint8)
        classes[:, max(0, 80 - left) :] = 2
        confidence = np.full(classes.shape, 240, np.uint8)
        confidence[60 - top : 90 - top, 100 - left : 130 - left] = 60
        confidence[10 - top : 30 - top, 10 - left : 30 - left] = 120
        answered(OverlayPiece(request.axis, request.index, (top, left, bottom, right), classes, confidence))

    def close(self):
        self.closed = True


@pytest.fixture
def learner() -> Learner:
    return Learner()


@pytest.fixture
def panel(ui, learner, tmp_path: Path) -> Iterator[LabelPanel]:
    image = np.zeros((6, 120, 160), np.uint8)
    with Workspace.create(tmp_path / "ws", image=image, classes=["mito", "membrane", "background"]) as ws:
        made = LabelPanel(ws, overlay_source=lambda: learner)
        look(made, (0, 0, 120, 160))
        yield made
        made.close()


def look(panel: LabelPanel, box) -> None:
    Hand(panel).look(box)


def paint(panel: LabelPanel, value: int, point=(5, 5), index: int = 3) -> None:
    panel.labels.paint(index=index, points=[point], radius=2, value=value)
    Screen(panel).wait()


def test_it_appears_by_itself_once_two_classes_have_strokes(panel, learner):
    assert "two classes" in panel.live_box.words
    paint(panel, 1)
    assert learner.requests == []
    assert "besides mito" in panel.live_box.words
    paint(panel, 2, (100, 150))
    (request,) = learner.requests
    assert request.learn
    assert (request.axis, request.index, request.box) == ("z", 3, (0, 0, 120, 160))
    assert panel.live.layer.patch("z", 3).indices[50, 100] == 2
    assert "sure on average" in panel.live_box.words


def test_the_planes_beside_the_first_one_have_it_too_one_after_the_other(panel, learner):
    paint(panel, 1)
    paint(panel, 2, (100, 150))
    panel.planes.show(True)
    for other in panel.planes.others:
        box = (0, 0, *other.planes.geometry(other.axis).shape)
        other.look_at(other.axis, box, 0.01)
    Screen(panel).wait()
    assert [(one.axis, one.index, one.learn) for one in learner.requests[-2:]] == [("y", 60, False), ("x", 80, False)]
    assert panel.live.layer.patch("x", 80).indices.shape == (6, 120)
    asked = len(learner.requests)
    panel.planes.others[0].go_to_plane(20)
    Screen(panel).wait()
    assert [(one.axis, one.index) for one in learner.requests[asked:]] == [("y", 20)]


def test_it_follows_strokes_and_the_picture_but_asks_nothing_twice(panel, learner):
    paint(panel, 1)
    paint(panel, 2, (100, 150))
    paint(panel, 2, (110, 150))
    assert [q.learn for q in learner.requests] == [True, True]
    look(panel, (0, 0, 60, 80))
    look(panel, (0, 0, 60, 80))
    assert [q.learn for q in learner.requests] == [True, True, False]
    panel.view.go_to_plane(2)
    Screen(panel).wait()
    assert learner.requests[-1].index == 2


def test_the_next_place_is_the_least_sure_then_the_next(panel, learner):
    paint(panel, 1)
    paint(panel, 2, (100, 150))
    panel.next_place()
    z, y, x = panel.live.place
    assert z == 3
    assert 60 <= y < 90
    assert 100 <= x < 130
    assert panel.view.widget.overlay_box["index"] == 3, "the place is marked"
    panel.next_place()
    assert 5 <= panel.live.place[1] < 35
    assert 5 <= panel.live.place[2] < 35


def test_accepting_writes_what_the_overlay_says_there_as_one_edit(panel, learner):
    paint(panel, 1)
    paint(panel, 2, (100, 150))
    before = panel.labels.counts()
    panel.next_place()
    z, y, x = panel.live.place
    panel.accept()
    assert panel.labels.read((z, y, x)).item() == 2
    assert panel.labels.counts()[2] > before[2] + 500
    assert panel.labels.counts()[1] == before[1]
    assert panel.view.widget.overlay_box is None, "and no longer, once it was seen to"
    panel.undo()
    assert panel.labels.counts() == before


def test_accepting_twice_at_once_is_one_edit(panel, learner, monkeypatch):
    paint(panel, 1)
    paint(panel, 2, (100, 150))
    before = panel.labels.counts()
    panel.next_place()
    later = Later(panel, monkeypatch)
    Hand(panel).press("y")
    Hand(panel).press("y")
    later.end_all()
    added = panel.labels.counts()[2] - before[2]
    assert added > 500
    assert Screen(panel).message == f"Accepted {added:,} voxels."


def test_a_place_is_told_apart_from_nothing_known(panel, learner):
    with pytest.raises(LabelError, match="paint two classes"):
        panel.live.next_place()
    with pytest.raises(LabelError, match="go to a place"):
        panel.live.read_place()


def test_switched_off_it_asks_nothing_and_failing_it_harms_nothing(panel, learner):
    paint(panel, 1)
    learner.error = RuntimeError("out of memory")
    paint(panel, 2, (100, 150))
    assert "out of memory" in panel.live_box.words
    learner.error = None
    paint(panel, 2, (100, 140))
    assert panel.live.layer.patch("z", 3) is not None
    Screen(panel).field("Live overlay (O)").value = False
    asked = len(learner.requests)
    paint(panel, 2, (90, 140))
    assert len(learner.requests) == asked
    assert panel.live.layer.patch("z", 3) is None


def write_model(run, text):
    (run.path / "model").mkdir(exist_ok=True)
    path = run.path / "model" / "spec.json"
    path.write_text(text)
    os.utime(path, ns=(len(text), len(text)))


def test_the_model_of_a_run_is_shown_and_followed_while_it_learns(panel, learner):
    choice, ws = panel.live_box.choice, panel.ws
    task = "voxloop.deep.learner:train"
    for name, facts, settings in (
        ("deep-1", {"level": "labels"}, {}),
        ("other", {"level": "nuclei"}, {}),
        ("objects", {"level": "labels"}, {"target": "instances"}),
        ("empty", {"level": "labels"}, {}),
    ):
        run = ws.runs.create(name, task, settings, **facts)
        if name != "empty":
            write_model(run, "{}")
    Screen(panel).wait()
    assert choice.list.options == (("strokes", ""), ("deep-1", "deep-1"))
    choice.list.set_state({"index": 1})
    Screen(panel).wait()
    (request,) = learner.requests  # no strokes are needed
    assert (request.model, request.learn) == ("runs/deep-1/model", False)
    assert panel.live.layer.patch("z", 3).indices[50, 100] == 2
    paint(panel, 1)
    paint(panel, 2, (100, 150))
    Screen(panel).wait(2)
    assert len(learner.requests) == 1  # strokes teach a model nothing
    write_model(ws.runs["deep-1"], "{better}")
    Screen(panel).wait(2)
    assert len(learner.requests) == 2
    assert panel.live.next_place()
    choice.list.set_state({"index": 0})
    assert panel.live.layer.patch("z", 3) is None
    Screen(panel).wait()
    assert (learner.requests[-1].model, learner.requests[-1].learn) == (None, True)
    choice.list.set_state({"index": 1})
    ws.runs["deep-1"].delete()
    Screen(panel).wait()
    assert (choice.list.value, panel.live.model) == ("", None)


def test_the_background_stays_clear_and_colours_follow_the_classes(panel, learner):
    by_name = {item["name"]: item for item in panel.view.look_of("live")["classes"]}
    assert by_name["mito"]["visible"]
    assert not by_name["background"]["visible"]
    send(panel.classes.list.widget, {"action": "change", "value": 1, "changes": {"color": "#102030"}})
    assert panel.view.look_of("live")["classes"][0]["color"] == "#102030"


def test_whoever_answers_is_closed_with_the_panel(ui, learner, tmp_path):
    image = np.zeros((2, 60, 60), np.uint8)
    with Workspace.create(tmp_path / "ws2", image=image, classes=["a", "b"]) as ws:
        panel = LabelPanel(ws, overlay_source=lambda: learner)
        look(panel, (0, 0, 60, 60))
        paint(panel, 1, (5, 5), 0)
        paint(panel, 2, (30, 30), 0)
        panel.close()
    assert learner.closed


def test_a_stroke_that_changes_much_of_the_picture_is_told_with_the_way_back(panel, learner):
    for number in range(8):
        paint(panel, 1 + number % 2, (5 + 12 * number, 20 + 110 * (number % 2)))
    screen = Screen(panel)
    assert "The last stroke" not in screen.message
    usual = learner.ask

    def all_of_one(request, answered, failed):
        usual(request, lambda piece: answered(replace(piece, classes=np.full_like(piece.classes, 2))), failed)

    learner.ask = all_of_one
    paint(panel, 2, (60, 40))
    assert "The last stroke changed 50% of the overlay here. Ctrl+Z takes it back" in screen.message
    learner.ask = usual
    panel.undo()
    screen.wait()
    assert "The last stroke" not in screen.message, "what takes it back is no stroke"
