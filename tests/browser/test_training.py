"""Before a training, in a real JupyterLab: forecast, inputs, field of view and learning rate; both themes."""

from __future__ import annotations

import pytest

SETUP = """
import voxloop as vl
sample = vl.samples.load("em")
ws = vl.Workspace.create({folder!r}, image=sample.volume, classes=sample.classes)
vl.simulate(ws, sample.truth, strokes=24)
"""


@pytest.mark.timeout(600)
@pytest.mark.slow(reason="starts the process that loads a network, in a browser")
def test_what_is_shown_before_training(lab, tmp_path):
    lab.notebook(SETUP.format(folder=str(tmp_path / "ws")), "panel = vl.TrainPanel(ws)\npanel")
    lab.run(0, timeout=240)
    lab.run(1)
    panel = lab.output(1)
    panel.locator("button", has_text="Network · minutes").click()
    panel.locator("button.vx-group-head:visible", has_text="Augmentation").wait_for()  # the network's form is there
    panel.locator("button.vx-group-head:visible", has_text="Labels and sets").click()
    helped = panel.locator(".vx-field label", has_text="Training set").locator("[title]:visible")
    assert "learn from" in helped.get_attribute("title")
    panel.locator("button.vx-group-head:visible", has_text="Labels and sets").click()
    panel.locator("button.vx-group-head", has_text="Augmentation").click()
    panel.locator("button.vx-group-head", has_text="Optimisation").click()
    panel.locator(".vx-train-setup").evaluate("setup => setup.scrollIntoView({block: 'start'})")
    start = panel.locator(".vx-train-start .vx-primary").bounding_box()
    assert start["y"] + start["height"] < lab.page.viewport_size["height"]  # Train stays in view of a long form
    panel.locator("button.vx-group-head", has_text="Augmentation").click()
    panel.locator("button.vx-group-head", has_text="Optimisation").click()
    panel.locator("button.vx-group-head", has_text="Training inputs").click()
    panel.locator("button.vx-group-head", has_text="What the network sees").click()
    lab.until("panel.forecast is not None", timeout=120)
    lab.until("len(panel.ahead.inputs.image.value) > 1000", timeout=60)
    lab.until("panel.ahead.field.answer is not None", timeout=60)
    lab.wait(lambda: "GB" in panel.inner_text(), "the forecast")
    lab.page.wait_for_timeout(800)
    lab.both_themes("train-before", panel)
    box = panel.locator(".vl-stage").bounding_box()
    lab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    lab.page.mouse.down()
    lab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 4, steps=5)
    lab.until("panel.ahead.field.at[1] < 0.3 * panel.ahead.field.view.planes.shape[1]")
    lab.page.mouse.up()
    lab.until("panel.ahead.field.answer['at'] == panel.ahead.field.at", timeout=60)
    first = lab.python("hash(panel.ahead.inputs.image.value)")
    panel.locator("button", has_text="Next batch").click()
    lab.until(f"hash(panel.ahead.inputs.image.value) != {first}", timeout=60)
    panel.locator("button.vx-group-head", has_text="Training inputs").click()
    panel.locator("button.vx-group-head", has_text="What the network sees").click()
    # the finder takes sixty steps, and a classifier would be fitted first
    small = "window=(1, 64, 64), encoder='tu-test_efficientnet', teacher='none', compare_with='none'"
    lab.python(f"setattr(panel.form, 'value', panel.config.changed({small}))")
    panel.locator("button.vx-group-head", has_text="Learning rate").click()
    panel.locator("button", has_text="Find a learning rate").click()
    lab.until("panel.ahead.rate.suggestion is not None", timeout=180)
    lab.page.wait_for_timeout(800)
    lab.both_themes("train-rate", panel)
    panel.locator("button.vx-primary", has_text="Use it").click()
    lab.until("panel.config.learning_rate == panel.ahead.rate.suggestion", timeout=30)

    panel.locator(".vx-train-start .vx-primary").click()
    run = "next(iter(ws.runs.values()))"
    lab.until(f"len(ws.runs) == 1 and {run}.history.iteration > 3", timeout=90)
    dots = panel.locator(".vx-plot").first.locator(".object_grp")
    lab.wait(lambda: dots.count() > 3, "curves grow")
    panel.get_by_text("Stop and keep").click()
    lab.until(f"{run}.state == 'stopped'", timeout=60)
    assert lab.python(f"({run}.path / 'model').is_dir()")
    assert lab.python("'torch' in __import__('sys').modules") is False
    lab.python("(panel.close(), ws.close()) and None")
