"""Strokes of whole supervoxels in the page: Shift U, borders over the picture, a stroke, one undo."""

from __future__ import annotations

import pytest

SETUP = """
import numpy as np, voxloop as vl
from scipy import ndimage as ndi
rng = np.random.default_rng(0)
z, y, x = np.ogrid[:24, :240, :300]
cell = (2 * (z - 12)) ** 2 + (y - 110) ** 2 + (x - 140) ** 2 <= 55 ** 2
image = ndi.gaussian_filter(90.0 + 80 * cell + rng.normal(0, 40, cell.shape), 1)
ws = vl.Workspace.create({folder!r}, image=image.clip(0, 255).astype("uint8"), classes=["background", "cell"],
                         spacing=0.01)
panel = vl.LabelPanel(ws)
panel.state.value, panel.state.radius = 2, 2
panel
"""


@pytest.mark.timeout(180)
def test_a_stroke_labels_whole_supervoxels_through_the_stack(lab, tmp_path):
    page = lab.page
    size = page.viewport_size
    page.set_viewport_size({"width": 1280, "height": 720})
    lab.notebook(SETUP.format(folder=str(tmp_path / "ws")))
    lab.run(0)
    out = lab.output(0)
    out.evaluate("output => output.scrollIntoView({block: 'start'})")
    stage = out.locator(".vl-stage").first
    lab.until("panel.view.window is not None")
    lab.python("panel.view.go_to_plane(12)")
    stage.hover()
    page.keyboard.press("Shift+U")
    lab.until("panel.state.unit == 'supervoxels' and bool(panel.units.layers)")
    lab.until("all(map(panel.units.layers[0].partition.tiles.ready, panel.units.layers[0].partition.tiles.all()))")
    page.wait_for_timeout(700)
    box = stage.bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(middle[0] - 40, middle[1] - 30)
    page.mouse.down()
    page.mouse.move(middle[0] + 30, middle[1] - 10, steps=8)
    page.mouse.up()
    lab.until("panel.labels.counts().get(2, 0) > 3000")
    assert lab.python("int((np.diff(np.flatnonzero(panel.labels.read().any(axis=(1, 2)))) == 1).sum()) > 5")
    assert lab.python("float(((panel.labels.read() == 2) & ~cell).sum() / panel.labels.counts()[2])") < 0.1
    lab.until("\"unit='supervoxels'\" in panel.code.code")
    page.wait_for_timeout(500)
    lab.screenshot("supervoxels", out)
    page.keyboard.press("Control+z")
    lab.until("panel.labels.counts() == {}")
    lab.python("(panel.close(), ws.close()) and None")
    page.set_viewport_size(size)
