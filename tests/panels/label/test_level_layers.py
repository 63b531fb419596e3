"""Levels on screen: the parent around what is painted, questions before anything of a level is cropped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.panels.hand import Hand
from tests.panels.screen import Screen

from voxloop.panels.label.label_panel import LabelPanel
from voxloop.workspace.workspace import Workspace


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "ws", image=np.zeros((5, 80, 90), np.uint8), classes=["cell", "background"]) as ws:
        ws.levels.add("parts", ["part", "background"], parent=("labels", "cell"))
        ws.levels.add("grains", kind="instances")
        ws.labels("labels").box(index=2, points=[(10, 10), (50, 50)], value="cell")
        ws.labels("parts").box(index=2, points=[(20, 20), (60, 60)], value="part")
        yield ws


@pytest.fixture
def panel(ui, ws) -> Iterator[LabelPanel]:
    made = LabelPanel(ws)
    made.view.go_to_plane(2)
    yield made
    made.close()


def looks(panel: LabelPanel) -> dict[str, tuple[bool, bool]]:
    return {state["name"]: (state["visible"], state["outline"]) for state in panel.view.widget.layers}


def test_the_parent_is_drawn_around_and_the_other_levels_are_listed(panel, ws):
    hidden = (False, False)
    seen = looks(panel)
    assert (seen["parts"], seen["grains"], seen["labels"]) == (hidden, hidden, (True, False))
    panel.choose(level="parts")
    assert looks(panel)["labels: cell"] == (True, True)
    (parent,) = [layer for layer in panel.view.layers if layer.id == "parent:labels"]
    assert parent.read("z", 2, (0, 0, 80, 90), (1.0, 1.0)).indices[30, 30] == 1
    assert parent.describe((2, 30, 30))["name"] == "cell"
    Hand(panel).press("u")
    assert looks(panel)["labels: cell"] == (False, True)
    panel.choose(level="grains")
    assert looks(panel)["labels"] == hidden  # it is no parent of these
    panel.choose(level="parts")
    assert looks(panel)["labels: cell"] == (False, True)


def test_an_order_by_hand_stays_while_levels_come_and_go(panel):
    ids = [state["id"] for state in panel.view.widget.layers]
    by_hand = ["labels", *(id for id in ids if id != "labels")]
    Hand(panel).send("order", ids=by_hand)
    assert [state["id"] for state in panel.view.widget.layers] == by_hand
    panel.choose(level="parts")
    assert panel.view.widget.layers[0]["id"] == "labels"
    assert panel.view.layers[0].id == "live"


def test_erasing_a_parent_asks_about_its_children(panel, ws):
    screen, hand, child = Screen(panel), Hand(panel), ws.labels("parts")
    before = child.counts()
    screen.click("Eraser")
    hand.stroke([30, 30], [30, 40], index=2, radius=4, parts=2)
    screen.wait(2)
    assert "Take them away" in screen.buttons
    lost = ws.levels.outside("parts")["image"]
    assert f"{lost:,} voxels of 'parts' lie outside of 'labels' there now" in screen.text
    screen.click("Take them away")
    screen.wait(2)
    assert child.counts() != before
    assert ws.levels.outside("parts") == {}
    assert screen.code.startswith("ws.levels.crop('parts', 'image'")
    hand.press("ctrl+z")
    assert child.counts() == before
    hand.stroke([30, 30], index=2, radius=4)
    screen.wait(2)
    assert "Keep them" in screen.buttons
    screen.click("Keep them")
    assert "outside of their parent" in screen.message
    assert child.counts() == before


def test_another_parent_is_chosen_later_and_says_what_it_crops(panel, ws):
    screen = Screen(panel)
    ws.labels("grains").box(index=2, points=[(0, 0), (30, 30)], value=3)
    panel.choose(level="parts")
    screen.click("Rename this level")
    assert screen.field("Inside").value == ("labels", "cell")
    screen.field("Inside").value = ("grains", None)
    screen.click("OK")
    screen.wait(2)
    assert "Cancel" in screen.buttons
    assert "840 voxels of 'parts' lie outside of 'grains'" in screen.text
    assert ws.levels["parts"].parent == ("labels", "cell")
    screen.click("Take them away")
    screen.wait(2)
    assert ws.levels["parts"].parent == ("grains", None)
    screen.wait(2)
    assert "840 voxels taken away" in screen.message
    assert ws.labels("parts").counts() == {1: 121}
    line = "ws.levels.reparent('parts', ('grains', None), crop=True)"
    assert screen.code == line
    panel.undo()
    assert eval(line, {"ws": ws}) is not None
    assert looks(panel)["grains"] == (True, True)
