"""In a real JupyterLab: looking around, painting, keys, reloads, two displays, lost messages."""

from __future__ import annotations

import pytest
from tests.web_store import WebStore, write_nuclei

SETUP = """
import numpy as np
import voxloop as vl
from voxloop.panels.label.label_panel import LabelPanel
y, x = np.mgrid[:400, :400]
image = np.stack([90 + 60 * np.sin(y / 19 + z) + 60 * np.cos(x / 23) for z in range(40)]).clip(0, 255).astype(np.uint8)
ws = vl.Workspace.create({folder!r}, image=image, classes=["mitochondria", "background"], spacing=(0.03, 0.01, 0.01))
panel = LabelPanel(ws, height=500)
labels = panel.labels
"""

#: what leaves the page arrives later, in order
DELAY = """
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (data) { setTimeout(() => send.call(this, data), window.__delay ?? 0); };
"""
#: messages with a word in them get lost while the word is set
LOSE = """
const pass = WebSocket.prototype.send;
WebSocket.prototype.send = function (data) {
  const text = typeof data === "string" ? data : new TextDecoder().decode(data);
  if (window.__lose && text.includes(window.__lose)) { window.__lost = (window.__lost ?? 0) + 1; return; }
  return pass.call(this, data);
};
"""
COVERED = """(id) => {
  const canvas = document.querySelector('[data-layer=labels]');
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let n = 0;
  for (let i = 3; i < data.length; i += 4) n += data[i] > 0;
  return n;
}"""
PAINT = """async ([points, end]) => {
  const stage = document.querySelector(".vl-stage"), r = stage.getBoundingClientRect();
  const fire = (type, [x, y], buttons) => stage.dispatchEvent(new PointerEvent(type, { bubbles: true, cancelable: true,
    pointerId: 1, pointerType: "pen", isPrimary: true, button: 0, buttons, clientX: r.left + x, clientY: r.top + y }));
  fire("pointerdown", points[0], 1);
  for (const point of points.slice(1)) fire("pointermove", point, 1);
  await new Promise((done) => requestAnimationFrame(done));
  if (end) fire("pointerup", points.at(-1), 0);
}"""


#: a pen is drawn on with little pressure, then with much
PRESS = """() => {
  const stage = document.querySelector(".vl-stage"), r = stage.getBoundingClientRect();
  const fire = (type, x, pressure, buttons) => stage.dispatchEvent(new PointerEvent(type, { bubbles: true, pointerId: 1,
    pointerType: "pen", isPrimary: true, button: 0, buttons, pressure, clientX: r.left + x, clientY: r.top + 300 }));
  fire("pointerdown", 200, 0.25, 1);
  fire("pointermove", 240, 0.25, 1);
  fire("pointermove", 280, 0.75, 1);
  fire("pointermove", 320, 0.75, 1);
  fire("pointerup", 320, 0, 0);
}"""


class Viewer:
    """The picture of a label panel in the page."""

    def __init__(self, lab, at: int = 0) -> None:
        self.lab, self.page = lab, lab.page
        self.stage = self.page.locator(".vl-stage").nth(at)
        self.page.locator(".vl-stage[data-index]").nth(at).wait_for()

    @property
    def index(self) -> int:
        return int(self.stage.get_attribute("data-index") or -1)  # none until the first frame is drawn

    def shows(self, index: int) -> None:
        self.lab.wait(lambda: self.index == index, f"plane {index} on screen")

    def place(self, x: float, y: float) -> tuple[float, float]:
        box = self.stage.bounding_box()
        return box["x"] + x, box["y"] + y

    def point(self, x: float, y: float) -> None:
        self.page.mouse.move(*self.place(x, y))

    def drag(self, *points: tuple[float, float]) -> None:
        self.point(*points[0])
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.place(*point), steps=6)
        self.page.mouse.up()

    def voxel_at(self, x: float, y: float) -> list[int]:
        """What the readout says under the pointer: z, y, x."""
        self.point(x + 1, y)
        self.point(x, y)
        readout = self.page.locator(".vl-readout .vl-dim").first
        self.page.wait_for_timeout(400)
        return [int(part) for part in readout.inner_text().split() if part.isdigit()]


@pytest.fixture
def opened(lab, tmp_path):
    """A label panel in a page; more cells and scripts on request."""

    def open_panel(*cells: str, script: str = "") -> Viewer:
        lab.notebook(SETUP.format(folder=str(tmp_path / "ws")), "panel", *cells)
        if script:
            lab.page.evaluate(f"() => {{ {script} }}")
        lab.run(0, 1)
        return Viewer(lab)

    yield open_panel
    lab.page.evaluate("() => { window.__delay = 0; window.__lose = ''; }")


def test_looking_around(lab, opened):
    viewer = opened()
    page = lab.page
    viewer.shows(20)
    viewer.point(300, 200)
    for _ in range(5):
        page.mouse.wheel(0, 100)
    viewer.shows(25)
    page.keyboard.press("PageDown")
    viewer.shows(15)
    page.locator(".vl-slider").fill("3")
    viewer.shows(3)
    assert lab.python("panel.view.index") == 3

    before = viewer.voxel_at(250, 180)
    page.keyboard.down("Control")
    for _ in range(5):
        page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    assert viewer.voxel_at(250, 180) == pytest.approx(before, abs=1), "the zoom leaves the place under the pointer"

    page.keyboard.down("Space")
    viewer.drag((250, 180), (310, 220))
    page.keyboard.up("Space")
    assert viewer.voxel_at(310, 220) == pytest.approx(before, abs=1), "the picture moves with the hand"
    assert lab.python("labels.sequence") == 0, "neither painted anything"

    for _ in range(6):  # until the picture is larger than the view
        page.keyboard.press("+")
    page.locator(".vl-go").fill("25, 399, 0")
    page.keyboard.press("Enter")
    viewer.shows(25)
    page.wait_for_timeout(300)
    box, pixel = viewer.stage.bounding_box(), lab.python("panel.view.pixel_um / panel.view.planes.spacing_um[1]")
    top, left, bottom, right = lab.python("panel.view.window[2]")
    assert (left, bottom) == (0, 400)
    assert [right, bottom - top] == pytest.approx([box["width"] * pixel, box["height"] * pixel], abs=2), "black beside"
    viewer.point(300, 200)

    page.keyboard.press("v")
    lab.wait(lambda: viewer.stage.get_attribute("data-axis") == "y", "the xz plane")
    assert lab.python("panel.view.axis") == "y"
    page.keyboard.press("f")
    page.wait_for_timeout(300)
    top, left, bottom, right = lab.python("panel.view.window[2]")
    assert (top, left, bottom, right) == (0, 0, 40, 400)
    # z voxels are three times as thick: the fitted plane is as high as 120 of its voxels are wide
    box = viewer.stage.bounding_box()
    middle, left, right = box["height"] / 2, 5, box["width"] - 5
    assert viewer.voxel_at(left + 20, middle)[0] == pytest.approx(20, abs=1)
    per_voxel = (right - left) / 400 * 3
    assert viewer.voxel_at(200, middle + 10 * per_voxel)[0] == pytest.approx(30, abs=1)

    page.locator(".vl-go").fill("7, 200, 100")
    page.keyboard.press("Enter")
    lab.wait(lambda: lab.python("panel.view.index") == 200, "the plane that was asked for")


def test_painting_with_the_mouse_reaches_the_labels(lab, opened):
    viewer = opened()
    viewer.point(300, 200)
    lab.page.keyboard.press("2")
    place = viewer.voxel_at(260, 180)
    viewer.drag((260, 180), (300, 220), (340, 200))
    lab.until("labels.sequence > 0")
    z, y, x = place
    assert lab.python(f"int(labels.read(({z}, {y}, {x})).item())") == 2
    assert lab.python("sorted(int(v) for v in labels.counts())") == [2]
    lab.wait(lambda: "1 stroke" in lab.page.locator(".vx-saved").inner_text(), "the saved line")
    lab.page.keyboard.press("Control+z")
    lab.until("labels.counts() == {}")
    lab.wait(lambda: lab.page.evaluate(COVERED) == 0, "the frame without the stroke")


#: pixels of the sketch above the picture that are nearly white, and nearly black
SKETCHED = """() => {
  const canvas = document.querySelector(".vl-sketch");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let light = 0, dark = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] < 200) continue;
    light += data[i] > 220;
    dark += data[i] < 40;
  }
  return [light, dark];
}"""


def test_a_polygon_under_way_stands_out_and_is_gone_when_it_is_closed(lab, opened):
    viewer = opened()
    page = lab.page
    viewer.point(300, 200)
    page.keyboard.press("p")
    for corner in ((200, 120), (320, 130), (300, 260)):
        viewer.point(*corner)
        page.mouse.down()
        page.mouse.up()
    lab.wait(lambda: min(page.evaluate(SKETCHED)) > 300, "a light line on a dark one")
    page.keyboard.press("Enter")
    lab.until("labels.sequence > 0")
    assert page.evaluate(SKETCHED) == [0, 0]
    page.keyboard.press("Control+z")
    lab.until("labels.counts() == {}")
    areas = {}
    for key in "ri":  # a box, then an ellipse in the same place
        page.keyboard.press(key)
        viewer.point(200, 120)
        page.mouse.down()
        page.mouse.move(*viewer.place(260, 200))
        page.mouse.move(*viewer.place(320, 260))
        lab.wait(lambda: min(page.evaluate(SKETCHED)) > 50, "its outline")
        page.mouse.up()
        lab.until("labels.counts() != {}")
        areas[key] = lab.python("sum(int(n) for n in labels.counts().values())")
        page.keyboard.press("Control+z")
        lab.until("labels.counts() == {}")
    assert areas["i"] == pytest.approx(areas["r"] * 3.14159 / 4, rel=0.05)


def test_one_finger_paints_and_two_move_the_picture(lab, opened):
    viewer = opened()
    touch = lab.context.new_cdp_session(lab.page)

    def fingers(kind: str, *places: tuple[float, float]) -> None:
        points = [dict(zip("xy", viewer.place(*place), strict=True), id=i) for i, place in enumerate(places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", (200, 200))
    fingers("touchMove", (240, 210))
    fingers("touchMove", (260, 230))
    fingers("touchEnd")
    lab.until("labels.counts()")
    painted = lab.python("{int(k): int(v) for k, v in labels.counts().items()}")
    top, left, bottom, right = lab.python("panel.view.window[2]")

    fingers("touchStart", (200, 200))
    fingers("touchStart", (200, 200), (300, 200))
    for step in (10, 20, 30):
        fingers("touchMove", (200 - step, 200), (300 + step, 200))
    fingers("touchEnd", (170, 200))
    fingers("touchMove", (120, 300))  # the finger that is left draws nothing
    fingers("touchEnd")
    lab.until(f"panel.view.window[2] != ({top}, {left}, {bottom}, {right})")
    now = lab.python("panel.view.window[2]")
    assert now[2] - now[0] < 0.75 * (bottom - top), "fingers that part magnify"
    lab.page.wait_for_timeout(300)
    assert lab.python("{int(k): int(v) for k, v in labels.counts().items()}") == painted

    lab.python("setattr(panel.state, 'pressure', True)")
    lab.page.wait_for_timeout(300)
    sequence = lab.python("labels.sequence")
    lab.page.evaluate(PRESS)
    lab.page.locator(".widget-checkbox:visible", has_text="Pressure sets the radius").wait_for()
    lab.until(f"labels.sequence >= {sequence} + 2")
    thin, wide = lab.python("[labels.history(labels.sequence - i)['arguments']['radius'] for i in (1, 0)]")
    assert (thin, wide) == (3, 9), "half of the radius where the pen is pressed lightly, half as much again where hard"
    lab.python("panel.undo()")
    assert lab.python("{int(k): int(v) for k, v in labels.counts().items()}") == painted, "one stroke"


def test_a_stroke_shows_within_a_frame_however_far_the_kernel(lab, opened):
    viewer = opened(script=DELAY)
    lab.page.evaluate("window.__delay = 200")
    lab.page.evaluate(PAINT, [[[200, 150], [240, 170], [280, 150]], False])
    ink = lab.page.evaluate(COVERED)
    assert ink > 500
    lab.page.evaluate(
        "() => document.querySelector('.vl-stage').dispatchEvent(new PointerEvent('pointerup', {pointerId: 1}))"
    )
    lab.until("labels.sequence > 0")
    lab.page.wait_for_timeout(1500)
    painted = lab.page.evaluate(COVERED)
    assert painted == pytest.approx(ink, rel=0.1), "what the kernel painted is what the ink showed"
    assert viewer.index == 20


def test_keys_stay_in_the_view_and_the_notebook_keeps_its_own(lab, opened):
    viewer = opened("'another cell'")
    page = lab.page
    cells = "jupyterapp.shell.currentWidget.content.widgets.map(w => w.model.type)"
    before = page.evaluate(cells)
    viewer.drag((200, 200), (210, 205))
    for key in ("d", "d", "z", "b", "y", "m", "1", "2", "x", "Enter"):
        page.keyboard.press(key)
    page.wait_for_timeout(300)
    assert page.evaluate(cells) == before
    assert lab.python("panel.state.tool") == "brush"

    ball = page.locator(".vx-panel .widget-checkbox", has_text="Ball: paint across")
    ball.hover()
    title = ball.locator("input").get_attribute("title")
    assert title == "Round in micrometres, whatever the spacing", "the help, without markup"

    cell = lab.cell(2).locator(".cm-content")
    cell.click()
    page.keyboard.type("eb[")
    assert "eb[" in cell.inner_text(), "an editor gets its letters even when the panel is near"
    page.keyboard.press("Escape")
    page.mouse.move(10, 10)
    page.keyboard.press("m")
    page.wait_for_timeout(200)
    assert page.evaluate(cells)[2] == "markdown"


#: every key that means something to a notebook in command mode, and the rest of the letters; J opens a field last
KEYS = (
    *"abcdefghiklmnopqrstuvwxyz0123456789",
    *(
        "d",
        "d",
        "Escape",
        "Enter",
        "Delete",
        "Shift+Enter",
        "Control+Enter",
        "Alt+Enter",
        "Escape",
        "d",
        "d",
        "x",
        "j",
        "d",
    ),
    *("Escape",),
)
#: what keys could harm: the cells, their types, and which one is chosen
CELLS = """() => {
  const notebook = jupyterapp.shell.currentWidget.content;
  return [notebook.mode, ...notebook.widgets.map((cell) => cell.model.type + cell.model.sharedModel.source)];
}"""


def test_no_key_pressed_in_a_panel_reaches_the_notebook(lab, opened):
    opened("panel", "'another cell'")
    lab.run(2)
    for value in (1, 2):  # Delete on the row of a class without voxels removes it
        assert lab.python(f"labels.paint(index=3, points=[(9, {20 * value})], radius=4, value={value}).voxels")
    page = lab.page
    for display in (lab.output(1), lab.output(2)):
        places = {
            "a class": display.locator(".vx-class").nth(1),
            "a tool": display.get_by_title("Eraser (E)"),
            "a slider": display.locator(".noUi-handle:visible").first,
            "empty space": display.locator(".vx-saved"),
        }
        for name, place in places.items():
            display.get_by_title("Brush (B)").click()  # keys may have taken a tool without a size
            place.click()
            page.mouse.move(5, 300)
            before = page.evaluate(CELLS)
            for key in KEYS:
                page.keyboard.press(key)
            assert page.evaluate(CELLS) == before, f"after a click on {name}"

    display.locator(".vx-class").nth(1).click()
    page.mouse.move(5, 300)
    page.keyboard.press("e")
    lab.until("panel.state.tool == 'erase'")
    display.get_by_title("Fill (G)").click()
    lab.until("panel.state.tool == 'fill'")
    page.wait_for_timeout(500)  # until the page knows it too; a class chosen with the eraser in hand brings the brush
    page.mouse.move(5, 300)
    page.keyboard.press("1")
    lab.until("(panel.state.tool, panel.state.value) == ('fill', 1)")
    index = lab.python("panel.view.index")
    page.keyboard.press("ArrowUp")
    lab.until(f"panel.view.index == {index + 1}")

    lab.cell(3).locator(".cm-content").click()
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    lab.wait(lambda: "markdown'another cell'" in page.evaluate(CELLS), "the notebook has its keys back")


def test_everything_is_there_again_after_reload_and_in_a_second_display(lab, opened):
    viewer = opened("panel")
    viewer.drag((260, 180), (320, 200))
    lab.until("labels.sequence > 0")
    lab.run(2)
    second = Viewer(lab, 1)
    viewer.stage.scroll_into_view_if_needed()
    viewer.point(300, 200)
    lab.page.mouse.wheel(0, 100)
    viewer.shows(21)
    second.shows(21)
    lab.page.mouse.wheel(0, -100)
    viewer.shows(20)

    lab.reload()
    viewer = Viewer(lab)
    viewer.shows(20)
    assert lab.page.evaluate(COVERED) > 100
    viewer.drag((200, 250), (220, 300))
    lab.until("panel.saved.words.endswith('2 strokes')")
    lab.run(1)
    Viewer(lab).shows(20)


def test_a_restarted_kernel_goes_on_where_it_was(lab, opened, tmp_path):
    again = f"""
import voxloop as vl
from voxloop.panels.label.label_panel import LabelPanel
ws = vl.Workspace.open({str(tmp_path / "ws")!r})
panel = LabelPanel(ws, height=500)
labels = panel.labels
"""
    viewer = opened(again, "panel")
    viewer.drag((260, 180), (320, 200))
    lab.until("labels.sequence > 0")
    counts = lab.python("{int(k): int(v) for k, v in labels.counts().items()}")
    lab.restart()
    lab.run(2, 3)
    viewer = Viewer(lab, 1)  # the first is what the old kernel left in its cell
    viewer.stage.scroll_into_view_if_needed()
    viewer.shows(20)
    assert lab.python("{int(k): int(v) for k, v in labels.counts().items()}") == counts
    viewer.point(300, 200)
    lab.page.keyboard.press("Control+z")
    lab.until("labels.counts() == {}")
    viewer.drag((200, 250), (220, 300))
    lab.until("len(labels.counts()) == 1")


def test_a_lost_stroke_is_sent_again_and_painted_once(lab, opened):
    viewer = opened(script=LOSE)
    lab.page.evaluate("word => { window.__lose = word; }", '"stroke"')
    viewer.drag((260, 180), (300, 200))
    lab.page.wait_for_function("window.__lost > 0")
    assert lab.page.evaluate(COVERED) > 100
    assert lab.python("labels.sequence") == 0
    lab.page.evaluate("window.__lose = ''")
    lab.until("labels.sequence > 0", timeout=30)
    lab.page.wait_for_timeout(500)
    assert lab.python("panel.saved.words.endswith('1 stroke')")


def test_the_picture_moves_while_a_cell_blocks(lab, opened):
    viewer = opened("import time; time.sleep(8)")
    lab.run(2, wait=False)
    lab.page.wait_for_function("jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'")
    viewer.point(300, 200)
    lab.page.mouse.wheel(0, 100)
    viewer.shows(21)
    viewer.drag((200, 200), (240, 220))
    lab.wait(lambda: "1 stroke" in lab.page.locator(".vx-saved").inner_text(), "the saved line", timeout=6)
    assert lab.page.evaluate("window.__voxloop_run") == "running", "the cell still blocks"
    lab.wait_idle()


def test_a_plane_whose_server_is_gone_comes_by_itself_later(lab, tmp_path):
    write_nuclei(tmp_path / "web" / "cells.zarr", (12, 64, 64))
    with WebStore(tmp_path / "web") as web:
        lab.notebook(
            f"import os\nos.environ['XDG_CACHE_HOME'] = {str(tmp_path / 'cache')!r}\n"
            "from voxloop.volumes import far_store, open_volume\nfar_store.PAUSES_S = (0.01,)\n"
            "from voxloop.panels.view.plane_view import PlaneView\n"
            f"view = PlaneView(open_volume('{web.url}/cells.zarr'), height=400)\nview"
        )
        lab.run(0)
        lab.page.wait_for_selector(".vl-stage[data-index]")
    said = lab.page.locator(".vl-open-toast")
    slide = "slider => { slider.value = 0; slider.dispatchEvent(new Event('input', { bubbles: true })); }"
    lab.page.locator(".vl-slider").first.evaluate(slide)
    lab.wait(lambda: said.count() and "does not give the picture now" in said.inner_text(), "words on the server")
    with WebStore(tmp_path / "web", port=web.port):
        lab.wait(lambda: not said.count(), "the plane")
        assert lab.page.locator(".vl-stage").first.get_attribute("data-index") == "0"
