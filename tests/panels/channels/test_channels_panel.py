"""Channels from a panel: set up, previewed, kept, changed, chained, removed; recipes go through files."""

from __future__ import annotations

import numpy as np
import pytest
from tests.panels.screen import Screen

import voxloop as vl
from voxloop.geometry import Box
from voxloop.panels.channels.channels_panel import ChannelsPanel


@pytest.fixture
def ws(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (5, 60, 70), np.uint8)
    volume = vl.open_volume(picture, axes="zyx", spacing=(0.05, 0.02, 0.02))
    with vl.Workspace.create(tmp_path / "ws", image=volume, classes=["a"]) as made:
        yield made


def on_show(panel):
    return panel.view.planes.read("z", 2, (0, 0, 60, 70))[0]


def test_a_filter_is_seen_before_it_is_kept(ws, ui, no_leak):
    panel = ChannelsPanel(ws)
    screen = Screen(panel)
    screen.field("Name").value = "edges"
    screen.field("Filter").value = "gradient"
    screen.field("Sigma µm").value = "0.06"
    assert panel.code == "ws.channels.add('edges', 'gradient', sigma_um=0.06)"
    assert not ws.channels.names
    screen.click("Add")
    assert ws.channels.names == ["edges"]
    expected = ws.channels.chain().read("edges", Box((2, 0, 0), (3, 60, 70)))[0]
    np.testing.assert_allclose(on_show(panel), expected, atol=1e-3)
    screen.field("Preview").value = False
    np.testing.assert_array_equal(on_show(panel), ws.images.open()[2].to_numpy())
    panel.close()
    assert no_leak.left() == []


def test_chains_by_sources_and_what_is_refused(ws, ui, tmp_path):
    ws.channels.add("smooth", "gaussian", sigma_um=0.05)
    panel = ChannelsPanel(ws)
    screen = Screen(panel)
    panel.open("smooth")
    screen.field("Name").value = "top"
    screen.field("Filter").value = "top_hat"
    screen.field("Of").value = "smooth"
    screen.click("Add")
    assert ws.channels.recipes["top"].source == "smooth"
    screen.row("smooth").click("Remove")
    assert "is made of" in screen.message
    assert ws.channels.names == ["smooth", "top"]
    panel.open("smooth")
    screen.field("Of").value = "top"
    screen.click("Change")
    assert "circle" in screen.message
    assert ws.channels.recipes["smooth"].source is None
    screen.field("Of").value = None
    screen.field("At least").value = "low"
    assert "low" in screen.message
    screen.field("At least").value = ""
    screen.field("File").value = str(tmp_path / "recipe.json")
    screen.click("Save")
    screen.row("top").click("Remove")
    assert ws.channels.names == ["smooth"]
    assert panel._copy.code == "ws.channels.remove('top')"
    screen.click("Load")
    assert ws.channels.names == ["smooth", "top"]
    panel.undo()
    assert ws.channels.names == ["smooth"]
    # a range is a setting of the filter, not where what comes out is cut off
    screen.field("Name").value = "mask"
    screen.field("Filter").value = "threshold"
    panel.draft._form.value = panel.draft._form.value.changed(low=90.0)
    assert panel.code == "ws.channels.add('mask', 'threshold', low=90.0)"
    screen.click("Add")
    assert set(np.unique(on_show(panel))) == {0, 1}
    panel.close()


def test_channels_are_chosen_where_something_learns(ws, ui, no_leak):
    bench = vl.Workbench(ws, step="train", guide=False)
    train = bench.panels["train"]
    train.learner = "shallow"
    assert "none yet" not in Screen(bench).text
    ws.channels.add("smooth", "gaussian")
    ws.channels.add("edges", "gradient", source="smooth")
    bench.go("channels")
    assert "gradient of smooth" in Screen(bench).text
    bench.go("train")
    train.refresh()
    Screen(bench).wait()
    train.form.reveal("channels")
    Screen(bench).field("edges").value = True
    assert train.code == "run = ws.train(vl.ShallowConfig(channels=('edges',)))"
    bench.go("label")
    label = bench.panels["label"]
    Screen(bench).field("smooth").value = True
    assert label.live.channels == ("smooth",)
    ws.channels.remove("edges")
    ws.channels.remove("smooth")
    label.live_box.offer()
    assert label.live.channels == ()
    bench.close()
    assert no_leak.left() == []
