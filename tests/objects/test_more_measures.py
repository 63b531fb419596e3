"""Measures of whole objects, contacts, rules, kinds and classes: equal to scikit-image's on the whole."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi
from skimage.measure import regionprops

from voxloop.errors import PredictionError
from voxloop.objects import (
    MeasureRule,
    ObjectClassifier,
    cluster,
    contacts,
    label_components,
    measure_more,
    measure_objects,
)
from voxloop.objects.fields import VoxelField, field_of
from voxloop.objects.shape_measures import regionprops_names
from voxloop.volumes import as_volume

SPACING = (0.3, 0.1, 0.2)


def scene(shape: tuple[int, int, int], seed: int) -> np.ndarray:
    """Touching objects with holes and thin parts."""
    rng = np.random.default_rng(seed)
    labels = ndi.label(ndi.gaussian_filter(rng.normal(size=shape), 1.2) > 0.05)[0]
    half = np.indices(shape)[2] > shape[2] // 2
    return np.where(labels > 0, 2 * labels + half, 0).astype(np.int32)


@pytest.mark.parametrize(("seed", "flat"), [(1, True), (2, False)])
@pytest.mark.filterwarnings("ignore")
def test_every_number_of_scikit_image_is_that_of_the_whole(seed, flat) -> None:
    labels = scene((1, 30, 34) if flat else (7, 16, 18), seed)
    volume = as_volume(labels, spacing=SPACING, axes="zyx")
    table = measure_objects(volume)
    more = measure_more(volume, table, ["regionprops"])
    spacing = SPACING[1:] if flat else SPACING
    whole = {region.label: region for region in regionprops(labels[0] if flat else labels, spacing=spacing)}
    assert set(more.index) == set(whole)
    for name in regionprops_names(2 if flat else 3):
        for number, region in whole.items():
            try:
                expected = np.asarray(getattr(region, name), float)
            except (ValueError, ZeroDivisionError, NotImplementedError):
                continue
            found = [more.loc[number, column] for column in more if re.fullmatch(rf"{name}(_\d+)*", column)]
            np.testing.assert_allclose(found, expected.ravel(), rtol=1e-9, atol=1e-12, err_msg=name)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([(3, 7, 9), (64, 64, 64), (1, 50, 4)]))
def test_contacts_are_those_of_the_whole_whatever_the_blocks(seed, block) -> None:
    from voxloop.objects import more_measures

    labels = scene((7, 16, 18), seed)
    expected: dict[tuple[int, int], float] = {}
    for axis, face in enumerate((0.1 * 0.2, 0.3 * 0.2, 0.3 * 0.1)):
        one, other = np.delete(labels, -1, axis), np.delete(labels, 0, axis)
        for a, b in zip(one.ravel().tolist(), other.ravel().tolist(), strict=True):
            if a != b and a and b:
                expected[min(a, b), max(a, b)] = expected.get((min(a, b), max(a, b)), 0) + face
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(more_measures, "block_shape", lambda *_args, **_more: block)
        volume = as_volume(labels, spacing=SPACING, axes="zyx")
        found = contacts(volume)
        more = measure_more(volume, measure_objects(volume), ["contacts", "shape"])
    assert {(a, b) for a, b in found[["a", "b"]].to_numpy().tolist()} == set(expected)
    for a, b, area in found.to_numpy().tolist():
        assert area == pytest.approx(expected[int(a), int(b)])
    assert more["contact_um2"].sum() == pytest.approx(2 * sum(expected.values()))
    assert (more["neighbours"] > 0).sum() == len({one for pair in expected for one in pair})


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([(3, 7, 9), (64, 64, 64), (1, 50, 4)]), st.booleans())
def test_measures_are_those_of_scikit_image_on_the_whole_whatever_the_blocks(seed, block, flat) -> None:
    from voxloop.objects import measuring, more_measures

    labels = scene((1, 24, 30) if flat else (7, 16, 18), seed)
    image = np.random.default_rng(seed).normal(size=(2, *labels.shape)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        for module in (measuring, more_measures):
            patch.setattr(module, "block_shape", lambda *_args, **_more: block)
        volume = as_volume(labels, spacing=SPACING, axes="zyx")
        table = measure_objects(volume, as_volume(image, spacing=SPACING, axes="czyx"))
        table = table.join(measure_more(volume, table, ["shape"]))
    spacing = SPACING[1:] if flat else SPACING
    one, seen = (labels[0], image[:, 0]) if flat else (labels, image)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = regionprops(one, intensity_image=np.moveaxis(seen, 0, -1), spacing=spacing)
        assert table.index.tolist() == [region.label for region in whole]
        unit = "um2" if flat else "um3"
        for region in whole:
            row = table.loc[region.label]
            middle = [row[f"{axis}_um"] for axis in "zyx"[-one.ndim :]]
            near = {"rel": 1e-5, "abs": 1e-6}
            assert middle == pytest.approx(region.centroid, **near)
            assert row["area_um2" if flat else "volume_um3"] == pytest.approx(region.area, **near)
            assert row["extent"] == pytest.approx(region.extent, **near)
            assert row["equivalent_diameter_um"] == pytest.approx(region.equivalent_diameter_area, **near)
            assert row[f"filled_{unit}"] == pytest.approx(region.area_filled, **near)
            assert row["euler_number"] == region.euler_number
            if region.area_convex:  # sheets and lines have none there
                assert row[f"convex_{unit}"] == pytest.approx(region.area_convex, **near)
                assert row["solidity"] == pytest.approx(region.solidity, **near)
            for name, values in (("mean", region.intensity_mean), ("min", region.intensity_min)):
                found = [value for column, value in row.items() if str(column).split("_")[0] == name]
                assert found == pytest.approx(list(values), **near)


def ball(radius: float = 12) -> np.ndarray:
    z, y, x = np.indices((2 * int(radius) + 3,) * 3) - (int(radius) + 1)
    return (z**2 + y**2 + x**2 <= radius**2).astype(np.uint8)


def test_shapes_that_are_known() -> None:
    labels = np.zeros((30, 60, 90), np.uint8)
    labels[:27, :27, :27] = ball()
    labels[2:6, 35:45, 30:80] = 2  # a box of 4 x 10 x 50
    labels[20, 50, 10:60] = 3  # a line
    volume = as_volume(labels, spacing=0.1, axes="zyx")
    table = measure_objects(volume)
    more = table.join(measure_more(volume, table, ["shape", "skeleton"]))
    round_, box, line = (more.loc[number] for number in (1, 2, 3))
    assert round_["sphericity"] == pytest.approx(1, abs=0.06)
    assert round_["feret_max_um"] == pytest.approx(2.5, abs=0.05)
    assert round_["feret_min_um"] == pytest.approx(2.4, abs=0.1)
    assert box[["box_1_um", "box_2_um", "box_3_um"]].tolist() == pytest.approx([5, 1, 0.4], abs=0.02)
    assert box["box_um3"] == pytest.approx(2.0, rel=0.05)
    assert box["solidity"] == pytest.approx(1)
    assert box["sphericity"] < 0.7
    assert line["skeleton_um"] == pytest.approx(4.9)
    assert (line["branches"], line["branch_points"], line["end_points"]) == (1, 0, 2)
    assert line["euler_number"] == 1
    flat = np.zeros((1, 40, 60), np.uint8)
    flat[0, 5:15, 5:45] = 1
    flat[0, 20:35, 10] = flat[0, 28, 10:40] = 2  # a T
    plane = as_volume(flat, spacing=(1, 0.1, 0.1), axes="zyx")
    more = measure_more(plane, measure_objects(plane), ["shape", "skeleton"])
    assert more.loc[1, ["box_1_um", "box_2_um"]].tolist() == pytest.approx([4, 1], abs=0.1)
    assert more.loc[1, "feret_max_um"] == pytest.approx(regionprops(flat[0])[0].feret_diameter_max / 10, rel=0.01)
    assert (more.loc[2, "branches"], more.loc[2, "branch_points"], more.loc[2, "end_points"]) == (3, 1, 3)
    with pytest.raises(PredictionError, match=r"unknown group of measures 'shapes'.*did you mean 'shape'"):
        measure_more(plane, measure_objects(plane), ["shapes"])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Forty objects: even ones cubes, odd ones rods."""
    labels = np.zeros((12, 120, 120), np.uint8)
    for at in range(40):
        z, y, x = 2, 2 + 14 * (at // 8), 2 + 14 * (at % 8)
        labels[z : z + (5 if at % 2 else 2), y : y + (5 if at % 2 else 2), x : x + (5 if at % 2 else 12)] = 1
    volume = as_volume(labels, spacing=0.5, axes="zyx")
    return label_components(volume, tmp_path_factory.mktemp("made") / "o.zarr")


def test_a_rule_selects_and_makes_the_measures_it_needs(made) -> None:
    table = made.table(measures=["shape"])
    assert made.select("solidity < 0.7") == table.index[table["solidity"] < 0.7].tolist()
    assert 0 < len(made.select("volume_um3 > 10 and sphericity >= 0.7 or not touches_edge == 0")) < made.count
    assert (
        made.select("1 < volume_um3 ** (1/3) < 2") == table.index[table["volume_um3"].between(1, 8, "neither")].tolist()
    )
    assert (made.path / "table-shape.csv").exists()  # kept
    with pytest.raises(PredictionError, match=r"unknown measure 'sphericty'.*did you mean 'sphericity'"):
        made.select("sphericty < 1")


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')", "volume_um3.__class__ > 1", "[1 for x in (1,)] > 2", "lambda: 1", "1 +", "",
        "'a' < 'b'", "open('x')", "volume_um3 if 1 else 2", "(x := 3) > 1", "9**9**9**9 ; 1", "a[0] > 1", "x" * 2000,
        "(" * 500 + "1" + ")" * 500, "abs(volume_um3, 1) > 2",
        "1" * 400 + " > 2", "volume_um3 in (1, 2)", "1j > 0", None, 7,
    ],
)  # fmt: skip
def test_what_is_no_rule_is_refused_and_never_run(text) -> None:
    with pytest.raises(PredictionError, match=r"rule"):
        MeasureRule(text)


def test_a_rule_must_compare(made) -> None:
    for text in ("volume_um3", "volume_um3 and 1", "not volume_um3"):
        with pytest.raises(PredictionError, match="compare"):
            made.select(text)


def test_kinds_and_classes(made, tmp_path) -> None:
    table = made.table()
    rods = table["axis_1_um"] > 4
    for kinds in (made.cluster(2), made.cluster(5, "hdbscan", measures=["axis_1_um", "volume_um3"])):
        assert kinds[rods].nunique() == kinds[~rods].nunique() == 1
        assert kinds[rods].iloc[0] != kinds[~rods].iloc[0]
    numbers = table.index[rods].tolist(), table.index[~rods].tolist()
    found = made.classify({"rod": numbers[0][:2], "cube": numbers[1][:2]})
    assert (found["class"] == np.where(rods, "rod", "cube")).all()
    for bad, words in (
        ({"rod": [1]}, "two classes"),
        ({"rod": [1], "cube": [1]}, "example of"),
        ({"rod": [1], "cube": [999]}, "no object 999"),
        ({"rod": [1], "cube": []}, "no example"),
    ):
        with pytest.raises(PredictionError, match=words):
            ObjectClassifier.learn(table, bad)
    few = made.classifier({"rod": numbers[0][:2], "cube": numbers[1][:1]})
    assert not few.agreement.known
    assert "two examples" in few.agreement.words
    learnt = made.classifier({"rod": numbers[0][:4], "cube": numbers[1][:4]}, measures=["volume_um3", "solidity"])
    assert (learnt.agreement.right, learnt.agreement.n) == (8, 8)
    low, high = learnt.agreement.interval
    assert 0.6 < low < 0.9 < high == 1.0
    kept = learnt.save(tmp_path / "kinds.json")
    again = made.classify(kept)  # as it is used on the objects of another image
    assert again.equals(learnt.classify(made.table(measures=["shape"])))
    assert (again["class"] == np.where(rods, "rod", "cube")).all()
    kept.write_text(
        '{"v": 1, "kind": "object classifier", "measures": ["a"], "names": ["a"], "values": [[1]], "seed": 0}'
    )
    with pytest.raises(PredictionError, match="not whole"):
        ObjectClassifier.load(kept)
    with pytest.raises(PredictionError, match="no classifier of objects at"):
        made.classify(tmp_path / "gone.json")
    with pytest.raises(PredictionError, match="too few"):
        cluster(table, 100)
    with pytest.raises(PredictionError, match="unknown method"):
        cluster(table, 2, "means")


def test_a_sheet_of_excel_holds_the_table(made, tmp_path) -> None:
    pd = pytest.importorskip("pandas")
    pytest.importorskip("openpyxl")
    made.save_table(tmp_path / "t.xlsx", measures=["shape"])
    read = pd.read_excel(tmp_path / "t.xlsx", index_col=0)
    np.testing.assert_allclose(read["solidity"], made.table(measures=["shape"])["solidity"])


def test_a_field_is_read_by_the_block(made) -> None:
    field = field_of(made.labels)
    assert isinstance(field, VoxelField)
    assert len(measure_more(field, made.table(), ["shape"])) == made.count
