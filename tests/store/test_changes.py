"""Which voxels each edit set that still hold what it set."""

from __future__ import annotations

import numpy as np

from voxloop.store import Store, open_labels


def voxels(change) -> set[tuple[int, ...]]:
    return {tuple(place) for place in change.at.tolist()}


def test_every_stroke_has_its_voxels(store: Store) -> None:
    labels = store.labels()
    first = labels.paint(index=3, points=[(20, 20), (20, 60)], radius=4, value=1)
    second = labels.paint(index=4, points=[(100, 130)], radius=5, value=2)
    found = labels.changes()
    assert [change.sequence for change in found] == [first.sequence, second.sequence]
    assert [len(change.at) for change in found] == [first.voxels, second.voxels]
    assert voxels(found[0]) == {tuple(place) for place in np.argwhere(labels.read() == 1).tolist()}
    assert set(found[1].values.tolist()) == {2}
    assert [change.sequence for change in labels.changes(first.sequence)] == [second.sequence]


def test_what_is_gone_does_not_count(store: Store) -> None:
    labels = store.labels()
    labels.paint(index=3, points=[(20, 20), (20, 60)], radius=4, value=1)
    labels.erase(index=3, points=[(20, 20)], radius=10)
    over = labels.paint(index=3, points=[(20, 60)], radius=6, value=2)
    first, last = labels.changes()
    assert not voxels(first) & voxels(last)
    assert len(first.at) == (labels.read() == 1).sum()
    assert last.sequence == over.sequence
    labels.undo()
    assert [change.sequence for change in labels.changes()] == [1], "an edit taken back is none"
    labels.redo()
    assert [change.sequence for change in labels.changes()] == [1, over.sequence], "made again, it is where it was"


def test_joined_edits_are_one_stroke(store: Store) -> None:
    labels = store.labels()
    labels.paint(index=3, points=[(20, 20), (20, 40)], radius=2)
    labels.paint(index=3, points=[(20, 40), (20, 80)], radius=2, joined=True)
    (only,) = labels.changes()
    assert only.sequence == 1
    assert len(only.at) == (labels.read() > 0).sum()


def test_large_edits_are_sampled_and_readers_see_the_same(store: Store) -> None:
    labels = store.labels()
    labels.write((slice(0, 4), slice(0, 100), slice(0, 100)), np.ones((4, 100, 100), int))
    (sample,) = labels.changes(most=500)
    assert 350 < len(sample.at) < 650
    labels.paint(index=10, points=[(50, 50)], radius=3)
    labels.flush()
    with open_labels(store.path, "labels", "image", at=1) as earlier:
        (same,) = earlier.changes(most=500)
    np.testing.assert_array_equal(same.at, sample.at)
