"""Models, settings and channels of another workspace, listed and used in the panels."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.panels.screen import Screen

import voxloop as vl
from voxloop.geometry import Box
from voxloop.panels.channels.channels_panel import ChannelsPanel
from voxloop.panels.predict.predict_panel import PredictPanel
from voxloop.panels.train.train_panel import TrainPanel
from voxloop.shallow.fitting import fit_examples
from voxloop.shallow.samples import in_block
from voxloop.shallow.table import Example

SMALL = vl.ShallowConfig(scales=1, dimensions="2d", context=0, choose="fixed", keep_samples=True)


def picture():
    return np.random.default_rng(0).integers(0, 255, (2, 40, 50), np.uint8)


@pytest.fixture
def ws(tmp_path):
    volume = vl.open_volume(picture(), axes="zyx", spacing=(0.02, 0.02, 0.02))
    with vl.Workspace.create(tmp_path / "next", image=volume, classes=["dark", "bright"]) as made:
        yield made


@pytest.fixture
def first(tmp_path):
    """A workspace with a channel, and a training that kept its samples."""
    labels = np.where(picture() > 150, 2, 1).astype(np.uint8)
    whole = Box.whole(labels.shape)
    example = Example(
        name="a", read=lambda box: picture()[None][:, *box.slices], shape=whole.shape, channels=1,
        spacing_um=(0.02, 0.02, 0.02), labelled=in_block(labels, whole),
    )  # fmt: skip
    fitted = fit_examples(SMALL, [example])
    with vl.Workspace.create(tmp_path / "first", image=picture(), spacing=(0.02, 0.02, 0.02)) as made:
        made.channels.add("spread", "local_deviation")
        run = made.layout.run("teacher")
        fitted.model.save(run / "model")
        fitted.samples.save(run / "model")
        facts = {"name": "teacher", "learner": "shallow", "level": "cells", "settings": SMALL.to_json()}
        (run / "config.json").write_text(json.dumps(facts))
    return made.path


def test_panels_list_what_is_reused(first, ws, ui, no_leak):
    panel = PredictPanel(ws)
    Screen(panel).click("Add model…")
    panel.model_list.chooser.line.value = str(first)
    assert panel.model_list.code == f"ws.reuse.add({str(first)!r})"
    Screen(panel).click("Add")
    Screen(panel).wait()
    assert "first: teacher" in Screen(panel).text
    teacher = str(first / "runs" / "teacher" / "model")
    panel.model_list.choose(teacher)
    assert panel.code.startswith(f"run = ws.predict({teacher!r}")
    panel.close()
    train = TrainPanel(ws)
    train.learner = "shallow"
    Screen(train).wait()
    assert train.form.reveal("start_from").input.options == (teacher,)
    Screen(train).field("Preset").value = "first: teacher"
    assert train.config == SMALL
    train.close()
    channels = ChannelsPanel(ws)
    assert list(Screen(channels).field("File").options) == [str(first)]
    Screen(channels).field("File").value = str(first)
    Screen(channels).click("Load")
    assert ws.channels.names == ["spread"]
    channels.close()
    assert no_leak.left() == []
