"""Finding a stack, checking it, and making a workspace with it."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import tifffile
from tests.panels.screen import Screen

from voxloop.errors import VolumeError
from voxloop.panels.form.file_list import Recent, kind_of, listing, size_text, without_secrets
from voxloop.panels.form.source_chooser import ChosenSource, SourceChooser
from voxloop.panels.volume.volume_checks import facts, plane_checks
from voxloop.panels.volume.volume_panel import VolumePanel
from voxloop.volumes import open_volume
from voxloop.workspace.workspace import Workspace

SUFFIXES = (".tif", ".h5")
ADDRESS = "path or URL of a stack"


def give_size(screen, *lengths):
    """Type a voxel size."""
    for axis, length in zip("zyx", lengths, strict=True):
        screen.field(axis).value = length


@pytest.fixture
def recent(tmp_path):
    return Recent(tmp_path / "state" / "recent.json")


@pytest.fixture
def files(tmp_path):
    """A folder with a stack, an HDF5 file of two datasets, a folder of pictures, a plain folder, and clutter."""
    home = tmp_path / "files"
    (home / "pictures").mkdir(parents=True)
    (home / "plain").mkdir()
    (home / ".hidden").mkdir()
    (home / "notes.docx").write_text("no picture")
    stack = np.random.default_rng(0).integers(0, 200, (6, 40, 48)).astype("uint8")
    tifffile.imwrite(home / "stack.tif", stack, photometric="minisblack")
    for i in range(3):
        tifffile.imwrite(home / "pictures" / f"{i}.tif", stack[i])
    with h5py.File(home / "two.h5", "w") as file:
        file["raw"] = stack
        file["other"] = stack[:3]
        file["raw"].attrs["element_size_um"] = (0.04, 0.008, 0.008)
    return home


def test_listing_shows_what_can_be_opened_folders_first(files):
    found = [(entry.name, entry.kind) for entry in listing(files, SUFFIXES)]
    assert found == [("pictures", "stack"), ("plain", "folder"), ("stack.tif", "volume"), ("two.h5", "volume")]
    assert [entry.name for entry in listing(files, SUFFIXES, "STACK")] == ["stack.tif"]
    (files / "plain" / "workspace.json").write_text("{}")
    assert kind_of(files / "plain", SUFFIXES) == "workspace"
    (files / "a.zarr").mkdir()
    assert kind_of(files / "a.zarr", SUFFIXES) == "volume"


def test_recent_keeps_the_newest_first_without_secrets_and_forgets_what_is_gone(recent, files):
    recent.add(str(files / "stack.tif"))
    recent.add("https://user:pw@host/data.zarr?token=1#x")
    recent.add(str(files / "stack.tif"))
    assert recent.list() == [str(files / "stack.tif"), "https://host/data.zarr"]
    (files / "stack.tif").unlink()
    assert recent.list() == ["https://host/data.zarr"]
    (files.parent / "state" / "recent.json").write_text("not json")
    assert recent.list() == []


def test_words_for_sizes_and_addresses():
    assert [size_text(n) for n in (340, 12_500_000, 1.2e12)] == ["340 B", "12.5 MB", "1.2 TB"]
    assert without_secrets("s3://key:secret@bucket/x.zarr?sig=2") == "s3://bucket/x.zarr"
    assert without_secrets("/a/b.tif") == "/a/b.tif"


def words(checks):
    return {check.what: (check.verdict, check.words) for check in checks}


def test_checks_of_metadata():
    array = np.zeros((10, 64, 64), "float32")
    found = words(facts(open_volume(array)))
    assert found["Voxel size"][0] == "warning"
    found = words(facts(open_volume(array, spacing=(0.04, 0.008, 0.008))))
    assert found["Voxel size"][0] == "good"
    assert "40 × 8 × 8 nm" in found["Voxel size"][1]
    assert "5.0 times coarser along z" in found["Voxel size"][1]
    assert "Blocks" not in found


@pytest.mark.parametrize(
    ("plane", "verdict", "said"),
    [
        (np.full((8, 8), np.nan), "error", "no finite number"),
        (np.full((8, 8), 7), "warning", "7 everywhere"),
        (np.array([[0.0, np.nan], [1.0, 2.0]]), "warning", "25.0%"),
        (np.array([[0, 255], [255, 3]], "uint8"), "warning", "50% saturated at 255"),
        (np.arange(64, dtype="uint8"), "good", "0 to 63"),
    ],
)
def test_checks_of_voxels(plane, verdict, said):
    found = plane_checks(plane)
    assert found[0].verdict == verdict
    assert said in found[0].words


def test_chooser_goes_through_folders_and_says_what_was_chosen(ui, files, recent, no_leak):
    chosen = []
    chooser = SourceChooser(chosen.append, folder=files, recent=recent)
    screen = Screen(chooser)
    screen.row("plain").click()
    assert chooser.folder == files / "plain"
    screen.row("..").click()
    assert chooser.folder == files
    screen.row("pictures").click("Open as stack")
    screen.row("two.h5").click()
    assert [source.text for source in chosen] == [str(files / "pictures"), str(files / "two.h5")]
    screen.field("Where to look").value = "Samples"
    screen.row("em").click()
    assert chosen[-1] == ChosenSource("sample", "em")
    recent.add(str(files / "stack.tif"))
    screen.field("Where to look").value = "Recent"
    screen.row(str(files / "stack.tif")).click()
    assert chosen[-1].text == str(files / "stack.tif")
    screen.field(ADDRESS).value = str(files / "nothing.tif")
    assert chosen[-1].text.endswith("nothing.tif")
    chooser.go_to(files / "nowhere")
    assert "cannot be read" in chooser.message.words
    chooser.close()
    assert no_leak.left() == []


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


def test_errors_that_are_not_ours_are_shown_too(ui, recent, monkeypatch):
    monkeypatch.setattr(
        "voxloop.volumes.open_volume", lambda *a, **k: (_ for _ in ()).throw(VolumeError("no such thing"))
    )
    panel = VolumePanel(path="x.tif", recent=recent)
    assert panel.message.words == "no such thing"
    panel.close()
