"""A network that learns, in a real JupyterLab: what it says so far on the slice in front, and what follows it."""

from __future__ import annotations

import re
import shlex

import pytest

SETUP = """
import voxloop as vl
sample = vl.samples.load("em")
part = {{"z": slice(0, 16)}}
ws = vl.Workspace.create({folder!r}, image=sample.volume.isel(part), classes=sample.classes)
vl.simulate(ws, sample.truth.isel(part), strokes=24)
"""


@pytest.mark.timeout(600)
@pytest.mark.slow(reason="trains a network, and predicts with it, beside a browser")
def test_a_network_is_watched_on_the_slice_and_a_prediction_follows_it(lab, tmp_path):
    lab.notebook(
        SETUP.format(folder=str(tmp_path / "ws")),
        "train = vl.TrainPanel(ws)\ntrain",
        "label = vl.LabelPanel(ws)\nlabel",
        "predict = vl.PredictPanel(ws)\npredict",
    )
    lab.run(0, timeout=240)
    lab.run(1)
    panel = lab.output(1)
    panel.locator("button", has_text="Network · minutes").click()
    panel.locator("button.vx-group-head", has_text=re.compile("^ *Network *$")).click()
    lab.until("len(train.form.reveal('encoder').input.options) > 500", timeout=120)
    panel.locator("button.vx-group-head", has_text="Augmentation").click()
    panel.locator("button", has_text="All off").click()
    lab.until("not train.config.augmentation.flip.on")
    panel.locator("button", has_text="As the preset").click()
    lab.until("train.config == vl.presets['auto']")
    for group in ("Network", "Augmentation"):
        panel.locator("button.vx-group-head", has_text=re.compile(f"^ *{group} *$")).click()
    panel.get_by_placeholder("note (optional)").fill("thin membranes, first try")
    panel.get_by_placeholder("note (optional)").press("Tab")
    panel.locator(".vx-train-start select").select_option(label="image")
    lab.until("'then_predict' in train.code")
    panel.get_by_text("Copy as command line").click()
    lab.wait(lambda: panel.get_by_text("Copied").count() == 1)
    command = shlex.split(lab.page.evaluate("navigator.clipboard.readText()"))
    assert command[:2] == ["voxloop", "train"]
    assert command[3:] == ["--preset", "auto", "--note", "thin membranes, first try", "--then-predict", "image"]
    lab.both_themes("train-start", panel)
    alone = "teacher='none', compare_with='none'"  # a classifier would be fitted first
    small = f"window=(1, 64, 64), encoder='tu-test_efficientnet', steps_per_epoch=4, {alone}"
    lab.python(f"setattr(train.form, 'value', train.config.changed({small}))")
    panel.locator(".vx-train-start .vx-primary").click()
    lab.until("len(ws.runs) == 1", timeout=60)
    lab.wait(lambda: panel.locator(".vx-run-note", has_text="first try").count() == 1, "the note in the list")
    lab.both_themes("train-note", panel.locator(".vx-rows"))

    lab.run(2)
    panel = lab.output(2)
    choice = panel.locator("select", has=lab.page.locator("option", has_text="strokes"))
    choice.scroll_into_view_if_needed()
    lab.until("'best so far' in str(label.live_box.choice.list.options)", timeout=120)
    lab.wait(lambda: choice.locator("option").count() == 2)
    choice.select_option(index=1)
    lab.until("label.live.model == 'runs/deep-1/model'")
    lab.until("'sure on average' in label.live_box.words", timeout=60)
    first = lab.python("label.live.layer.sequence")
    lab.until(f"label.live.layer.sequence > {first}", timeout=120)  # a better epoch has come
    lab.page.wait_for_timeout(800)
    lab.both_themes("label-by-run", panel)

    lab.python("ws.runs['deep-1'].stop() and None")
    lab.until("ws.runs['deep-1'].state == 'stopped'", timeout=60)
    lab.run(3)
    assert lab.python("ws.runs['deep-1'].followed_by") == "predict-1"
    lab.until("ws.runs['predict-1'].state == 'finished'", timeout=120)
    lab.wait(lambda: "predict-1" in lab.output(3).inner_text(), "the prediction in its panel")
    assert lab.python("'torch' in __import__('sys').modules") is False
    lab.python("(train.close(), label.close(), predict.close(), ws.close()) and None")
