"""Voxel sizes put right: by a scale bar of two clicks, and later, for an image that is in a workspace."""

from __future__ import annotations

import numpy as np
import pytest
from tests.panels.screen import Screen

from voxloop.config import ShallowConfig
from voxloop.panels.volume.volume_panel import VolumePanel
from voxloop.volumes import spacing_of
from voxloop.workspace.workspace import Workspace


def click(panel, row, column):
    panel.view.emit("click", {"tool": panel.view.tool["name"], "axis": "z", "index": 0, "row": row, "column": column})


def measure(panel, ends, length, unit="µm"):
    screen = Screen(panel)
    screen.click("Scale bar…")
    for end in ends:
        click(panel, *end)
    screen.field("Unit of the length").value = unit
    screen.field("its length").value = length
    return screen


def test_two_clicks_on_a_known_length_give_the_pixel_size(ui, tmp_path, recent):
    np.save(tmp_path / "plane.npy", np.zeros((60, 80), "u1"))
    panel = VolumePanel(path=tmp_path / "plane.npy", recent=recent)
    screen = measure(panel, [(10, 10), (40, 50)], "5")  # 30 rows and 40 columns: 50 pixels
    assert spacing_of(panel.volume)[1:] == pytest.approx((0.1, 0.1))
    assert panel.volume.attrs["spacing_from"] == "given"
    assert panel.view.shapes == ()
    assert panel.view.tool["name"] == "look"
    assert screen.field("x").value == "100"
    for ends, length, words in (
        ([(1, 1), (2, 2)], "5", "too near"),
        ([(1, 1), (2, 50)], "five", "write a number"),
        ([(1, 1), (2, 50)], "-5", "greater than 0"),
    ):
        measure(panel, ends, length)
        assert words in panel.message.words
    panel.close()


def test_a_stack_is_still_asked_for_its_z(ui, files, recent):
    panel = VolumePanel(path=files / "stack.tif", recent=recent)
    screen = measure(panel, [(5, 5), (5, 25)], "160", "nm")
    assert [screen.field(axis).value for axis in "zyx"] == ["", "8", "8"]
    assert panel.volume.attrs["spacing_from"] == "assumed"
    screen.field("z").value = "40"
    assert spacing_of(panel.volume) == pytest.approx((0.04, 0.008, 0.008))
    panel.close()


def test_the_size_of_an_image_is_put_right_later_and_what_depends_on_it_is_said(ui, tmp_path, recent):
    picture = np.random.default_rng(0).integers(0, 255, (3, 40, 50)).astype("u1")
    with Workspace.create(tmp_path / "ws", picture, ["a", "b"], spacing=1.0) as ws:
        labels = ws.labels()
        labels.paint(axis="z", index=1, points=[(5, 5)], radius=3, value=1)
        labels.paint(axis="z", index=1, points=[(30, 30)], radius=3, value=2)
        run = ws.train(ShallowConfig(trees=4))
        run.wait()
        ws.predict(run).wait()
        panel = VolumePanel(ws, recent=recent)
        screen = Screen(panel)
        screen.field("Image here").value = "image"
        screen.click("Change voxel size")
        assert "type the voxel size that is right first" in screen.message
        screen.field("Unit of the voxel size").value = "nm"
        for axis, size in zip("zyx", ("40", "8", "8"), strict=True):
            screen.field(axis).value = size
        assert panel.code == "ws.set_voxel_size('image', (0.04, 0.008, 0.008))"
        screen.click("Change voxel size")
        screen.wait()
        assert f"run {run.name!r} learnt from 'image' with voxels of 1 × 1 × 1 µm" in screen.message
        assert "prediction" in screen.message
        assert labels.spacing_um == ws.images.info("image").spacing_um == (0.04, 0.008, 0.008)
        assert spacing_of(ws.images["image"]) == pytest.approx((0.04, 0.008, 0.008))
        assert labels.read().any()
        written = (labels.path / "zarr.json").read_text()
        assert "0.008" in written
        panel.close()
    with Workspace.open(tmp_path / "ws") as again:
        assert spacing_of(again.images["image"]) == pytest.approx((0.04, 0.008, 0.008))
        assert again.set_voxel_size("image", 1.0) == []
