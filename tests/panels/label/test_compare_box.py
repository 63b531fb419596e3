"""Two labelings compared in the panel: what the same line of Python says, and a walk through the differences."""

from __future__ import annotations

import numpy as np
from tests.panels.hand import Hand
from tests.panels.screen import Screen

from voxloop.panels.label.label_panel import LabelPanel
from voxloop.workspace.workspace import Workspace


def test_two_levels_are_compared_and_their_differences_walked_through(ui, tmp_path):
    with Workspace.create(tmp_path / "ws", image=np.zeros((4, 60, 70), np.uint8), classes=["cell", "rest"]) as ws:
        ws.levels.add("second", ["nucleus", "rest"])
        for name, edge in (("labels", 29), ("second", 24)):
            first = ws.levels[name].classes[0].name
            ws.labels(name).box(index=1, points=[(10, 10), (49, 29)], value="rest")
            ws.labels(name).box(index=1, points=[(10, 10), (edge, 29)], value=first)
        panel = LabelPanel(ws)
        screen, hand = Screen(panel), Hand(panel)
        hand.press("shift+d")
        assert "compare two labelings first" in screen.message
        panel.compare.fold.open()
        screen.field("Mapping").value = "nucleus"
        screen.click("Compare")
        assert "not of the form mito=mitochondria" in screen.message
        screen.field("Mapping").value = "nucleus=cell"
        screen.click("Compare")
        screen.wait()
        found = eval(screen.code, {"ws": ws})
        assert f"agree on {found.accuracy:.1%} of 800 voxels" in screen.message
        assert f"cell {found.dice['cell']:.3f}" in screen.text
        hand.press("shift+d")
        assert "Difference 1 of 1: 100 voxels, labels says cell, second says rest" in screen.message
        assert panel.view.index == 1
        (layer,) = [layer for layer in panel.view.layers if layer.id == "difference"]
        assert (layer.read("z", 1, (0, 0, 60, 70), (1.0, 1.0)).indices > 0).sum() == 100
        assert layer.describe((1, 27, 15))["name"]
        ws.labels("second").box(index=1, points=[(25, 10), (29, 29)], value="nucleus")
        assert not layer.read("z", 1, (0, 0, 60, 70), (1.0, 1.0)).indices.any()  # it follows the labels
        panel.close()
