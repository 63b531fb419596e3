"""Masks of other programs in and out: what 0 means is asked, values find their classes, nothing is guessed silently."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from voxloop.errors import LabelError, VolumeError
from voxloop.store import Store
from voxloop.store.classes import as_classes
from voxloop.store.exchange import survey
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


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".zarr", ".h5", ".npy", ".mrc", ".nii", ".zip"])
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


def test_what_values_seem_to_mean(tmp_path: Path) -> None:
    with make(tmp_path / "ws", classes=["background", "cell"]) as store:
        labels = store.labels()

        def meanings(mask: np.ndarray) -> dict[int, str | None]:
            return {one.value: one.meaning for one in survey(labels, mask)}

        assert meanings(MASK == 1) == {0: None, 1: "cell"}  # not the background, whose value is 1
        assert meanings(MASK) == {0: None, 1: None, 2: None}
        assert meanings(np.maximum(MASK, 1)) == {1: "background", 2: "cell"}
        assert meanings(MASK.astype(np.int16) - 1) == {-1: "unlabelled", 0: None, 1: "cell"}
        assert sum(one.share for one in survey(labels, MASK)) == pytest.approx(1)
        with pytest.raises(LabelError, match="is no table"):
            labels.load(MASK, values=[1, 2])  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", [".tif", ".zarr", ".npy", ".zip", ".json", ".geojson"])
def test_a_place_that_cannot_be_written_is_said(store: Store, tmp_path: Path, suffix: str) -> None:
    paint(store)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises((LabelError, VolumeError), match="choose another place"):
        store.labels().save(tmp_path / "file" / f"a{suffix}")


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


@pytest.mark.parametrize("ids", [(7, 2**32 - 1), (5_000_000_001, 9_000_000_000_000), (2**63 + 5, 2**64 - 2)])
def test_object_numbers_of_64_bits_find_their_place(tmp_path: Path, ids: tuple[int, int]) -> None:
    mask = np.zeros(SHAPE, np.uint64)
    mask[MASK == 1], mask[MASK == 2] = ids
    np.save(tmp_path / "ids.npy", mask)
    sizes = [int((value == MASK).sum()) for value in (1, 2)]
    with make(tmp_path / "ws", classes=None, kind="instances") as store:
        store.labels().load(tmp_path / "ids.npy", zero="unlabelled")
        assert [store.labels().counts()[number] for number in sorted(store.labels().counts())] == sizes
    with make(tmp_path / "ws2", classes=["background", "axon"]) as store:
        store.labels().load(tmp_path / "ids.npy", zero="unlabelled", values=dict.fromkeys(ids, "axon"))
        assert store.labels().counts() == {2: sum(sizes)}


def test_negative_numbers_are_never_classes_by_themselves(tmp_path: Path) -> None:
    mask = MASK.astype(np.int16) - 1  # as SuRVoS marks what nobody labelled
    with make(tmp_path / "ws", classes=["a", "b"]) as store:
        with pytest.raises(LabelError, match=r"nobody looked there.*values=\{-1: 'unlabelled'"):
            store.labels().load(mask, zero="unlabelled")
        store.labels().load(mask, values={-1: "unlabelled", 0: "a", 1: "b"})
        np.testing.assert_array_equal(store.labels().read(), MASK)
    with make(tmp_path / "ws2", classes=None, kind="instances") as store:
        with pytest.raises(LabelError, match=r"values=\{-1: 0\}"):
            store.labels().load(mask, zero="unlabelled")
        store.labels().load(mask, zero="unlabelled", values={-1: 0})
        assert store.labels().counts() == {1: int((MASK == 2).sum())}


def test_whole_numbers_in_float_files_are_masks_and_names_in_files_are_classes(tmp_path: Path) -> None:
    path = save_volume(MASK.astype(np.float32), tmp_path / "mask.tif")
    with make(tmp_path / "ws", classes=["background", "cell", "nucleus"]) as store:
        store.labels().load(path, zero="unlabelled", values={1: "cell", 2: "nucleus"})
        saved = store.labels().save(tmp_path / "labels.tif")
    with make(tmp_path / "ws2", classes=["nucleus", "cell"]) as store:
        store.labels().load(saved, zero="unlabelled")  # by name: 2 was cell, 3 nucleus
        np.testing.assert_array_equal(store.labels().read(), np.array([0, 2, 1])[MASK])
    with make(tmp_path / "ws3", classes=["cell"]) as store, pytest.raises(LabelError, match=r"calls 3 'nucleus'"):
        store.labels().load(saved, zero="unlabelled")


def test_a_narrow_mask_whose_axes_nobody_states_is_read_as_the_image_lies(tmp_path: Path) -> None:
    narrow = np.zeros((12, 20, 4), np.uint8)
    narrow[2:5, 3:9, 1:3] = 1
    np.save(tmp_path / "mask.npy", narrow)
    image = open_volume(np.zeros(narrow.shape, np.uint8), axes="zyx")
    with Store.create(tmp_path / "ws", image=image, classes=["cell"]) as store:
        store.labels().load(tmp_path / "mask.npy", zero="unlabelled")
        np.testing.assert_array_equal(store.labels().read(), narrow)
        for suffix in (".tif", ".zarr", ".h5", ".npy", ".mrc", ".nii"):
            assert open_volume(store.labels().save(tmp_path / f"labels{suffix}")).shape == narrow.shape


def test_lines_and_points_are_no_areas(store: Store, tmp_path: Path) -> None:
    import roifile

    corners = np.array([[5, 5], [50, 5], [50, 50]], np.float32)
    for kind in (roifile.ROI_TYPE.POINT, roifile.ROI_TYPE.FREELINE, roifile.ROI_TYPE.POLYLINE, roifile.ROI_TYPE.ANGLE):
        roi = roifile.ImagejRoi.frompoints(corners, name="object", position=3)
        roi.roitype = kind
        roifile.roiwrite(tmp_path / f"{kind.name}.zip", [roi], name=["object"])
        with pytest.raises(LabelError, match=r"no areas.*line_width=3"):
            store.labels().load(tmp_path / f"{kind.name}.zip")
        store.labels().load(tmp_path / f"{kind.name}.zip", line_width=3)
        voxels = store.labels().counts()[1]
        assert voxels < 40 if kind == roifile.ROI_TYPE.POINT else 200 < voxels < 400
        store.labels().undo()


def test_outlines_of_a_time_lapse_lie_on_their_frames_and_like_named_ones_are_objects(tmp_path: Path) -> None:
    import roifile

    def square(left: int, name: str, **position: int) -> roifile.ImagejRoi:
        roi = roifile.ImagejRoi.frompoints([[left, 5], [left + 10, 5], [left + 10, 15], [left, 15]], name=name)
        for key, value in position.items():
            setattr(roi, key, value)
        return roi

    film = open_volume(np.zeros((4, 48, 48), np.uint8), axes="tyx")
    rois = [square(5, "cell", c_position=1, z_position=1, t_position=t, position=0) for t in (1, 3)]
    rois += [square(25, name, c_position=1, z_position=1, t_position=1, position=0) for name in ("cell", "", "")]
    roifile.roiwrite(tmp_path / "a.zip", rois, name=[str(number) for number in range(5)])
    with Store.create(tmp_path / "ws", image=film, kind="instances") as store:
        labels = store.labels()
        labels.load(tmp_path / "a.zip")
        values = labels.read()
        assert [z for z in range(4) if values[z].any()] == [0, 2]
        assert values[0, 8, 8] == values[2, 8, 8]
        assert values[0, 8, 28] != values[0, 8, 8]


FLAT = np.zeros((1, 40, 60), np.uint8)
#: columns 5 to 24, rows 5 to 24 of them, as COCO counts: column by column
RUNS = [205, *([20, 20] * 19), 20, 2400 - 205 - 40 * 19 - 20]


@pytest.mark.parametrize("suffix", [".json", ".geojson", ".zip"])
@pytest.mark.parametrize("kind", ["semantic", "instances"])
def test_outlines_come_back_from_every_kind_of_file(tmp_path: Path, suffix: str, kind: str) -> None:
    classes = ["background", "cell", "nucleus"] if kind == "semantic" else None
    drawn = np.zeros((3, 40, 60), np.uint8)
    drawn[1, 5:25, 5:25] = 2
    drawn[1, 10:14, 10:20] = 0  # a hole, and others with something in it
    drawn[1, 7, 7] = drawn[1, 20:23, 8:12] = 3
    drawn[1, 30:36, 40:50] = 3
    drawn[1, 32:34, 43:46] = 2
    drawn[2, 6:9, 6:9] = 2
    with Store.create(tmp_path / "ws", image=np.zeros(drawn.shape, "u1"), classes=classes, kind=kind) as store:
        store.labels().write(None, drawn)
        path = store.labels().save(tmp_path / f"labels{suffix}")
    with Store.create(tmp_path / "ws2", image=np.zeros(drawn.shape, "u1"), classes=classes, kind=kind) as store:
        store.labels().load(path)
        again = store.labels().read()
    if kind == "semantic":
        np.testing.assert_array_equal(again, drawn)
    else:
        np.testing.assert_array_equal(again > 0, drawn > 0)
        pairs = {*zip(again[drawn > 0].tolist(), drawn[drawn > 0].tolist(), strict=True)}
        assert len(pairs) == 2, "every object is one, on all slices and in all its parts"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", {"shapes": [{"label": "cell", "points": [[5, 5], [25, 25]], "shape_type": "rectangle"}]}),
        (
            "b.json",
            {
                "images": [{"id": 1, "file_name": "other.png", "height": 40, "width": 60}],
                "categories": [{"id": 4, "name": "cell"}],
                "annotations": [
                    {"id": 1, "image_id": 1, "category_id": 4, "segmentation": [[5, 5, 25, 5, 25, 25, 5, 25]]}
                ],
            },
        ),
        (
            "c.json",
            {
                "images": [{"id": 1, "file_name": "other.png", "height": 40, "width": 60}],
                "categories": [{"id": 4, "name": "cell"}],
                "annotations": [
                    {"id": 1, "image_id": 1, "category_id": 4, "segmentation": {"size": [40, 60], "counts": RUNS}}
                ],
            },
        ),
        (
            "d.geojson",
            {
                "type": "FeatureCollection",
                "features": [
                    {
                        "type": "Feature",
                        "geometry": {"type": "Polygon", "coordinates": [[[5, 5], [25, 5], [25, 25], [5, 25], [5, 5]]]},
                        "properties": {"classification": {"name": "Cell"}},
                    }
                ],
            },
        ),
    ],
)
def test_annotations_of_other_programs(tmp_path: Path, name: str, content: dict) -> None:
    (tmp_path / name).write_text(json.dumps(content))
    with Store.create(tmp_path / "ws", image=FLAT, classes=["background", "cell"]) as store:
        store.labels().load(tmp_path / name)
        assert store.labels().counts() == {2: 400}
        assert (store.labels().read()[0, 5:25, 5:25] == 2).all()
    with Store.create(tmp_path / "ws2", image=FLAT, classes=["background", "mito"]) as store:
        with pytest.raises(LabelError, match=r"unknown class '[Cc]ell'.*values="):
            store.labels().load(tmp_path / name)
        store.labels().load(tmp_path / name, values={"cell": "mito", "Cell": "mito"})
        assert store.labels().counts() == {2: 400}


@pytest.mark.parametrize("content", ["[1, 2]", "{", '{"shapes": [{}]}', '{"features": [{"geometry": 3}]}', '{"a": 1}'])
def test_json_that_holds_no_annotations(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with (
        Store.create(tmp_path / "ws", image=FLAT, classes=["cell"]) as store,
        pytest.raises(LabelError, match=r"a\.json"),
    ):
        store.labels().load(tmp_path / "a.json")


def test_names_that_look_alike_are_one() -> None:
    for names in (["caf\u00e9", "cafe\u0301"], ["cell", "  cell "]):
        with pytest.raises(LabelError, match="two classes have the name"):
            as_classes([{"name": name} for name in names])
    assert as_classes(["cafe\u0301"])[0].name == "caf\u00e9"
