"""The panel of three dimensions without a browser: planes, cuts, views, looks, what it saves, what it says as code."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tests.panels.screen import Screen

import voxloop as vl
from voxloop.errors import VoxloopError
from voxloop.geometry import Box
from voxloop.panels.space.view3d import View3D
from voxloop.panels.view.plane_view import PlaneView


@pytest.fixture
def ws(tmp_path):
    image = np.full((10, 30, 40), 90, np.uint8)
    with vl.Workspace.create(
        tmp_path / "ws", image, [{"name": "cell", "color": "#e69f00"}], spacing=(0.2, 0.1, 0.1)
    ) as ws:
        ws.labels().write((slice(2, 8), slice(8, 20), slice(8, 20)), 1)
        yield ws


def test_planes_cuts_and_looks_are_those_of_the_scene(ws, tmp_path, monkeypatch, no_leak):
    monkeypatch.chdir(tmp_path)
    view = View3D(ws)
    screen = Screen(view)
    assert list(view.scene.surfaces) == ["cell"]
    assert "triangles of cells of 200 nm" in screen.text
    assert view.scene.planes == {"z": 5, "y": 15, "x": 20}
    view.go_to((3, 4, 5))
    assert view.scene.planes == {"z": 3, "y": 4, "x": 5}
    view.shows["y"].value = False
    view.cuts["x"].value = (0, 12)
    assert view.scene.planes == {"z": 3, "x": 5}
    assert view.scene.clip == Box((0, 0, 0), (10, 30, 12))
    assert len(view.plot.widget.clipping_planes) == 6
    names = [shown.name for shown in view.plot.widget.objects]
    assert sorted(names) == ["cell", "edges", "x plane", "z plane"]
    front = view.camera
    screen.click("Turn left")
    assert view.camera.distance == pytest.approx(front.distance)
    assert view.camera.position != front.position
    view.picture("mine.png", size=(64, 48))
    assert Image.open("mine.png").size == (64, 48)
    view._path.value = "again.png"
    assert screen.code.startswith("ws.scene3d('image', planes={'z': 3, 'x': 5}, clip=")
    assert screen.code.endswith(".picture('again.png')")
    view._size.value = (640, 480)
    screen.click("Save picture")
    assert Image.open("again.png").size == (640, 480)
    screen.click("Save picture")
    assert "exists" in screen.message
    screen.click("Show all, as at first")
    assert view.scene.clip is None
    view.close()
    assert no_leak.left() == []


def test_planes_go_with_the_crosshair_of_a_picture_and_it_with_them(ws, no_leak):
    beside = PlaneView(ws.images.scales("image"))
    view = View3D(ws, beside=beside)
    beside.go_to_plane(7)
    assert view.scene.planes["z"] == 7
    beside.widget.cursor = [2.0, 10.0, 11.0]
    assert view.scene.planes == {"z": 2, "y": 10, "x": 11}
    view.sliders["z"].value = 4
    assert beside.widget.cursor[0] == 4
    view.close()
    beside.close()
    assert no_leak.left() == []


def test_what_has_no_three_dimensions_is_said(ws, tmp_path):
    ws.images.add("flat", np.zeros((20, 20), np.uint8))
    with pytest.raises(VoxloopError, match="three dimensions are of stacks"):
        View3D(ws, "flat")
    with pytest.raises(VoxloopError, match="unknown layer"):
        ws.scene3d("image", layers=["cells"])
    with pytest.raises(VoxloopError, match="they are 0 to 9"):
        ws.scene3d("image", planes={"z": 10})
