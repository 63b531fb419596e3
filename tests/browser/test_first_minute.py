"""From nothing to the first overlay on one's own stack, in a real JupyterLab: few clicks, no typed code."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from voxloop.lab import START, start_notebook

COUNT = """() => {
  window.__clicks = 0;
  window.addEventListener("pointerdown", () => { window.__clicks += 1; }, true);
}"""


def blobs() -> np.ndarray:
    """A noisy stack with bright disks."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:512, :512]
    disks = ((rows % 64 - 32) ** 2 + (columns % 64 - 32) ** 2) < 300
    return (rng.normal(90, 12, (8, 512, 512)) + 60 * disks).clip(0, 255).astype("uint8")


@pytest.mark.timeout(200)
def test_the_first_overlay_takes_few_clicks_and_no_code(lab):
    page = lab.page
    tifffile.imwrite(lab.server.root / "raw.tif", blobs(), photometric="minisblack")
    start_notebook(lab.server.root)
    lab.open(START)
    page.evaluate(COUNT)
    page.locator(".vx-steps").wait_for()
    lab.screenshot("first-minute-1-open")
    page.locator('.vx-rows-line[data-key="raw.tif"]').click()
    page.get_by_role("button", name="Create workspace").click()
    stage = page.locator(".vl-stage[data-index]").last
    stage.wait_for()
    guide = page.locator(".vx-guide")
    lab.wait(lambda: "short stroke of one class" in guide.inner_text(), "the guide")
    lab.screenshot("first-minute-2-label")
    box = stage.bounding_box()

    def stroke(x: float, y: float) -> None:
        """Across the picture, where the disks lie or where none is."""
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + x * box["width"] + 25, box["y"] + y * box["height"], steps=4)
        page.mouse.up()

    stroke(0.5, 0.5)
    lab.wait(lambda: "second class: press 2" in guide.inner_text(), "the guide")
    page.keyboard.press("2")
    stroke(0.55, 0.55)
    lab.wait(lambda: "sure on average" in page.locator(".vx-root").first.inner_text(), "overlay", 60)
    lab.wait(lambda: "N goes there" in guide.inner_text(), "the guide")
    lab.screenshot("first-minute-3-overlay")
    assert page.evaluate("window.__clicks") <= 6
    assert lab.python("bench.ws.name") == "raw-voxloop"
    lab.python("bench._bell.ring('shallow-1 has finished')")
    page.locator(".Toastify__toast", has_text="shallow-1 has finished").wait_for()

    # the second day: a fresh notebook in the same folder, and the workspace is one click away
    lab.python("(bench.close(), bench.ws.close()) and None")
    lab.leave()
    start_notebook(lab.server.root)
    lab.open(START)
    page.locator('.vx-rows-line[data-key$="raw-voxloop"] img').first.wait_for()
    lab.both_themes("first-minute-4-recent")
    page.locator('.vx-rows-line[data-key="raw.tif"]').click()
    lab.until("bench.ws is not None and bench.ws.name == 'raw-voxloop'")
    lab.python("(bench.close(), bench.ws.close()) and None")
