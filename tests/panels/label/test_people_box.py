"""People in the label panel: who signs, what one said as a layer, a copy taken in conflict by conflict."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from tests.panels.hand import Hand
from tests.panels.screen import Screen

import voxloop as vl
from voxloop.panels.label.label_panel import LabelPanel
from voxloop.workspace.workspace import Workspace


def test_a_copy_is_looked_at_decided_and_taken_in(ui, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXLOOP_AUTHOR", "Ada")
    with Workspace.create(tmp_path / "ws", image=np.zeros((4, 60, 70), np.uint8), classes=["cell", "rest"]) as ws:
        labels = ws.labels()
        labels.box(index=0, points=[(10, 10), (19, 19)], value="cell")
        labels.flush()
        shutil.copytree(ws.path, tmp_path / "copy", ignore=shutil.ignore_patterns("writer.lock"))
        with Workspace.open(tmp_path / "copy") as other:
            vl.author("Bob")
            other.labels().box(index=1, points=[(10, 10), (29, 29)], value="rest")
            other.labels().box(index=3, points=[(10, 10), (19, 29)], value="rest")
            vl.author("Ada")
        labels.box(index=1, points=[(10, 10), (19, 29)], value="cell")
        labels.box(index=3, points=[(10, 10), (14, 29)], value="cell")
        before = labels.read()

        panel = LabelPanel(ws)
        screen, hand = Screen(panel), Hand(panel)
        hand.press("shift+a")
        assert "look at a copy first" in screen.message
        panel.people.fold.open()
        screen.wait()
        assert "Ada labels 3" in screen.text
        screen.field("Copy").value = str(tmp_path / "nowhere")
        screen.click("Look at the copy")
        screen.wait()
        assert "nowhere" in screen.message
        screen.field("Copy").value = str(tmp_path / "copy")
        screen.click("Look at the copy")
        screen.wait()
        assert "2 conflicts, 2 not decided" in screen.text
        assert "0.0% of 300 voxels alike" in screen.text
        screen.click("Take in")
        screen.wait()
        assert "nothing was decided of 2 conflicts" in screen.message
        hand.press("shift+d")
        assert "Conflict 1 of 2, 200 voxels: Ada says cell, Bob says rest; not decided" in screen.text
        assert panel.view.index == 1
        (layer,) = [layer for layer in panel.view.layers if layer.id == "conflict"]
        assert (layer.read("z", 1, (0, 0, 60, 70), (1.0, 1.0)).indices > 0).sum() == 200
        hand.press("shift+t")
        assert panel.view.index == 3
        hand.press("shift+a")
        assert "All conflicts are decided" in screen.message
        assert screen.code == "merge.decide(1, 'mine')"
        screen.click("Take in")
        screen.wait()
        assert (labels.read()[1, 10:30, 10:30] == 2).all()
        assert (labels.read()[3, 10:15, 10:30] == 1).all()
        screen.field("Show").value = "Bob"
        (layer,) = [layer for layer in panel.view.layers if layer.id == "author"]
        assert (layer.read("z", 1, (0, 0, 60, 70), (1.0, 1.0)).indices > 0).sum() == 400
        assert "by('Bob')" in screen.code
        screen.click("Take back")
        np.testing.assert_array_equal(labels.read(), before)
        screen.field("You are").value = "Cem"
        assert vl.author() == "Cem"
        assert "signed by Cem" in screen.message
        panel.close()
