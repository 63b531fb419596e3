"""Objects, outlines and selections in the label panel without a browser: shown first, painted by Enter, one undo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.panels.hand import Hand
from tests.panels.screen import Screen

from voxloop.panels.label.label_panel import LabelPanel
from voxloop.workspace.workspace import Workspace


class Silent:
    """Answers for no overlay; what hints point at is then found in the kernel."""

    def ask(self, request, answered, failed) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    image = np.random.default_rng(0).integers(90, 110, (6, 120, 160), dtype=np.uint8)
    image[1:5, 40:80, 40:100] = 200
    made = Workspace.create(tmp_path / "ws", image=image, classes=["mito", "background"], spacing=(0.03, 0.01, 0.01))
    yield made
    made.close()


@pytest.fixture
def panel(ui, ws) -> Iterator[LabelPanel]:
    made = LabelPanel(ws, overlay_source=Silent)
    made.view.index = 3
    yield made
    made.close()


@pytest.fixture
def hand(panel) -> Hand:
    return Hand(panel)


def share(panel: LabelPanel, index: int = 3) -> float:
    """Intersection over union with the bright rectangle."""
    truth = np.zeros((120, 160), bool)
    truth[40:80, 40:100] = True
    found = panel.labels.plane("z", index) == 1
    return float((found & truth).sum() / (found | truth).sum())


def test_a_click_shows_the_object_and_enter_paints_it_once(panel, hand, ws):
    hand.press("w")
    hand.stroke([60, 70])
    assert not panel.labels.counts()
    assert "by edges" in Screen(panel).text
    patch = panel.view.layers[-1].read("z", 3, (0, 0, 120, 160), (1.0, 1.0))
    assert patch.indices.sum() > 2000
    hand.press("enter")
    assert share(panel) > 0.9
    code, painted = panel.code.code, panel.labels.read()
    assert "prompt(" in code
    assert panel.view.layers[-1].read("z", 3, (0, 0, 120, 160), (1.0, 1.0)).indices.sum() == 0
    hand.press("ctrl+z")
    assert not panel.labels.counts()
    eval(code, {"ws": ws})
    np.testing.assert_array_equal(panel.labels.read(), painted)


def test_hints_are_taken_back_dropped_and_followed_through_slices(panel, hand):
    screen = Screen(panel)
    hand.press("shift+w")
    hand.stroke([35, 35], [85, 105])
    screen.field("Slices").value = 5
    screen.wait()
    assert "on 4 slices" in screen.text
    hand.press("enter")
    assert [share(panel, z) > 0.8 for z in range(6)] == [False, True, True, True, True, False]
    hand.press("ctrl+z")
    hand.press("w")
    hand.stroke([60, 70])
    hand.stroke([10, 10], options={**panel.view.tool["options"], "against": True})
    assert len(panel.view.shapes) == 2
    hand.press("backspace")
    assert len(panel.view.shapes) == 1
    hand.press("escape")
    assert not panel.view.shapes
    hand.press("enter")
    assert "point at an object first" in screen.message
    assert not panel.labels.counts()


def test_other_ways_and_what_they_lack_are_said(panel, hand, tmp_path):
    screen = Screen(panel)
    hand.press("shift+g")
    hand.stroke([35, 35], [85, 105])
    assert "by GrabCut" in screen.text
    hand.press("shift+r")
    hand.stroke([60, 50], [60, 60], [60, 80])
    assert "by a random walk" in screen.text
    hand.press("escape")
    hand.press("shift+f")
    hand.press("shift+f")
    hand.stroke([60, 70])
    assert "name the two networks first" in screen.text
    screen.field("Networks").value = str(tmp_path)
    screen.wait()
    assert "is no folder with one *encoder*.onnx" in screen.message
    assert not panel.labels.counts()


def test_scissors_follow_the_edge_and_fill_what_is_inside(panel, hand):
    hand.press("z")
    for row, column in ((40, 40), (40, 99), (79, 99), (79, 40)):
        hand.click("scissors", row, column)
    hand.press("enter")
    assert share(panel) > 0.95
    assert "scissors(" in panel.code.code


def test_a_selection_is_drawn_moved_turned_and_painted_on_other_slices(panel, hand):
    hand.press("s")

    def drag(*places: tuple[float, float]) -> None:
        held = {"value": 1, "layer": "labels", "radius": 6, "options": {}}
        for number, (row, column) in enumerate(places):
            last = number == len(places) - 1
            hand.send("click", tool="select", axis="z", index=3, row=row, column=column, last=last, **held)

    drag((20, 20), (30, 40), (39, 59))
    hand.press("enter")
    assert panel.labels.counts() == {1: 20 * 40}
    drag((30, 30), (40, 40), (50, 50))
    hand.press("alt+arrowdown")
    panel.view.index = 4
    hand.press("enter")
    assert (panel.labels.plane("z", 4)[41:61, 40:80] == 1).all()
    hand.press("escape")
    panel.view.index = 3
    drag((25, 25))  # the object under it
    panel.state.mode = "subtract"
    hand.press("enter")
    assert not panel.labels.plane("z", 3).any()
    hand.press("ctrl+z")
    hand.press("shift+c")
    assert panel.view.index == 4
    assert (panel.labels.plane("z", 4)[20:40, 20:60] == 1).all()
    assert "copy(" in panel.code.code


def test_a_slice_is_copied_further_and_to_another_image(panel, hand, ws):
    ws.images.add("second", np.zeros((6, 120, 160), np.uint8))
    screen = Screen(panel)
    hand.stroke([20, 20], [20, 60])
    here = panel.labels.plane("z", 3).copy()
    screen.click("Copy further")
    screen.field("To").value = "slices before"
    screen.field("How many").value = 2
    screen.click("Copy")
    screen.wait()
    assert [bool(panel.labels.plane("z", z).any()) for z in range(6)] == [False, True, True, True, False, False]
    screen.field("To").value = "this slice"
    screen.click("Copy")
    assert "choose other slices" in screen.message
    screen.field("Of").value = "second"
    screen.click("Copy")
    screen.wait()
    np.testing.assert_array_equal(ws.labels(image="second").plane("z", 3), here)


def test_a_range_is_shown_as_it_moves_and_labels_a_region(panel, hand, ws):
    ws.regions.add("part", (slice(2, 4), slice(0, 120), slice(0, 70)))
    screen = Screen(panel)
    screen.click("Shapes")
    screen.wait()
    screen.field("Range").value = [220, 400]  # of 400 steps from 90 to 200
    screen.wait()
    assert (screen.field("From").value, screen.field("To").value) == ("150.5", "")
    shown = panel.preview.layer.patch("z", 3)
    assert shown.indices.sum() == 40 * 60
    assert not panel.labels.counts()
    panel.view.index = 0
    screen.wait()
    assert panel.preview.layer.patch("z", 0).indices.sum() == 0
    screen.field("Where").value = "part"
    screen.click("Label")
    screen.wait()
    assert panel.labels.counts() == {1: 2 * 40 * 30}
    assert "region='part'" in panel.code.code
    assert panel.preview.layer.patch("z", 0) is None
    screen.field("On").value = "part"
    screen.field("Refine").value = "erode"
    screen.click("Apply")
    screen.wait()
    assert 0 < panel.labels.counts()[1] < 2 * 40 * 30
