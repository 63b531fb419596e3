"""Levels inside of others: put there later, cropped, and what becomes of them when their parent is erased."""

from __future__ import annotations

import numpy as np
import pytest

from voxloop.errors import LabelError
from voxloop.store import Labels, Store

BOX = [(10, 10), (50, 50)]


@pytest.fixture
def family(store: Store) -> tuple[Store, Labels, Labels]:
    """A level with an object, and one inside of it that fills a part."""
    store.levels.add("parts", ["part", "background"], parent=("labels", "object"))
    parent, child = store.labels("labels"), store.labels("parts")
    parent.box(index=2, points=BOX, value="object")
    child.box(index=2, points=[(20, 20), (60, 60)], value="part")
    assert child.counts() == {1: 31 * 31}
    return store, parent, child


def test_erasing_a_parent_says_how_much_of_a_child_lies_outside_since(family):
    store, parent, child = family
    edit = parent.erase(index=2, points=[(30, 30)], radius=5)
    assert edit.outside == {"parts": edit.voxels}
    assert store.levels.outside("parts") == {"image": edit.voxels}
    assert child.counts() == {1: 31 * 31}
    cropped = store.levels.crop("parts")
    assert cropped["image"].voxels == edit.voxels
    assert store.levels.outside("parts") == {}
    assert store.levels.crop("parts") == {}
    parent.undo()  # the crop was made along with what is taken back
    assert child.counts() == {1: 31 * 31}
    parent.redo()
    assert child.counts() == {1: 31 * 31 - edit.voxels}


def test_erasing_with_the_children_is_one_undo(family):
    _, parent, child = family
    before = parent.read(), child.read()
    edit = parent.erase(index=2, points=[(30, 30)], radius=5, children="crop")
    assert (edit.outside, child.counts()) == ({}, {1: 31 * 31 - edit.voxels})
    assert not child.read()[2][parent.read()[2] == 0].any()
    parent.undo()
    assert np.array_equal(parent.read(), before[0])
    assert np.array_equal(child.read(), before[1])
    with pytest.raises(LabelError, match="'keep', 'crop'"):
        parent.erase(index=2, points=[(30, 30)], children="eat")
    child.box(index=2, points=[(40, 40), (45, 45)], value="background")
    parent.redo()  # what was painted since is later than the crop, and stays
    assert child.counts()[2] == 36


def test_a_parent_that_comes_later_asks_before_it_crops(family):
    store, _, child = family
    store.levels.add("cells", kind="instances")
    cells = store.labels("cells")
    cells.box(index=2, points=[(0, 0), (30, 30)], value=7)
    with pytest.raises(LabelError, match=r"840 voxels of level 'parts' lie outside of 'cells' \(840 on 'image'\)"):
        store.levels.reparent("parts", "cells")
    assert store.levels["parts"].parent == ("labels", "object")
    edits = store.levels.reparent("parts", "cells", crop=True)
    assert (edits["image"].voxels, child.counts()) == (840, {1: 121})
    assert store.levels["parts"].parent == ("cells", None)
    child.undo()
    assert child.counts() == {1: 31 * 31}
    assert store.levels.reparent("parts", ("labels", "object")) == {}
    assert store.levels.reparent("parts", "cells", crop=False) == {}
    assert store.levels.reparent("parts", None) == {}
    assert store.levels["parts"].parent is None
    with pytest.raises(LabelError, match="inside of no other"):
        store.levels.crop("parts")


def test_no_level_comes_to_lie_inside_of_itself(family):
    store, parent, _ = family
    for above in (("parts", "part"), ("labels", "object")):
        with pytest.raises(LabelError, match="below itself"):
            store.levels.reparent("labels", above, crop=True)
    assert store.levels["labels"].parent is None
    assert parent.counts() == {1: 41 * 41}


def test_locked_classes_stay_where_a_level_is_cropped(family):
    store, parent, child = family
    store.levels.change_class("parts", "part", locked=True)
    edit = parent.erase(index=2, points=[(30, 30)], radius=5)
    assert store.levels.crop("parts") == {}
    assert store.levels.outside("parts") == {"image": edit.voxels}
    assert child.counts() == {1: 31 * 31}
