"""Files of a label array that were damaged, lost or put back from an older copy: noticed, said, and made good."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from voxloop.errors import LabelError, WorkspaceError
from voxloop.store import Labels, Store, open_labels, writer
from voxloop.store.journal import Journal

from .conftest import SHAPE, abandon, make

JOURNAL = "journal/labels.image.jsonl"
VOXELS = "journal/labels.image.bin"
INDEX = "labels/labels/image.index.jsonl"
GROUP = "labels/labels/image.zarr/zarr.json"
ARRAY = "labels/labels/image.zarr/0/zarr.json"


def counted(array: np.ndarray) -> dict[int, int]:
    return {int(v): int(n) for v, n in zip(*np.unique(array[array > 0], return_counts=True), strict=True)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[np.ndarray]]:
    """A workspace of overlapping edits of every kind, closed, and the labels after each of them."""
    path = tmp_path_factory.mktemp("whole") / "ws"
    patched = pytest.MonkeyPatch()
    patched.setattr(writer, "BLOB_VOXELS", 60_000)
    states = [np.zeros(SHAPE, np.uint8)]
    with make(path) as store:
        labels = store.labels()
        labels.on_edit(lambda edit: states.append(labels.read()))
        labels.paint(index=3, points=[(20, 20), (60, 60)], radius=6)
        labels.paint(index=4, points=[(20, 20), (60, 60)], radius=5, value=2)
        labels.paint(axis="y", index=30, points=[(3, 10), (15, 140)], radius=4, value=2)
        labels.undo()
        labels.write(
            (slice(0, 10), slice(0, 100), slice(0, 100)), 1, np.random.default_rng(0).random((10, 100, 100)) < 0.1
        )
        labels.paint(index=3, points=[(50, 20)], radius=9, value=2)
        labels.paint(index=3, points=[(60, 20)], radius=9, value=2, joined=True)
        labels.undo()
        labels.redo()
        labels.erase(index=3, points=[(30, 30)], radius=12)
        labels.polygon(index=12, points=[(2, 100), (2, 130), (120, 130)], value=1)
    patched.undo()
    assert len(states) == 12
    return path, states


@pytest.fixture
def copy(whole: tuple[Path, list[np.ndarray]], tmp_path: Path) -> Path:
    shutil.copytree(whole[0], tmp_path / "ws", copy_function=shutil.copy2)
    return tmp_path / "ws"


def flip(path: Path, offset: int, bit: int) -> None:
    """One bit of a file, with size and time as they were."""
    data, facts = bytearray(path.read_bytes()), path.stat()
    data[offset % len(data)] ^= 1 << bit
    path.write_bytes(bytes(data))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def check_everything(path: Path, states: list[np.ndarray], *, exact: bool = True) -> Labels:
    """Readers and the writer see the newest labels, all numbers stay taken, and what is painted next survives."""
    last = len(states) - 1
    follower = open_labels(path, "labels", "image")
    np.testing.assert_array_equal(follower.read(), states[-1])
    assert (follower.sequence, follower.counts()) == (last, counted(states[-1]))
    store = Store.open(path, read_only=False)
    labels = store.labels()
    np.testing.assert_array_equal(labels.read(), states[-1])
    assert (labels.sequence, labels.counts()) == (last, counted(states[-1]))
    edit = labels.paint(index=18, points=[(9, 9), (90, 90)], radius=3, value=2)
    assert edit.sequence == last + 1
    exact = exact and not any("cannot be taken back" in words for words in labels.remarks)
    after = labels.read()
    abandon(store)
    with Store.open(path, read_only=False) as store:
        np.testing.assert_array_equal(store.labels().read(), after)
        follower.refresh()
        np.testing.assert_array_equal(follower.read(), after)
        for number in range(last + 1) if exact else (last,):
            np.testing.assert_array_equal(open_labels(path, "labels", "image", number).read(), states[number])
        while store.labels().undo():
            pass
        if exact:
            assert not store.labels().read().any()
    with Store.open(path, read_only=False) as store:
        assert not store.labels().remarks
    return labels


def somewhere(path: Path) -> list[Path]:
    return [*sorted(p for p in (path / "labels").rglob("*") if p.is_file()), path / JOURNAL, path / VOXELS]


@pytest.mark.parametrize("seed", range(14))
def test_one_flipped_bit_anywhere_harms_nothing(whole: tuple[Path, list[np.ndarray]], copy: Path, seed: int) -> None:
    rng = random.Random(seed)
    files = somewhere(copy)
    path = files[seed % len(files)]
    flip(path, rng.randrange(1 << 30), rng.randrange(8))
    check_everything(copy, whole[1])


@pytest.mark.parametrize("text", [b"20,", b"140,", b"16,", b"zstd", b"bytes", b"uint8"])
def test_a_flipped_bit_makes_no_other_array(whole: tuple[Path, list[np.ndarray]], copy: Path, text: bytes) -> None:
    """Metadata that still can be read, and say another shape, chunk or codec."""
    path = copy / ARRAY
    flip(path, path.read_bytes().index(text), 2)
    labels = check_everything(copy, whole[1])
    assert "metadata" in labels.remarks[0]


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(1000, 1400))
def test_one_flipped_bit_anywhere_harms_nothing_of_many(
    whole: tuple[Path, list[np.ndarray]], copy: Path, seed: int
) -> None:
    test_one_flipped_bit_anywhere_harms_nothing(whole, copy, seed)


def drop_lines(path: Path, *numbers: int) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for number, line in enumerate(lines, 1) if number not in numbers))


def spoil_lines(path: Path, *numbers: int) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(b"#" * 20 + b"\n" if n in numbers else line for n, line in enumerate(lines, 1)))


def empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES: dict[str, tuple[Callable[[Path], object], bool]] = {
    "the journal is one edit older": (lambda ws: drop_lines(ws / JOURNAL, 11), True),
    "the journal is five edits older": (lambda ws: drop_lines(ws / JOURNAL, 7, 8, 9, 10, 11), False),
    "journal and voxels are older": (
        lambda ws: (drop_lines(ws / JOURNAL, 10, 11), os.truncate(ws / VOXELS, 1000)), False
    ),
    "the journal is gone": (lambda ws: (ws / JOURNAL).unlink(), False),
    "the journal is empty": (lambda ws: empty(ws / JOURNAL), False),
    "the journal's folder is gone": (lambda ws: shutil.rmtree(ws / "journal"), False),
    "the voxels are gone": (lambda ws: (ws / VOXELS).unlink(), False),
    "the voxels are empty": (lambda ws: empty(ws / VOXELS), False),
    "the blobs are gone": (lambda ws: shutil.rmtree(ws / "journal" / "blobs"), True),
    "two lines in a row are spoilt": (lambda ws: spoil_lines(ws / JOURNAL, 1, 2), True),
    "a stroke and its undo are spoilt": (lambda ws: spoil_lines(ws / JOURNAL, 3, 4), False),
    "an undo is spoilt": (lambda ws: spoil_lines(ws / JOURNAL, 4), True),
    "a redo is spoilt": (lambda ws: spoil_lines(ws / JOURNAL, 9), True),
    "lines far apart are spoilt": (lambda ws: spoil_lines(ws / JOURNAL, 2, 6, 10), True),
    "a line is gone": (lambda ws: drop_lines(ws / JOURNAL, 2), True),
    "all lines are spoilt": (lambda ws: spoil_lines(ws / JOURNAL, *range(1, 12)), False),
    "the index is gone": (lambda ws: (ws / INDEX).unlink(), True),
    "the index is garbage": (lambda ws: (ws / INDEX).write_text('[1]\n{"applied": "x"}\n{}\n'), True),
    "the index says nothing is there": (lambda ws: (ws / INDEX).write_text('{"applied": 11, "sum": "0"}\n'), True),
    "the group is garbage": (lambda ws: (ws / GROUP).write_text("[]"), True),
    "the array is garbage": (lambda ws: (ws / ARRAY).write_text("{"), True),
    "the array is gone": (lambda ws: shutil.rmtree(ws / "labels"), True),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_noticed_said_and_made_good(whole: tuple[Path, list[np.ndarray]], copy: Path, damage: str) -> None:
    does, exact = DAMAGES[damage]
    does(copy)
    labels = check_everything(copy, whole[1], exact=exact)
    assert labels.remarks or "gone" in damage or "garbage" in damage


@pytest.mark.parametrize(
    "text", ["[1]", '{"applied": "x"}', "{}", "[1,2,3,4,5]", '{"applied": 3}', "\0" * 50, "[[[[", "7"]
)
def test_no_line_of_the_index_keeps_labels_from_being_read(
    whole: tuple[Path, list[np.ndarray]], copy: Path, text: str
) -> None:
    with (copy / INDEX).open("a") as file:
        file.write(text + "\n")
    np.testing.assert_array_equal(open_labels(copy, "labels", "image").read(), whole[1][-1])
    with Store.open(copy) as store:
        np.testing.assert_array_equal(store.labels().read(), whole[1][-1])
        assert store.labels().counts() == counted(whole[1][-1])


def test_damaged_bytes_of_an_edit_that_waits_to_be_replayed(whole: tuple[Path, list[np.ndarray]], copy: Path) -> None:
    """The journal is ahead of the array, and what is to be replayed is damaged: the rest is there, and it is said."""
    _, states = whole
    shutil.rmtree(copy / "labels")
    drop_lines(copy / JOURNAL, *range(3, 12))
    flip(copy / VOXELS, 20, 3)
    with Store.open(copy) as store:
        labels = store.labels()
        assert labels.sequence == 2
        assert "edit 1" in " ".join(labels.remarks)
        expected = np.where(states[2] == 2, 2, 0)
        np.testing.assert_array_equal(
            np.where(states[1] != states[2], labels.read(), 0), expected * (states[1] != states[2])
        )


def test_undo_of_an_edit_that_was_damaged_meanwhile(whole: tuple[Path, list[np.ndarray]], copy: Path) -> None:
    _, states = whole
    with Store.open(copy) as store:
        labels = store.labels()
        voxels = store.path / VOXELS
        flip(voxels, voxels.stat().st_size - 5, 0)
        labels.undo()
        np.testing.assert_array_equal(labels.read(), states[-2])
        assert labels.remarks
        labels.redo()
        np.testing.assert_array_equal(labels.read(), states[-1])


def test_a_reader_follows_a_writer_that_mends(whole: tuple[Path, list[np.ndarray]], copy: Path) -> None:
    spoil_lines(copy / JOURNAL, 4)
    reader = Store.open(copy, read_only=True).labels()
    assert "edit 4" in reader.remarks[0]
    spoil_lines(copy / JOURNAL, 4, 8)
    with pytest.raises(LabelError, match="cannot be"):
        open_labels(copy, "labels", "image", 6)
    np.testing.assert_array_equal(open_labels(copy, "labels", "image", 3).read(), whole[1][3])
    np.testing.assert_array_equal(open_labels(copy, "labels", "image", 9).read(), whole[1][9])
    with Store.open(copy) as store:
        store.labels().paint(index=0, points=[(5, 5)], radius=3)
        (edit,) = reader.refresh()
        assert edit.sequence == 12
        np.testing.assert_array_equal(reader.read(), store.labels().read())
        for number in (0, 3, 8, 11):  # between the two holes nobody knows which of them did what
            np.testing.assert_array_equal(open_labels(copy, "labels", "image", number).read(), whole[1][number])


def test_lines_of_an_earlier_version_are_read_and_go_on(whole: tuple[Path, list[np.ndarray]], copy: Path) -> None:
    _, states = whole
    lines = []
    for line in (copy / JOURNAL).read_text().splitlines():
        entry = json.loads(line)
        del entry["sum"]
        if isinstance(entry.get("of"), list):
            continue  # the undo of a stroke in pieces is new; all else reads as before
        lines.append(json.dumps(entry | {"v": 1, "seq": len(lines) + 1}))
    (copy / JOURNAL).write_text("\n".join(lines) + "\n")
    journal = Journal(copy / JOURNAL, SHAPE, np.dtype("u1"))
    assert len(journal) == len(lines)
    assert not journal.holes
    shutil.rmtree(copy / "labels")
    with Store.open(copy) as store:
        assert not store.labels().remarks
        np.testing.assert_array_equal(store.labels().read(), states[-1])


def test_a_journal_that_somebody_else_wrote_to_is_left_alone(store: Store) -> None:
    labels = store.labels()
    labels.paint(index=1, points=[(5, 5)])
    with (store.path / JOURNAL).open("a") as file:
        file.write("theirs\n")
    with pytest.raises(WorkspaceError, match="somebody else"):
        labels.paint(index=2, points=[(5, 5)])
    assert labels.sequence == 1
    (store.path / JOURNAL).unlink()
    with pytest.raises(WorkspaceError, match="somebody else"):
        labels.undo()


@pytest.mark.parametrize("name", [JOURNAL, VOXELS, INDEX])
def test_a_file_that_has_another_name_elsewhere_keeps_it_as_it_is(copy: Path, tmp_path: Path, name: str) -> None:
    snapshot = tmp_path / "snapshot"
    snapshot.hardlink_to(copy / name)
    before = snapshot.read_bytes()
    with Store.open(copy) as store:
        store.labels().paint(index=2, points=[(5, 5), (50, 50)], radius=8, value=1)
        store.labels().flush()
    assert snapshot.read_bytes() == before


@pytest.mark.parametrize("value", [0.5, 2.9, np.nan, np.inf, -np.inf])
def test_fractions_are_no_labels(store: Store, value: float) -> None:
    labels = store.labels()
    with pytest.raises(LabelError, match="whole numbers"):
        labels.write((slice(0, 1), slice(0, 4), slice(0, 4)), np.full((1, 4, 4), value))
    with pytest.raises(LabelError, match="whole numbers"):
        labels.write((slice(0, 1), slice(0, 4), slice(0, 4)), value)
    with pytest.raises(LabelError, match="whole numbers"):
        labels.write((slice(0, 1), slice(0, 4), slice(0, 4)), np.full((1, 4, 4), "1"))
    labels.write((slice(0, 1), slice(0, 4), slice(0, 4)), np.full((1, 4, 4), 2.0))
    assert labels.counts() == {2: 16}


def test_what_is_damaged_is_said_of_the_whole_workspace(copy: Path) -> None:
    with Store.open(copy, read_only=True) as store:
        assert not store.remarks()
    spoil_lines(copy / JOURNAL, 2)
    with Store.open(copy, read_only=True) as store:
        assert "labels on image: edit 2 cannot be read" in store.remarks()[0]
    with Store.open(copy) as store:
        assert "edit 2 came back" in store.remarks()[0]
