"""The grid of pictures without a browser: what keys and buttons do, what the page is told, what comes back by undo."""

from __future__ import annotations

import numpy as np
import pytest
from tests.panels.screen import Screen

from voxloop import open_volume
from voxloop.panels.pictures.pictures_panel import PicturesPanel
from voxloop.panels.workbench import Workbench
from voxloop.workspace.workspace import Workspace


@pytest.fixture
def ws(tmp_path):
    """A picture and a movie of four frames, in tiles of 20; two classes of pictures."""
    rng = np.random.default_rng(0)
    movie = open_volume(rng.integers(0, 255, (4, 20, 40)).astype("uint8"))
    movie.attrs["z_kind"] = "frame"
    picture = rng.integers(0, 255, (40, 60)).astype("uint8")
    with Workspace.create(tmp_path / "ws", image=picture, image_name="slide", classes=["ground", "cell"]) as made:
        made.images.add("movie", movie)
        made.levels.add("kinds", classes=["round", "long"], kind="pictures")
        made.tiles.add("tiles", size=20)
        yield made


class Page:
    """What the page of a grid gets, and what it sends."""

    def __init__(self, panel, messages):
        self.panel, self.grid, self.messages = panel, panel.grid.widget, messages

    def send(self, kind, chosen=(), key="", version=None):
        ranges = [[at, at + 1] for at in chosen]
        cursor = chosen[-1] if chosen else -1
        content = {"kind": kind, "key": key, "selected": ranges, "cursor": cursor}
        content |= {} if version is None else {"version": version}
        self.grid._handle_custom_msg(content, [])

    def pictures(self):
        sent = [one for one in self.messages if (one["data"] or {}).get("content", {}).get("kind") == "pictures"]
        return {
            item: bytes(data)
            for one in sent
            for item, data in zip(one["data"]["content"]["items"], one["buffers"], strict=True)
        }


def test_items_are_worked_through_and_taken_back(ui, ws, messages, no_leak):
    panel = PicturesPanel(ws)
    page, screen = Page(panel, messages), Screen(panel)
    tiles = panel.catalogue
    assert tiles.name == "tiles"
    page.send("choose", (1, 3))
    assert panel.chosen == [tiles.names[1], tiles.names[3]]
    page.send("key", (1, 3), "d")
    assert tiles.find(status="done") == panel.chosen
    assert screen.code == f"ws.catalogue('tiles').set({panel.chosen!r}, status='done')"
    assert "2 of 14 done" in screen.text
    page.send("key", (0,), "2")  # and on to the next
    assert tiles.find(label="long") == [tiles.names[0]]
    assert panel.chosen == [tiles.names[1]]
    page.send("key", (0, 1), "g")
    screen.click("To training")
    assert ws.sets["training"].rows[1].box.to_json() == [[0, 1], [0, 20], [20, 40]]
    assert panel.facts.sets[:3].tolist() == [1, 1, 0]
    screen.click("To validation")
    assert ws.sets.names == ["validation"]
    for _ in range(2):
        page.send("key", (0, 1), "undo")
    assert ws.sets.names == []
    for _ in range(3):
        page.send("key", (0, 1), "undo")
    assert tiles.counts()["done"] == 0
    assert tiles.find(quality="good") == []
    page.send("key", (), "redo")
    assert tiles.counts()["done"] == 2
    before = panel.grid.widget.version
    panel.filter.status.value = "done"
    assert panel.order == tiles.names[1:4:2]
    page.send("key", (0, 3), "g", before)  # pressed before the page had the order of today: 3 is still there
    assert (tiles.find(quality="good"), panel.chosen) == (tiles.names[3:4], tiles.names[3:4])
    page.send("key", (0,), "b", before)
    assert tiles.find(quality="bad") == []
    panel.filter.clear()
    panel.choose(tiles.names[:2])
    panel.say_box._note.value = "=x\n<b>"
    assert tiles.read(tiles.names[1]).note == "=x\n<b>"
    page.send("open", (2,))
    assert panel.opened == tiles.names[2]
    panel.close()
    assert no_leak.left() == []


def test_pictures_are_made_once_and_carry_labels(ui, ws, messages):
    panel = PicturesPanel(ws)
    page = Page(panel, messages)
    page.grid._handle_custom_msg({"kind": "look", "items": [0, 1, 99_999]}, [])
    first = page.pictures()
    assert sorted(first) == [0, 1]
    assert all(data.startswith(b"\xff\xd8") for data in first.values())
    pack = ws.layout.thumbnails("tiles")
    size = pack.stat().st_size
    messages.clear()
    page.grid._handle_custom_msg({"kind": "look", "items": [1, 0]}, [])
    assert page.pictures() == first
    assert pack.stat().st_size == size
    ws.labels("labels", "slide").paint(axis="z", index=0, points=[(9, 9)], radius=5, value=2)
    panel.refresh()
    messages.clear()
    page.grid._handle_custom_msg({"kind": "look", "items": [0, 1]}, [])
    again = page.pictures()
    assert again[0] != first[0]
    assert again[1] == first[1]
    with pack.open("ab") as file:
        file.write(b"torn")
    panel.close()


def test_frames_tiles_and_folders_from_the_panel(ui, ws, tmp_path, messages):
    import tifffile

    for name, value in (("a", 3), ("a_mask", 1), ("b", 4), ("c_seg", 1)):
        (tmp_path / "in").mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / "in" / f"{name}.tif", np.full((20, 20), value, np.uint8))
    panel = PicturesPanel(ws)
    screen = Screen(panel)
    panel.tiles.items.value = "frames"
    Page(panel, messages).send("key", (1, 2), "1")
    assert ws.pictures("kinds", "movie").labelled == [0, 1]
    Page(panel, messages).send("key", (1, 2), "undo")
    assert ws.pictures("kinds", "movie").labelled == []
    panel.tiles.fold.open()
    panel.tiles.name.value, panel.tiles.size.value = "small", 10
    screen.click("Make tiles")
    assert (panel.catalogue.name, len(panel.catalogue)) == ("small", 24 + 4 * 8)
    panel.folder.fold.open()
    panel.folder.images.value = str(tmp_path / "in")
    for timer in list(ui.timers):
        timer.fire()
    assert "1 pairs, such as a.tif with a_mask.tif; 1 pictures without a mask: b.tif" in screen.text
    screen.click("Add pictures and masks")
    assert "say what 0 means" in screen.message
    panel.folder.zero.value = "unlabelled"
    screen.click("Add pictures and masks")
    assert ws.images.names == ["slide", "movie", "a"]
    assert ws.labels("labels", "a").counts() == {1: 400}
    page = Page(panel, messages)
    page.send("key", (), "undo")
    assert ws.images.names == ["slide", "movie"]
    page.send("key", (), "redo")
    assert ws.labels("labels", "a").counts() == {1: 400}
    ws.labels("labels", "a").erase(index=0, points=[(2, 2)], radius=1)
    page.send("key", (), "undo")
    assert "'a' was labelled on since" in screen.message
    panel.close()


def test_an_item_is_labelled_and_the_next_ones_follow(ui, ws, no_leak):
    bench = Workbench(ws)
    screen = Screen(bench)
    screen.click("2 Pictures")
    pictures = bench.panels["pictures"]
    pictures.choose(["movie/2/0:20,0:20"])
    screen.click("Open")
    label = bench.panels["label"]
    assert (bench.step, label.image, label.view.index) == ("label", "movie", 2)
    assert label.view.widget.camera["y"] == 10 * label.view.planes.spacing_um[1]
    edge = next(layer for layer in label.view.layers if layer.id == "item")
    drawn = edge.read("z", 2, (0, 0, 20, 40), (0.25, 0.25)).indices  # two cells a voxel
    assert drawn.shape == (40, 80)
    assert drawn[:, 40:].sum() == 0
    assert drawn[:, :40].sum() == 40 * 40 - 38 * 38
    assert edge.read("z", 2, (3, 0, 20, 40), (4, 4)).indices.any()
    assert not edge.read("z", 1, (0, 0, 20, 40), (1, 1)).indices.any()
    label._on_action("item done", [0, 0, 0])
    assert pictures.catalogue.read("movie/2/0:20,0:20").status == "done"
    assert label.items.item == "movie/2/0:20,20:40"
    label._on_action("item next", [0, 0, 0])
    assert label.view.index == 3
    ws.images.remove("movie")
    ws.images.add("other", np.zeros((20, 20), np.uint8))
    pictures.refresh()
    assert pictures.order[-1] == "other/0:20,0:20"
    bench.close()
    ws.levels.remove("labels")
    bench = Workbench(ws, step="pictures")  # only a level of classes of pictures: keys go on there too
    bench.panels["pictures"].choose(["slide/20:40,0:20"])
    Screen(bench).click("Open")
    points = bench.panels["points"]
    assert (bench.step, points.items.item) == ("points", "slide/20:40,0:20")
    points.act("item done")
    assert points.items.item == "slide/20:40,20:40"
    assert [layer.id for layer in points.view.layers] == ["item"]
    assert any(key["action"] == "item next" for key in points.view.widget.bindings)
    bench.close()
    assert no_leak.left() == []
