"""Checking points in a real JupyterLab: the ring goes from voxel to voxel, one key answers, the window holds it all."""

from __future__ import annotations

import pytest

SETUP = """
import numpy as np, voxloop as vl
rng = np.random.default_rng(0)
truth = np.ones((4, 300, 300), int)
truth[:, 60:160, 60:160] = 2
volume = truth * 40 + rng.normal(0, 6, truth.shape)
image = volume.astype("uint8")
ws = vl.Workspace.create({folder!r}, image=image, classes=["background", "square"], spacing=(0.03, 0.01, 0.01))
vl.simulate(ws, truth, strokes=8)
run = ws.train(vl.ShallowConfig(scales=2, context=0)); run.wait()
ws.predict(run, name="first").result
"""
RING = "[shape.points for shape in panel.view.shapes if shape.is_on(panel.view.axis, panel.view.index)]"


@pytest.mark.timeout(300)
@pytest.mark.slow(reason="trains a classifier and predicts with it, in a browser")
def test_points_are_answered_by_keys(lab, tmp_path):
    page = lab.page
    size = page.viewport_size
    page.set_viewport_size({"width": 1280, "height": 720})
    lab.notebook(SETUP.format(folder=str(tmp_path / "ws")), "panel = vl.ReviewPanel(ws)\npanel")
    lab.run(0, timeout=150)
    lab.run(1)
    shown = lab.output(1)
    shown.evaluate("output => output.scrollIntoView({block: 'start'})")
    shown.get_by_role("button", name="Check", exact=True).click()
    shown.get_by_role("button", name="Check 100 points").click()
    lab.until("panel.check.task is not None and len(panel.view.shapes) > 0", timeout=60)
    asked = "[int(truth[point]) for point in panel.check.task.audit.points[:6]]"
    for number, key in enumerate(lab.python(asked)):
        lab.until(f"panel.check.task.walk.at == {number}")
        lab.wait(lambda number=number: f"Point {number + 1}:" in shown.inner_text(), "the next point")
        ring = lab.python(RING)[0]
        rows, columns = ([point[i] for point in ring] for i in (0, 1))
        z, y, x = lab.python(f"panel.check.task.audit.points[{number}]")
        assert lab.python("panel.view.index") == z
        assert abs(sum(rows) / len(rows) - y) + abs(sum(columns) / len(columns) - x) < 0.01
        page.keyboard.press(str(key))
    lab.until("panel.check.task.walk.at == 6")
    page.keyboard.press("s")
    lab.until("panel.check.task.walk.at == 7")
    page.keyboard.press("Backspace")
    lab.until("panel.check.task.walk.at == 6")
    assert lab.python("[panel.check.task.audit.said(i) for i in range(7)]") == [*lab.python(asked), None]
    assert lab.python("ws.labels().sequence") == 8  # none of it became a label
    page.wait_for_timeout(600)
    lab.screenshot("review-points", shown)

    visible = page.locator(".jp-Notebook").first.bounding_box()
    picture = shown.locator(".vl-view").first.bounding_box()
    leave = shown.get_by_role("button", name="Leave").bounding_box()
    end = visible["y"] + visible["height"]
    assert picture["y"] + picture["height"] < end
    assert leave["y"] + leave["height"] < end
    shown.get_by_role("button", name="Leave").click()
    lab.wait(lambda: "Go on checking points (93 left)" in shown.inner_text(), "what is left")
    page.set_viewport_size(size)
    lab.python("(panel.close(), ws.close()) and None")
