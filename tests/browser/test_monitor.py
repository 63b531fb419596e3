"""In a real JupyterLab: the monitor of a real run, while a cell blocks, after a reload, in two places at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from voxloop.runs import Runs

TASKS = Path(__file__).parents[1] / "runs"

SETUP = f"""
import os, sys, time
sys.path.insert(0, {str(TASKS)!r})
os.environ.update(VOXLOOP_PLUGINS="fake_tasks", PYTHONPATH={str(TASKS)!r})
from voxloop.runs import Runs
from voxloop.panels.monitor.monitor_panel import MonitorPanel
settings = dict(steps=100_000, pause=0.02, per_epoch=25)
run = Runs(FOLDER).create("live", "fake_tasks:train", settings, result="fake_tasks:result").launch()
"""
SHOW = "panel = MonitorPanel(run)\npanel"
BLOCK = "began = time.time(); time.sleep(10); ended = time.time()"
AGAIN = "MonitorPanel(Runs(run.path.parent)[run.name])"


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[str]:
    """The first cell; what it starts does not outlive the test."""
    yield f"FOLDER = {str(tmp_path)!r}\n{SETUP}"
    for run in Runs(tmp_path).values():
        if run.holder is not None:
            os.kill(run.holder.pid, signal.SIGKILL)


def dots(where) -> int:
    return where.locator(".vx-plot").first.locator(".object_grp").count()


def test_a_run_is_watched_and_stopped_while_a_cell_blocks(setup, lab):
    lab.notebook(setup, SHOW, BLOCK)
    lab.run(0, 1)
    out, page = lab.output(1), lab.page
    lab.wait(lambda: dots(out) > 20, "the first batches")
    lab.run(2, wait=False)
    page.wait_for_function("jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'")
    before = dots(out)
    lab.wait(lambda: dots(out) > before + 30, "curves grow while the cell blocks", timeout=8)
    out.get_by_text("Stop and keep").click()
    lab.wait(
        lambda: out.locator(".vx-badge", has_text="stopped").count() == 1, "stopped while the cell blocks", timeout=8
    )
    lab.wait_idle()
    began, ended = lab.python("(began, ended)")
    pressed, stopped = lab.python(
        "(int(os.listdir(run.path / 'control')[0].split('-')[0]) / 1e9, run.events()[-1]['time'])"
    )
    assert began < pressed < stopped < pressed + 1.0 < ended
    assert lab.python("run.result") == lab.python("str(run.history.iteration)")


def test_a_reload_and_a_second_view_show_everything(setup, lab):
    lab.notebook(setup, SHOW, AGAIN)
    lab.run(0, 1)
    lab.until("len(run.history.epochs) > 2")
    lab.run(2)
    lab.wait(lambda: dots(lab.output(2)) > 50, "a second panel starts with all of it")
    seen = lab.python("run.history.iteration")
    lab.reload()
    for where in (lab.output(1), lab.output(2)):
        lab.wait(
            lambda where=where: dots(where) >= min(seen, 400) // 2,
            "drawn again after the reload, and going on",
            timeout=60,
        )
    out = lab.output(1)
    out.get_by_text("Cancel and discard").click()
    out.locator("button", has_text="Discard").last.click()
    for where in (out, lab.output(2)):
        lab.wait(
            lambda where=where: where.locator(".vx-badge", has_text="cancelled").count() == 1, "cancelled, in both"
        )
    assert not lab.python("(run.path / 'model').exists()")


STORY = """
import ipywidgets as w
from pathlib import Path
from voxloop.runs import EventWriter, Runs
from voxloop.panels.monitor.monitor_panel import MonitorPanel
run = Runs(Path({folder!r})).create("deep-1", "voxloop.deep.learner:train", {{}})
writer = EventWriter(run.path / "events.jsonl")
writer.emit("started", device="cpu")
for step in range(1, 41):
    writer.emit("step", iteration=step, loss=1 / step)
writer.emit("epoch", epoch=1, iteration=40, val=dict(loss=0.1, iou=dict(a=0.7)), best=True)
writer.emit("finished")
step = w.VBox()
step.layout.display = "none"
"""


def test_plots_of_a_step_that_is_hidden_are_drawn_once_it_is_shown(lab, tmp_path):
    lab.notebook(
        STORY.format(folder=str(tmp_path)), "step", "panel = MonitorPanel(run)\nstep.children = [panel.widget]"
    )
    lab.run(0, 1, 2)
    lab.page.wait_for_timeout(1500)
    lab.python("setattr(step.layout, 'display', '')")
    out = lab.output(1)
    lab.wait(lambda: dots(out) == 40, "a dot for each batch")
    assert lab.errors == []
    labels = out.locator(".axislabel").all_text_contents()
    assert "Loss (lower is better)" in labels
    assert "optimiser step" in labels
    lab.python("panel.close()")
