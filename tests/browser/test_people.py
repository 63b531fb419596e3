"""Two people's copies brought together in a real JupyterLab: look, walk, decide, apply, take back."""

from __future__ import annotations

import pytest

SETUP = """
import os, shutil, numpy as np, voxloop as vl
os.environ["VOXLOOP_AUTHOR"] = "Ada"
y, x = np.ogrid[:240, :300]
image = np.stack([110 + 40 * np.sin(x / 17) * np.cos(y / 23)] * 4).astype("uint8")
ws = vl.Workspace.create({folder!r}, image=image, classes=["cell", "membrane", "background"], spacing=0.01)
lab = ws.labels()
lab.ellipse(index=1, points=[(20, 30), (120, 110)], value="background")
lab.flush()
shutil.copytree(ws.path, {copy!r}, ignore=shutil.ignore_patterns("writer.lock"))
with vl.Workspace.open({copy!r}) as other:
    vl.author("Bob")
    other.labels().ellipse(index=1, points=[(60, 120), (160, 240)], value="cell")
    other.labels().ellipse(index=2, points=[(150, 40), (200, 100)], value="membrane")
    other.labels().ellipse(index=2, points=[(40, 40), (90, 100)], value="cell")
vl.author("Ada")
lab.ellipse(index=1, points=[(70, 130), (170, 230)], value="membrane")
lab.ellipse(index=2, points=[(150, 40), (190, 90)], value="cell")
before = lab.read()
panel = vl.Workbench(ws, guide=False)
panel
"""


@pytest.mark.timeout(120)
def test_a_copy_is_taken_in_conflict_by_conflict(lab, tmp_path):
    page = lab.page
    size = page.viewport_size
    page.set_viewport_size({"width": 1280, "height": 720})
    lab.notebook(SETUP.format(folder=str(tmp_path / "ws"), copy=str(tmp_path / "copy")))
    lab.run(0)
    shown = lab.output(0)
    shown.evaluate("output => output.scrollIntoView({block: 'start'})")
    shown.locator("button", has_text="People").click()
    lab.wait(lambda: "Ada" in shown.inner_text(), "the table of authors")
    path = shown.get_by_label("Copy", exact=True)
    path.fill(str(tmp_path / "copy"))
    path.press("Tab")
    lab.until("panel.panels['label'].people.merge._path.value")
    shown.locator("button", has_text="Look at the copy").click()
    lab.wait(lambda: "2 conflicts, 2 not decided" in shown.inner_text(), "what came out")
    page.locator(".vl-stage").first.focus()
    page.keyboard.press("Shift+D")
    lab.wait(lambda: "Conflict 1 of 2" in shown.inner_text(), "the first conflict")
    page.keyboard.press("Shift+T")
    lab.wait(lambda: "Conflict 2 of 2" in shown.inner_text(), "the next one")
    shown.locator("button", has_text="Take in").scroll_into_view_if_needed()
    lab.screenshot("people")
    shown.locator("button", has_text="Mine").click()
    lab.wait(lambda: "All conflicts are decided" in shown.inner_text(), "all are decided")
    shown.locator("button", has_text="Take in").click()
    lab.until("bool((lab.read() != before).any())")
    shown.get_by_label("Show", exact=True).select_option(label="Bob")
    lab.until("any(one.id == 'author' for one in panel.panels['label'].view.layers)")
    lab.screenshot("people-author")
    shown.locator("button", has_text="Take back").click()
    lab.until("bool((lab.read() == before).all())")
    lab.python("(panel.close(), ws.close()) and None")
    page.set_viewport_size(size)
