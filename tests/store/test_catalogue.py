"""Images, frames and tiles to work through: what is said of them, kept by place, through undo, crash and CSV."""

from __future__ import annotations

import numpy as np
import pytest

from voxloop import open_volume
from voxloop.errors import LabelError, ReadOnlyError, WorkspaceError
from voxloop.workspace.workspace import Workspace


@pytest.fixture
def ws(tmp_path):
    """A picture of 40 x 60, a movie of five frames of 20 x 30, and tiles of 20 over both."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (40, 60)).astype("uint8")
    movie = open_volume(rng.integers(0, 255, (5, 20, 30)).astype("uint8"))
    movie.attrs["z_kind"] = "frame"
    with Workspace.create(tmp_path / "ws", image=picture, image_name="slide", classes=["ground", "cell"]) as made:
        made.images.add("movie", movie)
        made.levels.add("kinds", classes=["round", "long"], kind="pictures")
        made.tiles.add("tiles", size=20)
        yield made


def test_items_are_named_and_cover_pictures_of_any_size(ws):
    assert ws.catalogue().names == ["slide", "movie"]
    assert ws.catalogue("frames").names == ["slide/0", *(f"movie/{n}" for n in range(5))]
    tiles = ws.catalogue("tiles")
    assert len(tiles) == 6 + 5 * 2
    assert tiles.names[5:8] == ["slide/20:40,40:60", "movie/0/0:20,0:20", "movie/0/0:20,10:30"]  # shifted back
    assert tiles.region("movie/0/0:20,10:30") == (slice(0, 1), slice(0, 20), slice(10, 30))
    ws.tiles.change("tiles", size=(32, 16), overlap=4)
    covered = np.zeros((40, 60), bool)
    for name in tiles.names:
        if name.startswith("slide"):
            covered[tiles.region(name)[1:]] = True
    assert covered.all()
    assert "smaller than a tile, so one tile of their own size: movie (20 x 30)" in ws.tiles.words("tiles")
    with pytest.raises(WorkspaceError, match="is not less than size"):
        ws.tiles.change("tiles", overlap=40)


def test_what_is_said_survives_a_crash_and_is_taken_back_later(ws):
    tiles = ws.catalogue("tiles")
    names = tiles.names
    assert tiles.set(names[:3], status="Done", assignee=" Ann  Lee ", note='=1+1\nsecond "<b>"') == 3
    assert tiles.set(names[:3], status="done") == 0
    tiles.set(names[1], quality="bad")
    assert tiles.words == "3 of 16 done"
    path = ws.layout.catalogue("tiles")
    with path.open("ab") as file:  # a process that was killed while it wrote
        file.write(b'{"v":1,"kind":"set","changes":[[{"sta')
    ws.close()
    with Workspace.open(ws.path) as again, Workspace.open(ws.path, read_only=True) as reader:
        tiles, seen = again.catalogue("tiles"), reader.catalogue("tiles")
        entry = tiles.read(names[1])
        assert (entry.status, entry.quality, entry.assignee) == ("done", "bad", "Ann Lee")
        assert entry.note == '=1+1\nsecond "<b>"'
        assert entry.author
        assert tiles.undo()
        assert seen.read(names[1]).quality == ""
        assert tiles.undo()
        assert not tiles.undo()
        assert seen.counts() == {"to do": 16, "in progress": 0, "done": 0}
        assert tiles.redo()
        assert seen.counts()["done"] == 3
        tiles.set(names[4], status="in progress")
        assert not tiles.redo()
        with pytest.raises(ReadOnlyError):
            seen.set(names[0], status="to do")


def test_a_grid_of_another_size_keeps_what_was_said_by_place(ws):
    tiles = ws.catalogue("tiles")
    tiles.set("slide/0:20,0:20", status="done", note="corner")
    ws.tiles.change("tiles", size=16)
    assert tiles.find(status="done") == ["slide/0:16,0:16"]
    tiles.set("slide/0:16,0:16", quality="good")
    assert tiles.read("slide/0:16,0:16").note == "corner"
    ws.tiles.change("tiles", size=40)  # the corner is a quarter of that
    assert tiles.find(status="done") == []
    assert "on record of items that are not here now" in tiles.words
    ws.tiles.change("tiles", size=20)
    assert tiles.read("slide/0:20,0:20").status == "done"
    ws.images.remove("slide")
    assert tiles.counts()["done"] == 0


def test_a_table_goes_out_and_comes_back_or_is_refused_whole(ws, tmp_path):
    frames = ws.catalogue("frames")
    frames.set("movie/1", status="done", note="@SUM(A1)\nnext")
    frames.assign(["movie/1", "movie/2"], "long")
    path = frames.save(tmp_path / "frames.csv")
    assert "'@SUM(A1)" in path.read_text()
    assert frames.load(path) == 0
    sheet = path.read_text().replace("movie/3,movie,3,to do", "movie/3,movie,3,in progress")
    path.write_text(sheet, encoding="utf-8-sig")
    assert frames.load(path) == 1
    assert frames.find(status="in progress") == ["movie/3"]
    assert frames.read("movie/1").note == "@SUM(A1)\nnext"
    for told, words in (
        ("item,status\nmovie/1,finisht\n", "row 2, 'movie/1': unknown status 'finisht'"),
        ("item;status\nmovie/1;to do\nmovie/99;done\n", "names 1 items that are not here: 'movie/99'"),
        ("item,class\nmovie/1,square\n", "square"),
        ("name,status\nmovie/1,done\n", "no column 'item'"),
    ):
        path.write_text(told)
        with pytest.raises(LabelError, match=words):
            frames.load(path)
        assert frames.read("movie/1").status == "done"
    path.write_text("item;status\nmovie/1;to do\nmovie/99;done\n")
    assert frames.load(path, skip_unknown=True) == 1


def test_classes_of_items_are_those_of_pictures(ws):
    frames, tiles = ws.catalogue("frames"), ws.catalogue("tiles")
    assert frames.assign(["movie/1", "movie/2", "slide/0"], "long") == 3
    assert ws.pictures("kinds", "movie").read(2).label == "long"
    assert frames.find(label="long") == ["slide/0", "movie/1", "movie/2"]
    assert ws.catalogue("images").classes() == {0: "long"}
    assert frames.assign("movie/1", None) == 1
    assert ws.pictures("kinds", "movie").labelled == [2]
    tiles.assign(tiles.names[:2], "round")
    tiles.assign(tiles.names[0], None)
    assert tiles.find(label="round") == [tiles.names[1]]
    tiles.undo()
    assert len(tiles.find(label="round")) == 2
    with pytest.raises(LabelError, match="oval"):
        tiles.assign("*", "oval")


def test_a_selection_becomes_training_sets(ws):
    frames, tiles = ws.catalogue("frames"), ws.catalogue("tiles")
    ws.labels("labels", "movie").paint(axis="z", index=2, points=[(3, 3), (6, 6)], radius=2, value=1)
    assert np.flatnonzero(frames.labelled()).tolist() == [3]
    assert tiles.labelled().sum() == 1
    made = frames.add_to_set("training", ["movie/1", "movie/2", "movie/4"])
    assert [row.box.to_json()[0] for row in made.rows] == [[1, 3], [4, 5]]
    frames.add_to_set("validation", "movie/2", out_of="training")
    assert np.flatnonzero(frames.in_set("training")).tolist() == [2, 5]
    assert frames.table()["sets"].tolist()[2:4] == ["training", "validation"]
    ws.sets.add("more", [*tiles.rows(["slide/0:20,0:20"]), ("slide", "labels", (slice(0, 1), slice(20, 40)))])
    assert tiles.in_set("more").sum() == 4
    with pytest.raises(WorkspaceError, match="as one row"):
        tiles.take_out_of_set("more", "slide/20:40,0:20")
    assert tiles.take_out_of_set("more", "slide/0:20,0:20").rows[0].box.start == (0, 20, 0)
    assert frames.take_out_of_set("validation", "movie/2") is None
    assert ws.sets.names == ["training", "more"]


def test_thousands_of_items_are_one_change(ws, tmp_path):
    ws.images.add("large", np.zeros((2560, 2560), np.uint8))
    ws.tiles.add("many", "large", 16)
    many = ws.catalogue("many")
    assert len(many) == 25_600
    assert many.set("*", status="done") == 25_600
    assert many.counts()["done"] == 25_600
    many.undo()
    assert many.counts()["done"] == 0
    with pytest.raises(LabelError, match="2 of 3 items are not in 'many'"):
        many.set([many.names[0], "x", "y"], status="done")
