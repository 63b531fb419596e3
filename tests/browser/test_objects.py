"""Objects in a real JupyterLab: the preview appears, apply fills the table, a row leads to its object, both themes."""

from __future__ import annotations

import pytest

SETUP = """
import voxloop as vl
sample = vl.samples.load("em")
small = dict(z=slice(0, 8), y=slice(0, 200), x=slice(0, 240))
volume = sample.volume.isel(small)
truth = sample.truth.isel(small) if hasattr(sample.truth, "isel") else sample.truth[:8, :200, :240]
ws = vl.Workspace.create({folder!r}, image=volume, classes=sample.classes)
vl.simulate(ws, truth)
run = ws.train(vl.ShallowConfig(dimensions="2d"))
run.wait()
ws.predict(run, name="p").wait()
"""

#: pixels of a scrollbar, which the browser of the tests hides
SCROLLBAR = 15


@pytest.mark.timeout(600)
@pytest.mark.slow(reason="trains a classifier and predicts with it, in a browser")
def test_preview_apply_and_table(lab, tmp_path):
    lab.notebook(SETUP.format(folder=str(tmp_path / "ws")), "panel = vl.ObjectsPanel(ws)\npanel")
    lab.run(0, timeout=240)
    lab.run(1)
    out = lab.output(1)
    lab.until("'objects on screen' in panel.preview.words.value", timeout=90)
    lab.page.wait_for_timeout(800)
    lab.both_themes("objects-preview", out)
    lab.python("setattr(panel, 'config', panel.config.changed(min_size=2e-4, smoothing=0.01))")
    apply = out.locator("button.vx-primary", has_text="Apply to all")
    size = lab.page.viewport_size
    lab.page.set_viewport_size({"width": 1280, "height": 500})
    out.locator(".vx-side").evaluate("side => side.scrollIntoView({block: 'start'})")
    start = apply.bounding_box()
    assert start["y"] + start["height"] < 500  # in view of a long column
    lab.page.set_viewport_size(size)
    apply.click()
    lab.until("panel.objects is not None", timeout=120)
    line = out.locator(".vx-rows-line", has_text="objects-1")
    line.wait_for()
    height = out.locator(".vx-rows-box").last.evaluate("box => box.clientHeight")
    assert height <= 260  # a long table scrolls within its height
    table = out.locator(".vx-rows-box").last
    table.locator("img.vx-thumb").first.wait_for()
    narrowest = "box => { box.firstChild.style.width = 'min-content'; return box.firstChild.offsetWidth; }"
    assert table.evaluate(narrowest) <= table.evaluate("box => box.clientWidth") - SCROLLBAR  # no column is covered
    table.evaluate("box => { box.firstChild.style.width = ''; }")
    number = lab.python("int(panel.stage.list.rows[0].key)")
    out.locator(".vx-rows-line", has_text=str(number)).last.scroll_into_view_if_needed()
    lab.python(f"panel.go_to({number})")
    lab.until("len(panel.view.shapes) == 1")
    lab.page.wait_for_timeout(800)
    lab.both_themes("objects-table", out)
    out.get_by_label("New classes", exact=True).fill("round, long")
    out.locator("button", has_text="Add").first.click()
    table.get_by_text("Class", exact=True).wait_for()
    table.locator(".vx-rows-line").first.click()
    lab.until(f"panel.stage.kinds.ids == ({number},)")
    lab.page.keyboard.press("2")
    lab.until(f"panel.stage.said.said[{number}].name == 'long' and panel.stage.list.selected != '{number}'")
    lab.python(
        "panel.ws.object_classes(panel.objects).take_over('told', {int(panel.stage.list.rows[2].key): ('round', 0.93)})"
    )
    lab.until("'93%' in str(panel.stage.list.rows[2].cells)")
    assert table.evaluate(narrowest) <= table.evaluate("box => box.clientWidth") - SCROLLBAR
    table.evaluate("box => { box.firstChild.style.width = ''; }")
    lab.page.set_viewport_size({"width": 1280, "height": 720})
    table.scroll_into_view_if_needed()
    for theme in ("dark", "light"):
        lab.theme(theme)
        lab.screenshot(f"objects-classes-{theme}")
    assert lab.python("[name for name in ('torch', 'sklearn') if name in __import__('sys').modules]") == []
    lab.python("(panel.close(), ws.close()) and None")
