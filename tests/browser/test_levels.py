"""In a real JupyterLab: levels as layers, the question about a child, a region drawn and active."""

SETUP = """
import numpy as np
import voxloop as vl
from voxloop.panels.label.label_panel import LabelPanel
sample = vl.samples.load("em")
ws = vl.Workspace.create({folder!r}, image=sample.volume, classes=["cell", "background"])
ws.levels.add("organelles", ["organelle", "background"], parent=("labels", "cell"))
plane = ws.images.info("image").shape[0] // 2
ws.labels("labels").box(index=plane, points=[(10, 10), (70, 90)], value="cell")
ws.labels("organelles").box(index=plane, points=[(30, 30), (60, 60)], value="organelle")
ws.labels("organelles").box(index=plane, points=[(62, 40), (68, 60)], value="background")
panel = LabelPanel(ws, height=560)
"""
DRAG = """async ([from, to]) => {
  const stage = document.querySelector(".vl-stage"), r = stage.getBoundingClientRect();
  const fire = (type, [x, y], buttons) => stage.dispatchEvent(new PointerEvent(type, { bubbles: true, cancelable: true,
    pointerId: 1, pointerType: "mouse", isPrimary: true, button: 0, buttons,
    clientX: r.left + x * r.width, clientY: r.top + y * r.height }));
  fire("pointerdown", from, 1);
  const between = (t) => from.map((start, k) => start + (to[k] - start) * t);
  for (let i = 1; i < 6; i++) fire("pointermove", between(i / 5), 1);
  fire("pointerup", to, 0);
}"""


def test_levels_and_regions_on_screen(lab, tmp_path):
    lab.page.set_viewport_size({"width": 1280, "height": 720})
    lab.notebook(SETUP.format(folder=str(tmp_path / "ws")), "panel")
    lab.run(0, 1)
    shown = lab.output(1)
    shown.evaluate("output => output.scrollIntoView({block: 'start'})")
    page = lab.page
    page.locator(".vl-stage[data-index]").first.wait_for()
    shown.get_by_label("Label level", exact=True).select_option(label="organelles")
    lab.until("panel.level == 'organelles'")
    shown.get_by_title("Layers", exact=True).first.click()
    rows = page.locator(".vl-layers.vl-open .vl-layer")
    lab.wait(lambda: rows.count() >= 4, "the layers")
    names = rows.locator("span").all_inner_texts()
    own = names.index("organelles")
    assert names[own + 1] == "labels: cell"
    lab.screenshot("levels-layers", shown)
    rows.nth(own + 1).get_by_title("Draw labels: cell above the next").click()
    lab.until(
        "(ids := [state['id'] for state in panel.view.widget.layers]).index('parent:labels') > ids.index('labels')"
    )
    assert rows.locator("span").all_inner_texts()[own : own + 2] == ["labels: cell", "organelles"]
    rows.nth(own).get_by_title("Show labels: cell").click()
    lab.until("not panel.view.look_of('parent:labels')['visible']")
    rows.nth(own).get_by_title("Show labels: cell").click()
    shown.get_by_title("Layers", exact=True).first.click()

    shown.get_by_label("Label level", exact=True).select_option(label="labels")
    lab.until("panel.level == 'labels'")
    page.locator(".vl-stage").first.focus()
    page.keyboard.press("e")
    page.evaluate(DRAG, [[0.28, 0.15], [0.33, 0.22]])
    take = shown.locator("button", has_text="Take them away")
    take.wait_for()
    lab.screenshot("levels-question", shown)
    take.click()
    lab.until("not ws.levels.outside('organelles')")

    shown.locator("button", has_text="Regions").click()
    shown.locator("button", has_text="New box").click()
    lab.until("panel.view.tool['name'] == 'region box'")
    page.wait_for_timeout(200)
    page.evaluate(DRAG, [[0.35, 0.2], [0.65, 0.7]])
    lab.until("ws.regions.names == ['region 1']")
    shown.get_by_label("Work", exact=True).select_option(label="only inside region 1")
    lab.until("ws.regions.active() is not None")
    lab.wait(lambda: "Only inside 'region 1'" in shown.inner_text(), "the limit")
    page.wait_for_timeout(700)
    lab.screenshot("regions", shown)
    shown.locator("button", has_text="Regions").click()
    shown.locator("button", has_text="Everywhere").click()
    shown.locator("button", has_text="Two labelings").click()
    shown.get_by_label("Mapping", exact=True).fill("organelle=cell")
    shown.get_by_label("Mapping", exact=True).press("Enter")
    lab.until("panel.compare._map.value")
    shown.locator("button", has_text="Compare").last.click()
    lab.wait(lambda: "voxels alike" in shown.inner_text(), "the table")
    page.locator(".vl-stage").first.focus()
    page.keyboard.press("Shift+d")
    lab.wait(lambda: "Difference 1 of" in shown.inner_text() or "differ nowhere" in shown.inner_text(), "a difference")
    page.wait_for_timeout(700)
    for theme in ("dark", "light"):
        lab.theme(theme)
        lab.screenshot(f"compared-{theme}", shown)
    lab.python("(panel.close(), ws.close()) and None")
