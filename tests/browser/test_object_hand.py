"""Single objects in a real JupyterLab: picked, cut, merged, locked; a brush in a plot lights objects up."""

from __future__ import annotations

import pytest

SETUP = """
import numpy as np
import voxloop as vl
from voxloop.runs import Run, runner
Run.launch = lambda run, queue=True: runner.run(run.path, queue=False) and run  # here and now: no process starts
rng = np.random.default_rng(0)
z, y, x = np.indices((6, 200, 300))
values = np.zeros((6, 200, 300), np.uint32)
for number in range(1, 13):
    row, column = divmod(number - 1, 4)
    apart = ((y - 35 - 65 * row) / (12 + 2 * row)) ** 2 + ((x - 40 - 72 * column) / (12 + 5 * column)) ** 2
    values[(apart <= 1) & (z > 0)] = number
image = (90 + 90 * (values > 0) + rng.normal(0, 8, values.shape)).clip(0, 255).astype(np.uint8)
ws = vl.Workspace.create({folder!r}, image=image, kind="instances", level="cells", spacing=(0.2, 0.1, 0.1))
ws.labels().write(None, values)
ws.objects("cells", name="cells").wait()
panel = vl.LabelPanel(ws)
panel.objects.fold.open()
"""


@pytest.mark.timeout(300)
def test_pick_cut_merge_lock_and_brush(lab, tmp_path):
    lab.notebook(
        SETUP.format(folder=str(tmp_path / "ws")) + "panel",
        "objects = vl.ObjectsPanel(ws)\nobjects.open('cells')\nobjects",
    )
    lab.page.set_viewport_size({"width": 1280, "height": 720})
    lab.run(0, timeout=120)
    out = lab.output(0)
    stage = out.locator(".vl-stage").first
    stage.wait_for()
    lab.page.wait_for_timeout(800)

    def at(row: float, column: float) -> tuple[float, float]:
        """Where a voxel of the plane on show lies on the page."""
        left, top, zoom_x, zoom_y = place
        return left + column * zoom_x, top + row * zoom_y

    box = stage.bounding_box()
    scale = min(box["width"] / 300, box["height"] / 200)
    place = (box["x"] + (box["width"] - 300 * scale) / 2, box["y"] + (box["height"] - 200 * scale) / 2, scale, scale)
    lab.page.mouse.move(*at(100, 150))
    lab.page.keyboard.press("q")
    lab.until("panel.view.tool['name'] == 'objects'")
    lab.page.mouse.click(*at(35, 40))
    lab.until("panel.objects.selected == (1,)")
    lab.page.mouse.click(*at(35, 112))
    lab.until("panel.objects.selected == (1, 2)")
    lab.page.keyboard.press("Shift+M")
    lab.until("len(panel.labels.counts()) == 11")
    lab.page.keyboard.press("Shift+Q")
    lab.until("panel.view.tool['name'] == 'cut'")
    lab.page.mouse.move(*at(78, 256))
    lab.page.mouse.down()
    lab.page.mouse.move(*at(122, 256), steps=8)
    lab.page.mouse.up()
    lab.until("len(panel.labels.counts()) == 12")
    lab.page.keyboard.press("q")
    lab.page.mouse.click(*at(165, 40))
    lab.page.keyboard.press("Shift+L")
    lab.until("len(panel.labels.locked_objects) == 2")
    lab.screenshot("objects-in-hand", out)
    lab.python("panel.close()")
    lab.run(1)
    lab.until("objects.objects is not None")
    lab.python("objects.stage.kinds.fold.open()")
    figure = lab.output(1).locator(".vx-plot .bqplot").first
    figure.scroll_into_view_if_needed()
    lab.page.wait_for_timeout(400)
    frame = figure.bounding_box()
    lab.page.mouse.move(frame["x"] + 0.5 * frame["width"], frame["y"] + 0.1 * frame["height"])
    lab.page.mouse.down()
    lab.page.mouse.move(frame["x"] + 0.95 * frame["width"], frame["y"] + 0.75 * frame["height"], steps=8)
    lab.page.mouse.up()
    lab.until("0 < len(objects.stage.kinds.ids) < 12")
    lab.screenshot("objects-brushed", lab.output(1))
    lab.python(
        "(objects.stage.kinds.fold.close(), objects.stage.sorting.fold.open(), objects.stage.report.fold.open())"
    )
    lab.python("[setattr(objects.stage.sorting._by, 'value', ('volume_um3',)), objects.stage.sorting.sort()]")
    lab.until("len(objects.stage.sorting.found.of) == 12")
    lab.output(1).locator("button", has_text="Write report").scroll_into_view_if_needed()
    lab.output(1).locator(".vx-thumb").first.wait_for(state="attached")
    lab.both_themes("objects-sorted", lab.output(1))
    lab.python("(objects.close(), ws.close()) and None")
