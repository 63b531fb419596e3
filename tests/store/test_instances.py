"""Single objects in hand: split, merged, removed, numbered anew, marked as right; each is one edit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi

from voxloop.errors import LabelError
from voxloop.store import splitting
from voxloop.workspace.workspace import Workspace

SHAPE = (20, 60, 140)


def dumb_bell(shape=SHAPE) -> np.ndarray:
    """Two balls that touch: the left one around x = 40, the right one, smaller, around x = 80."""
    z, y, x = np.indices(shape)
    left = ((z - 10) / 9) ** 2 + ((y - 30) / 20) ** 2 + ((x - 40) / 24) ** 2 <= 1
    right = ((z - 10) / 8) ** 2 + ((y - 30) / 16) ** 2 + ((x - 80) / 20) ** 2 <= 1
    return left | right


@pytest.fixture
def lab(tmp_path):
    with Workspace.create(tmp_path / "ws", image=np.zeros(SHAPE, np.uint8), kind="instances", spacing=1.0) as ws:
        labels = ws.labels()
        values = dumb_bell() * 5
        values[0:3, 50:, 100:] = 9
        labels.write(None, values)
        yield labels


def sizes(lab) -> dict[int, int]:
    return lab.counts()


def test_split_by_a_line_in_all_slices_is_one_edit(lab) -> None:
    before = lab.read()
    edit = lab.split(5, line=[(5, 62), (55, 62)], axis="z", index=10)
    after = lab.read()
    new = next(number for number in sizes(lab) if number not in (5, 9))
    x = np.indices(SHAPE)[2]
    assert edit.voxels == (after == new).sum()
    assert (x[after == 5] <= 62).all()  # the larger part keeps the number
    assert (x[after == new] >= 62).all()
    np.testing.assert_array_equal(after > 0, before > 0)
    lab.undo()
    np.testing.assert_array_equal(lab.read(), before)
    lab.split(5, line=[(28, 62), (32, 62)], axis="z", index=10)  # short: it is drawn out to the edge
    assert len(sizes(lab)) == 3
    lab.undo()
    edit = lab.split(5, line=[(5, 62), (55, 62)], axis="z", index=10, depth=0)
    assert edit.box.to_json()[0] == [10, 11] or edit.voxels < (before == 5).sum() / 10


def test_split_by_seeds_where_it_is_thinnest(lab) -> None:
    lab.split(5, seeds=[(10, 30, 80), (10, 30, 40)])
    after, x = lab.read(), np.indices(SHAPE)[2]
    new = next(number for number in sizes(lab) if number not in (5, 9))
    assert x[after == 5].mean() > 75  # the first seed keeps the number
    assert abs(int(x[after == 5].min()) - 62) < 6
    assert x[after == new].max() < 68


def test_pieces_that_do_not_touch_become_objects(lab) -> None:
    lab.write((slice(0, 20), slice(0, 60), slice(60, 64)), 0)
    lab.split(5)
    assert len(sizes(lab)) == 3
    with pytest.raises(LabelError, match="one connected piece"):
        lab.split(5)


def test_merge_remove_relabel_and_renumber(lab) -> None:
    start = lab.read()
    lab.merge([9, 5])
    assert set(sizes(lab)) == {5}
    lab.undo()
    lab.relabel({5: 70, 9: 5})
    np.testing.assert_array_equal(lab.read() == 70, start == 5)
    np.testing.assert_array_equal(lab.read() == 5, start == 9)
    edit = lab.renumber()
    expected = [
        number for number in dict.fromkeys(np.where(start == 5, 70, np.where(start == 9, 5, 0)).ravel()) if number
    ]
    assert edit.voxels == (start > 0).sum()
    assert set(sizes(lab)) == {1, 2}
    assert (lab.read() == 1)[start == {70: 5, 5: 9}[int(expected[0])]].all()
    assert not lab.renumber().voxels
    lab.remove([1, 2])
    assert not lab.read().any()
    lab.undo()
    assert set(sizes(lab)) == {1, 2}


def test_what_is_locked_nothing_overwrites_also_after_reopening(lab, tmp_path) -> None:
    lab.lock([5])
    before = lab.read()
    lab.paint(axis="z", index=10, points=[(30, 10), (30, 130)], radius=3, value=9)
    lab.erase(axis="z", index=10, points=[(30, 40)], radius=9)
    lab.write(None, 0)
    np.testing.assert_array_equal(lab.read() == 5, before == 5)
    lab.paint(axis="z", index=0, points=[(2, 2)], radius=2, value=5)  # nor does it grow
    assert lab.counts()[5] == (before == 5).sum()
    for change in (lambda: lab.split(5), lambda: lab.remove([5]), lambda: lab.merge([5, 9])):
        with pytest.raises(LabelError, match=r"locked|no object 9"):
            change()
    with Workspace.open(tmp_path / "ws") as again:
        assert again.labels().locked_objects == [5]
    assert lab.next_object() is None or lab.next_object() != 5
    lab.unlock([5])
    assert lab.locked_objects == []
    lab.undo()
    assert lab.locked_objects == [5]
    lab.redo()
    lab.remove([5])
    assert 5 not in lab.counts()
    lab.lock([9]) if 9 in lab.counts() else None


def test_an_undone_lock_is_none(lab) -> None:
    lab.lock([5, 9])
    lab.undo()
    assert lab.locked_objects == []
    lab.redo()
    assert lab.locked_objects == [5, 9]
    assert lab.history(lab.sequence)["tool"] == "redo"


def test_objects_in_order(lab) -> None:
    assert lab.next_object() == 5
    assert lab.next_object(5) == 9
    assert lab.next_object(9) is None
    assert lab.next_object(by="smallest") == 9
    assert lab.next_object(1, by="number") == 5
    assert lab.object_at((10, 30, 40)) == 5
    assert lab.object_at(lab.object_middle(5)) == 5
    box = lab.object_box(9)
    assert box.to_json() == [[0, 3], [50, 60], [100, 140]]


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        (lambda lab: lab.split(77), "no object 77 any more"),
        (lambda lab: lab.merge([5, 77]), "no object 77 any more"),
        (lambda lab: lab.merge([5]), "two objects or more"),
        (lambda lab: lab.remove([]), "select one first"),
        (lambda lab: lab.split(5, line=[(0, 0), (1, 5)], axis="z", index=10), "separates nothing"),
        (lambda lab: lab.split(5, seeds=[(10, 30, 40)]), "two seeds"),
        (lambda lab: lab.split(5, seeds=[(10, 30, 40), (10, 30, 40)]), "same voxel"),
        (lambda lab: lab.split(5, seeds=[(10, 30, 40), (0, 0, 0)]), "does not lie on object 5"),
        (lambda lab: lab.split(5, seeds=[(10, 30, 40), (9, 30, 70)], line=[(0, 0)]), "not both"),
        (lambda lab: lab.relabel({5: 9}), "taken"),
        (lambda lab: lab.relabel({}), "dict"),
        (lambda lab: lab.unlock([5]), "not locked"),
        (lambda lab: lab.object_at((99, 0, 0)), "no voxel"),
        (lambda lab: lab.next_object(by="colour"), "unknown order"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_lost(lab, verb, words) -> None:
    before, sequence = lab.read(), lab.sequence
    with pytest.raises(LabelError, match=words):
        verb(lab)
    assert lab.sequence == sequence
    np.testing.assert_array_equal(lab.read(), before)


def test_a_level_of_classes_has_no_objects(tmp_path) -> None:
    with (
        Workspace.create(tmp_path / "c", image=np.zeros(SHAPE, np.uint8), classes=["a"]) as ws,
        pytest.raises(LabelError, match=r"ws\.objects\('labels'\)"),
    ):
        ws.labels().remove([1])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_parts_cover_the_object_and_each_is_whole(seed) -> None:
    rng = np.random.default_rng(seed)
    mask = ndi.gaussian_filter(rng.normal(size=(9, 24, 30)), 2) > 0
    at = np.argwhere(mask)
    seeds = at[rng.choice(len(at), 2, replace=False)].tolist()
    parts = splitting.between(mask, seeds, (2.0, 1.0, 1.0))
    np.testing.assert_array_equal(parts > 0, mask)
    assert [parts[tuple(seed)] for seed in seeds] == [1, 2]
    line = rng.uniform(0, 24, size=(3, 2))
    try:
        cut = splitting.along(mask, "z", line)
    except LabelError:
        return
    np.testing.assert_array_equal(cut > 0, mask)
    assert cut.max() >= 2


def test_a_large_object_is_cut_as_a_small_one() -> None:
    mask = np.kron(dumb_bell(), np.ones((1, 3, 3), bool))
    small = splitting.between(dumb_bell(), [(10, 30, 40), (10, 30, 80)], (1, 1, 1))
    large = splitting.between(mask, [(10, 90, 120), (10, 90, 240)], (3, 1, 1))
    same = np.kron(small, np.ones((1, 3, 3), np.uint32)) == large
    assert same[mask].mean() > 0.97
    np.testing.assert_array_equal(large > 0, mask)
