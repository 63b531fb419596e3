"""Strokes of whole supervoxels in the label panel: what they label, what is shown, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from tests.panels.hand import Hand

from voxloop.config.supervoxels import SupervoxelConfig
from voxloop.geometry import Box
from voxloop.panels.label.label_panel import LabelPanel
from voxloop.panels.view.border_layer import BorderLayer
from voxloop.workspace.workspace import Workspace


@pytest.fixture
def ws(tmp_path):
    image = np.random.default_rng(0).integers(90, 110, (6, 96, 120), dtype=np.uint8)
    image[:, 33:65, 37:83] = 200
    with Workspace.create(tmp_path / "ws", image=image, classes=["mito", "rest"], spacing=0.01) as made:
        yield made


@pytest.fixture
def panel(ui, ws):
    made = LabelPanel(ws)
    yield made
    made.close()


@pytest.fixture
def hand(panel):
    return Hand(panel)


def test_a_key_makes_strokes_of_supervoxels_that_end_at_edges_and_code_says_so(panel, hand, ws):
    hand.press("shift+u")
    panel.units.size.value = 8
    assert panel.state.options["supervoxels"] == {"size": 8.0}
    hand.stroke([40, 42], [60, 78], value=1, radius=1)
    code = panel.code.code
    assert "unit='supervoxels', supervoxels={'size': 8.0}" in code
    painted = panel.labels.read()
    assert {int(z) for z in np.argwhere(painted)[:, 0]} == set(range(6))  # through the stack
    inside = ws.images.open().to_numpy() > 150
    assert (painted[inside] > 0).mean() > 0.3
    assert (painted[~inside] > 0).sum() < 0.03 * (painted > 0).sum()
    panel.undo()
    assert not panel.labels.read().any()
    eval(code, {"ws": ws})
    np.testing.assert_array_equal(panel.labels.read(), painted)
    panel.undo()
    panel.units.planes.value = True
    hand.stroke([40, 42], [60, 78], value=1, radius=1)
    assert {int(z) for z in np.argwhere(panel.labels.read())[:, 0]} == {panel.view.index}
    hand.press("shift+u")
    hand.stroke([10, 10], [12, 12], value=1, radius=1)
    assert "supervoxels" not in panel.code.code


def test_borders_are_worked_out_where_they_are_looked_at(panel, hand, ws):
    asked = []
    layer = BorderLayer(ws.supervoxels.open(SupervoxelConfig(size=7)), asked.append)
    first = layer.read("z", 2, (0, 0, 96, 120), (1.0, 1.0))
    assert not first.indices.any()  # not yet: what keeps a page waiting is done beside it
    assert layer.describe((2, 50, 60)) is None
    for tile in asked[0]:
        layer.partition.tiles.tile(tile)
    lines = layer.read("z", 2, (0, 0, 96, 120), (1.0, 1.0)).indices
    numbers = layer.partition.read(Box((2, 0, 0), (3, 96, 120)))[0]
    wanted = np.zeros((96, 120), bool)
    wanted[:-1] |= numbers[:-1] != numbers[1:]
    wanted[:, :-1] |= numbers[:, :-1] != numbers[:, 1:]
    np.testing.assert_array_equal(lines > 0, wanted)
    assert layer.describe((2, 50, 60)) == {"name": f"supervoxel {numbers[50, 60]}", "color": "#f5d90a"}
    assert not layer.read("z", 2, (0, 0, 96, 120), (8.0, 8.0)).indices.any()  # too small to tell apart
    hand.press("shift+u")
    assert panel.units.layers[0].partition.config.size == panel.units.size.value == 10
    assert "borders" in panel.view.scene.layers
    panel.units.borders.value = False
    assert "borders" not in panel.view.scene.layers


def test_a_channel_that_goes_is_followed_no_more_and_what_is_too_large_is_said(panel, hand, ws):
    ws.channels.add("smooth", "gaussian")
    hand.press("shift+u")
    panel.units._offer()
    panel.units.channel.value = "smooth"
    assert panel.state.supervoxels == {"channel": "smooth"}
    ws.channels.remove("smooth")
    panel.units._offer()
    assert panel.units.channel.value is None
    assert panel.state.supervoxels == {}
    ws.images.add("small", np.zeros((1, 12, 12), np.uint8), spacing=0.01)
    panel.units.size.value = 40
    panel.choose(image="small")
    assert "larger than the image" in panel.message.words
    assert panel.units.layers == []
