"""The grid of pictures in a real JupyterLab: scroll, choose, say, open, go on with keys."""

from __future__ import annotations

SETUP = """
import numpy as np, voxloop as vl
rng = np.random.default_rng(0)
picture = rng.integers(60, 200, (1200, 1600)).astype("uint8")
ws = vl.Workspace.create({folder!r}, image=picture, image_name="slide", classes=["ground", "cell"])
ws.levels.add("kinds", classes=["round", "long"], kind="pictures")
ws.tiles.add("tiles", size=32)
ws.labels("labels", "slide").paint(axis="z", index=0, points=[(4, 40), (20, 60)], radius=4, value=2)
bench = vl.Workbench(ws, step="pictures")
panel = bench.panels["pictures"]
done = lambda: panel.catalogue.find(status="done")
"""


def test_a_grid_is_scrolled_and_worked_through_by_keys(lab, tmp_path):
    lab.notebook(SETUP.format(folder=str(tmp_path / "ws")), "bench")
    lab.run(0, 1)
    page, out = lab.page, lab.output(1)
    box = out.locator(".vx-grid-box")
    cells = box.locator(".vx-grid-cell:visible")
    seen = "box => box.querySelectorAll('.vx-grid-cell:not([style*=none]) img[src^=data]').length"
    lab.wait(lambda: box.evaluate(seen) > 20, "small pictures")

    names = lab.python("panel.order[:8]")
    cells.filter(has_text=names[1]).click()
    cells.filter(has_text=names[3]).click(modifiers=["Shift"])
    cells.filter(has_text=names[2]).click(modifiers=["Control"])
    lab.until(f"panel.chosen == {[names[1], names[3]]!r}")
    page.keyboard.press("d")
    lab.until(f"done() == {[names[1], names[3]]!r}")
    assert "set(" in lab.python("panel.code.code")
    page.keyboard.press("Home")
    page.keyboard.press("2")  # a class, and on
    lab.until(f"panel.catalogue.find(label='long') == {names[:1]!r} and panel.chosen == {names[1:2]!r}")
    page.keyboard.press("Control+z")
    lab.until("panel.catalogue.find(label='long') == []")
    box.evaluate("box => { box.scrollTop = box.scrollHeight; }")
    lab.wait(lambda: "slide/1168:1200,1568:1600" in box.inner_text(), "the last tile")
    assert box.locator(".vx-grid-cell").count() < 200  # of 1,900
    for name in names[2:5]:  # a click right after a jump, from one end of the grid to the other
        box.evaluate("box => { box.scrollTop = box.scrollHeight; }")
        box.evaluate("box => { box.scrollTop = 0; }")
        cells.filter(has_text=name).click()
        lab.until(f"panel.chosen == {[name]!r}")
    page.keyboard.press("Control+a")
    lab.until("len(panel.chosen) == len(panel.catalogue)")
    page.keyboard.press("/")
    page.keyboard.type(names[1])
    lab.until(f"panel.order == {names[1:2]!r}")
    lab.screenshot("pictures", out)

    cells.filter(has_text=names[1]).dblclick()
    lab.until("bench.step == 'label'")
    label = out.locator(".vl-view:visible")
    label.hover()
    lab.python("panel.filter.clear()")
    lab.python(f"bench.panels['label'].items.follow(panel.catalogue, panel.order, {names[1]!r})")
    page.keyboard.press("Shift+PageDown")
    page.keyboard.press("Shift+PageDown")
    page.keyboard.press("Shift+PageUp")
    lab.until(f"bench.panels['label'].items.item == {names[2]!r}")
    page.keyboard.press("Shift+End")
    lab.until(f"bench.panels['label'].items.item == {names[3]!r} and {names[2]!r} in done()")
    lab.python("(bench.close(), ws.close()) and None")
