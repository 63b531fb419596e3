"""The workbench: steps, the workspace they share, and what they leave behind."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from tests.panels.screen import Screen, is_shown

from voxloop.config import ShallowConfig
from voxloop.errors import PredictionError, WorkspaceError
from voxloop.panels.base.panel import Panel
from voxloop.panels.label import label_panel
from voxloop.panels.review import review_panel
from voxloop.panels.workbench import Workbench, view_of
from voxloop.workspace.workspace import Workspace


@pytest.fixture
def ws(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (12, 64, 64)).astype("uint8")
    with Workspace.create(tmp_path / "ws", image=image, classes=["background", "mito"]) as made:
        yield made


def refuse(words):
    raise WorkspaceError(words)


def shown(bench):
    return [name for name, panel in bench.panels.items() if is_shown(panel.widget)]


def test_steps_are_built_when_opened_and_kept(ui, ws, no_leak):
    bench = Workbench(ws)
    assert bench.step == "label"
    assert list(bench.panels) == ["label"]
    label = bench.panels["label"]
    screen = Screen(bench)
    screen.click("3 Train")
    assert shown(bench) == ["train"]
    bench.go("label")
    assert bench.panels["label"] is label
    assert shown(bench) == ["label"]
    assert screen.marked("vx-here") == ["2 Label"]
    with pytest.raises(WorkspaceError, match="did you mean 'train'"):
        bench.go("trai")
    bench.close()
    assert label.closed
    assert no_leak.left() == []
    assert ws.labels()._state.listeners == {}


def test_two_steps_are_never_in_sight_at_once(ui, ws):
    bench = Workbench(ws)
    bench.go("train")
    in_sight = []
    for panel in bench.panels.values():
        panel.widget.observe(lambda _: in_sight.append(shown(bench)), "_dom_classes")
    bench.go("label")
    assert in_sight == [[], ["label"]]
    bench.close()


def test_without_a_workspace_it_begins_with_finding_a_stack(ui, tmp_path, no_leak):
    bench = Workbench()
    assert bench.step == "volume"
    assert [name for name in Screen(bench).buttons if name[:1].isdigit()] == ["1 Volume"]
    bench.go("train")
    assert bench.step == "volume"
    assert "Open a stack first" in bench.message.words
    image = np.zeros((3, 32, 32), "uint8")
    ws = Workspace.create(tmp_path / "later", image=image, classes=["a", "b"])
    Screen(bench).field("path or URL of a stack").value = str(tmp_path / "later")
    assert bench.step == "label"
    assert "later" in Screen(bench).text.splitlines()
    ws.close()
    ws = bench.ws
    bench.close()
    ws.close()
    assert no_leak.left() == []


def test_a_step_that_cannot_be_built_is_said_and_the_one_before_stays(ui, ws, monkeypatch):
    bench = Workbench(ws, step="train")
    monkeypatch.setattr(label_panel.LabelPanel, "__init__", lambda *args, **keys: refuse("no picture"))
    bench.go("label")
    assert bench.step == "train"
    assert bench.message.words == "no picture"
    bench.close()


def test_the_picture_opens_where_the_step_before_left_it(ui, ws, monkeypatch):
    bench = Workbench(ws)
    first = view_of(bench.panels["label"])
    first.go_to_plane(9)
    first.set_contrast(10, 99)
    first.widget.take(camera={"axis": "z", "x": 1.0, "y": 2.0, "zoom": 3.0, "fit": False})

    class Other(Panel):
        def __init__(self, ws, embedded):
            from voxloop.panels.view.plane_view import PlaneView

            super().__init__(embedded=True)
            self.view = PlaneView(ws.images.open("image"))
            self.body(self.view.widget)
            self.on_close(self.view.close)

    monkeypatch.setattr(review_panel, "ReviewPanel", Other)
    bench.go("review")
    second = view_of(bench.panels["review"])
    assert second is not first
    assert second.index == 9
    assert second.widget.camera["zoom"] == 3.0
    assert second.widget.contrast[0]["limits"] == [10.0, 99.0]
    second.go_to_plane(2)
    bench.go("label")
    assert first.index == 2
    bench.close()


def test_a_guide_follows_what_was_done_and_is_closed_for_good(ui, ws, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    bench = Workbench(ws)
    screen = Screen(bench)

    def says():
        screen.wait(2)
        return next(line for line in screen.text.splitlines() if line[0] in "●○")

    assert says().startswith("●○○○○ Paint a short stroke of one class: press 1 for background")
    ws.labels().paint(index=3, points=[(10, 10), (10, 30)], radius=3, value=2)
    assert says().startswith("●●○○○ Paint a second class: press 1 for background")
    ws.labels().paint(index=3, points=[(40, 10), (40, 30)], radius=3, value=1)
    assert says().startswith("●●●○○ Look where it is unsure")
    bench.panels["label"].live.place = (3, 20, 20)
    assert says().startswith("●●●●○ Train")
    screen.click("Close the guide for good; vl.Workbench(guide=True) shows it again")
    bench.close()
    again = Workbench(ws)
    Screen(again).wait(2)
    assert "Train keeps" not in Screen(again).text
    again.close()
    asked_for = Workbench(ws, guide=True)
    Screen(asked_for).wait(2)
    assert "●●●○○" in Screen(asked_for).text
    asked_for.close()


def test_a_run_at_work_shows_on_its_step_and_its_end_is_told(ui, ws, monkeypatch, messages):
    from voxloop.runs import Run

    def told():
        contents = (message["data"].get("content") or {} for message in messages if message["data"])
        return [content["tell"]["words"] for content in contents if "tell" in content]

    ws.runs.create("shallow-1", "voxloop.shallow.learner:train", ShallowConfig())
    bench = Workbench(ws)
    Screen(bench).wait()
    assert Screen(bench).marked("vx-busy") == []
    monkeypatch.setattr(Run, "state", property(lambda self: "running"))
    Screen(bench).wait()
    assert Screen(bench).marked("vx-busy") == ["3 Train"]
    assert told() == []
    monkeypatch.setattr(Run, "state", property(lambda self: "finished"))
    Screen(bench).wait(2)
    assert told() == ["shallow-1 has finished"]
    assert bench.message.words == "shallow-1 has finished."
    bench.close()


def test_looking_again_sends_nothing_where_nothing_changed(ui, ws, messages):
    bench = Workbench(ws, step="train")
    Screen(bench).wait()
    messages.clear()
    for _ in range(5):
        Screen(bench).wait()
    assert messages == []
    bench.close()


def test_a_workspace_closed_in_a_cell_breaks_nothing(ui, ws):
    bench = Workbench(ws, step="train")
    ws.close()
    Screen(bench).wait()
    bench.close()


def test_a_reader_is_told_who_writes(ui, ws):
    with Workspace.open(ws.path, read_only=True) as reader:
        assert reader.read_only
        bench = Workbench(reader, step="train")
        assert "read-only: written by process" in Screen(bench).text
        bench.close()


def test_no_panel_imports_torch_or_sklearn(tmp_path):
    """In a process of its own, since other tests of this one may have imported them."""
    code = f"""
import sys
import numpy as np
from voxloop.panels.base.ui import UiLoop
from voxloop.panels.workbench import STEPS, Workbench
from voxloop.workspace.workspace import Workspace
image = np.random.default_rng(0).integers(0, 255, (6, 64, 64)).astype("uint8")
ws = Workspace.create({str(tmp_path / "ws")!r}, image=image, classes=["a", "b"])
with UiLoop.using(UiLoop(synchronous=True)), ws:
    bench = Workbench(ws)
    ws.labels().paint(axis="z", index=1, points=[(9, 9), (30, 30)], radius=3, value=1)
    for step in STEPS:
        bench.go(step)
        assert bench.step == step, bench.message.words
    train = bench.panels["train"]
    train.learner = "deep"
    for group in train.form.groups.values():
        group.open()
    bench.close()
print(sorted({{"torch", "sklearn", "monai", "timm"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_strokes_that_were_left_out_are_looked_at_in_review(ui, ws, monkeypatch):
    bench = Workbench(ws, step="train")
    look = bench.panels["train"].presets.left_out.look
    with pytest.raises(PredictionError, match="predict first"):
        look()
    assert bench.step == "train"
    looked = []
    monkeypatch.setattr(type(ws.predictions), "__len__", lambda predictions: 1)
    monkeypatch.setattr(review_panel.ReviewPanel, "look_for_doubts", lambda panel: looked.append(panel))
    look()
    assert bench.step == "review"
    assert looked == [bench.panels["review"]]
    bench.close()
