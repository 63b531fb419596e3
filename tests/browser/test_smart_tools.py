"""Tools that show first what Enter paints, in a real JupyterLab: clicks, boxes, scissors, selections, ranges."""

from __future__ import annotations

import pytest

SETUP = """
import numpy as np, voxloop as vl
rng = np.random.default_rng(0)
y, x = np.ogrid[:240, :300]
disc = lambda row, column, radius: (y - row) ** 2 + (x - column) ** 2 <= radius ** 2
cells = disc(80, 90, 40) | disc(80, 215, 30) | disc(175, 150, 35)
image = np.stack([90 + 70 * cells] * 5) + rng.normal(0, 6, (5, 240, 300))
ws = vl.Workspace.create({folder!r}, image=image.clip(0, 255).astype("uint8"), classes=["background", "cell"],
                         spacing=(0.03, 0.01, 0.01))
panel = vl.LabelPanel(ws)
panel.state.value = 2
iou = lambda z, truth: float(((panel.labels.plane("z", z) == 2) & truth).sum()
                             / ((panel.labels.plane("z", z) == 2) | truth).sum())
panel
"""


class Picture:
    """The picture of a label panel on the page, by voxels."""

    def __init__(self, lab, out):
        self.lab, self.page = lab, lab.page
        self.stage = out.locator(".vl-stage").first
        self.lab.until("panel.view.window is not None")

    def at(self, row, column):
        box = self.stage.bounding_box()
        voxels = self.lab.python("0.01 / panel.view.pixel_um")  # screen pixels of one
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        return middle[0] + (column + 0.5 - 150) * voxels, middle[1] + (row + 0.5 - 120) * voxels

    def click(self, row, column, button="left"):
        self.page.mouse.click(*self.at(row, column), button=button)

    def drag(self, *places):
        self.page.mouse.move(*self.at(*places[0]))
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*self.at(*place), steps=6)
        self.page.mouse.up()

    def press(self, key):
        self.page.keyboard.press(key)


@pytest.mark.timeout(240)
def test_objects_outlines_and_selections_are_shown_and_painted_by_keys(lab, tmp_path):
    page = lab.page
    size = page.viewport_size
    page.set_viewport_size({"width": 1280, "height": 720})
    lab.notebook(SETUP.format(folder=str(tmp_path / "ws")))
    lab.run(0)
    out = lab.output(0)
    out.evaluate("output => output.scrollIntoView({block: 'start'})")
    picture = Picture(lab, out)
    picture.stage.hover()
    picture.press("f")

    # an object at a click, cut by the right button, painted by Enter, one undo
    picture.press("w")
    picture.click(80, 90)
    lab.wait(lambda: "Enter paints them" in out.inner_text(), "the object is shown", timeout=60)
    picture.click(30, 160, button="right")
    lab.until("len(panel.view.shapes) == 2")
    lab.wait(lambda: "Enter paints them" in out.inner_text(), "the object is shown")
    lab.screenshot("tools-object")
    picture.press("Enter")
    lab.until("iou(2, disc(80, 90, 40)) > 0.9")
    picture.press("Control+z")
    lab.until("not panel.labels.counts()")
    # a box around it, dropped by Escape
    picture.press("Shift+W")
    picture.drag((35, 175), (120, 252))
    lab.until("len(panel.view.shapes) == 1")
    lab.wait(lambda: "Enter paints them" in out.inner_text(), "the object is shown")
    picture.press("Escape")
    lab.until("not panel.view.shapes")
    assert lab.python("panel.labels.counts()") == {}

    # scissors follow the edge between anchors
    picture.press("z")
    for row, column in ((140, 150), (175, 185), (210, 150), (175, 115)):
        picture.click(row, column)
    lab.until("len(panel.view.shapes) == 5 and 'Enter paints them' in panel.hinted.pointing._words.value")
    picture.press("Enter")
    lab.until("iou(2, disc(175, 150, 35)) > 0.9")

    # a selection is drawn, moved by hand and keys, and painted; it is copied to the next slice
    picture.press("Control+z")
    lab.until("not panel.labels.counts()")
    picture.press("s")
    picture.drag((20, 20), (40, 60), (59, 99))
    lab.until("panel.hinted.selecting.selection is not None")
    before = lab.python("panel.hinted.selecting.selection.bounds.tolist()")
    picture.drag((40, 60), (60, 60), (80, 60))
    lab.until(f"float(panel.hinted.selecting.selection.bounds[0, 0]) > {before[0][0] + 30}")
    picture.press("Alt+ArrowDown")
    picture.press("}")
    lab.until("len(panel.view.shapes) == 3")
    lab.screenshot("tools-selection")
    picture.press("Enter")
    lab.until("panel.labels.counts().get(2, 0) > 2000")
    picture.press("Shift+C")
    lab.until("panel.view.index == 3 and bool((panel.labels.plane('z', 3) == panel.labels.plane('z', 2)).all())")

    # a range of intensities is shown before it is labelled
    out.locator(".vx-group-head", has_text="Shapes").click()
    out.get_by_label("From", exact=True).locator("visible=true").fill("125")
    page.keyboard.press("Tab")
    lab.until("panel.preview.layer.patch('z', 3) is not None")
    lab.screenshot("tools-range")
    out.get_by_role("button", name="Label", exact=True).last.click()
    lab.until("iou(3, cells | (panel.labels.plane('z', 2) == 2)) > 0.95")
    assert lab.python("panel.preview.layer.patch('z', 3) is None")

    # help lists them
    picture.press("?")
    lab.wait(lambda: "object by strokes" in out.inner_text(), "the list of keys")
    lab.screenshot("tools-keys")
    page.set_viewport_size(size)
    lab.python("(panel.close(), ws.close()) and None")
