"""The live overlay with the real helper process: from two strokes to classes on screen."""

from __future__ import annotations

import sys
import time

import numpy as np
from tests.panels.hand import Hand
from tests.panels.screen import Screen

from voxloop.config import ShallowConfig
from voxloop.panels.label.helper_source import HelperSource
from voxloop.panels.label.label_panel import LabelPanel
from voxloop.workspace.workspace import Workspace


def wait(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the overlay did not come"
        time.sleep(0.05)


def test_two_strokes_become_an_overlay_that_follows_the_next_one(ui, tmp_path):
    already = set(sys.modules)  # other tests of this process may have learnt something
    rng = np.random.default_rng(0)
    image = rng.normal(80, 6, (4, 160, 200))
    image[:, :, 100:] += 90
    image = image.clip(0, 255).astype(np.uint8)
    with Workspace.create(tmp_path / "ws", image=image, classes=["left", "right"]) as ws:
        helper = HelperSource(ws.path)
        panel = LabelPanel(ws, overlay_source=lambda: helper)
        screen = Screen(panel)
        Hand(panel).look((0, 0, 160, 200))

        panel.labels.paint(index=2, points=[(40, 30), (90, 60)], radius=4, value="left")
        panel.labels.paint(index=2, points=[(40, 150), (90, 170)], radius=4, value="right")
        wait(lambda: screen.wait() or "sure on average" in panel.live_box.words)
        patch = panel.live.layer.patch("z", 2)
        assert patch.box == (0, 0, 160, 200)
        assert (patch.indices[50:80, 35:55] == 1).mean() > 0.9, "at the strokes; how well it learns is tested elsewhere"
        assert (patch.indices[50:80, 152:166] == 2).mean() > 0.9

        version = panel.live.layer.sequence
        panel.labels.paint(index=2, points=[(130, 150)], radius=6, value="right")
        wait(lambda: screen.wait() or panel.live.layer.sequence > version)
        hand = Hand(panel)
        hand.press("w")
        hand.stroke([100, 160], index=2, value=2)
        wait(lambda: screen.wait() or "by the live model" in screen.text)
        hand.press("enter")
        wait(lambda: screen.wait() or panel.labels.counts()[2] > 5000)
        assert (panel.labels.plane("z", 2)[:, :95] != 2).all()
        assert "by='live'" in panel.code.code
        hand.press("ctrl+z")
        run = ws.train(ShallowConfig(scales=2))
        run.wait()
        screen.wait()
        screen.field("Overlay from").value = run.name
        assert panel.live.model == f"runs/{run.name}/model"
        wait(lambda: screen.wait() or panel.live.layer.patch("z", 2) is not None)
        wait(lambda: "sure on average" in panel.live_box.words)
        patch = panel.live.layer.patch("z", 2)
        assert (patch.indices[20:140, 20:80] == 1).mean() > 0.9
        assert (patch.indices[20:140, 120:180] == 2).mean() > 0.9

        assert helper.pid is not None
        panel.close()
        assert helper.pid is None
    assert not {"sklearn", "torch"} & (set(sys.modules) - already), "learning stays out of this process"
