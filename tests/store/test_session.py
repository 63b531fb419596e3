"""One workspace opened several times in one process: a notebook's first cell that is run again."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from voxloop.errors import ReadOnlyError, VoxloopError, WorkspaceError
from voxloop.locks import holder
from voxloop.store import Store

from .conftest import make

WRITABLE = "import sys; from voxloop.store import Store; print(Store.open(sys.argv[1]).read_only)"


def test_a_second_opening_writes_too_and_outlives_the_first(tmp_path: Path) -> None:
    first = make(tmp_path / "ws")
    second = Store.open(first.path)
    assert not second.read_only
    assert second.writer is None
    heard: list[int] = []
    first.labels().on_edit(lambda edit: heard.append(edit.sequence))
    second.labels().paint(index=1, points=[(5, 5)], radius=3)
    first.labels().paint(index=2, points=[(5, 5)], radius=3)
    assert heard == [1, 2]  # whoever shows the labels of the first sees what the second does
    np.testing.assert_array_equal(first.labels().read(), second.labels().read())
    second.levels.add("more", ["a", "b"])
    assert first.levels.names == ["labels", "more"]
    first.close()
    first.close()
    with pytest.raises(WorkspaceError, match="closed"):
        first.labels()
    second.labels("labels").undo()
    assert second.labels("labels").sequence == 3
    second.close()
    assert holder(first.path / "writer.lock") is None


def test_an_opening_that_was_lost_lets_go(tmp_path: Path) -> None:
    lost: Store | None = make(tmp_path / "ws")
    assert lost is not None
    lost.labels().paint(index=1, points=[(5, 5)])
    path = lost.path
    second = Store.open(path)
    lost = None
    second.close()
    gc.collect()
    assert holder(path / "writer.lock") is None
    with Store.open(path, read_only=False) as third:
        assert third.labels().sequence == 1


def test_reading_only_stays_reading_only_beside_a_writer(store: Store) -> None:
    with Store.open(store.path, read_only=True) as reader:
        assert reader.read_only
        store.labels().paint(index=1, points=[(5, 5)])
        with pytest.raises(ReadOnlyError):
            reader.labels().paint(index=2, points=[(5, 5)])
    store.labels().paint(index=2, points=[(5, 5)])


def test_labels_of_a_level_that_was_removed_and_made_again_are_new_everywhere(store: Store) -> None:
    second = Store.open(store.path)
    second.labels().paint(index=1, points=[(5, 5)])
    store.levels.remove("labels")
    store.levels.add("labels", ["a", "b"])
    store.labels().paint(index=3, points=[(50, 50)], radius=0, value=2)
    assert second.labels().counts() == store.labels().counts() == {2: 1}
    second.close()


@pytest.mark.parametrize("taken", [False, True])
def test_a_writer_whose_lock_was_taken_away_writes_no_more(store: Store, taken: bool) -> None:
    labels = store.labels()
    labels.paint(index=1, points=[(5, 5)], radius=2)
    labels.flush()
    kept = labels.read()
    (store.path / "writer.lock").unlink()
    if taken:
        shown = subprocess.run(
            [sys.executable, "-c", WRITABLE, str(store.path)], capture_output=True, text=True, check=True
        )
        assert shown.stdout == "False\n"
    for act in (lambda: labels.paint(index=2, points=[(5, 5)]), labels.undo, lambda: store.levels.add("b", ["c"])):
        with pytest.raises(ReadOnlyError, match=r"writer.lock was deleted"):
            act()
    np.testing.assert_array_equal(labels.read(), kept)
    with Store.open(store.path) as again:  # the cell is run again
        assert not again.read_only
        again.labels().paint(index=2, points=[(5, 5)], radius=2)
        assert again.labels().sequence == 2


def paint(path: Path) -> None:
    with Store.open(path) as store:
        store.labels().paint(index=2, points=[(5, 5)])
        store.labels().flush()


def links(ws: Path, aim: Path) -> dict[str, Path]:
    blobs = ws / "journal" / "blobs"
    return {
        "writer.lock": ws / "writer.lock",
        "lines": ws / "journal" / "labels.image.jsonl",
        "voxels": ws / "journal" / "labels.image.bin",
        "index": ws / "labels" / "labels" / "image.index.jsonl",
        "array": ws / "labels" / "labels" / "image.zarr",
        "chunks": ws / "labels" / "labels" / "image.zarr" / "0" / "c" / "0",
        "journal": ws / "journal",
        "blobs": blobs,
    }


@pytest.mark.parametrize("which", list(links(Path(), Path())))
def test_no_link_in_a_workspace_of_somebody_else_is_written_through(tmp_path: Path, which: str) -> None:
    with make(tmp_path / "ws") as store:
        store.labels().paint(index=1, points=[(5, 5)])
    victim = tmp_path / "home"
    victim.mkdir()
    (victim / "precious.txt").write_text("precious")
    (victim / "labels.image.9.zarr").mkdir()
    link = links(store.path, victim)[which]
    if link.exists():
        link.rename(tmp_path / "aside")
    link.symlink_to(victim / "precious.txt" if which in ("writer.lock", "lines", "voxels", "index") else victim)
    with pytest.raises(VoxloopError, match="link"):
        paint(store.path)
    assert sorted(path.name for path in victim.iterdir()) == ["labels.image.9.zarr", "precious.txt"]
    assert (victim / "precious.txt").read_text() == "precious"
