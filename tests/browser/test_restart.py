"""In a real JupyterLab: the kernel is restarted, the cells run again; labels are there, the run went on meanwhile."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from voxloop.runs import Runs

TASKS = Path(__file__).parents[1] / "runs"

SETUP = """
import os, sys
import numpy as np
import voxloop as vl
from voxloop.panels.label_panel import LabelPanel
from voxloop.panels.monitor_panel import MonitorPanel
from voxloop.runs import Runs
sys.path.insert(0, {tasks!r})
os.environ.update(VOXLOOP_PLUGINS="fake_tasks", PYTHONPATH={tasks!r})
image = np.random.default_rng(0).integers(0, 255, (8, 300, 300)).astype(np.uint8)
ws = vl.Workspace.create({folder!r} + "/ws", image=image, classes=["mitochondria", "background"], exist_ok=True)
runs = Runs({folder!r} + "/runs")
settings = dict(steps=100_000, pause=0.02, per_epoch=25)
if "live" not in runs:
    runs.create("live", "fake_tasks:train", settings, result="fake_tasks:result").launch()
run = runs["live"]
"""
PAINTED = """() => {
  const canvas = document.querySelector('[data-layer=labels]');
  if (!canvas) return 0;
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let n = 0;
  for (let i = 3; i < data.length; i += 4) n += data[i] > 0;
  return n;
}"""


@pytest.fixture
def folder(tmp_path: Path):
    yield tmp_path
    for run in Runs(tmp_path / "runs").values():  # what a test starts does not outlive it
        if run.holder is not None:
            os.kill(run.holder.pid, signal.SIGKILL)


def test_after_a_restart_the_cells_show_what_was_painted_and_the_run_that_went_on(lab, folder):
    lab.notebook(
        SETUP.format(tasks=str(TASKS), folder=str(folder)),
        "panel = LabelPanel(ws, height=300)\npanel",
        "MonitorPanel(run)",
    )
    page = lab.page
    lab.run()
    page.locator(".vl-stage[data-index]").wait_for()
    box = page.locator(".vl-stage").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 260, box["y"] + 140, steps=6)
    page.mouse.up()
    lab.until("panel.labels.sequence > 0")
    lab.until("run.history.iteration > 20")
    trainer, seen = lab.python("(run.holder.pid, run.history.iteration)")

    lab.restart()
    lab.run()
    page.locator(".vl-stage[data-index]").wait_for()
    lab.wait(lambda: page.evaluate(PAINTED) > 100, "the stroke, drawn again")
    assert lab.python("panel.labels.can_undo")
    assert lab.python("run.holder.pid") == trainer, "the same process trains on"
    assert lab.python("run.history.iteration") > seen
    out = lab.output(2)
    lab.wait(
        lambda: out.locator(".vx-plot").first.locator(".object_grp").count() > seen // 2, "the curves from the start"
    )
    out.get_by_text("Stop and keep").click()
    lab.wait(lambda: out.locator(".vx-badge", has_text="stopped").count() == 1, "stopped by the new kernel")
