"""Finding a stack, checking it, and making a workspace with it."""

from __future__ import annotations

import json

import numpy as np
import tifffile
from tests.panels.screen import Screen

from voxloop.errors import VolumeError
from voxloop.panels.form.source_chooser import ChosenSource
from voxloop.panels.volume.volume_panel import VolumePanel
from voxloop.workspace.workspace import Workspace

ADDRESS = "path or URL of a stack"


def give_size(screen, *lengths):
    """Type a voxel size."""
    for axis, length in zip("zyx", lengths, strict=True):
        screen.field(axis).value = length


def test_a_stack_is_checked_given_a_voxel_size_and_made_a_workspace(ui, files, recent, tmp_path, no_leak):
    taken = []
    panel = VolumePanel(path=files / "stack.tif", recent=recent)
    panel.on_workspace(taken.append)
    assert panel.volume.shape == (6, 40, 48)
    assert panel.view is not None
    screen = Screen(panel)
    assert "unknown; give it" in screen.text
    screen.field("Unit of the voxel size").value = "nm"
    give_size(screen, "40", "8", "8")
    assert panel.opened.arguments == {"spacing": (0.04, 0.008, 0.008)}
    assert "40 × 8 × 8 nm, as given" in screen.text
    screen.field("Folder").value = str(tmp_path / "made")
    screen.field("Classes").value = "background, mito"
    line = panel.code
    assert screen.code == line
    screen.click("Create workspace")
    assert panel.message.kind == "good"
    (ws,) = taken
    assert [c.name for c in ws.levels[ws.levels.names[0]].classes] == ["background", "mito"]
    assert ws.images.info("stack").spacing_um == (0.04, 0.008, 0.008)
    assert json.loads((tmp_path / "made" / "workspace.json").read_text())
    import voxloop as vl

    again = {}
    exec(line.replace(str(tmp_path / "made"), str(tmp_path / "again")), {"vl": vl}, again)
    assert again["ws"].images.info("stack") == ws.images.info("stack")
    again["ws"].close()

    panel.choose(ChosenSource("path", str(files / "pictures")))
    screen.field("Image name").value = "more"
    screen.click("Add to workspace")
    assert ws.images.names == ["stack", "more"]
    screen.click("Add to workspace")
    assert "already" in panel.message.words
    panel.close()
    ws.close()
    assert no_leak.left() == []


def test_a_file_of_several_datasets_offers_them(ui, files, recent):
    panel = VolumePanel(path=files / "two.h5", recent=recent)
    assert panel.volume is None
    screen = Screen(panel)
    assert screen.field("Dataset").options == ["choose one …", "other", "raw"]
    screen.field("Dataset").value = "raw"
    assert panel.volume.shape == (6, 40, 48)
    assert "from the file" in screen.text
    assert screen.field("z").value == "40"
    panel.close()


def test_time_points_can_be_chosen(ui, tmp_path, recent):
    movie = np.random.default_rng(0).integers(0, 200, (3, 4, 32, 32)).astype("uint8")
    tifffile.imwrite(tmp_path / "t.ome.tif", movie, metadata={"axes": "TZYX"})
    panel = VolumePanel(path=tmp_path / "t.ome.tif", recent=recent)
    assert panel.opened.arguments == {"timepoint": 0}
    Screen(panel).field("Time point").value = 2
    assert np.array_equal(panel.volume.values, movie[2])
    Screen(panel).field("Folder").value = str(tmp_path / "all")
    assert "times=True" in panel.code
    Screen(panel).click("Create workspace")
    assert panel.ws.images.names == ["t t0", "t t1", "t t2"]
    panel.ws.close()
    panel.close()


def test_what_cannot_be_opened_is_said_and_the_last_one_stays(ui, files, recent):
    (files / "broken.tif").write_bytes(b"II*\x00nothing")
    panel = VolumePanel(path=files / "stack.tif", recent=recent)
    panel.choose(ChosenSource("path", str(files / "broken.tif")))
    assert panel.message.kind == "error"
    assert "broken.tif" in panel.message.words
    assert panel.volume.shape == (6, 40, 48)
    screen = Screen(panel)
    give_size(screen, "40", "eight", "8")
    assert "write three numbers" in screen.message
    give_size(screen, "40", "8", "8")
    assert (screen.message, screen.failed) == ("", False)
    panel.close()


def test_a_workspace_is_opened_as_a_whole(ui, tmp_path, recent):
    Workspace.create(tmp_path / "ws", image=np.zeros((2, 32, 32), "uint8"), classes=["a", "b"]).close()
    taken = []
    panel = VolumePanel(recent=recent)
    panel.on_workspace(taken.append)
    Screen(panel).field(ADDRESS).value = str(tmp_path / "ws")
    assert taken[0].path == tmp_path / "ws"
    panel.close()
    taken[0].close()


def test_what_was_worked_on_lately_is_one_click_away(ui, files, recent, tmp_path, monkeypatch, no_leak):
    monkeypatch.chdir(tmp_path)
    first = VolumePanel(path=files / "stack.tif", recent=recent)
    screen = Screen(first)
    screen.click("Create workspace")
    first.ws.close()
    first.close()
    assert first.ws.path == tmp_path / "stack-voxloop"

    taken = []
    for open_it in (
        lambda screen: screen.row(str(tmp_path / "stack-voxloop")).click(),  # in the list of what was opened lately
        lambda screen: screen.row("stack.tif").click(),  # the picture itself
    ):
        panel = VolumePanel(recent=recent)
        panel.on_workspace(taken.append)
        panel.chooser.go_to(files)
        screen = Screen(panel)
        line = screen.row(str(tmp_path / "stack-voxloop"))
        assert line.cells[1:] == [f"stack-voxloop workspace {tmp_path}", "just now"]
        open_it(screen)
        assert taken.pop().path == tmp_path / "stack-voxloop"
        panel.ws.close()
        panel.close()
    assert no_leak.left() == []


def test_bad_input_is_said_beside_its_field_and_the_button_lives(ui, files, recent, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    panel = VolumePanel(path=files / "stack.tif", recent=recent)
    screen = Screen(panel)
    screen.field(ADDRESS).value = str(files / "gone" / "x.tif")
    assert f"the nearest folder that is there: {files}" in screen.text
    screen.field("Folder").value = str(files)
    assert f"{files} is in use" in screen.text
    screen.click("Create workspace")
    assert panel.message.kind == "error"
    screen.field("Folder").value = str(tmp_path / "free")
    assert "is in use" not in screen.text
    screen.click("Create workspace")  # it was never dead
    panel.choose(ChosenSource("path", str(files / "pictures")))
    screen.field("Image name").value = "stack"
    assert "The name stack is taken by another image; stack-2 is free." in screen.text
    panel.ws.close()
    panel.close()


def test_an_image_may_be_given_a_further_workspace(ui, files, recent, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ws = Workspace.create(tmp_path / "stack-voxloop", image=files / "stack.tif", classes=["a", "b"])
    panel = VolumePanel(ws, path=files / "stack.tif", recent=recent)
    screen = Screen(panel)
    screen.click("In a new workspace instead")
    assert screen.field("Folder").value == str(tmp_path / "stack-voxloop-2")
    screen.click("Create workspace")
    assert panel.ws.path == tmp_path / "stack-voxloop-2"
    panel.ws.close()
    ws.close()
    panel.close()


def test_errors_that_are_not_ours_are_shown_too(ui, recent, monkeypatch):
    monkeypatch.setattr(
        "voxloop.volumes.open_volume", lambda *a, **k: (_ for _ in ()).throw(VolumeError("no such thing"))
    )
    panel = VolumePanel(path="x.tif", recent=recent)
    assert panel.message.words == "no such thing"
    panel.close()


def test_a_copy_tells_how_far_it_is_and_is_stopped_by_a_click(ui, files, recent, tmp_path, monkeypatch):
    panel = VolumePanel(path=files / "stack.tif", recent=recent)
    screen = Screen(panel)
    screen.field("Folder").value = str(tmp_path / "made")
    screen.field("Copy the image into the workspace").value = True
    assert panel.code.endswith("copy=True)")
    seen = []

    def stop_once_it_is_under_way(words, show=panel.copy_bar._show):
        show(words)
        seen.append(words)
        screen.click("Stop copying")

    monkeypatch.setattr(panel.copy_bar, "_show", stop_once_it_is_under_way)
    screen.click("Create workspace")
    assert seen
    assert seen[0].startswith("Copied")
    assert "stopped; nothing was added" in panel.message.words
    assert not (tmp_path / "made").exists()
    monkeypatch.undo()
    screen.click("Create workspace")
    assert panel.message.kind == "good"
    assert panel.ws.images.info("stack").own
    panel.ws.close()
    panel.close()
