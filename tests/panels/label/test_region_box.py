"""Regions in the panel: drawn, listed, changed, and one of them the only place where anything happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.panels.hand import Hand
from tests.panels.screen import Screen

from voxloop.geometry import Box
from voxloop.panels.base.limit_line import limit_words
from voxloop.panels.label.label_panel import LabelPanel
from voxloop.panels.train.train_panel import TrainPanel
from voxloop.workspace.workspace import Workspace


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "ws", image=np.zeros((5, 80, 90), np.uint8), classes=["cell", "background"]) as ws:
        yield ws


@pytest.fixture
def panel(ui, ws) -> Iterator[LabelPanel]:
    made = LabelPanel(ws)
    made.view.go_to_plane(2)
    made.regions.fold.open()
    yield made
    made.close()


def test_a_box_is_drawn_on_two_planes_and_limits_the_brush(panel, ws):
    screen, hand = Screen(panel), Hand(panel)
    screen.field("name of the next region").value = "cell 1"
    screen.click("New box")
    hand.stroke([10, 20], [30, 50], index=2)
    assert ws.regions["cell 1"].box == Box((0, 10, 20), (5, 31, 51))
    assert panel.view.tool["name"] == panel.state.tool
    made = screen.code
    screen.click("Draw again")
    hand.stroke([1, 20], [3, 40], axis="y", index=15)
    assert ws.regions["cell 1"].box == Box((1, 10, 20), (4, 31, 41))
    screen.field("z").value = (0, 3)
    assert ws.regions["cell 1"].box == Box((0, 10, 20), (3, 31, 41))
    eval(made, {"ws": ws})
    assert ws.regions["cell 1"].box == Box((0, 10, 20), (5, 31, 51))

    screen.field("Work").value = "cell 1"
    assert "Only inside 'cell 1'" in screen.text
    assert screen.code == "ws.regions.activate('cell 1')"
    hand.stroke([0, 0], [79, 89], index=2, radius=30)
    painted = panel.labels.read()[2] > 0
    assert painted[10:31, 20:51].any()
    painted[10:31, 20:51] = False
    assert not painted.any()
    (veil,) = [layer for layer in panel.view.layers if layer.id == "veil"]
    seen = veil.read("z", 2, (0, 0, 80, 90), (1.0, 1.0)).indices
    assert (seen == 0).sum() == 21 * 31
    screen.click("Everywhere")
    assert ws.regions.active() is None
    assert "Only inside" not in screen.text
    assert "veil" not in [layer.id for layer in panel.view.layers]


def test_a_polygon_that_crosses_itself_is_refused_and_the_hand_goes_on(panel, ws):
    screen, hand = Screen(panel), Hand(panel)
    screen.click("New polygon")
    hand.stroke([10, 10], [50, 50], [10, 50], [50, 10], index=2)
    assert "crosses itself near (30, 30)" in screen.message
    assert ws.regions.names == []
    screen.click("New polygon")
    hand.stroke([10, 10], [10, 50], [50, 50], [50, 10], index=2)
    assert ws.regions["region 1"].outline == ((10, 10), (10, 50), (50, 50), (50, 10))
    screen.click("New box")
    hand.stroke([200, 200], [220, 220], index=2)
    assert "outside of the image along y" in screen.message
    screen.field("name of the next region").value = "square"
    screen.click("Rename")
    assert ws.regions.names == ["square"]
    screen.click("Remove")
    assert ws.regions.names == []
    screen.click("Undo the last change of regions")
    assert ws.regions.names == ["square"]
    hand.stroke([20, 20], index=2)
    assert panel.labels.counts()  # the brush is in the hand again


def test_a_region_that_a_line_of_python_activates_is_said_in_every_panel(panel, ws):
    ws.regions.add("right half", (slice(None), slice(None), slice(45, 90)))
    ws.regions.activate("right half")
    screen = Screen(panel)
    screen.wait()
    assert "Only inside 'right half'" in screen.text
    assert "veil" in [layer.id for layer in panel.view.layers]
    train = TrainPanel(ws)
    assert "Only inside 'right half'" in Screen(train).text
    assert limit_words(ws) == limit_words(ws, "image") == "only inside 'right half'"
    train.close()


def test_ranges_stay_inside_and_follow_the_channel_on_show(panel, ws):
    screen = Screen(panel)
    ws.regions.add("part", (slice(0, 5), slice(10, 30), slice(20, 50)))
    ws.regions.activate("part")
    mask, _ = panel.labels.in_range(0.0, box=Box((2, 0, 0), (3, 80, 90)))
    assert mask.sum() == 20 * 30
    assert mask[0, 10:30, 20:50].all()
    ws.channels.add("bright", "invert")
    screen.click("Shapes")
    assert screen.field("Intensity").value == 0
    panel.picture.offer()
    screen.field("Picture").value = "bright"
    panel.shapes.follow()
    assert screen.field("Intensity").value == "bright"


def test_what_is_removed_elsewhere_is_left(panel, ws):
    ws.images.add("other", np.zeros((4, 30, 40), np.uint8), spacing=0.01)
    ws.levels.add("second", ["a"])
    panel.choose(level="second")
    ws.images.remove("image")
    ws.levels.remove("second")
    panel.chooser.follow()
    assert (panel.image, panel.level) == ("other", "labels")
    assert "There is no 'image' any more" in Screen(panel).message
    Hand(panel).stroke([5, 5], [20, 30], index=1, radius=3)
    assert panel.labels.counts()
