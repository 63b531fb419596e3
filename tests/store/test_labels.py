"""The verbs of labels on planes of all three axes: what they change and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from voxloop.errors import LabelError, WorkspaceError
from voxloop.store import Store
from voxloop.store.shapes import flood, usual_around

from .conftest import SHAPE, make

AXES = "zyx"


def across(array: np.ndarray, axis: str, index: int) -> np.ndarray:
    return np.take(array, index, AXES.index(axis))


@pytest.mark.parametrize("axis", AXES)
def test_a_dot_is_round_in_micrometres_on_every_plane(store: Store, axis: str) -> None:
    labels = store.labels()
    centre = (10, 60, 70)
    k = AXES.index(axis)
    edit = labels.paint(axis=axis, index=centre[k], points=[[c for i, c in enumerate(centre) if i != k]], radius=8)
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij"), -1) - centre
    distance = np.linalg.norm(grid * labels.spacing_um, axis=-1)
    expected = (distance <= 8 * 0.01 + 1e-9) & (np.arange(SHAPE[k]) == centre[k]).reshape(
        [-1 if i == k else 1 for i in range(3)]
    )
    np.testing.assert_array_equal(labels.read() == 1, expected)
    assert edit.voxels == expected.sum()


def test_a_ball_reaches_as_many_slices_as_its_radius(store: Store) -> None:
    labels = store.labels()
    labels.paint(index=10, points=[(60, 70)], radius_um=0.1, depth=True)
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij"), -1) - (10, 60, 70)
    np.testing.assert_array_equal(labels.read() == 1, np.linalg.norm(grid * labels.spacing_um, axis=-1) <= 0.1 + 1e-9)
    labels.erase(index=10, points=[(60, 70)], radius=99, depth=1)
    assert sorted(np.unique(np.nonzero(labels.read())[0])) == [8, 12]


@pytest.mark.parametrize("axis", AXES)
def test_a_plane_is_a_slice_of_what_read_gives(store: Store, axis: str) -> None:
    labels = store.labels()
    labels.write(None, np.random.default_rng(0).integers(0, 3, SHAPE).astype("u1"))
    whole = labels.read()
    index = SHAPE[AXES.index(axis)] // 2
    plane = across(whole, axis, index)
    np.testing.assert_array_equal(labels.plane(axis, index), plane)
    np.testing.assert_array_equal(labels.plane(axis, index, ((3, 19), (5, 130)), 4), plane[3:19, 5:130][::4, ::4])
    np.testing.assert_array_equal(labels.read((slice(3, 17), slice(100, 140))), whole[3:17, 100:140])
    np.testing.assert_array_equal(labels.as_volume().isel(z=slice(2, 9)).to_numpy(), whole[2:9])
    assert sum(sum(t.counts.values()) for t in labels.touched()) == (whole > 0).sum()


@pytest.mark.parametrize("axis", AXES)
def test_a_polygon_fills_what_it_encloses(store: Store, axis: str) -> None:
    labels = store.labels()
    labels.polygon(axis=axis, index=5, points=[(2, 10), (2, 30), (12, 30), (12, 10)], value="background")
    expected = np.zeros_like(across(labels.read(), axis, 5))
    expected[2:13, 10:31] = 2
    np.testing.assert_array_equal(labels.plane(axis, 5), expected)
    assert labels.counts() == {2: 11 * 21}


def test_a_flood_fills_an_outline_and_stops_at_it(store: Store) -> None:
    labels = store.labels()
    corners = [(20, 20), (20, 60), (70, 60), (70, 20), (20, 20)]
    labels.paint(index=4, points=corners, radius=1)
    before = labels.plane("z", 4)
    labels.fill(index=4, point=(40, 40), value=2)
    new = labels.plane("z", 4)
    np.testing.assert_array_equal(new[22:69, 22:59], 2)
    np.testing.assert_array_equal(new[before > 0], 1)
    assert (new == 2).sum() == 47 * 37
    labels.fill(index=4, point=(0, 0), value=2, reach=5)
    assert labels.plane("z", 4)[:10, :10].sum() == 2 * 36


def test_a_flood_follows_the_picture_in_the_plane_or_in_space(with_image: Callable[..., Store]) -> None:
    picture = np.full((6, 40, 50), 20, np.uint8)
    picture[1:4, 10:20, 10:20] = 100
    picture[2, 10:20, 20:30] = 107
    picture[2, 30:35, 40:45] = 100  # alike, but not connected
    labels = with_image(picture).labels()
    labels.fill(index=2, point=(12, 12), by="image", tolerance=10)
    np.testing.assert_array_equal(labels.read()[2] == 1, (picture[2] >= 100) & (np.arange(50) < 35))
    assert labels.read()[[1, 3]].max() == 0
    labels.undo()
    labels.fill(axis="x", index=12, point=(2, 12), by="image", tolerance=5, volume=True)
    np.testing.assert_array_equal(labels.read() == 1, (picture == 100) & (np.arange(50) < 35))


def test_a_flood_without_a_tolerance_fills_what_it_begins_in():
    rng = np.random.default_rng(0)
    inside = np.zeros((80, 100), bool)
    inside[20:60, 20:80] = True
    shares = []
    for noise in np.linspace(1, 12, 60):
        picture = rng.normal(60, noise, inside.shape)
        picture[inside] += 8 * noise
        place = (int(rng.integers(24, 56)), int(rng.integers(24, 76)))
        centre, tolerance = usual_around(picture, place)
        filled = flood(picture, place, tolerance, centre)
        assert not filled[~inside].any()
        assert noise / 2 < tolerance < 3 * noise
        shares.append(filled[inside].mean())
    assert np.median(shares) > 0.7
    assert np.mean(np.array(shares) > 0.5) > 0.9  # a voxel far off by its noise is taken for a thing of its own


def test_the_threshold_brush_paints_only_intensities_in_range(with_image: Callable[..., Store]) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (4, 50, 60)).astype("u1")
    labels = with_image(picture).labels()
    labels.threshold(axis="y", index=20, points=[(2, 30)], radius=9, low=100, high=180, value=2)
    free = with_image(picture).labels()
    free.paint(axis="y", index=20, points=[(2, 30)], radius=9, value=2)
    np.testing.assert_array_equal(labels.read(), np.where((picture >= 100) & (picture <= 180), free.read(), 0))


@pytest.mark.parametrize("axis", AXES)
def test_copying_a_slice_keeps_what_is_labelled_unless_told(store: Store, axis: str) -> None:
    labels = store.labels()
    labels.paint(axis=axis, index=4, points=[(8, 20), (8, 60)], radius=5, value=1)
    labels.paint(axis=axis, index=5, points=[(8, 50), (8, 90)], radius=5, value=2)
    source, target = labels.plane(axis, 4), labels.plane(axis, 5)
    labels.copy_slice(axis=axis, source=4, target=5)
    np.testing.assert_array_equal(labels.plane(axis, 5), np.where(target > 0, target, source))
    labels.undo()
    labels.copy_slice(axis=axis, source=4, target=5, overwrite=True)
    np.testing.assert_array_equal(labels.plane(axis, 5), np.where(source > 0, source, target))


def test_interpolation_moves_from_one_outline_to_the_other(store: Store) -> None:
    labels = store.labels()
    labels.paint(index=2, points=[(50, 40)], radius=10)
    labels.paint(index=10, points=[(50, 60)], radius=20)
    labels.paint(index=6, points=[(50, 55)], radius=2, value=2)
    ends = labels.read()
    edit = labels.interpolate(first=10, last=2)
    assert (edit.region[0].start, edit.region[0].stop) == (3, 10)
    new = labels.read()
    np.testing.assert_array_equal(new[[2, 10]], ends[[2, 10]])
    np.testing.assert_array_equal(new[6][ends[6] == 2], 2)  # what was painted between stays
    areas = [(new[z] > 0).sum() for z in range(2, 11)]
    assert areas == sorted(areas)
    rows, columns = np.nonzero(new[6] > 0)
    assert abs(rows.mean() - 50) < 1
    assert 44 < columns.mean() < 60
    labels.paint(index=12, points=[(15, 15)], radius=3, value=2)
    labels.paint(index=16, points=[(15, 115)], radius=3, value=2)
    labels.interpolate(first=12, last=16, values=["background"])  # further apart than its size: it travels
    np.testing.assert_allclose([(labels.plane("z", z) == 2)[:30].sum() for z in range(12, 17)], 29, atol=3)
    with pytest.raises(LabelError, match=r"none between"):
        labels.interpolate(first=2, last=3)
    with pytest.raises(LabelError, match=r"do not both hold any class"):
        labels.interpolate(first=6, last=19)


def test_a_locked_class_is_neither_painted_nor_painted_over(store: Store) -> None:
    labels = store.labels()
    labels.paint(index=1, points=[(20, 20)], radius=6, value="object")
    painted = labels.read() == 1
    store.levels.change_class("labels", "object", locked=True)
    labels.paint(index=1, points=[(24, 24)], radius=9, value=2)
    labels.erase(index=1, points=[(20, 20)], radius=3)
    labels.write((slice(0, 3),), 0)
    np.testing.assert_array_equal(labels.read() == 1, painted)
    with pytest.raises(LabelError, match=r"'object' is locked"):
        labels.paint(points=[(5, 5)], value=1)
    while labels.undo():  # a lock is for brushes, not for undo
        pass
    assert not labels.counts()


def test_a_child_is_confined_to_its_parent(store: Store) -> None:
    store.levels.add("parts", ["cristae", "matrix"], parent=("labels", "object"))
    cell, parts = store.labels("labels"), store.labels("parts")
    cell.paint(index=3, points=[(30, 30), (30, 80)], radius=10, value="object")
    cell.paint(index=3, points=[(60, 60)], radius=10, value="background")
    parts.write((slice(2, 5),), 2)
    np.testing.assert_array_equal(parts.read() == 2, cell.read() == 1)
    store.levels.change_class("labels", "object", name="cell")
    parts.write((slice(2, 5),), 1)
    np.testing.assert_array_equal(parts.read() == 1, cell.read() == 1)
    with pytest.raises(LabelError, match=r"parent of level 'parts'"):
        store.levels.remove_class("labels", "cell")
    parts.undo()
    store.levels.add("inner", ["dot"], parent=("parts", "matrix"))
    store.labels("inner").paint(axis="x", index=40, points=[(3, 0), (3, 139)], radius=3)
    assert store.labels("inner").counts() == {1: 21}


def test_instances_are_numbers_not_classes(tmp_path: Path) -> None:
    with make(tmp_path / "ws", classes=None, kind="instances") as store:
        labels = store.labels()
        assert labels.dtype == np.uint32
        assert labels.next_id() == 1
        labels.paint(index=1, points=[(20, 20)], value=70_000)
        assert labels.next_id() == 70_001
        labels.paint(index=1, points=[(90, 20)], value=2**32 - 1, radius=1)
        assert sorted(labels.counts()) == [70_000, 2**32 - 1]
        with pytest.raises(LabelError, match=r"next_id"):
            labels.paint(points=[(5, 5)], value=2**32)
    with Store.open(store.path) as store:
        assert sorted(np.unique(store.labels().read())) == [0, 70_000, 2**32 - 1]


def test_a_stroke_in_a_volume_of_10_to_the_12_touches_only_its_chunks(tmp_path: Path) -> None:
    with make(tmp_path / "ws", shape=(10_000, 10_000, 10_000)) as store:
        labels = store.labels()
        for axis in AXES:
            labels.paint(axis=axis, index=9_999, points=[(9_900, 9_900), (9_999, 9_999)], radius=3)
        labels.flush()
        assert len(labels.touched()) < 40
        assert store.size()["labels"] < 100_000
        assert labels.plane("y", 9_999, ((9_980, 10_000), (9_980, 10_000))).any()
    with Store.open(store.path) as again:
        assert again.labels().counts() == {1: sum(t.counts[1] for t in again.labels().touched())}


def test_listeners_hear_of_every_edit_and_cannot_break_it(store: Store) -> None:
    labels = store.labels()
    heard: list[tuple[str, int]] = []
    labels.on_edit(lambda edit: 1 / 0)
    stop = labels.on_edit(lambda edit: heard.append((edit.tool, edit.sequence)))
    labels.paint(points=[(5, 5)])
    labels.paint(points=[(5, 5)])  # changes nothing, so there is nothing to tell
    labels.undo()
    stop()
    labels.redo()
    assert heard == [("paint", 1), ("undo", 2)]
    assert labels.sequence == 3


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"value": 3}, "unknown class '3'; there are '1', '2'"),
        ({"value": "objct"}, "did you mean 'object'"),
        ({"axis": "z", "index": 20}, "planes 0 to 19"),
        ({"axis": "t"}, "not one of 'z', 'y', 'x'"),
        ({"radius": 3, "radius_um": 1}, "not both"),
        ({"radius": -1}, "is less than 0"),
        ({"depth": -1}, "negative"),
        ({"points": []}, "at least one pair"),
    ],
)
def test_what_cannot_be_painted_says_what_can(store: Store, wrong: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        store.labels().paint(**{"points": [(5, 5)], **wrong})
    assert store.labels().sequence == 0


def test_strokes_outside_the_plane_change_nothing(store: Store) -> None:
    labels = store.labels()
    assert labels.paint(points=[(-50, -50)], radius=5).voxels == 0
    assert labels.paint(points=[(-50, 70), (500, 70)], radius=2).voxels == 5 * SHAPE[1]


def test_write_checks_shape_values_and_leaves_everything_when_they_are_wrong(store: Store) -> None:
    labels = store.labels()
    with pytest.raises(LabelError, match=r"shape \(2, 3\).*\(1, 4, 4\)"):
        labels.write((3, slice(0, 4), slice(0, 4)), np.ones((2, 3), "u1"))
    values = np.zeros(SHAPE, int)
    values[-1, -1, -1] = 7  # the last chunk to be looked at
    values[0, 0, 0] = 1
    with pytest.raises(LabelError, match=r"7 are no classes.*1 'object', 2 'background'"):
        labels.write(None, values)
    assert labels.sequence == 0
    assert not labels.read().any()


def test_a_closed_store_takes_no_edits(store: Store) -> None:
    labels = store.labels()
    labels.paint(points=[(5, 5)])
    store.close()
    with pytest.raises(WorkspaceError, match=r"closed"):
        labels.paint(points=[(5, 5)])
    with pytest.raises(WorkspaceError, match=r"closed"):
        store.labels()
