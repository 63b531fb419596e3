"""In a real JupyterLab: widgets of the UI thread live on, and are heard, while a cell blocks."""

from __future__ import annotations

import time

MADE_ON_UI = """
import time, threading
import ipywidgets as w
from voxloop.panels.base.ui import UiLoop, serve_while_busy

ui = UiLoop.get()
clicks = []

def build():
    global label, stop
    label, stop = w.Label('0'), w.Button(description='stop')
    label.add_class('t-label'); stop.add_class('t-stop')
    stop.on_click(lambda b: clicks.append((time.time(), threading.current_thread().name)))
    return w.HBox([label, stop])

box = ui.call(build)

def tick():
    label.value = str(int(label.value) + 1)

timer = ui.every(0.1, tick)
box
"""

MADE_IN_CELL = """
served = w.Button(description='served'); served.add_class('t-served')
plain = w.Button(description='plain'); plain.add_class('t-plain')
heard = []
served.on_click(lambda b: heard.append(('served', time.time(), threading.current_thread().name)))
plain.on_click(lambda b: heard.append(('plain', time.time(), threading.current_thread().name)))
serve_while_busy(served)
w.HBox([served, plain])
"""

BLOCK = "began = time.time(); time.sleep(6); ended = time.time()"


def test_a_blocking_cell_stops_neither_updates_nor_clicks(lab):
    lab.notebook(MADE_ON_UI, MADE_IN_CELL, BLOCK)
    lab.run(0, 1)
    page = lab.page
    label, stop = page.locator(".t-label"), page.locator(".t-stop")
    stop.click()
    lab.until("len(clicks) == 1")

    lab.run(2, wait=False)
    page.wait_for_function("jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'")
    first = int(label.inner_text())
    lab.wait(lambda: int(label.inner_text()) >= first + 10, "ten updates while the cell blocks", timeout=4)
    pressed = []
    for button in (stop, page.locator(".t-served"), page.locator(".t-plain")):
        pressed.append(time.time())
        button.click()
    lab.wait_idle()

    began, ended = lab.python("(began, ended)")
    when, thread = lab.python("clicks[-1]")
    assert began < pressed[0] < when < pressed[0] + 1.0 < ended
    assert thread == "voxloop-ui"
    heard = {name: (when, thread) for name, when, thread in lab.until("len(heard) == 2 and heard")}
    assert heard["served"][0] < pressed[1] + 1.0 < ended
    assert heard["served"][1] == "voxloop-ui"
    assert heard["plain"][0] >= ended, "the test must fail where serving does nothing"


def test_widgets_of_the_ui_thread_come_back_after_a_reload(lab):
    lab.notebook(MADE_ON_UI)
    lab.run(0)
    before = int(lab.page.locator(".t-label").inner_text())
    lab.reload()
    label = lab.page.locator(".t-label")
    lab.wait(lambda: int(label.inner_text()) > before + 3, "the label counts on")
    lab.page.locator(".t-stop").click()
    lab.until("len(clicks) == 1")
