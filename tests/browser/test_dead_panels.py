"""In a real JupyterLab: panels whose kernel went, and the strokes that were under way then."""

from __future__ import annotations

import os
import signal

import pytest

OPEN = """
import numpy as np
import os
import voxloop as vl
from voxloop.panels.label.label_panel import LabelPanel
image = np.random.default_rng(0).integers(60, 90, (8, 200, 200)).astype(np.uint8)
ws = vl.Workspace.create({folder!r}, image=image, classes=["mitochondria", "background"], exist_ok=True)
panel = LabelPanel(ws, height=400)
labels = panel.labels
panel
"""
#: messages with a word in them get lost on their way to the kernel while the word is set
LOSE = """() => {
  const pass = WebSocket.prototype.send;
  WebSocket.prototype.send = function (data) {
    const text = typeof data === "string" ? data : new TextDecoder().decode(data);
    if (window.__lose && text.includes(window.__lose)) { window.__lost = (window.__lost ?? 0) + 1; return; }
    return pass.call(this, data);
  };
}"""
#: the kernel paints, and dies before it says so
SILENT = "panel.view._messages._view.widget.send = lambda *message: None"
WAITING = "() => Object.keys(sessionStorage).filter((key) => key.startsWith('voxloop stroke')).length"
ICONS = """() => [...document.querySelectorAll(".vx *, .vl-view *")]
  .filter((one) => one.matches(".jupyter-widgets-disconnected")
    && getComputedStyle(one, "::before").content !== "none").length"""
GONE = "This panel's kernel was restarted: run the cell again"


class Painter:
    """The hand at the first picture that is alive."""

    def __init__(self, lab) -> None:
        self.lab, self.page = lab, lab.page
        self.stage = self.page.locator(".vl-stage").last
        self.page.locator(".vl-stage[data-index]").last.wait_for()

    def drag(self, *points: tuple[float, float]) -> None:
        self.stage.scroll_into_view_if_needed()
        box = self.stage.bounding_box()
        self.page.mouse.move(box["x"] + points[0][0], box["y"] + points[0][1])
        self.page.mouse.down()
        for x, y in points[1:]:
            self.page.mouse.move(box["x"] + x, box["y"] + y, steps=4)
        self.page.mouse.up()


@pytest.fixture
def opened(lab, tmp_path):
    """A label panel in a page."""

    def open_panel() -> Painter:
        lab.notebook(OPEN.format(folder=str(tmp_path / "ws")))
        lab.run(0)
        lab.page.evaluate(LOSE)
        lab.page.evaluate("() => sessionStorage.clear()")
        return Painter(lab)

    yield open_panel
    lab.server.go_on()
    lab.page.evaluate("() => { window.__lose = ''; }")


def lose_strokes(lab, painter, count: int) -> None:
    """Draw strokes that do not reach the kernel."""
    lab.page.evaluate("() => { window.__lose = '\"stroke\"'; }")
    for n in range(count):
        painter.drag((140, 60 + 60 * n), (240, 80 + 60 * n))
    lab.page.wait_for_function("window.__lost > 0")
    assert lab.page.evaluate(WAITING) == count


def test_a_restarted_kernel_leaves_a_panel_that_says_so_and_its_strokes_go_to_the_next_one(lab, opened):
    painter = opened()
    lose_strokes(lab, painter, 2)
    lab.restart()
    lab.page.evaluate("() => { window.__lose = ''; }")
    banner = lab.page.locator(".vx-gone")
    banner.wait_for()
    assert banner.inner_text() == GONE
    assert lab.page.evaluate(ICONS) == 0, "broken links in the layout"
    painter.drag((140, 260), (240, 260))
    lab.page.wait_for_timeout(500)
    assert lab.page.evaluate(WAITING) == 2, "a dead panel takes no strokes"
    assert not lab.page.locator(".vl-toast.vl-open-toast").count(), "one place says it"
    lab.screenshot("dead-panel")

    lab.run(0)
    Painter(lab)
    lab.until("labels.sequence == 2")
    lab.wait(lambda: lab.page.evaluate(WAITING) == 0, "the page forgets what is on disk")
    assert not lab.page.locator(".vx-gone").count()
    assert lab.python("panel.saved.words.endswith('2 strokes') or panel.saved.words")
    lab.run(0)
    Painter(lab)
    lab.page.wait_for_timeout(500)
    assert lab.python("labels.sequence") == 2, "each exactly once"


def test_a_stroke_that_was_painted_before_its_kernel_was_killed_is_not_painted_again(lab, opened):
    painter = opened()
    lab.python(f"exec({SILENT!r})")
    painter.drag((140, 60), (240, 80))
    lab.until("labels.sequence > 0")
    done = lab.python("labels.sequence")
    voxels = lab.python("int((labels.read() > 0).sum())")
    os.kill(lab.python("os.getpid()"), signal.SIGKILL)
    lab.page.locator(".vx-gone").wait_for(timeout=30_000)
    assert lab.page.evaluate(WAITING) == 1
    lab.wait_restarted()

    lab.run(0)
    Painter(lab)
    lab.wait(lambda: lab.page.evaluate(WAITING) == 0, "the stroke is acknowledged")
    assert lab.python("labels.sequence") == done
    assert lab.python("int((labels.read() > 0).sum())") == voxels


def test_strokes_under_way_outlive_a_reload_of_the_page(lab, opened):
    painter = opened()
    lose_strokes(lab, painter, 1)
    lab.reload()
    Painter(lab)
    lab.until("labels.sequence == 1")
    lab.wait(lambda: lab.page.evaluate(WAITING) == 0, "the page forgets what is on disk")


def test_strokes_drawn_without_a_connection_arrive_when_it_is_back(lab, opened):
    painter = opened()
    lab.server.pause()
    lab.page.evaluate("""() => {
      const { _ws: socket } = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
      socket.onclose(new CloseEvent("close", { code: 1006 }));
    }""")
    toast = lab.page.locator(".vl-toast.vl-open-toast")
    lab.wait(
        lambda: "No connection" in (toast.first.inner_text() if toast.count() else ""), "words about the connection"
    )
    painter.drag((140, 60), (240, 80))
    assert lab.page.evaluate(WAITING) == 1
    lab.server.go_on()
    lab.page.wait_for_function(
        "jupyterapp.shell.currentWidget.sessionContext.session.kernel.connectionStatus === 'connected'", timeout=60_000
    )
    lab.until("labels.sequence == 1")
    lab.wait(lambda: lab.page.evaluate(WAITING) == 0, "the page forgets what is on disk")
    lab.errors.clear()  # of requests that failed meanwhile
    assert not lab.page.locator(".vx-gone").count()
