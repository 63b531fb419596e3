"""Points, boxes and classes of pictures: what is said is kept, taken back, read by others, and refused in words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.store.conftest import abandon

import voxloop as vl
from voxloop.errors import LabelError, ReadOnlyError, VoxloopError, WorkspaceError
from voxloop.store import ImageInfo, Skeleton, Store, open_marks
from voxloop.store.points import state as states

MOUSE = Skeleton(["nose", "neck", "tail"], [("nose", "neck"), ("neck", "tail")])


def workspace(path: Path, frames: int = 100) -> Store:
    store = Store.create(path)
    film = ImageInfo(name="film", source="no.mp4", shape=(frames, 480, 640), spacing_um=(1, 1, 1), z_kind="frame")
    stack = ImageInfo(name="stack", source="no.zarr", shape=(20, 60, 80), spacing_um=(1, 1, 1))
    store.change(images=(film, stack))
    store.levels.add("mice", ["male", "female"], kind="points", skeleton=MOUSE)
    store.levels.add("spots", kind="points")
    store.levels.add("boxes", ["cell", "debris"], kind="boxes")
    store.levels.add("stage", ["still", "walking"], kind="pictures")
    return store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with workspace(tmp_path / "ws") as made:
        yield made


def test_everything_survives_undo_reopening_and_a_killed_writer(tmp_path: Path) -> None:
    store = workspace(tmp_path / "ws")
    mice = store.points("mice", "film")
    a = mice.add(12, {"nose": (10, 20.5), "tail": (30, 40)}, track="anna", label="female", hidden=["tail"])
    b = mice.add(12, {"neck": (50, 60)}, 2, predicted=True, score=0.75, scores={"neck": 0.5})
    mice.move(a, {"neck": (15, 25), "tail": None})
    mice.remove(b)
    abandon(store)

    with Store.open(tmp_path / "ws") as again:
        mice = again.points("mice", "film")
        (anna,) = mice.read(12)
        assert (anna.id, anna.track, anna.label, anna.predicted) == (a, "anna", "female", False)
        assert anna.points == {"nose": (10, 20.5), "neck": (15, 25)}
        mice.undo()
        mice.undo()
        anna, other = mice.read(12)
        assert anna.points == {"nose": (10, 20.5), "tail": (30, 40)}
        assert anna.hidden == {"tail"}
        assert (other.track, other.predicted, other.score, other.scores) == ("2", True, 0.75, {"neck": 0.5})
        mice.redo()
        assert mice.read(12)[0].points == {"nose": (10, 20.5), "neck": (15, 25)}
        for _ in range(3):
            mice.undo()
        assert mice.read(12) == []
        assert not mice.can_undo
        assert mice.add(1, {"nose": (0, 0)}) > b, "numbers are not given twice"


def test_a_torn_line_is_nothing_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    store = workspace(tmp_path / "ws")
    spots = store.points("spots", "film")
    for frame in range(4):
        spots.add(frame, {"point": (1, 1)})
    path = spots.path
    abandon(store)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"v":1,"seq":5,"kind":"geo')
    with Store.open(tmp_path / "ws") as again:
        spots = again.points("spots", "film")
        assert spots.frames == [0, 1, 2, 3]
        assert not spots.remarks
        spots.add(7, {"point": (2, 2)})
    assert len(path.read_bytes().splitlines()) == 5

    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b'"f":1', b'"f":9')
    path.write_bytes(b"".join(lines))
    with Store.open(tmp_path / "ws") as again:
        spots = again.points("spots", "film")
        assert spots.frames == [0, 2, 3, 7]
        assert "edit 2" in spots.remarks[0]
        spots.undo()
        assert spots.frames == [0, 2, 3]


def test_readers_follow_and_can_look_back(store: Store) -> None:
    mice = store.points("mice", "film")
    first = mice.add(3, {"nose": (1, 1)})
    reader = open_marks(store.path, "mice", "film")
    mice.move(first, {"nose": (2, 2)})
    mice.add(4, {"nose": (5, 5)})
    mice.undo()
    assert reader.read(3)[0].points == {"nose": (1, 1)}  # type: ignore[attr-defined]
    edit = reader.refresh()
    assert edit is not None
    assert edit.frames == (3, 4)
    assert reader.read(3)[0].points == {"nose": (2, 2)}  # type: ignore[attr-defined]
    before = open_marks(store.path, "mice", "film", at=1)
    assert before.read(3)[0].points == {"nose": (1, 1)}  # type: ignore[attr-defined]
    assert open_marks(store.path, "mice", "film", at=3).read(4)  # type: ignore[attr-defined]
    with pytest.raises(ReadOnlyError, match="read-only"):
        reader.remove(first)
    with pytest.raises(LabelError, match="no edit 9"):
        open_marks(store.path, "mice", "film", at=9)


def test_another_process_reads_and_may_not_write(store: Store) -> None:
    store.points("mice", "film").add(3, {"nose": (1, 1)})
    code = (
        "import sys, voxloop as vl\nws = vl.Workspace.open(sys.argv[1])\npts = ws.points('mice', 'film')\n"
        "print(pts.read(3)[0].points)\ntry: pts.add(1, {'nose': (1, 1)})\nexcept vl.VoxloopError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code, str(store.path)], capture_output=True, text=True, check=True)
    assert "(1.0, 1.0)" in said.stdout
    assert f"process {os.getpid()}" in said.stdout


def test_the_table_beside_the_journal_is_only_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "STALE_BYTES", 1)
    monkeypatch.setattr(states, "PIECE", 7)
    rng = np.random.default_rng(0)
    with workspace(tmp_path / "ws") as store:
        mice = store.points("mice", "film")
        mice.add_many(
            [
                {"frame": n % 10, "points": {"nose": rng.uniform(0, 400, 2), "tail": (1, n)}, "track": n // 10}
                for n in range(50)
            ]
        )
        mice.clear(3)
        mice.undo()
        mice.change([1, 2], label="male")
        kept, numbers = mice.table(), mice.sequence
    file = tmp_path / "ws" / "labels" / "mice" / "film.marks.npz"
    assert file.exists()
    for damage in (lambda: None, lambda: file.write_bytes(b"PK\x03\x04nonsense"), file.unlink):
        damage()
        with Store.open(tmp_path / "ws") as store:
            mice = store.points("mice", "film")
            assert mice.table().equals(kept)
            assert mice.sequence == numbers
            mice.undo()  # the classes
            mice.undo()  # all fifty at once, in pieces as they were written
            assert mice.count() == 0
            mice.redo()
            mice.redo()
            assert mice.table().equals(kept)
            numbers = mice.sequence


REFUSED: dict[str, tuple[Callable[[Store], object], str]] = {
    "unknown node": (lambda s: s.points("mice", "film").add(0, {"nos": (1, 1)}), "did you mean 'nose'"),
    "outside": (lambda s: s.points("mice", "film").add(0, {"nose": (1, 640)}), "x goes from 0 to 639"),
    "NaN": (lambda s: s.points("mice", "film").add(0, {"nose": (1, float("nan"))}), "leave out a node"),
    "endless": (lambda s: s.points("mice", "film").add(0, {"nose": (1, float("inf"))}), "outside of the picture"),
    "text": (lambda s: s.points("mice", "film").add(0, {"nose": "here"}), r"\(y, x\)"),
    "no frame": (lambda s: s.points("mice", "film").add(None, {"nose": (1, 1)}), "has 100 frames"),
    "late frame": (lambda s: s.points("mice", "film").add(100, {"nose": (1, 1)}), "frames 0 to 99"),
    "frame in a volume": (lambda s: s.points("spots", "stack").add(1, {"point": (1, 1, 1)}), "frame=None"),
    "two axes in a volume": (lambda s: s.points("spots", "stack").add(None, {"point": (1, 1)}), r"\(z, y, x\)"),
    "nothing": (lambda s: s.points("mice", "film").add(0, {"nose": None}), "set_empty"),
    "unknown class": (lambda s: s.points("mice", "film").add(0, {"nose": (1, 1)}, label="mail"), "did you mean 'male'"),
    "gone": (lambda s: s.points("mice", "film").move(77, {"nose": (1, 1)}), "no instance 77"),
    "flat box": (lambda s: s.boxes("boxes", "film").add(0, ((1, 1), (1, 5))), "no inside"),
    "half a box": (lambda s: s.boxes("boxes", "film").add(0, (1, 1, 5)), "two corners"),
    "no class": (lambda s: s.pictures("stage", "film").assign(0, "sleeping"), "'walking'"),
    "painted": (lambda s: s.labels("mice", "film"), r"ws\.points\('mice'\)"),
    "other kind": (lambda s: s.boxes("mice", "film"), r"ws\.points\('mice'\)"),
    "two levels": (lambda s: s.points(None, "film"), "'mice', 'spots'"),
    "skeleton of boxes": (lambda s: s.levels.add("b", kind="boxes", skeleton=MOUSE), "kind='points'"),
    "parent": (lambda s: s.levels.add("child", ["a"], parent=("mice", "male")), "painted"),
    "no edges": (lambda s: Skeleton(["a"], [("a", "b")]), "unknown node 'b'"),
    "twice": (lambda s: Skeleton(["a", " a"]), "two nodes"),
    "itself": (lambda s: Skeleton(["a", "b"], [("a", "a")]), "itself"),
    "two mirrors": (lambda s: Skeleton(["a", "b", "c"], (), [("a", "b"), ("b", "c")]), "two symmetric pairs"),
    "none": (lambda s: Skeleton([]), "a node at least"),
    "one text": (lambda s: Skeleton("nose"), "no list"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_in_a_sentence(store: Store, name: str) -> None:
    what, words = REFUSED[name]
    with pytest.raises(VoxloopError, match=words):
        what(store)
    assert store.points("mice", "film").sequence == 0


def test_one_body_is_in_one_place(store: Store) -> None:
    mice = store.points("mice", "film")
    a = mice.add(5, {"nose": (1, 1)}, "anna")
    mice.add(6, {"nose": (1, 1)}, "anna")
    with pytest.raises(LabelError, match="frame 5 has an instance of track 'anna' already"):
        mice.add(5, {"nose": (9, 9)}, "anna")
    guess = mice.add(5, {"nose": (2, 2)}, "anna", predicted=True)
    with pytest.raises(LabelError, match="choose another track"):
        mice.accept(guess)
    mice.change([a], track="bert")
    mice.accept(guess)
    assert {one.track: one.predicted for one in mice.read(5)} == {"anna": False, "bert": False}
    assert mice.tracks == ["anna", "bert"]


def test_a_prediction_that_somebody_touches_is_theirs_and_a_locked_one_stays(store: Store) -> None:
    mice = store.points("mice", "film")
    first, second = mice.add_many(
        [{"frame": 1, "points": {"nose": (n, n)}, "score": 0.2 * n} for n in (1, 2)], predicted=True
    )
    assert (mice.labelled, mice.predicted) == ([], [1])
    mice.move(first, {"tail": (3, 3)})
    assert not mice.instance(first).predicted
    assert mice.instance(first).score is None
    mice.change(second, locked=True)
    for verb in (lambda: mice.remove(second), lambda: mice.move(second, {"nose": (5, 5)})):
        with pytest.raises(LabelError, match="locked"):
            verb()
    assert mice.clear(predicted=True) == 0
    mice.change(second, locked=False)
    assert mice.clear(predicted=True, below=0.5) == 1
    mice.replace_predictions([1, 2], [{"frame": 2, "points": {"nose": (7, 7)}}])
    assert (mice.labelled, mice.predicted) == ([1], [2])


def test_an_empty_frame_is_something_that_was_said(store: Store) -> None:
    mice = store.points("mice", "film")
    mice.set_empty(8)
    assert mice.read(8) == []
    assert mice.is_empty(8)
    assert mice.labelled == [8]
    assert mice.count(8) == 0
    mice.add(8, {"nose": (1, 1)})
    assert not mice.is_empty(8)
    with pytest.raises(LabelError, match="not empty"):
        mice.set_empty(8)
    mice.undo()
    assert mice.is_empty(8)


def test_a_skeleton_that_changes_keeps_what_was_labelled(tmp_path: Path) -> None:
    with workspace(tmp_path / "ws") as store:
        mice = store.points("mice", "film")
        mice.add(0, {"nose": (1, 1), "neck": (2, 2), "tail": (3, 3)})
        store.levels.rename_node("mice", "nose", "snout")
        store.levels.remove_node("mice", "neck")
        store.levels.add_node("mice", "paw", "snout")
        assert mice.skeleton == Skeleton(["snout", "tail", "paw"], [("snout", "tail"), ("snout", "paw")])
        assert mice.read(0)[0].points == {"snout": (1, 1), "tail": (3, 3)}
    with Store.open(tmp_path / "ws") as store:
        mice = store.points("mice", "film")
        mice.move(1, {"paw": (4, 4)})
        store.levels.add_node("mice", "neck", "paw")
        assert mice.read(0)[0].points == {"snout": (1, 1), "tail": (3, 3), "paw": (4, 4), "neck": (2, 2)}
        assert mice.arrays()["points"][0].tolist() == [[1, 1], [3, 3], [4, 4], [2, 2]]
        with pytest.raises(LabelError, match="did you mean 'snout'"):
            store.levels.rename_node("mice", "snoot", "nose")


def test_points_of_a_volume_are_found_by_plane(store: Store) -> None:
    spots = store.points("spots", "stack")
    first = spots.add(None, {"point": (4.4, 10, 20)})
    spots.add(None, {"point": (12, 10, 20)})
    assert [one.id for one in spots.near(4)] == [first]
    spots.move(first, {"point": (12, 9, 9)})
    assert spots.near(4) == []
    assert len(spots.near(12)) == 2
    assert len(spots.read(None)) == 2
    assert spots.read(None)[0].frame is None
    assert spots.frames == []
    assert spots.arrays()["points"].shape == (2, 1, 3)


def test_boxes_and_classes_of_pictures(store: Store) -> None:
    boxes = store.boxes("boxes", "film")
    one = boxes.add(2, ((20, 5), (10, 30)), "cell", track=1)
    assert boxes.read(2)[0].box == ((10, 5), (20, 30))
    boxes.move(one, (1, 2, 3, 4))
    assert boxes.read(2)[0].box == ((1, 2), (3, 4))
    with pytest.raises(LabelError, match="still has labels"):
        store.levels.remove_class("boxes", "cell")

    stage = store.pictures("stage", "film")
    stage.assign_many({0: "still", 4: "walking", 5: 1}, predicted=True, scores={0: 0.9})
    stage.assign(4, "still")
    stage.assign(4, "walking", predicted=True)
    said = stage.read(4)
    assert said is not None
    assert (said.label, said.predicted) == ("still", False)
    assert (stage.labelled, stage.predicted, stage.counts()) == ([4], [0, 5], {"still": 3})
    stage.clear(4)
    assert stage.read(4) is None
    whole = store.pictures("stage", "stack")
    whole.assign(None, "walking")
    assert whole.read(0) == whole.read()


def test_others_find_only_what_they_can_use(tmp_path: Path) -> None:
    """A workspace with points says so by its schema; one without is as old versions know it; removed levels go."""
    with vl.Workspace.create(tmp_path / "ws", image=np.zeros((4, 8, 8), np.uint8), classes=["a"]) as ws:
        assert json.loads((ws.path / "workspace.json").read_text())["schema_version"] == 1
        ws.levels.add("spots", kind="points")
        assert json.loads((ws.path / "workspace.json").read_text())["schema_version"] == 2
        assert ws.labels().level.name == "labels"
        ws.points().add(None, {"point": (1, 1, 1)})
        assert "point z" in ws.export("spots", tmp_path / "spots.csv").read_text()
        ws.levels.rename("spots", "dots")
        assert len(ws.points("dots")) == 1
        ws.levels.remove("dots")
        assert ws.levels.names == ["labels"]
        assert list((ws.path / "removed").rglob("spots.image.jsonl"))
        assert ws.store.remarks() == []


def test_a_journal_that_somebody_else_changed_is_not_written(store: Store) -> None:
    spots = store.points("spots", "film")
    spots.add(0, {"point": (1, 1)})
    with spots.path.open("ab") as file:
        file.write(b"{}\n")
    with pytest.raises(WorkspaceError, match="somebody else"):
        spots.add(1, {"point": (1, 1)})
