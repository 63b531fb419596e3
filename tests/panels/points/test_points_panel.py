"""The panel of points without a browser: clicks add, drags move, keys act, the bar says what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.panels.hand import Hand
from tests.panels.screen import Screen, send
from tests.panels.train.stand_ins import Helper

import voxloop as vl
from voxloop.panels.base import asking
from voxloop.panels.points.header_graph import shortened, values
from voxloop.panels.points.points_panel import PointsPanel
from voxloop.workspace.workspace import Workspace

BODY = vl.Skeleton(["head", "thorax", "tail"], [("head", "thorax"), ("thorax", "tail")])


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    frames = np.random.default_rng(0).integers(90, 110, (12, 100, 140), dtype=np.uint8)
    with Workspace.create(tmp_path / "ws") as made:
        made.images.add("film", frames, z_kind="frame")
        yield made


@pytest.fixture
def show(ui, ws) -> Iterator[Callable[..., PointsPanel]]:
    opened: list[PointsPanel] = []

    def build(**level: Any) -> PointsPanel:
        if level:
            ws.levels.add("level", **level)
        opened.append(PointsPanel(ws))
        return opened[-1]

    yield build
    for one in opened:
        one.close()


class Mouse(Hand):
    """Drags the way a page tells it: clicks, the last of which says so."""

    def drag(self, *spots: tuple[float, float], index: int = 0, tool: str | None = None) -> None:
        name = tool or self.panel.view.tool["name"]
        for n, (row, column) in enumerate([*spots, spots[-1]]):
            told = {"tool": name, "axis": "z", "index": index, "row": row, "column": column}
            self.send("click", last=n == len(spots), **told)


def test_a_body_is_added_moved_turned_and_taken_back(show, ws):
    panel = show(kind="points", skeleton=BODY)
    mouse, points = Mouse(panel), ws.points()
    mouse.drag((50, 60))
    (one,) = points.read(0)
    assert one.centre == pytest.approx((50, 60), abs=0.1)
    assert set(one.points) == set(BODY.nodes)
    code = panel.code.code
    points.undo()
    eval(code, {"ws": ws})
    (one,) = points.read(0)

    mouse.press("d")
    y, x = one.points["head"]
    mouse.drag((y + 1, x), (y + 5, x + 9), (y + 11, x + 20))
    moved = points.read(0)[0]
    assert moved.points["head"] == pytest.approx((y + 10, x + 20), abs=0.1)
    assert moved.points["tail"] == one.points["tail"]
    assert panel.selected == moved.id

    mouse.press("w")
    mouse.drag(moved.points["tail"], (moved.points["tail"][0] + 6, moved.points["tail"][1] - 4))
    whole = points.read(0)[0]
    for node in BODY.nodes:
        assert np.subtract(whole.points[node], moved.points[node]) == pytest.approx((6, -4), abs=0.11)

    mouse.press("t")
    cy, cx = whole.centre
    ty, tx = whole.points["tail"]
    mouse.drag((ty, tx), (cy + (tx - cx), cx - (ty - cy)))  # a quarter
    turned = points.read(0)[0]
    assert turned.centre == pytest.approx(whole.centre, abs=0.2)
    assert turned.points["tail"] == pytest.approx((cy + (tx - cx), cx - (ty - cy)), abs=0.3)
    for _ in range(3):
        mouse.press("ctrl+z")
    assert points.read(0)[0].points == one.points


def test_a_click_that_moves_nothing_chooses_and_x_deletes(show, ws):
    panel = show(kind="points", skeleton=BODY)
    mouse, points = Mouse(panel), ws.points()
    first = points.add(0, {"head": (20, 20), "tail": (40, 40)})
    second = points.add(0, {"head": (60, 60), "tail": (80, 80)})
    mouse.press("d")
    mouse.drag((60, 61))
    assert panel.selected == second
    assert points.sequence == 2
    Screen(panel).field("Track").value = "anna"
    assert points.instance(second).track == "anna"
    mouse.press("o")
    assert points.instance(second).hidden == {"head"}
    mouse.press("g")
    assert panel.selected == first
    mouse.press("x")
    assert [one.id for one in points.read(0)] == [second]
    mouse.press("x")
    assert "choose an instance first" in panel.message.words


def test_the_keyboard_takes_and_lets_go(show, ws):
    panel = show(kind="points", skeleton=BODY)
    mouse, points = Mouse(panel), ws.points()
    number = points.add(0, {"head": (20, 20), "tail": (40, 40)})
    mouse.press("d")
    for row, column in ((20, 20), (25, 30)):
        told = {"tool": "node", "axis": "z", "index": 0, "row": row, "column": column}
        mouse.send("click", last=True, **told)
    assert points.instance(number).points["head"] == (25, 30)


def test_predictions_are_taken_over_by_a_double_click_or_a_key(show, ws):
    panel = show(kind="points", skeleton=BODY)
    mouse, points = Mouse(panel), ws.points()
    ids = points.add_many(
        [{"frame": 0, "points": {"head": (20, 20 * n), "tail": (40, 20 * n)}, "score": 0.5} for n in (1, 2, 3)],
        predicted=True,
    )
    mouse.press("d")
    mouse.drag((20, 20))
    assert points.instance(ids[0]).predicted
    mouse.drag((20, 20))
    assert not points.instance(ids[0]).predicted
    mouse.press("i")
    mouse.drag((30, 40))  # added where a prediction is: as that says
    assert points.read(0)[-1].points == {"head": (20, 40), "tail": (40, 40)}
    mouse.press("shift+y")
    assert not any(one.predicted for one in points.read(0))


def test_the_next_body_begins_as_in_the_frame_before(show, ws):
    panel = show(kind="points", skeleton=BODY)
    mouse, points = Mouse(panel), ws.points()
    points.add(0, {"head": (20, 20), "thorax": (30, 30), "tail": (40, 40)}, "anna")
    panel.view.go_to_plane(1)
    mouse.drag((35, 32), index=1)
    (one,) = points.read(1)
    assert one.points == {"head": (25, 22), "thorax": (35, 32), "tail": (45, 42)}
    assert one.track == "anna"
    panel.view.go_to_plane(2)
    mouse.press("c")
    assert points.read(2)[0].points == one.points
    mouse.press("n")
    assert panel.view.index == 3
    mouse.press("e")
    assert points.is_empty(3)
    mouse.press("shift+m")
    assert panel.view.index == 2
    panel.show_suggestions([7, 9])
    mouse.press("n")
    assert panel.view.index == 7


def test_boxes_are_drawn_stretched_and_given_a_class(show, ws):
    panel = show(kind="boxes", classes=["cell", "debris"])
    mouse, boxes = Mouse(panel), ws.boxes()
    mouse.drag((10, 20), (15, 25), (30, 50))
    (one,) = boxes.read(0)
    assert (one.box, one.label) == (((10, 20), (30, 50)), "cell")
    mouse.press("d")
    mouse.drag((10, 50), (5, 60))  # the corner at the top right
    assert boxes.read(0)[0].box == ((5, 20), (30, 60))
    mouse.press("2")
    assert boxes.read(0)[0].label == "debris"
    mouse.press("i")
    mouse.drag((60, 60))
    assert len(boxes) == 1
    assert "needs an inside" in panel.message.words


def test_a_class_for_each_frame_by_keys(show, ws):
    panel = show(kind="pictures", classes=["still", "walking"])
    mouse, pictures = Mouse(panel), ws.pictures()
    for key in "121":
        mouse.press(key)
    assert [pictures.read(n).label for n in range(3)] == ["still", "walking", "still"]
    assert panel.view.index == 3
    mouse.press("ctrl+z")
    assert panel.view.index == 2
    assert pictures.read(2) is None
    panel.view.go_to_plane(1)
    assert panel.view.shapes[0].words == "walking"
    mouse.press("x")
    assert pictures.read(1) is None


def test_a_skeleton_is_changed_by_hand_and_keeps_its_points(show, ws):
    panel = show(kind="points", skeleton=BODY)
    points = ws.points()
    points.add(0, {"head": (20, 20), "tail": (40, 40)})
    screen = Screen(panel)
    screen.click("Skeleton")
    panel.skeleton.node.value = "tail"
    screen.click("Remove node")
    assert points.read(0)[0].points == {"head": (20, 20)}
    panel.skeleton.name.value = "tail"
    screen.click("Add node")
    assert points.read(0)[0].points == {"head": (20, 20), "tail": (40, 40)}
    assert panel.code.code.startswith("ws.levels.add_node('level', 'tail'")


def test_a_level_is_made_where_there_is_none(show, ws, no_leak):
    panel = show()
    screen = Screen(panel)
    assert "make one at the right" in panel.message.words
    screen.field("Name").value = "mice"
    screen.field("Nodes").value = "nose, tail"
    screen.click("Create")
    assert ws.levels["mice"].skeleton == vl.Skeleton(["nose", "tail"], [("nose", "tail")])
    Mouse(panel).drag((50, 60))
    assert ws.points().count() == 1


def test_the_bar_marks_frames_and_goes_to_them(show, ws):
    panel = show(kind="points")
    points = ws.points()
    points.add_many([{"frame": n, "points": {"point": (n, 2 * n)}, "track": 1} for n in (1, 2, 3, 8)])
    points.add(5, {"point": (1, 1)}, predicted=True, score=0.25)
    Screen(panel).wait()
    bar = panel.bar.bar
    assert (bar.count, bar.labelled, bar.predicted) == (12, [1, 2, 3, 8], [5])
    send(bar, {"kind": "seek", "index": 8})
    assert (panel.view.index, bar.index) == (8, 8)
    assert np.nansum(values(points, "number")) == 5
    assert np.nanmax(values(points, "displacement")) == pytest.approx(5**0.5)
    assert values(points, "score")[5] == 0.25
    assert len(shortened(np.ones(100_000))) == 800
    panel.search.rule.value = "displacement"
    Screen(panel).click("Suggest 20")
    Screen(panel).wait()
    assert panel.bar.suggested == [], panel.message.words  # no frame that is not labelled follows another
    panel.search.rule.value = "stride"
    Screen(panel).click("Suggest 20")
    Screen(panel).wait()
    assert panel.bar.suggested == [0, 4, 5, 6, 7, 9, 10, 11]
    assert [one.index for one in eval(panel.code.code, {"ws": ws})] == panel.bar.suggested


def test_tracks_are_put_right_by_keys_from_one_likely_mistake_to_the_next(show, ws):
    ws.levels.add("flies", kind="points")
    points = ws.points()
    points.add_many(
        # two that go right on rows 20 and 70, and are each other from frame 6 on
        {"frame": frame, "points": {"point": (row, 10 + frame)}, "track": "ab"[which ^ (frame >= 6)]}
        for frame in range(12)
        for which, row in enumerate((20, 70))
    )
    panel = show()
    mouse = Mouse(panel)
    mouse.press("q")
    assert panel.frame == 6
    assert points.instance(panel.selected).track in "ab"
    mouse.press("s")
    assert points.likely_mistakes() == []
    eval(panel.code.code, {"ws": ws})  # as code: swapped back
    assert len(points.likely_mistakes()) == 2
    mouse.press("b")
    assert sorted(points.tracks) == ["1", "a", "b"]
    panel.list.tracks.other.value = "a" if points.instance(panel.selected).track != "a" else "b"
    mouse.press("shift+x")
    assert len(points) == 18


def test_spots_of_a_volume_lie_in_their_plane(ui, ws):
    ws.images.add("stack", np.zeros((10, 60, 80), np.uint8))
    ws.levels.add("spots", kind="points")
    panel = PointsPanel(ws)
    panel.show(image="stack")
    mouse = Mouse(panel)
    assert panel.view.index == 5
    mouse.drag((20, 30), index=5)
    assert ws.points(image="stack").read()[0].points["point"] == (5, 20, 30)
    mouse.press("d")
    panel.view.go_to_plane(6)
    mouse.drag((20, 30), (25, 30), index=6)
    assert ws.points(image="stack").read()[0].points["point"] == (5, 25, 30)
    panel.close()


def test_a_reader_sees_and_changes_nothing(ui, ws, show):
    ws.levels.add("spots", kind="points")
    ws.points().add(0, {"point": (5, 5)})
    with Workspace.open(ws.path, read_only=True) as other:
        panel = PointsPanel(other)
        assert "Read-only" in Screen(panel).text
        assert len(panel.shown) == 1
        Mouse(panel).drag((20, 20), tool="add")
        assert "read-only" in panel.message.words
        panel.close()
    assert ws.points().count() == 1


def test_nothing_is_left_after_close(ui, ws, no_leak):
    ws.levels.add("spots", kind="points")
    panel = PointsPanel(ws)
    panel.close()
    assert no_leak.left() == []


@pytest.mark.parametrize(
    ("level", "learner"),
    [
        ({"kind": "points", "skeleton": BODY}, "pose"),
        ({"kind": "points"}, "detect"),
        ({"kind": "boxes"}, "detect"),
        ({"kind": "pictures", "classes": ["a", "b"]}, "pictures"),
    ],
)
def test_a_level_is_learned_as_what_it_is(show, ws, monkeypatch, level, learner):
    from voxloop.runs import Run

    monkeypatch.setattr(Run, "launch", lambda run, queue=True: run)
    panel = show(**level)
    if learner == "pictures":
        ws.pictures().assign_many({0: "a", 5: "b"})
    elif level["kind"] == "boxes":
        ws.boxes().add(0, ((5, 5), (20, 20)))
    else:
        ws.points().add(0, {panel.marks.skeleton.nodes[0]: (50, 60)})
    screen = Screen(panel)
    screen.click("Learn and find")
    screen.click("Find")
    assert "no model has learned level 'level' yet" in screen.message
    screen.click("Train")
    screen.wait()
    (run,) = ws.runs.values()
    assert run.learner == learner
    assert run.config["settings"]["max_minutes"] == 5
    assert "ws.train(vl." in panel.code.code
    assert "level='level'" in panel.code.code
    if learner == "pose":
        panel.learn.settings.preset.value = "baseline_large_rf.topdown"
        screen.click("Train")
        screen.wait()
        assert ws.runs[list(ws.runs)[-1]].config["settings"]["max_stride"] == 32
        assert panel.code.code == "run = ws.train(vl.presets['baseline_large_rf.topdown'].changed(level='level'))"


def test_what_is_taught_and_how_far_it_looks_is_shown_before(show, ws, monkeypatch):
    monkeypatch.setattr(asking, "Helper", Helper)
    panel = show(kind="points", skeleton=BODY)
    ws.points().add(0, {"head": (40, 60), "thorax": (50, 62), "tail": (60, 66)})
    screen = Screen(panel)
    for name in ("Learn and find", "Training inputs", "What the network sees"):
        screen.click(name)
    learn, helper = panel.learn, panel.learn._asking.helper
    _, fields, future = helper.last("place_inputs")
    assert fields["learner"] == "pose"
    stage = {"name": "nodes", "png": "", "size": [64, 64], "scale": 1.0, "heads": ["maps"], "strides": [2]}
    future.set_result({"state": "done", "batch": 0, "windows": 4, "stages": [stage]})
    field = {"stage": "nodes", "head": "maps", "theoretical": [224, 224], "effective": [59, 59], "window": [64, 64]}
    helper.last("place_field")[2].set_result({"state": "done", "heads": [field], "pipeline": "top-down"})
    assert "of 4 windows" in learn.inputs.words.value
    assert "59 × 59 pixels" in learn.field.words.value
    panel.learn.settings.preset.value = "baseline_medium_rf.bottomup"
    assert helper.last("place_inputs")[1]["config"]["pipeline"] == "bottom-up"
