"""Three dimensions in a real JupyterLab: planes and a surface, a click on it, a cut; a button and a key turn it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

SETUP = """
import numpy as np, voxloop as vl
at = np.meshgrid(*(np.arange(n) for n in (24, 60, 60)), indexing="ij")
ball = (2 * (at[0] - 12)) ** 2 + (at[1] - 30) ** 2 + (at[2] - 30) ** 2 < 18 ** 2
image = np.where((at[1] < 30) & (at[2] < 30), 230, 100).astype("u1")
ws = vl.Workspace.create({folder!r}, image=image, level="balls", kind="instances", spacing=(8, 4, 4))
ws.labels().write(None, 8 * ball.astype("u4"))  # the eighth is orange
view = vl.View3D(ws, height=280)
view
"""


def pixels(canvas) -> tuple[int, int]:
    """How many pixels of the canvas are orange, and how many gray and bright."""
    picture = np.asarray(Image.open(io.BytesIO(canvas.screenshot())).convert("RGB")).astype(int)
    orange = picture[..., 0] - picture[..., 2] > 60
    gray = (np.ptp(picture, axis=2) < 10) & (picture[..., 0] > 60)
    return int(orange.sum()), int(gray.sum())


@pytest.mark.timeout(300)
def test_planes_and_a_surface_that_a_cut_changes(lab, tmp_path):
    lab.notebook(SETUP.format(folder=str(tmp_path / "ws")))
    lab.run(0)
    out = lab.output(0)
    lab.until("len(view.scene.surfaces) == 1 and not view._words.value", timeout=60)
    canvas = out.locator("canvas").first
    canvas.wait_for()

    def settled(enough) -> tuple[int, int]:
        for _ in range(60):
            found = pixels(canvas)
            if enough(found):
                return found
            lab.page.wait_for_timeout(250)
        raise AssertionError(f"the canvas has {found} orange and gray pixels")

    whole = settled(lambda found: found[0] > 900 and found[1] > 900)
    canvas.click()
    lab.until("view.selected == {'balls': (8,)}")
    lab.python("view.select('balls', [])")
    lab.python("view.cuts['z'].set_trait('value', (12, 24))")
    settled(lambda found: abs(found[0] - whole[0]) > 0.05 * whole[0])
    lab.python("view.reset()")
    lab.python("[view.shows[axis].set_trait('value', False) for axis in 'zyx'] and None")
    settled(lambda found: found[1] < 0.3 * whole[1])
    lab.python(
        "(view.shows['z'].set_trait('value', True), view.scene.opacity.update(balls=0), view.look('front')) and None"
    )
    lab.python("view.plot.show_opacity(view.scene.opacity)")
    quarters = []

    def upper_left(_) -> bool:
        picture = np.asarray(Image.open(io.BytesIO(canvas.screenshot())).convert("L")).astype(int)
        row, column = (n // 2 for n in picture.shape)
        quarters[:] = [picture[row + a, column + b] for a in (-30, 30) for b in (-30, 30)]
        return quarters[0] > 180 and max(quarters[1:]) < 150

    settled(upper_left)  # as the picture of the plane shows it
    for turn in (lambda: out.locator("button[title^='Turn left']").click(), lambda: lab.page.keyboard.press("ArrowUp")):
        before = lab.python("list(view.plot.widget.camera)")
        turn()
        lab.until(f"list(view.plot.widget.camera) != {before!r}")
        out.locator(".vx-solid").focus()
    assert lab.python("[name for name in ('torch', 'sklearn') if name in __import__('sys').modules]") == []
    lab.python("(view.close(), ws.close()) and None")
