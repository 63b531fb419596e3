"""Single objects in the label panel: selected by clicks, cut by a line or two seeds, merged, removed, locked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.panels.hand import Hand
from tests.panels.screen import Screen, is_shown

from voxloop.panels.label.label_panel import LabelPanel
from voxloop.workspace.workspace import Workspace

SHAPE = (6, 60, 120)


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    image = np.random.default_rng(0).integers(90, 110, SHAPE, dtype=np.uint8)
    with Workspace.create(tmp_path / "ws", image=image, classes=["mito"], spacing=0.01) as made:
        made.levels.add("cells", kind="instances")
        values = np.zeros(SHAPE, np.uint32)
        values[1:5, 10:40, 10:70] = 3
        values[1:5, 10:40, 80:100] = 8
        made.labels("cells").write(None, values)
        yield made


@pytest.fixture
def panel(ui, ws) -> Iterator[LabelPanel]:
    made = LabelPanel(ws, level="cells")
    made.objects.fold.open()
    Screen(made).wait()
    yield made
    made.close()


@pytest.fixture
def hand(panel) -> Hand:
    return Hand(panel)


def until(panel, holds) -> None:
    """Let the panel go on until something holds; fails where it never does."""
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, said(panel)
        time.sleep(0.01)
        Screen(panel).wait()


def said(panel) -> str:
    return Screen(panel).message


def test_select_merge_remove_lock_and_next_by_keys(panel, hand, ws):
    hand.press("q")
    assert panel.view.tool["name"] == "objects"
    hand.click("objects", 20, 20)
    hand.click("objects", 20, 90)
    assert panel.objects.selected == (3, 8)
    hand.click("objects", 20, 90)
    assert panel.objects.selected == (3,)
    hand.press("shift+m")
    assert "two objects or more" in said(panel)
    panel.objects._number.value = 8
    Screen(panel).click("Give number")
    until(panel, lambda: "number 8 is taken" in said(panel))
    panel.objects._number.value = 5
    Screen(panel).click("Give number")
    until(panel, lambda: set(panel.labels.counts()) == {5, 8})
    panel.undo()
    hand.click("objects", 55, 5)
    hand.click("objects", 20, 20)
    hand.click("objects", 20, 90)
    hand.press("shift+m")
    until(panel, lambda: set(panel.labels.counts()) == {3})
    assert "lab.merge(ids=[3, 8])" in panel.code.code.replace("ws.labels('cells', 'image')", "lab")
    panel.undo()
    hand.press("shift+l")
    until(panel, lambda: panel.labels.locked_objects == [3])
    hand.press("delete")
    until(panel, lambda: "locked" in said(panel))
    hand.press("shift+n")
    until(panel, lambda: panel.objects.selected == (8,))
    hand.press("delete")
    until(panel, lambda: set(panel.labels.counts()) == {3})
    assert panel.objects.selected == ()
    hand.press("delete")
    assert "no object is selected" in said(panel)
    hand.click("objects", 55, 5)  # beside all of them
    assert panel.objects.selected == ()


def test_a_line_cuts_what_it_crosses_as_the_line_of_python_does(panel, hand, ws):
    hand.press("shift+q")
    hand.stroke([5, 40], [45, 40], index=3)
    until(panel, lambda: len(panel.labels.counts()) == 3)
    until(panel, lambda: "split" in panel.code.code)
    cut, code = panel.labels.read(), panel.code.code
    panel.undo()
    eval(code, {"ws": ws})
    np.testing.assert_array_equal(panel.labels.read() == 3, cut == 3)
    hand.stroke([50, 5], [55, 110], index=3)
    until(panel, lambda: "crosses no object" in said(panel))


def test_two_seeds_cut_one_object(panel, hand):
    hand.press("shift+s")
    hand.click("seeds", 20, 15)
    assert [shape.words for shape in panel.view.shapes] == ["1"]
    hand.click("seeds", 20, 90)
    assert "different objects" in said(panel)
    hand.click("seeds", 20, 15)
    hand.click("seeds", 20, 65)
    until(panel, lambda: len(panel.labels.counts()) == 3)
    hand.click("seeds", 55, 5)
    assert "no object here" in said(panel)


def test_objects_are_marked_listed_and_of_no_use_on_classes(panel, hand, ws):
    panel.objects.select(3)
    marks = panel.objects.marks
    patch = marks.read("z", 3, (0, 0, SHAPE[1], SHAPE[2]), (1.0, 1.0))
    np.testing.assert_array_equal(patch.indices == 1, panel.labels.read()[3] == 3)
    panel.labels.lock([8])
    patch = marks.read("z", 3, (0, 0, SHAPE[1], SHAPE[2]), (1.0, 1.0))
    np.testing.assert_array_equal(patch.indices == 2, panel.labels.read()[3] == 8)
    assert marks.describe((3, 20, 90))["name"] == "locked"
    until(panel, lambda: [row.key for row in panel.objects.list.rows] == ["3", "8"])
    until(panel, lambda: panel.objects.list.rows[1].cells[3] == "locked")
    assert "<img" in panel.objects.list.rows[0].cells[0]
    assert "1 locked" in panel.objects._words.value
    keys = {one["key"] for one in panel.view.widget.bindings}
    assert {"q", "shift+q", "shift+s", "shift+m", "delete"} <= keys
    panel.choose(level="labels")
    assert not is_shown(panel.objects.widget)
    assert not {"q", "shift+m"} & {one["key"] for one in panel.view.widget.bindings}
    assert panel.state.tool not in ("objects", "cut", "seeds")


def test_least_sure_first_needs_a_prediction(panel, hand):
    panel.objects._order.value = "least sure first"
    hand.press("shift+n")
    until(panel, lambda: "has no prediction yet" in said(panel))
