"""The journal under torn writes and full disks: acknowledged edits stay, others never were."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from voxloop.errors import WorkspaceError
from voxloop.geometry import Box
from voxloop.store import Store, open_labels
from voxloop.store import journal as journal_module
from voxloop.store.journal import Journal
from voxloop.store.patches import Patch

from .conftest import abandon, make

SHAPE = (4, 20, 20)
BOX = Box((1, 2, 3), (2, 5, 9))


def patch(value: int) -> list[Patch]:
    return [Patch((1, 2, 3), np.zeros((1, 3, 6), np.uint8), np.full((1, 3, 6), value, np.uint8))]


def test_a_torn_tail_at_every_byte_loses_only_what_was_torn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module.os, "fsync", lambda fd: None)  # thousands of journals; their content decides
    whole = tmp_path / "whole"
    whole.mkdir()
    journal = Journal(whole / "a.jsonl", SHAPE, np.dtype("u1"))
    ends = [(0, 0)]
    for number in range(2):
        journal.append("paint", {"text": "µ\n"}, BOX, 18, patches=patch(number + 1))
        ends.append(((whole / "a.jsonl").stat().st_size, (whole / "a.bin").stat().st_size))
    journal.close()
    lines, values = (whole / "a.jsonl").read_bytes(), (whole / "a.bin").read_bytes()
    torn = tmp_path / "torn"
    torn.mkdir()
    # lines and voxels may reach the disk in any order, so each is cut while the other is whole or at an edit
    cuts = [(n, len(values)) for n in range(len(lines))]
    cuts += [(len(lines), n) for n in range(ends[1][1], len(values))]  # those before were acknowledged
    cuts += [(n, ends[1][1]) for n in range(ends[1][0], len(lines), 7)]
    for line_cut, value_cut in cuts:
        (torn / "a.jsonl").write_bytes(lines[:line_cut])
        (torn / "a.bin").write_bytes(values[:value_cut])
        expected = sum(1 for a, b in ends[1:] if a <= line_cut and b <= value_cut)
        assert len(Journal(torn / "a.jsonl", SHAPE, np.dtype("u1"))) == expected
        journal = Journal(torn / "a.jsonl", SHAPE, np.dtype("u1"))
        journal.cut_tail()
        assert len(journal) == expected
        record = journal.append("erase", {}, BOX, 18, patches=patch(9))
        journal.close()
        again = Journal(torn / "a.jsonl", SHAPE, np.dtype("u1"))
        assert [r.tool for r in again.records] == ["paint"] * expected + ["erase"]
        assert next(again.patches(record)).after.max() == 9
        for kept in again.records[:expected]:
            assert next(again.patches(kept)).after.max() == kept.sequence


@pytest.mark.parametrize("broken", ["write", "fsync"])
def test_a_full_disk_refuses_the_edit_and_loses_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    labels = store.labels()
    labels.paint(index=3, points=[(20, 20), (60, 60)], radius=4)
    before, counts = labels.read(), labels.counts()
    real_write, real_fsync, calls = journal_module.write_all, os.fsync, []

    def full(fd: int, data: bytes) -> None:
        calls.append(len(data))
        if len(calls) == 2:  # the voxels fit, half of the line does too
            real_write(fd, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        real_write(fd, data)

    def unsynced(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        if broken == "write":
            patched.setattr(journal_module, "write_all", full)
        else:
            patched.setattr(journal_module.os, "fsync", unsynced)
        with pytest.raises(WorkspaceError, match=r"No space left on device.*earlier edits are safe"):
            labels.paint(index=3, points=[(80, 80)], radius=9, value=2)
    assert os.fsync is real_fsync
    np.testing.assert_array_equal(labels.read(), before)
    assert labels.counts() == counts
    assert labels.sequence == 1
    labels.paint(index=5, points=[(80, 80)], radius=9, value=2)  # space was freed: it goes on
    after = labels.read()
    abandon(store)
    with Store.open(store.path) as again:
        np.testing.assert_array_equal(again.labels().read(), after)
        assert again.labels().sequence == 2


def test_a_full_disk_behind_the_journal_is_told_and_made_good(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from voxloop.store import chunks

    labels = store.labels()

    def full(path: Path, data: bytes, **_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(chunks, "replace_bytes", full)
        labels.paint(index=3, points=[(20, 20), (60, 60)], radius=4)
        with pytest.raises(WorkspaceError, match=r"No space"):
            labels.flush()
        np.testing.assert_array_equal(open_labels(store.path, "labels", "image").read(), labels.read())
    labels.flush()
    kept = labels.read()
    store.close()
    shutil.rmtree(store.path / "journal")  # the array alone holds it now
    np.testing.assert_array_equal(open_labels(store.path, "labels", "image").read(), kept)


def test_a_large_edit_that_does_not_fit_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from voxloop.store import chunks, writer

    with make(tmp_path / "ws") as store:
        labels = store.labels()
        labels.paint(index=3, points=[(20, 20)], radius=4)
        before = labels.read()
        monkeypatch.setattr(writer, "BLOB_VOXELS", 1000)
        real, written = chunks.replace_bytes, []

        def full(path: Path, data: bytes, **how: bool) -> None:
            written.append(path)
            if "blobs" in path.parts and len(written) > 3:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(path, data, **how)

        monkeypatch.setattr(chunks, "replace_bytes", full)
        with pytest.raises(WorkspaceError, match=r"could not be saved"):
            labels.write(None, 1)
        np.testing.assert_array_equal(labels.read(), before)
        assert not list((store.path / "journal" / "blobs").glob("*"))
