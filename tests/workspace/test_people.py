"""Several people in one project: who did what, what each of them said, and their copies brought together."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import voxloop as vl
from voxloop.cli import main
from voxloop.errors import LabelError, WorkspaceError
from voxloop.store.signing import signed_as

SHAPE = (6, 64, 80)


@pytest.fixture(autouse=True)
def nobody_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXLOOP_AUTHOR", "")


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[vl.Workspace]:
    image = np.random.default_rng(0).integers(0, 255, SHAPE, dtype=np.uint8)
    with vl.Workspace.create(tmp_path / "ws", image=image, classes=["background", "cell"], spacing=0.01) as made:
        yield made


def test_who_did_how_much_and_what_each_said(ws: vl.Workspace) -> None:
    labels = ws.labels()
    assert not len(ws.authors())
    vl.author("Ada")
    first = labels.paint(index=1, points=[(20, 10), (20, 60)], radius=4, value=2)
    labels.paint(index=1, points=[(20, 60), (20, 70)], radius=4, value=2, joined=True)
    labels.paint(index=2, points=[(50, 10)], radius=4, value=2)
    labels.undo()
    vl.author("Bob")
    labels.paint(index=1, points=[(20, 30), (20, 70)], radius=4, value=1)
    ws.levels.add("spots", kind="points")
    ws.points("spots").add(None, {"point": (1, 5, 5)})
    vl.author("Ada")
    ws.points("spots").add(None, {"point": (1, 9, 9)})
    table = ws.authors().set_index(["level", "author"])
    ada = table.loc[("labels", "Ada")]
    assert ada.edits == 1, "what was joined is one, what was taken back is none"
    assert ada.voxels > first.voxels
    assert table.loc[("spots", "Bob")].marks == 1
    assert table.seconds.sum() > 0
    assert len(ws.authors(level="labels", author="Bob")) == 1
    with pytest.raises(LabelError, match="unknown author 'Eve'"):
        ws.authors(author="Eve")

    assert len(ws.points("spots").arrays(author="Bob")["id"]) == 1
    found = ws.agreement("labels by Ada", labels.by("Bob"), boundaries=False)
    assert found.names == ("labels by Ada", "labels by Bob")
    assert found.kappa != found.kappa or found.kappa <= 0, "where both said something they never agree"
    assert found.voxels == ((labels.by("Ada").read() > 0) & (labels.by("Bob").read() > 0)).sum()
    assert found.differences[0].one == "cell"
    with pytest.raises(LabelError, match="unknown author 'Eve'"):
        ws.agreement("labels by Eve", "labels")

    told = CliRunner().invoke(main, ["authors", str(ws.path), "--json"])
    assert {row["author"] for row in json.loads(told.stdout)["authors"]} == {"Ada", "Bob"}
    done = CliRunner().invoke(main, ["evaluate", str(ws.path), "labels by Ada", "labels by Bob", "--json"])
    assert json.loads(done.stdout)["voxels"] == found.voxels


def copied(ws: vl.Workspace, name: str = "copy") -> Path:
    ws.labels().flush()
    shutil.copytree(ws.path, ws.path.parent / name, ignore=shutil.ignore_patterns("writer.lock"))
    return ws.path.parent / name


def test_two_copies_are_merged_as_it_was_decided(ws: vl.Workspace) -> None:
    labels = ws.labels()
    vl.author("Ada")
    labels.write((slice(0, 1), slice(0, 20), slice(0, 20)), 1)
    copy = copied(ws)
    with vl.Workspace.open(copy) as other:
        vl.author("Bob")
        theirs = other.labels()
        theirs.write((slice(1, 2), slice(0, 10), slice(0, 10)), 2)  # a conflict, for the most
        theirs.write((slice(1, 2), slice(20, 24), slice(0, 10)), 2)  # a smaller one
        theirs.write((slice(3, 4), slice(0, 10), slice(0, 10)), 2)  # nobody else was there
        vl.author("Cem")
        theirs.write((slice(0, 1), slice(0, 5), slice(0, 5)), 0)  # taken away
    vl.author("Ada")
    labels.write((slice(1, 2), slice(0, 24), slice(0, 8)), 1)
    labels.write((slice(4, 5), slice(0, 10), slice(0, 10)), 2)
    before = labels.read()

    merge = ws.merge(copy)
    assert [one.voxels for one in merge.conflicts] == [80, 32]
    assert (merge.conflicts[0].mine, merge.conflicts[0].theirs) == ("background", "cell")
    assert merge.conflicts[0].authors == ("Ada", "Bob")
    assert merge.taken == 20 + 8 + 100 + 25
    (agreement,) = merge.agreement.values()
    assert agreement.voxels == 112
    assert agreement.accuracy == 0, "of what was there before they parted nothing counts"
    assert "2 conflicts, 2 not decided" in merge.words
    with pytest.raises(LabelError, match="nothing was decided of 2 conflicts"):
        merge.apply()
    with pytest.raises(LabelError, match=r"unknown decision 'cel'.*did you mean 'cell'"):
        merge.decide(0, "cel")
    with pytest.raises(LabelError, match="no conflict 2; there are conflicts 0 to 1"):
        merge.decide(2, "mine")
    merge.decide(0, "theirs")
    merge.close()

    merge = ws.merge(copy)  # tomorrow
    assert [one.decision for one in merge.conflicts] == ["theirs", None]
    merge.decide("rest", "unlabelled")
    merge.apply()
    now = labels.read()
    assert (now[1, :10, :10] == 2).all()
    assert (now[1, 20:24, :8] == 0).all()
    assert (now[1, 20:24, 8:10] == 2).all()
    assert (now[4, :10, :10] == 2).all()
    assert (now[0, :5, :5] == 0).all()
    assert (labels.by("Bob").read()[1] == 2).sum() == 100 + 8, "signed by who did it"
    assert labels.authors == ["Ada", "Bob", "Cem"]
    assert not ws.merge(copy).conflicts
    assert "nothing was done in copy that is not here" in ws.merge(copy).words
    assert merge.undo() == 1
    np.testing.assert_array_equal(labels.read(), before)
    assert [one.voxels for one in ws.merge(copy).conflicts] == [80, 32]

    # the other one takes it in as well, and goes on; from there nothing is asked again
    labels.redo()
    with vl.Workspace.open(copy) as other:
        merge = other.merge(ws.path)
        assert not merge.conflicts
        merge.apply()
        np.testing.assert_array_equal(other.labels().read(), labels.read())
        other.labels().write((slice(5, 6), slice(0, 3), slice(0, 3)), 1)
    merge = ws.merge(copy)
    assert (merge.taken, len(merge.conflicts)) == (9, 0)

    told = CliRunner().invoke(main, ["merge", str(ws.path), str(copy), "--apply", "--json"])
    assert json.loads(told.stdout)["changed"] == 9


def test_what_two_people_say_of_tiles_is_brought_together(ws: vl.Workspace) -> None:
    ws.levels.add("kinds", ["round", "long"], kind="pictures")
    ws.tiles.add("tiles", size=16)
    tiles = ws.catalogue("tiles")
    a, b, c, d = tiles.names[:4]
    tiles.set([a, b], status="in progress", note="first")
    copy = copied(ws)
    tiles.set(b, status="done")
    tiles.set(c, quality="bad")
    with vl.Workspace.open(copy) as other, signed_as("Bob"):
        theirs = other.catalogue("tiles")
        theirs.set(a, status="done")
        theirs.set(b, note="")
        theirs.set(c, quality="good")  # later than what is said here
        theirs.assign(d, "long")
    tiles.set(d, assignee="Ada")
    merge = ws.merge(copy)
    assert "nothing was labelled" in merge.words
    assert "4 items are said something else of" in merge.words
    assert f"{c} is 'bad' here, 'good' there" in merge.words
    assert tiles.read(a).status == "in progress"
    assert merge.apply().items == 4
    assert (tiles.read(a).status, tiles.read(a).author, tiles.read(a).note) == ("done", "Bob", "first")
    assert (tiles.read(b).status, tiles.read(b).note, tiles.read(c).quality) == ("done", "", "good")
    assert (tiles.find(label="long"), tiles.read(d).assignee) == ([d], "Ada")
    assert ws.merge(copy).apply().words == "nothing to take in"
    assert merge.undo() == 1
    assert (tiles.read(a).status, tiles.read(c).quality, tiles.find(label="long")) == ("in progress", "bad", [])
    tiles.redo()
    with vl.Workspace.open(copy) as other, signed_as("Bob"):
        other.catalogue("tiles").set(a, status="to do")
    ws.merge(copy).apply()
    assert tiles.read(a).status == "to do"


def test_objects_of_two_people_keep_apart_or_are_one(tmp_path: Path) -> None:
    image = np.zeros(SHAPE, np.uint8)
    with vl.Workspace.create(tmp_path / "ws", image=image, kind="instances", spacing=0.01) as ws:
        labels = ws.labels()
        box = slice(0, 1), slice(0, 10), slice(0, 10)
        labels.write(box, 1)
        copy = copied(ws)
        with vl.Workspace.open(copy) as other:
            other.labels().write((slice(1, 2), slice(0, 10), slice(0, 10)), 2)  # nobody else's
            other.labels().write((slice(3, 4), slice(0, 10), slice(0, 10)), 3)  # the same as 5 here, by its place
        labels.write((slice(2, 3), slice(0, 10), slice(0, 10)), 2)
        labels.write((slice(3, 4), slice(1, 10), slice(0, 10)), 5)
        merge = ws.merge(copy)
        assert not merge.conflicts
        merge.apply()
        assert labels.counts()[5] == 100
        assert labels.counts()[2] == 100
        assert set(labels.counts()) == {1, 2, 5, 6}
        assert (labels.read()[1, :10, :10] == 6).all()
        assert "nothing was done" in ws.merge(copy).words
        with vl.Workspace.open(copy) as other:
            other.labels().write((slice(1, 2), slice(0, 2), slice(0, 10)), 0)
        assert ws.merge(copy).apply().voxels["labels", "image"] == 20, "the number it got is remembered"
        assert labels.counts()[6] == 80


def test_what_is_no_copy_is_said(ws: vl.Workspace, tmp_path: Path) -> None:
    labels = ws.labels()
    other_image = np.ones(SHAPE, np.uint8)
    with vl.Workspace.create(tmp_path / "strange", image=other_image, classes=["x"], spacing=0.01) as strange:
        strange.labels().write((slice(0, 1),), 1)
    with pytest.raises(WorkspaceError, match="no copy of 'ws': they have no image in common"):
        ws.merge(tmp_path / "strange")
    with pytest.raises(WorkspaceError, match="is this workspace itself"):
        ws.merge(ws.path)
    with pytest.raises(WorkspaceError):
        ws.merge(tmp_path / "nowhere")
    labels.write((slice(0, 1), slice(0, 10), slice(0, 10)), 1)
    copy = copied(ws)
    with vl.Workspace.open(copy) as other:
        other.levels.add_class("labels", "vesicle")
        other.levels.add("more", ["a"])
        other.images.add("second", np.zeros((2, 9, 9), np.uint8), spacing=0.01)
        other.labels("labels", "image").write((slice(2, 3), slice(0, 10), slice(0, 10)), 3)
    (copy / "writer.lock").unlink(missing_ok=True)
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        with pytest.raises(LabelError, match=r"'vesicle', which is no class here; say what it is, classes="):
            ws.merge(copy)
        with pytest.raises(LabelError, match="unknown class of the copy 'vesicl'"):
            ws.merge(copy, classes={"vesicl": "cell"})
        merge = ws.merge(copy, classes={"vesicle": "cell"})
        assert any("image 'second' is only in 'copy'" in words for words in merge.remarks)
        assert any("level 'more' is only in 'copy'" in words for words in merge.remarks)
        with vl.Workspace.open(ws.path, read_only=True) as reader, pytest.raises(WorkspaceError, match="read-only"):
            reader.merge(copy, classes={"vesicle": "cell"}).apply()
        merge.apply()
        assert (labels.read()[2, :10, :10] == 2).all()
    finally:
        for path in (copy, *copy.rglob("*")):
            path.chmod(0o755)


def test_points_boxes_and_pictures_of_two_people(tmp_path: Path) -> None:
    image = np.zeros((6, 60, 80), np.uint8)
    with vl.Workspace.create(tmp_path / "ws", image=image, classes=["cell"], spacing=0.01, z_kind="frame") as ws:
        ws.levels.add("spots", ["a", "b"], kind="points")
        ws.levels.add("boxes", ["a", "b"], kind="boxes")
        ws.levels.add("kinds", ["good", "bad"], kind="pictures")
        vl.author("Ada")
        spots, boxes, kinds = ws.points("spots"), ws.boxes("boxes"), ws.pictures("kinds")
        old, gone, moved = (spots.add(0, {"point": (10, x)}, label="a") for x in (10, 30, 50))
        copy = copied(ws)
        vl.author("Bob")
        with vl.Workspace.open(copy) as other:
            theirs = other.points("spots")
            theirs.remove(gone)
            theirs.move(moved, {"point": (20, 50)})
            theirs.add(1, {"point": (30, 30)}, label="b")  # only there
            theirs.add(2, {"point": (30, 31)}, label="b")  # the same as one here, of another class
            theirs.add(3, {"point": (30, 31)}, label="b")  # the same as one here
            other.boxes("boxes").add(0, ((5, 5), (20, 20)), "a")
            other.pictures("kinds").assign_many({0: "bad", 1: "good"})
        vl.author("Ada")
        spots.add(2, {"point": (31, 30)}, label="a")
        spots.add(3, {"point": (31, 30)}, label="b")
        spots.move(old, {"point": (12, 12)})
        boxes.add(0, ((5, 5), (20, 21)), "a")
        kinds.assign(0, "good")
        before = spots.table()

        merge = ws.merge(copy)
        assert sorted((one.level, one.mine, one.theirs) for one in merge.conflicts) == [
            ("kinds", "good", "bad"),
            ("spots", "a", "b"),
        ]
        assert "spots on image: 2 the same in both, 0 only here, 1 only there" in merge.words
        at = next(n for n, one in enumerate(merge.conflicts) if one.level == "spots")
        with pytest.raises(LabelError, match="unknown decision"):
            merge.decide(at, "a")
        merge.decide(at, "both")
        done = merge.apply(rest="theirs")
        assert done.marks["spots", "image"] == 4
        table = spots.table()
        assert gone not in set(table.id)
        assert table[table.id == moved]["point y"].item() == 20
        assert (table.frame == 2).sum() == 2
        assert (table.frame == 3).sum() == 1
        assert set(table[table.author == "Bob"].frame) == {1, 2}
        assert boxes.count() == 1
        assert (kinds.read(0).label, kinds.read(1).label) == ("bad", "good")
        assert "nothing was done" in ws.merge(copy).words
        with vl.Workspace.open(copy) as other:
            number = next(one.id for one in other.points("spots").read(1))
            other.points("spots").move(number, {"point": (31, 33)})
        again = ws.merge(copy)
        assert not again.conflicts
        again.apply()
        assert spots.read(1)[0].points["point"] == (31, 33), "the number it got is remembered"
        again.undo()
        spots.undo()
        assert spots.table().equals(before)
