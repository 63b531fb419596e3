"""Making, duplicating and editing training sets by hand."""

from __future__ import annotations

import numpy as np
import pytest
from tests.panels.screen import Screen

from voxloop.panels.train.train_panel import TrainPanel
from voxloop.workspace.workspace import Workspace


@pytest.fixture
def ws(tmp_path):
    image = np.zeros((4, 64, 64), np.uint8)
    with Workspace.create(tmp_path / "ws", image=image, image_name="one", classes=["rest", "cell"]) as made:
        made.images.add("two", image, copy=True)
        made.regions.add("corner", (slice(0, 2), slice(0, 32), slice(0, 32)), image="two")
        for name in ("one", "two"):
            for value in (1, 2):
                made.labels("labels", name).paint(axis="z", index=1, points=[(9 * value, 9)], radius=4, value=value)
        yield made


@pytest.fixture
def panel(ws, ui, no_leak):
    made = TrainPanel(ws)
    made.sets.fold.open()
    yield made
    made.close()
    assert no_leak.left() == []


def words(panel):
    return [row.cells for row in panel.sets.rows.rows]


def test_a_set_is_made_edited_and_saved_as_a_new_version(panel, ws):
    sets, screen = panel.sets, Screen(panel)
    screen.click("New")
    assert sets.name == "set 1"
    assert words(panel) == [("one", "labels", "whole image"), ("two", "labels", "whole image")]
    screen.row("0").click("Remove")
    screen.field("Image").value = "two"
    screen.field("Region").value = "corner"
    screen.click("Add")
    assert words(panel)[1] == ("two", "labels", "corner")
    assert "not saved" in screen.text
    scope = {"ws": ws}
    assert eval(sets.code, scope).version == 2  # what Copy as code gives does what the button does
    ws.sets.edit("set 1", ws.sets["set 1@1"].rows)
    sets.refresh()
    screen.click("Save as version 4")
    assert ws.sets["set 1"].version == 4
    assert [row.region for row in ws.sets["set 1"].rows] == [None, "corner"]
    assert "version 4, 3 older" in screen.text


def test_duplicates_have_names_of_their_own_and_sets_can_go(panel, ws):
    screen = Screen(panel)
    screen.click("New")
    screen.field("name of a new set").value = "other"
    screen.click("Duplicate")
    assert (panel.sets.name, ws.sets.names) == ("other", ["set 1", "other"])
    screen.click("Forget this set; labels and runs stay")
    assert (panel.sets.name, ws.sets.names) == ("set 1", ["set 1"])


def test_the_form_offers_sets_and_uses_them(panel, ws):
    screen = Screen(panel)
    screen.click("New")
    screen.click("Use for training")
    assert panel.config.training_set == "set 1"
    panel.learner = "deep"
    screen.click("Use for validation")
    assert panel.config.validation_set == "set 1"
    assert "validation_set='set 1'" in panel.code


def test_the_same_row_twice_is_refused_and_said(panel):
    screen = Screen(panel)
    screen.click("New")
    screen.click("Add")
    assert "already" in screen.message
