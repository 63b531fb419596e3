"""Masks of other programs in and out: what 0 means is asked, values find their classes, nothing is guessed silently."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from voxloop.errors import LabelError, VolumeError
from voxloop.store import Store
from voxloop.volumes import open_volume, save_volume

from .conftest import SHAPE, make

MASK = np.zeros(SHAPE, np.uint8)
MASK[2:9, 20:60, 30:130] = 1
MASK[5:12, 70:100, 30:50] = 2


def paint(store: Store) -> np.ndarray:
    """Two classes, a ring with a hole and a dot in it, on several slices."""
    labels = store.labels()
    for z in (3, 4):
        labels.paint(index=z, points=[(20, 20), (20, 60), (70, 60), (70, 20), (20, 20)], radius=4)
        labels.paint(index=z, points=[(45, 40)], radius=5)
        labels.paint(index=z, points=[(100, 100)], radius=6, value=2)
    labels.paint(index=12, points=[(0, 0), (139, 149)], radius=0)
    return labels.read()


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".zarr", ".h5", ".npy", ".zip"])
def test_what_was_saved_comes_back(store: Store, tmp_path: Path, suffix: str) -> None:
    kept = paint(store)
    path = store.labels().save(tmp_path / f"labels{suffix}")
    with pytest.raises((LabelError, VolumeError), match=r"exists.*overwrite=True"):
        store.labels().save(path)
    store.labels().save(path, overwrite=True)
    with make(tmp_path / "other") as other:
        labels = other.labels()
        if suffix == ".zip":
            labels.load(path)
        else:
            with pytest.raises(LabelError, match=r"zero='background'.*zero='unlabelled'"):
                labels.load(path)
            labels.load(path, zero="unlabelled")
        np.testing.assert_array_equal(labels.read(), kept)
        assert labels.sequence == 1
        labels.undo()
        assert not labels.counts()


@pytest.mark.parametrize("suffix", [".tif", ".zarr", ".h5"])
def test_saved_labels_know_their_spacing(store: Store, tmp_path: Path, suffix: str) -> None:
    paint(store)
    volume = open_volume(store.labels().save(tmp_path / f"labels{suffix}"))
    np.testing.assert_allclose(volume.attrs["spacing_um"], (0.04, 0.01, 0.01), rtol=1e-5)


def test_zero_as_background_fills_the_rest_and_as_unlabelled_leaves_it(store: Store) -> None:
    labels = store.labels()
    labels.paint(index=15, points=[(5, 5)], value=1)
    stroke = labels.read() > 0
    labels.load((MASK == 1).astype(np.uint8), zero="unlabelled")
    np.testing.assert_array_equal(labels.read(), np.where(MASK == 1, 1, stroke))
    labels.undo()
    labels.load((MASK == 1) * np.uint8(255), zero="background", overwrite=False)
    np.testing.assert_array_equal(labels.read(), np.where(stroke | (MASK == 1), 1, 2))
    labels.undo()
    labels.load(MASK == 1, zero="background")
    np.testing.assert_array_equal(labels.read(), np.where(MASK == 1, 1, 2))


def test_values_find_their_classes_by_number_by_order_or_by_name(tmp_path: Path) -> None:
    with make(tmp_path / "ws", classes=["background", "cell", "nucleus"]) as store:
        labels = store.labels()
        labels.load(MASK, zero="background")  # 1 and 2 in order, not as background and cell
        np.testing.assert_array_equal(labels.read(), MASK + 1)
        labels.load(MASK * np.uint16(700), zero="background")
        np.testing.assert_array_equal(labels.read(), MASK + 1)
        labels.load(MASK, zero="unlabelled", values={1: "nucleus", 2: 0})
        np.testing.assert_array_equal(labels.read() == 3, (MASK == 1) | (MASK == 2))
        labels.load(MASK, values={0: "background", 1: "nucleus", 2: "cell"})
        np.testing.assert_array_equal(labels.read(), np.array([1, 3, 2])[MASK])
        with pytest.raises(LabelError, match=r"10, 20, 30, .*3 'nucleus'.*values=\{10: 'cell'"):
            labels.load(np.repeat(np.arange(0, 100, 10), 300 * 140).reshape(SHAPE[0], 140, 150), zero="background")
        with pytest.raises(LabelError, match=r"says nothing about 2"):
            labels.load(MASK, zero="unlabelled", values={1: "cell"})


def test_a_mask_of_a_part_goes_where_it_belongs(store: Store) -> None:
    labels = store.labels()
    with pytest.raises(LabelError, match=r"\(7, 40, 50\).*\(20, 140, 150\).*region="):
        labels.load(np.ones((7, 40, 50), "u1"))
    box = (slice(2, 9), slice(20, 60), slice(100, 150))
    labels.load(np.ones((7, 40, 50), "u1"), region=box)
    assert labels.counts() == {1: 7 * 40 * 50}
    assert (labels.read(box) == 1).all()


@pytest.mark.parametrize(
    ("mask", "settings", "says"),
    [
        (MASK + 0.5, {"zero": "unlabelled"}, "whole numbers"),
        (MASK, {"zero": "nothing"}, "neither 'background' nor 'unlabelled'"),
        (np.stack([MASK, MASK]), {"zero": "unlabelled"}, r"shape \(2, 20, 140, 150\)"),
        ("missing.tif", {"zero": "unlabelled"}, "missing.tif"),
        ("missing.zip", {}, "not there"),
        (MASK, {"zero": "unlabelled", "values": {1: "object", 2: "golgi"}}, "unknown class 'golgi'"),
    ],
)
def test_masks_that_do_not_fit_change_nothing(store: Store, mask: object, settings: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        store.labels().load(mask, **settings)
    assert store.labels().sequence == 0


def test_a_level_without_background_cannot_take_zeros_as_such(tmp_path: Path) -> None:
    with make(tmp_path / "ws", classes=["cell"]) as store:
        with pytest.raises(LabelError, match=r"add_class\('labels', 'background'\)"):
            store.labels().load(MASK == 1, zero="background")
        store.levels.add_class("labels", "background")
        store.labels().load(MASK == 1, zero="background")
        assert sorted(store.labels().counts()) == [1, 2]


def test_instance_numbers_are_kept_and_never_mixed_up_with_background(tmp_path: Path) -> None:
    with make(tmp_path / "ws", classes=None, kind="instances") as store:
        store.labels().load(MASK.astype("u4") * 70_000, zero="unlabelled")
        assert sorted(store.labels().counts()) == [70_000, 140_000]
    with make(tmp_path / "ws2", classes=["background"], kind="instances") as store:
        labels = store.labels()
        labels.load(MASK, zero="background")
        np.testing.assert_array_equal(labels.read(), MASK + 1)
        labels.load(save_volume(MASK, tmp_path / "mask.tif", kind="labels"), zero="background")
        np.testing.assert_array_equal(labels.read(), MASK + 1)


def test_rois_made_in_imagej_fill_the_pixels_that_imagej_shows(store: Store, tmp_path: Path) -> None:
    import roifile

    # ImageJ counts pixel corners: a rectangle 10..20 covers ten pixels
    square = roifile.ImagejRoi.frompoints([[10, 30], [20, 30], [20, 35], [10, 35]], name="background left", position=3)
    loose = roifile.ImagejRoi.frompoints([[50, 50], [60, 50], [60, 60]], name="0012-0040")
    loose.position = 0
    roifile.roiwrite(tmp_path / "a.zip", [square, loose])
    labels = store.labels()
    with pytest.raises(LabelError, match=r"'0012-0040' names no slice"):
        labels.load(tmp_path / "a.zip")
    labels.load(tmp_path / "a.zip", index=7)
    expected = np.zeros((140, 150), np.uint8)
    expected[30:35, 10:20] = 2
    np.testing.assert_array_equal(labels.plane("z", 3), expected)
    assert labels.plane("z", 7)[52, 58] == 1
    assert labels.counts()[1] == pytest.approx(50, abs=6)
    with pytest.raises(LabelError, match=r"does not say that the rest is background"):
        labels.load(tmp_path / "a.zip", zero="background")


def test_outlines_of_one_object_on_several_slices_stay_one(tmp_path: Path) -> None:
    with make(tmp_path / "ws", classes=None, kind="instances") as store:
        labels = store.labels()
        labels.paint(index=9, points=[(30, 40)], radius=12, depth=True, value=5)
        labels.paint(index=9, points=[(90, 40)], radius=12, depth=True, value=8)
        before = labels.read()
        path = labels.save(tmp_path / "objects.zip")
        labels.write(None, 0)
        labels.load(path)
        after = labels.read()
        np.testing.assert_array_equal(after > 0, before > 0)
        assert len(np.unique(np.stack([before, after])[:, before > 0], axis=1).T) == 2
