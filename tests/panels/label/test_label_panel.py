"""The label panel without a browser: strokes become edits, classes change, nothing raises, nothing is left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.panels.hand import Hand
from tests.panels.later import Later
from tests.panels.screen import Screen, send

from voxloop.panels.label.label_panel import LabelPanel
from voxloop.workspace.workspace import Workspace

SPACING = (0.03, 0.01, 0.01)


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    image = np.random.default_rng(0).integers(90, 110, (6, 120, 160), dtype=np.uint8)
    image[:, 40:80, 40:100] = 200
    made = Workspace.create(tmp_path / "ws", image=image, classes=["mito", "background"], spacing=SPACING)
    yield made
    made.close()


@pytest.fixture
def panel(ui, ws) -> Iterator[LabelPanel]:
    made = LabelPanel(ws)
    yield made
    made.close()


@pytest.fixture
def hand(panel) -> Hand:
    return Hand(panel)


def test_a_stroke_is_what_the_same_line_of_python_paints(panel, hand, ws, tmp_path):
    hand.stroke([20, 20], [30, 50], [25, 70], value=2, radius=4)
    code = panel.code.code
    painted = panel.labels.read()
    assert set(np.unique(painted)) == {0, 2}
    panel.undo()
    assert not panel.labels.read().any()
    eval(code, {"ws": ws})
    assert np.array_equal(panel.labels.read(), painted)


def test_a_long_stroke_in_parts_is_one_undo_one_count_and_one_line(panel, hand, ws):
    points = [[20 + 2 * i, 30 + 3 * i] for i in range(20)]
    hand.stroke([10, 100], [20, 120])
    before = panel.labels.read()
    hand.stroke(*points, parts=4, radius=3)
    painted = panel.labels.read()
    assert panel.saved.words.endswith("2 strokes")
    hand.press("ctrl+z")
    assert np.array_equal(panel.labels.read(), before)
    assert panel.saved.words.endswith("1 stroke")
    code = panel.code.code
    hand.press("ctrl+shift+z")
    assert np.array_equal(panel.labels.read(), painted)
    assert panel.saved.words.endswith("2 strokes")
    assert code.endswith(".undo()")


def test_a_stroke_that_is_taken_back_takes_only_itself(panel, hand):
    hand.stroke([20, 20], [20, 40])
    before = panel.labels.read()
    told = {"tool": "brush", "axis": "z", "index": 3, "radius": 4, "value": 1, "layer": "labels", "options": {}}
    for name, row in (("again", 20), ("below", 60)):  # the first is drawn on what is painted: it changes nothing
        hand.send("stroke", [np.array([[row, 30]], np.float32).tobytes()], id=name, first=0, last=False, **told)
        hand.send("drop", id=name)
        assert np.array_equal(panel.labels.read(), before)


def test_every_tool_reaches_its_verb(panel, hand):
    panel.state.tool = "polygon"
    hand.stroke([10, 10], [10, 30], [30, 30], [30, 10])
    assert panel.labels.read((3, 20, 20)).item() == 1
    panel.state.tool, panel.state.mode = "box", "cut"
    hand.stroke([0, 0], [40, 40])
    assert not panel.labels.counts()
    panel.state.tool, panel.state.mode = "ellipse", "add"
    hand.stroke([90, 10], [110, 30])
    assert panel.labels.read((3, 100, 20)).item() == 1
    assert panel.labels.read((3, 91, 11)).item() == 0
    panel.state.tool = "fill"
    panel.state.value = 2
    hand.click("fill", 60, 60)
    assert panel.labels.counts()[2] == 40 * 60
    panel.state.tool = "threshold"
    panel.state.value, panel.state.low, panel.state.high = 1, 0, 150
    hand.stroke([38, 50], [38, 70])
    plane = panel.labels.plane("z", 3)
    assert (plane[32:40, 50:70] == 1).all()
    assert (plane[40:80, 40:100] == 2).all()
    panel.state.tool = "erase"
    hand.stroke([60, 60], radius=5)
    assert panel.labels.read((3, 60, 60)).item() == 0
    panel.state.tool, panel.state.ball = "brush", True
    hand.stroke([100, 100], radius=9)
    assert panel.labels.read((1, 100, 100)).item() == 1
    assert panel.message.kind != "error"


def test_fill_takes_its_tolerance_from_the_noise_and_says_what_it_did(ui, tmp_path):
    rng = np.random.default_rng(0)
    image = rng.normal(100, 8, (2, 120, 160))
    image[:, 40:80, 40:100] += 70
    with Workspace.create(tmp_path / "noisy", image=image.clip(0, 255).astype(np.uint8), classes=["cell"]) as noisy:
        panel = LabelPanel(noisy)
        hand, screen = Hand(panel), Screen(panel)
        screen.click("Fill")
        assert screen.field("Tolerance").value == ""
        hand.click("fill", 60, 70, index=0)
        filled = panel.labels.counts()[1]
        assert 0.6 * 40 * 60 < filled <= 40 * 60
        assert f"Filled {filled:,} voxels, of intensities up to" in screen.message
        before = panel.labels.read()
        panel.undo()
        eval(panel.code.code, {"ws": noisy})
        Screen(panel).wait()
        hand.press("ctrl+z")
        screen.field("Tolerance").value = "1"
        hand.click("fill", 60, 70, index=0)
        assert screen.message == f"Filled {panel.labels.counts()[1]:,} voxels."
        assert panel.labels.counts()[1] < before.sum() / 10
        screen.field("Tolerance").value = "much"
        assert "'much' is no number" in screen.message
        panel.close()


def test_copy_and_interpolate_go_by_the_slices_around(panel, hand):
    hand.stroke([60, 60], index=1, radius=8)
    hand.stroke([60, 60], index=5, radius=8)
    panel.view.go_to_plane(3)
    hand.press("m")
    assert panel.labels.read((3, 60, 60)).item() == 1
    assert "interpolate(axis='z', first=1, last=5)" in panel.code.code
    panel.view.go_to_plane(2)
    panel.undo()
    hand.press("c")
    assert np.array_equal(panel.labels.plane("z", 2), panel.labels.plane("z", 1))
    panel.view.go_to_plane(0)
    hand.press("c")
    assert panel.message.kind == "error"


def test_on_the_last_painted_slice_interpolate_fills_back_to_the_one_before(panel, hand):
    hand.stroke([60, 60], index=1, radius=8)
    hand.stroke([60, 60], index=4, radius=8)
    panel.view.go_to_plane(4)
    Screen(panel).click("Interpolate")
    assert (panel.labels.read((slice(1, 5), 60, 60)).ravel() == 1).all()
    panel.view.go_to_plane(5)
    Screen(panel).click("Interpolate")
    assert "in one after it" in panel.message.words


def test_an_error_leaves_with_the_next_stroke(panel, hand):
    screen = Screen(panel)
    screen.click("Interpolate")
    assert ("then interpolate" in screen.message, screen.failed) == (True, True)
    hand.stroke([20, 20])
    assert (screen.message, screen.failed) == ("", False)


def test_undo_shows_the_plane_that_it_changed(panel, hand):
    hand.stroke([60, 60], index=1)
    panel.view.go_to_plane(5)
    hand.press("ctrl+z")
    assert panel.view.index == 1


def test_keys_of_the_page_change_buttons_and_lists(panel, hand):
    hand.press("e")
    assert panel.state.tool == "erase"
    hand.press("2")
    assert (panel.state.tool, panel.state.value) == ("brush", 2)
    assert panel.classes.list.widget.value == 2
    hand.send("tool", patch={"radius": 31})
    assert panel.tools.radius.value == 31
    hand.press("d")
    assert panel.view.tool["options"]["ball"]


def test_pick_takes_the_class_and_leaves_the_tool_that_paints(panel, hand):
    hand.stroke([20, 20], value=2)
    panel.state.tool = "polygon"
    hand.click("pick", 20, 20)
    assert (panel.state.value, panel.state.tool) == (2, "polygon")
    hand.click("pick", -5, 9000)
    assert panel.state.value == 2


def ask(panel: LabelPanel, action: str, **fields: Any) -> None:
    send(panel.classes.list.widget, {"action": action, **fields})


def test_classes_are_added_renamed_hidden_locked_and_removed(panel, hand, ws):
    ask(panel, "add", name="vesicle")
    assert panel.state.value == 3
    ask(panel, "change", value=3, changes={"name": "vesicles", "color": "#123456", "visible": False})
    item = ws.levels[panel.level].class_of(3)
    assert (item.name, item.color, item.visible) == ("vesicles", "#123456", False)
    assert panel.view.look_of("labels")["classes"][2] == {
        "value": 3,
        "name": "vesicles",
        "color": "#123456",
        "visible": False,
    }
    hand.stroke([20, 20], value=3)
    assert panel.classes.list.widget.classes[2]["count"] > 0
    ask(panel, "remove", value=3)
    assert panel.message.kind == "error"
    assert "vesicles" in panel.message.words
    panel.undo()
    ask(panel, "remove", value=3)
    assert len(ws.levels[panel.level].classes) == 2
    ask(panel, "add", name="mito")
    assert panel.message.kind == "error"


def test_locked_voxels_stay_and_a_bad_stroke_is_a_message(panel, hand):
    hand.stroke([20, 20], value=1, radius=5)
    ask(panel, "change", value=1, changes={"locked": True})
    hand.stroke([20, 20], value=2, radius=9)
    assert panel.labels.read((3, 20, 20)).item() == 1
    hand.stroke([20, 20], value=99)
    assert panel.message.kind == "error"
    assert "99" in panel.message.words


def test_levels_are_added_and_chosen(panel, hand, ws):
    first = panel.level
    screen = Screen(panel)
    screen.click("Add a label level")
    assert screen.field("Inside").value is None
    screen.field("name").value = "organelles"
    screen.field("Inside").value = (first, "mito")
    screen.click("OK")
    assert panel.level == "organelles"
    assert ws.levels["organelles"].parent == (first, "mito")
    hand.stroke([20, 20])
    assert panel.labels.counts() == {}, "outside the parent nothing is painted"
    screen.click("Rename this level")
    screen.field("name").value = "parts"
    screen.click("OK")
    assert (panel.level, screen.field("Label level").value) == ("parts", "parts")
    assert panel.message.kind != "error"
    panel.choose(level=first)
    hand.stroke([20, 20], radius=9)
    panel.choose(level="parts")
    hand.stroke([20, 20])
    assert list(panel.labels.counts()) == [1]


def test_every_object_of_a_level_of_instances_has_its_number(ui, ws):
    ws.levels.add("cells", kind="instances")
    panel = LabelPanel(ws, level="cells")
    hand = Hand(panel)
    hand.stroke([20, 20])
    hand.press("x")
    hand.stroke([60, 60])
    assert sorted(panel.labels.counts()) == [1, 2]
    hand.click("pick", 20, 20)
    assert panel.state.value == 1
    panel.close()


def test_masks_are_loaded_only_when_zero_is_explained(panel, hand, tmp_path):
    hand.stroke([20, 20])
    path = tmp_path / "mask.npy"
    screen = Screen(panel)
    screen.field("path of a mask").value = str(path)
    screen.click("Save")
    assert "mask.npy" in screen.message
    panel.labels.undo()
    screen.click("Load")
    screen.click("Load it")
    assert "say what 0 means" in screen.message
    assert not panel.labels.counts()
    screen.field("What 0 means").value = "unlabelled"
    screen.click("Load it")
    assert list(panel.labels.counts()) == [1]
    assert "What 0 means" not in screen.fields


def test_a_mask_is_loaded_by_a_table_of_what_its_values_mean(panel, tmp_path):
    mask = np.full(panel.labels.shape, -1, np.int16)
    mask[:, :20], mask[:, 20:30] = 0, 7
    np.save(tmp_path / "survos.npy", mask)
    screen = Screen(panel)
    screen.field("path of a mask").value = str(tmp_path / "survos.npy")
    screen.click("Load")
    assert screen.field("What -1 means").value == "unlabelled"
    assert "-1 · 75.0%" in screen.text
    first, second = (item.name for item in panel.labels.level.classes)
    screen.field("What 0 means").value = first
    screen.field("What 7 means").value = second
    screen.click("Load it")
    expected = np.where(mask == 0, 1, np.where(mask == 7, 2, 0))
    assert np.array_equal(panel.labels.read(), expected)
    panel._tick()
    assert f"values={{-1: 'unlabelled', 0: {first!r}, 7: {second!r}}}" in screen.code


def test_saving_twice_at_once_writes_one_mask(panel, hand, tmp_path, monkeypatch):
    screen, later = Screen(panel), Later(panel, monkeypatch)
    screen.field("path of a mask").value = str(tmp_path / "mask.npy")
    screen.click("Save")
    screen.click("Save")
    later.end_all()
    assert ("Written to" in screen.message, screen.failed) == (True, False)
    screen.click("Save")
    later.end_all()
    assert screen.failed, "the file is there already, and the button works again"


def test_a_reader_sees_who_writes_and_what_comes(ui, ws):
    other = Workspace.open(ws.path, read_only=True)
    panel = LabelPanel(other)
    hand = Hand(panel)
    assert "Read-only: this workspace is written by process" in Screen(panel).text
    assert "Undo" not in Screen(panel).buttons
    hand.stroke([20, 20], value=1)
    assert panel.message.kind == "error"
    ws.labels().paint(index=2, points=[(30, 30)], radius=4, value=2)
    Screen(panel).wait(2)
    assert panel.classes.list.widget.classes[1]["count"] > 0
    panel.close()
    other.close()


def test_a_stroke_costs_few_messages(panel, hand, messages):
    hand.stroke([20, 20], [40, 40])
    messages.clear()
    hand.stroke([50, 50], [60, 40])
    assert len(messages) <= 6


def test_nothing_is_left_after_close(no_leak, ws):
    panel = LabelPanel(ws)
    Hand(panel).stroke([20, 20])
    panel.close()
    assert no_leak.left() == []
    assert ws.labels()._state.listeners == {}


def _hand_over(hand: Hand, whole: list[list[float]], **message: Any) -> None:
    """A page hands over a stroke that nobody acknowledged, all of it."""
    tool = hand.panel.view.tool
    told = {"tool": tool["name"], "axis": "z", "index": 3, "first": 0, "last": True, "again": True}
    told |= {key: tool[key] for key in ("radius", "value", "layer", "options")}
    told["place"] = hand.panel.view.widget.place
    hand.send("stroke", [memoryview(np.asarray(whole, np.float32).tobytes())], **told | message)


@pytest.mark.parametrize("painted", [0, 4, 9, 20])
def test_what_of_a_stroke_is_on_disk_is_not_painted_again_by_the_next_kernel(ui, ws, painted):
    """The one before died with so many of its twenty points painted, and acknowledged none of them."""
    points = [[20 + 2 * i, 30 + 3 * i] for i in range(20)]
    first = LabelPanel(ws)
    if painted:
        tool, part = first.view.tool, memoryview(np.asarray(points[:painted], np.float32).tobytes())
        told = {key: tool[key] for key in ("radius", "value", "layer", "options")}
        told |= {"tool": "brush", "axis": "z", "index": 3, "first": 0, "last": painted == 20}
        Hand(first).send("stroke", [part], id="page-1", **told)
    first.close()
    second = LabelPanel(ws)
    for _ in range(2):  # and handed over twice
        _hand_over(Hand(second), points, id="page-1")
    expected = ws.labels().sequence
    assert expected == {0: 1, 20: 1}.get(painted, 2)
    whole = ws.labels().read()
    ws.labels().undo()
    assert not ws.labels().read().any(), "one stroke is one undo"
    ws.labels().paint(axis="z", index=3, points=points, radius=6, value=1)
    assert np.array_equal(ws.labels().read(), whole)
    second.close()


def test_a_stroke_handed_over_late_goes_to_the_labels_it_was_drawn_on(panel, hand, ws):
    there = panel.view.widget.place
    ws.levels.add("second", ["a"])
    panel.choose(level="second")
    assert panel.view.widget.place != there
    _hand_over(hand, [[20, 20], [30, 50]], id="page-1", place=there)
    assert not panel.labels.read().any()
    assert ws.labels("labels").read().any()
    _hand_over(hand, [[20, 20], [30, 50]], id="page-2", place='["/elsewhere", "image", "labels"]')
    assert "another workspace" in panel.message.words
    assert not panel.labels.read().any()


def test_the_same_edit_asked_for_twice_at_once_is_made_once(panel, hand, monkeypatch):
    later = Later(panel, monkeypatch)
    panel.state.tool = "fill"
    hand.click("fill", 50, 50)
    hand.click("fill", 50, 50)
    hand.click("fill", 5, 5)
    later.end_all()
    assert panel.labels.sequence == 2
    hand.click("fill", 50, 50, index=4)
    later.end_all()
    assert panel.labels.sequence == 3
    hand.click("fill", 9000, 50)
    later.end_all()
    assert panel.message.kind == "error"
    panel.say("", "quiet")
    hand.click("fill", 9000, 50)
    later.end_all()
    assert panel.message.kind == "error", "what failed may be tried again"


def test_a_series_is_stepped_through_in_time_at_the_same_place(ui, tmp_path):
    movie = np.random.default_rng(0).integers(0, 255, (3, 6, 60, 80)).astype("u1")
    with Workspace.create(tmp_path / "ws", movie, ["cell"], times=True, axes="tzyx", spacing=1) as series:
        panel = LabelPanel(series)
        screen = Screen(panel)
        panel.view.go_to_plane(4)
        panel.view.widget.camera = {"x": 10.0, "y": 20.0, "zoom": 3.0}
        panel.labels.paint(axis="z", index=4, points=[(30, 30)], radius=3, value=1)
        assert panel.labels.read((4,)).any()
        screen.field("Time").value = 2
        assert panel.image == "image t2"
        assert panel.view.index == 4
        assert panel.view.widget.camera == {"x": 10.0, "y": 20.0, "zoom": 3.0}
        assert not panel.labels.read().any()
        panel.choose(image="image t0")
        assert screen.field("Time").value == 0
        assert panel.labels.read((4,)).any()
        panel.close()


def test_shapes_are_refined_and_a_range_is_labelled(panel, hand, ws):
    screen = Screen(panel)
    hand.stroke([60, 60], [60, 80], value=1, radius=5)
    painted = panel.labels.read()
    screen.click("Shapes")
    screen.field("Refine").value = "dilate"
    screen.field("Radius").value = "0.03"
    screen.click("Apply")
    screen.wait()
    code = panel.code.code
    grown = panel.labels.read()
    assert grown.sum() > painted.sum()
    assert "Ctrl Z" in screen.message
    panel.undo()
    eval(code, {"ws": ws})
    np.testing.assert_array_equal(panel.labels.read(), grown)
    ws.channels.add("smooth", "gaussian")
    screen.click("Shapes")
    screen.click("Shapes")
    assert screen.field("Intensity").options == ["image", "smooth"]
    screen.field("From").value = "150"
    screen.click("Label")
    plane = panel.labels.read()[panel.view.index]
    assert (plane[40:80, 40:100] == 1).all()
    assert not plane[:30].any()
    screen.field("From").value = "many"
    screen.click("Label")
    assert "'many' is no number" in screen.message


def test_tools_go_by_the_channel_on_show(panel, hand, ws):
    ws.channels.add("dark", "invert")
    assert "Over it" not in Screen(panel).text
    panel.picture.offer()
    Screen(panel).field("Picture").value = "dark"
    shown = panel.view.planes.read("z", 2, (0, 0, 120, 160))[0]
    assert shown[50, 60] < shown[10, 10]  # what was bright is dark
    low, high = float(shown.min()) - 1, float(shown[50, 60]) + 5
    panel.state.low, panel.state.high = low, high
    panel.state.tool = "threshold"
    hand.stroke([50, 50], [50, 60], value=1, radius=4)
    assert "channel='dark'" in panel.code.code
    assert panel.labels.counts()[1] > 50
    Screen(panel).field("Over it").value = "dark"
    assert [layer.id for layer in panel.view.layers] == ["channel", "live", "labels", "preview"]
    patch = panel.view.layers[0].read("z", 2, (0, 0, 120, 160), (2.0, 2.0))
    assert patch.indices.shape == (60, 80)
    assert patch.indices[25, 30] < patch.indices[5, 5]
    ws.channels.remove("dark")
    panel.picture.offer()
    assert panel.state.channel == 0
    assert panel.view.planes.read("z", 2, (50, 60, 51, 61))[0, 0, 0] == 200
    assert [layer.id for layer in panel.view.layers] == ["live", "labels", "preview"]
