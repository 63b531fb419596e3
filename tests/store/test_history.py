"""Any sequence of edits, undos, kills and reopenings against a plain array and a list of its past states."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from voxloop.store import Labels, Store, following, open_labels, state, writer

from .conftest import SHAPE, abandon, make

place = st.tuples(*(st.integers(0, n - 1) for n in SHAPE))


class History(RuleBasedStateMachine):
    """The store with small limits, so that blobs, eviction and flushing on the way all happen."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.saved = (writer.BLOB_VOXELS, state.CACHE_BYTES, following.CACHE_BYTES)
        writer.BLOB_VOXELS, state.CACHE_BYTES, following.CACHE_BYTES = 60_000, 3 << 18, 3 << 18
        self.store = make(self.folder / "ws")
        self.past: list[np.ndarray] = [np.zeros(SHAPE, np.uint8)]  # the state after edit 0, 1, ...
        self.undone: list[np.ndarray] = []
        self.done: list[np.ndarray] = []
        self.follower: Labels | None = None

    @initialize()
    def follow(self) -> None:
        self.follower = Store.open(self.store.path, read_only=True).labels()

    @property
    def labels(self) -> Labels:
        return self.store.labels()

    @property
    def now(self) -> np.ndarray:
        return self.past[-1]

    def made(self, edit: Any, new: np.ndarray) -> None:
        assert edit.voxels == (new != self.now).sum()
        if edit.voxels:
            self.done.append(self.now)
            self.undone.clear()
            self.past.append(new)
        assert edit.sequence == len(self.past) - 1

    @rule(at=place, to=place, axis=st.sampled_from("zyx"), radius=st.floats(0, 12), value=st.integers(0, 2))
    def paint(self, at: tuple, to: tuple, axis: str, radius: float, value: int) -> None:
        k = "zyx".index(axis)
        points = [[n for i, n in enumerate(voxel) if i != k] for voxel in (at, to)]
        new = self.now.copy()
        edit = self.labels.paint(axis=axis, index=at[k], points=points, radius=radius, value=value)
        inside = self.labels.read(edit.region) if edit.voxels else None
        if inside is not None:
            new[edit.region] = inside  # where the mask lies is another test's matter
        self.made(edit, new)

    @rule(at=place, to=place, seed=st.integers(0, 99), overwrite=st.booleans())
    def write(self, at: tuple, to: tuple, seed: int, overwrite: bool) -> None:
        box = tuple(slice(min(a, b), max(a, b) + 1) for a, b in zip(at, to, strict=True))
        values = np.random.default_rng(seed).integers(0, 3, [part.stop - part.start for part in box]).astype(np.uint8)
        mask = values != 1
        new = self.now.copy()
        allowed = mask if overwrite else mask & (new[box] == 0)
        new[box][allowed] = values[allowed]
        self.made(self.labels.write(box, values, mask, overwrite=overwrite), new)

    @rule()
    def undo(self) -> None:
        edit = self.labels.undo()
        assert (edit is None) == (not self.done)
        if edit is not None:
            self.undone.append(self.now)
            self.past.append(self.done.pop())

    @rule()
    def redo(self) -> None:
        edit = self.labels.redo()
        assert (edit is None) == (not self.undone)
        if edit is not None:
            self.done.append(self.now)
            self.past.append(self.undone.pop())

    @rule()
    def flush(self) -> None:
        self.labels.flush()

    @rule(kill=st.booleans())
    def reopen(self, kill: bool) -> None:
        path = self.store.path
        abandon(self.store) if kill else self.store.close()
        self.store = Store.open(path, read_only=False)

    @precondition(lambda self: self.labels.sequence)
    @rule(drop=st.sampled_from(["array", "index", "chunk"]))
    def lose_the_cache(self, drop: str) -> None:
        array = self.labels.path
        path = self.store.path
        self.store.close()
        if drop == "array":
            shutil.rmtree(array)
        elif drop == "index":
            array.with_suffix(".index.jsonl").unlink()
        else:
            for chunk in list((array / "0" / "c").glob("*/*/*"))[:1]:
                chunk.write_bytes(chunk.read_bytes()[:-3])
        self.store = Store.open(path, read_only=False)

    @rule(data=st.data())
    def look_back(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.past) - 1))
        then = open_labels(self.store.path, "labels", "image", at=at)
        assert then.sequence == at
        assert then.counts() == counted(self.past[at])
        np.testing.assert_array_equal(then.read(), self.past[at])

    @rule()
    def refresh(self) -> None:
        assert self.follower is not None
        before = self.follower.sequence
        np.testing.assert_array_equal(self.follower.read(), self.past[before])
        edits = self.follower.refresh()
        assert [edit.sequence for edit in edits] == list(range(before + 1, len(self.past)))
        np.testing.assert_array_equal(self.follower.read(), self.now)
        assert self.follower.counts() == counted(self.now)

    @invariant()
    def memory_is_the_truth(self) -> None:
        np.testing.assert_array_equal(self.labels.read(), self.now)
        assert self.labels.counts() == counted(self.now)
        assert self.labels.sequence == len(self.past) - 1
        assert self.labels.can_undo == bool(self.done)
        assert self.labels.can_redo == bool(self.undone)

    def teardown(self) -> None:
        while self.labels.undo() is not None:
            pass
        assert not self.labels.read().any()
        assert self.labels.touched() == []
        self.labels.flush()
        assert not list((self.labels.path / "0" / "c").glob("*/*/*"))  # empty chunks are not stored
        self.store.close()
        writer.BLOB_VOXELS, state.CACHE_BYTES, following.CACHE_BYTES = self.saved
        shutil.rmtree(self.folder)


def counted(array: np.ndarray) -> dict[int, int]:
    return {int(v): int(n) for v, n in zip(*np.unique(array[array > 0], return_counts=True), strict=True)}


History.TestCase.settings = settings(
    max_examples=15, stateful_step_count=14, deadline=None, suppress_health_check=list(HealthCheck)
)
TestHistory = History.TestCase


def test_a_joined_stroke_is_taken_back_as_one(store: Store) -> None:
    labels = store.labels()
    labels.paint(index=1, points=[(5, 5)], value=2)
    first = labels.read()
    for number in range(3):
        labels.paint(index=2, points=[(20 + 10 * number, 20), (30 + 10 * number, 20)], radius=4, joined=number > 0)
    stroke = labels.read()
    edit = labels.undo()
    assert edit is not None
    np.testing.assert_array_equal(labels.read(), first)
    assert edit.voxels > 3
    labels.redo()
    np.testing.assert_array_equal(labels.read(), stroke)
    labels.undo()
    labels.undo()
    assert not labels.counts()


def test_undo_reaches_across_slices_levels_of_memory_and_reopening(store: Store) -> None:
    labels = store.labels()
    for z in range(0, 20, 2):
        labels.paint(index=z, points=[(z, z), (z + 90, z + 40)], radius=3, value=1 + z % 4 // 2)
    path = store.path
    store.close()
    with Store.open(path) as again:
        labels = again.labels()
        assert labels.undo().region[0] == slice(18, 19)  # type: ignore[union-attr]
        assert labels.plane("z", 18).max() == 0
        assert labels.plane("z", 16).max() == 1
        entry = labels.history(10)
        assert entry["tool"] == "paint"
        assert entry["arguments"]["points"] == [[18.0, 18.0], [108.0, 58.0]]
        assert entry["author"]
        assert labels.history(11)["of"] == 10


def test_what_another_program_changed_becomes_an_edit(store: Store) -> None:
    import zarr

    labels = store.labels()
    labels.paint(index=3, points=[(20, 20), (60, 60)], radius=4)
    ours = labels.read()
    path, array = store.path, labels.path
    store.close()
    foreign = zarr.open_array(array / "0", mode="r+")
    np.testing.assert_array_equal(foreign[:], ours)  # it is what zarr sees
    foreign[3:5, 100:130, 100:140] = 2
    theirs = foreign[:]
    with Store.open(path) as again:
        labels = again.labels()
        np.testing.assert_array_equal(labels.read(), theirs)
        assert labels.history(labels.sequence)["tool"] == "foreign"
        assert labels.counts() == counted(theirs)
        labels.undo()
        np.testing.assert_array_equal(labels.read(), ours)
    with Store.open(path) as again:  # noticed once, not at every opening
        assert again.labels().sequence == 3


def test_a_copied_workspace_is_not_taken_for_a_changed_one(store: Store, tmp_path: Path) -> None:
    store.labels().paint(index=3, points=[(20, 20), (60, 60)], radius=4)
    store.close()
    shutil.copytree(store.path, tmp_path / "copy")
    with Store.open(tmp_path / "copy") as copy:
        assert copy.labels().sequence == 1


@pytest.mark.parametrize("at", [-1, 2])
def test_there_is_no_such_edit(store: Store, at: int) -> None:
    from voxloop.errors import LabelError

    store.labels().paint(points=[(5, 5)])
    with pytest.raises(LabelError, match=f"no edit {at}.*1 to 1"):
        open_labels(store.path, "labels", "image", at=at)
