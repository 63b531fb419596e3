"""The page for everybody: the whole loop without a mouse, nothing over anything, a name for every control."""

from __future__ import annotations

from pathlib import Path

import axe_playwright_python
import pytest

SETUP = """
import voxloop as vl
sample = vl.samples.load("em")
small = dict(z=slice(0, 6), y=slice(0, 160), x=slice(0, 200))
folder = {folder!r}
if __import__("os").path.exists(folder):
    ws = vl.Workspace.open(folder)
else:
    ws = vl.Workspace.create(folder, image=sample.volume.isel(small), classes=["mitochondria", "background"])
bench = vl.Workbench(ws)
labels = ws.labels()
counted = lambda: int(sum(labels.counts().values()))
"""
STEPS = ("Volume", "Label", "Train", "Predict", "Review", "Objects", "Channels")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A workspace that the loop fills, and the walk looks at."""
    return str(tmp_path_factory.mktemp("page") / "ws")


#: what pictures tell a screen reader, from the first call on
HEAR = """() => {
  if (window.__heard) return window.__heard;
  const heard = window.__heard = [];
  const observer = new MutationObserver((changes) => changes.forEach(({ target }) => heard.push(target.textContent)));
  for (const one of document.querySelectorAll(".vl-words")) {
    heard.push(one.textContent);
    observer.observe(one, { childList: true });
  }
  return heard;
}"""


class Keys:
    """A keyboard and nothing else."""

    def __init__(self, lab) -> None:
        self.lab, self.press = lab, lab.page.keyboard.press

    def tab_to(self, selector: str, key: str = "Tab") -> None:
        """Go on with Tab until what has the focus fits."""
        here = "one => !!document.activeElement?.matches(one) && document.activeElement.checkVisibility()"
        for _ in range(120):
            if self.lab.page.evaluate(here, selector):
                return
            self.press(key)
        raise AssertionError(f"no Tab leads to {selector}")

    def step(self, name: str) -> None:
        """Open a step of the workbench."""
        number = STEPS.index(name) + 1
        self.tab_to(f".vx-steps [role=tab]:nth-child({number})", "Shift+Tab")
        self.press("Enter")
        self.lab.until(f"bench.step == {name.lower()!r}")

    def draw(self, *keys: str) -> None:
        """Hold Space while these keys are pressed."""
        before = self.lab.python("labels.sequence")
        self.lab.page.keyboard.down("Space")
        for key in keys:
            self.press(key)
        self.lab.page.keyboard.up("Space")
        self.lab.until(f"labels.sequence > {before}")

    def picture(self) -> None:
        """Go to the picture, once it is drawn."""
        self.tab_to(".vl-stage")
        self.lab.page.wait_for_function("document.activeElement.dataset.index !== undefined")

    def hears(self, *words: str) -> None:
        """Wait until a screen reader was told all of these since the last time."""
        heard = self.lab.page.evaluate_handle(HEAR)
        self.lab.wait(lambda: all(word in heard.evaluate("heard => heard.join('; ')") for word in words), str(words))
        heard.evaluate("heard => { heard.length = 0; }")


@pytest.mark.slow(reason="trains and predicts, in a browser")
def test_the_whole_loop_without_a_mouse(lab, folder):
    lab.notebook(SETUP.format(folder=folder), "bench")
    lab.run(0, 1)
    keys = Keys(lab)
    keys.picture()
    keys.press("1")
    keys.press("ArrowRight")
    keys.hears("brush mitochondria", "plane 3 of 5", "z 3", "zoom")
    keys.draw("Shift+ArrowRight", "Shift+ArrowRight")
    keys.press("2")
    for _ in range(4):
        keys.press("Shift+ArrowUp")
    keys.draw("Shift+ArrowLeft", "ArrowLeft", "Shift+ArrowLeft")
    assert set(lab.python("labels.counts()")) == {"1", "2"}
    keys.hears("brush background", "background label")

    keys.press("p")
    for corner in ((), ("Shift+ArrowLeft", "Shift+ArrowLeft"), ("Shift+ArrowUp", "Shift+ArrowUp")):
        for key in corner:
            keys.press(key)
        keys.press("Space")
    before = lab.python("counted()")
    keys.press("Enter")
    lab.until(f"counted() > {before} + 100")
    keys.press("g")
    keys.press("Shift+ArrowUp")
    before = lab.python("labels.sequence")
    keys.press("Space")
    lab.until(f"labels.sequence > {before}")

    lab.until("'sure' in bench.panels['label'].live_box.words", timeout=60)
    keys.press("n")
    lab.until("bench.panels['label'].live.place is not None")
    before = lab.python("labels.sequence")
    keys.press("y")
    lab.until(f"labels.sequence > {before}")
    keys.press(".")
    keys.press("+")
    lab.until("bench.panels['label'].view.index == 4")
    keys.hears("plane 4 of 5", "zoom")

    keys.step("Train")
    keys.tab_to(".vx-train-start .vx-primary")
    keys.press("Enter")
    lab.until("[run.state for run in ws.runs.values()] == ['finished']", timeout=90)
    keys.step("Predict")
    keys.tab_to(".vx-foot .vx-primary:enabled")
    keys.press("Enter")
    lab.until("'predict-1' in ws.predictions and ws.predictions['predict-1'].done == 1.0", timeout=90)

    keys.step("Review")
    lab.until("bench.panels['review'].prediction is not None")
    keys.picture()
    keys.press("n")
    lab.until("bench.panels['review'].places.current is not None", timeout=60)
    before = lab.python("counted()")
    keys.press("y")
    lab.until(f"counted() > {before}")
    before = lab.python("counted()")
    lab.output(1).locator("button.vx-primary:enabled:visible", has_text="Accept").wait_for()
    keys.tab_to("button.vx-primary")
    keys.press("Enter")
    lab.until(f"counted() > {before}", timeout=60)
    lab.python("ws.objects(ws.predictions['predict-1']).wait() and None")
    lab.python("ws.close()")


#: faults in how the visible controls of a panel lie: over each other, cut off, or beyond the panel
WALK = """root => {
  const CONTROLS = "button, input, select, textarea, a[href], summary, [role=slider], .vl-stage";
  const nodes = [...root.querySelectorAll(CONTROLS)].filter((node) => !node.querySelector(CONTROLS)
    && !node.closest("[inert], .vx-away") && node.checkVisibility({ opacityProperty: true, visibilityProperty: true }));
  const nameOf = (node) => node.ariaLabel || node.textContent.trim() || node.title || node.placeholder;
  const outer = root.getBoundingClientRect(), faults = [], boxes = [];
  for (const node of nodes) {
    const own = node.getBoundingClientRect();
    let { left, top, right, bottom } = own, scrolls = false, cut = false;
    if (right - left < 2 || bottom - top < 2) continue;
    for (let up = node.parentElement; up && root.contains(up); up = up.parentElement) {
      const { overflowX, overflowY } = getComputedStyle(up), b = up.getBoundingClientRect();
      if (overflowX === "visible" && overflowY === "visible") continue;
      cut ||= overflowX === "hidden" && Math.max(b.left - left, right - b.right) > 1.5;
      cut ||= overflowY === "hidden" && !scrolls && Math.max(b.top - top, bottom - b.bottom) > 1.5;
      scrolls ||= /auto|scroll/.test(overflowX + overflowY);
      left = Math.max(left, b.left); top = Math.max(top, b.top);
      right = Math.min(right, b.right); bottom = Math.min(bottom, b.bottom);
    }
    if (cut) faults.push(`${nameOf(node)} is cut off`);
    const beyond = Math.max(
      outer.left - own.left, own.right - outer.right, outer.top - own.top, own.bottom - outer.bottom);
    if (!scrolls && beyond > 1) faults.push(`${nameOf(node)} is outside of the panel`);
    if (right - left > 1 && bottom - top > 1) boxes.push({ node, left, top, right, bottom });
  }
  // parts of one control; a button that stays in sight above what is scrolled under it
  const isOne = (a, b) => [".vl-contrast", ".widget-slider"].some((one) => a.closest(one)?.contains(b))
    || [a, b].some((one) => one.closest(".vx-stays"));
  boxes.forEach((a, i) => boxes.slice(0, i).forEach((b) => {
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (wide > 1 && high > 1 && !isOne(a.node, b.node)) faults.push(`${nameOf(a.node)} lies over ${nameOf(b.node)}`);
  }));
  const window = root.closest(".jp-WindowedPanel-outer").getBoundingClientRect();
  const isHigher = outer.top < window.top - 1 || outer.bottom > window.bottom + 1;
  if (isHigher) faults.push("the panel is higher than the window");
  return [nodes.length, faults];
}"""
#: whether the panel fills what holds it
FITS = """holder => {
  const rest = holder.clientHeight - holder.querySelector(".vx-root").clientHeight;
  return rest >= 0 && rest < 40;
}"""
#: WCAG 2.2 A and AA
AXE = """async root => {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"];
  const { violations, passes } = await axe.run(root, { runOnly: { type: "tag", values: tags } });
  return [passes.length, violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 200))}`)];
}"""


@pytest.mark.slow(reason="six steps at four widths and in two themes")
def test_every_step_fits_its_window_and_has_names_for_everybody(lab, folder):
    lab.notebook(SETUP.format(folder=folder), "bench")
    lab.run(0, 1)
    page, root = lab.page, lab.output(1).locator(".vx-root")
    page.evaluate(Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8"))
    size = page.viewport_size
    faults = []
    for theme in ("light", "dark"):
        lab.theme(theme)
        for name in STEPS:
            root.get_by_role("tab", name=name).click()
            lab.until(f"bench.step == {name.lower()!r}")
            page.wait_for_timeout(500)
            for width, height in ((1000, 720), (1280, 720), (1440, 900), (1920, 1080)) if theme == "light" else ():
                page.set_viewport_size({"width": width, "height": height})
                page.wait_for_timeout(150)
                count, found = root.evaluate(WALK)
                assert count > 8
                faults += [f"{name}, {width}: {one}" for one in found]
            page.set_viewport_size(size)
            passed, found = root.evaluate(AXE)
            assert passed > 8
            faults += [f"{name}, {theme}: {one}" for one in found]
    assert faults == []

    height = "root => root.getBoundingClientRect().height"
    root.get_by_title("Full screen").click()
    lab.wait(lambda: root.evaluate(height) == page.viewport_size["height"], "the whole screen")
    page.evaluate("document.exitFullscreen()")
    lab.wait(lambda: root.evaluate(height) < page.viewport_size["height"], "the notebook again")
    page.evaluate("jupyterapp.commands.execute('notebook:create-output-view').then(() => null)")
    tab = page.locator(".jp-LinkedOutputView")
    tab.locator(".vx-root .vx-steps").wait_for()
    page.evaluate("jupyterapp.commands.execute('application:toggle-mode').then(() => null)")
    lab.wait(lambda: tab.evaluate("one => one.clientHeight") > 500, "one document at a time")
    lab.wait(lambda: tab.evaluate(FITS), "a panel as high as its tab")
    page.evaluate("jupyterapp.commands.execute('application:toggle-mode').then(() => null)")
