"""Boxes, ellipses, polygons that add and take away, thresholds of regions and channels, shapes refined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi

import voxloop as vl
from voxloop.errors import ConfigError, LabelError
from voxloop.store import refining

SHAPE = (6, 50, 60)
SPACING = (0.04, 0.02, 0.02)


@pytest.fixture
def ws(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, SHAPE, np.uint8)
    volume = vl.open_volume(picture, axes="zyx", spacing=SPACING)
    with vl.Workspace.create(tmp_path / "ws", image=volume, classes=["a", "b"]) as made:
        yield made


def test_shapes_add_take_away_and_keep(ws):
    labels = ws.labels()
    labels.box(index=2, points=[(10, 10), (29, 39)], value="a")
    expected = np.zeros(SHAPE[1:], np.uint8)
    expected[10:30, 10:40] = 1
    np.testing.assert_array_equal(labels.read()[2], expected)
    labels.box(index=2, points=[(35, 35), (20, 20)], value="b", mode="subtract")
    np.testing.assert_array_equal(labels.read()[2], expected)  # there is no b to take away
    labels.box(index=2, points=[(35, 35), (20, 20)], value="a", mode="subtract")
    expected[20:36, 20:36] = 0
    np.testing.assert_array_equal(labels.read()[2], expected)
    labels.box(index=2, points=[(0, 0), (19, 59)], value="a", mode="intersect")
    expected[20:] = 0
    np.testing.assert_array_equal(labels.read()[2], expected)
    labels.box(index=2, points=[(0, 30), (49, 59)], value="b", mode="cut")
    expected[:, 30:] = 0
    np.testing.assert_array_equal(labels.read()[2], expected)
    for _ in range(3):
        labels.undo()
    assert labels.read()[2].sum() == 600


def test_a_range_and_refinements_stay_inside_of_the_outline_of_a_region(ws):
    labels = ws.labels()
    ws.regions.add("triangle", outline=[(5, 5), (5, 45), (45, 5)])
    labels.threshold(0, 255, region="triangle", value="a")
    inside = labels.read() == 1
    assert inside[:, 8, 8].all()
    assert not inside[:, 40, 40].any()
    assert 0.4 < inside[0, 5:46, 5:46].mean() < 0.6
    labels.undo()
    labels.box(index=2, points=[(0, 0), (49, 59)], value="a")
    labels.refine("erode", radius_um=10, scope="volume", region="triangle", value="a")
    np.testing.assert_array_equal(labels.read()[2] == 1, ~inside[2])


def test_an_ellipse_is_round_and_goes_through_slices(ws):
    labels = ws.labels()
    edit = labels.ellipse(index=3, points=[(10, 10), (30, 40)], value="b", depth=2)
    found = labels.read() == 2
    assert found.any(axis=(1, 2)).tolist() == [False, True, True, True, True, True]
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    away = ((y - 20) / 10) ** 2 + ((x - 25) / 15) ** 2
    assert found[3][away < 0.95].all()
    assert not found[3][away > 1.15].any()
    assert labels.history(edit.sequence)["arguments"]["depth"] == 2
    labels.undo()
    assert not labels.read().any()


def test_intersect_keeps_what_other_classes_have(ws):
    labels = ws.labels()
    labels.box(index=0, points=[(0, 0), (9, 9)], value="a")
    labels.box(index=0, points=[(0, 20), (9, 29)], value="b")
    labels.polygon(index=0, points=[(0, 0), (0, 4), (9, 4), (9, 0)], value="a", mode="intersect")
    assert labels.counts() == {1: 50, 2: 100}


def test_a_region_is_thresholded_and_strokes_stay(ws):
    labels, picture = ws.labels(), ws.images.open().to_numpy()
    labels.box(index=1, points=[(0, 0), (9, 9)], value="b")
    before = labels.read()
    labels.threshold(100, 200, value="a", region=np.s_[0:3])
    expected = np.where((picture >= 100) & (picture <= 200) & (before == 0), 1, before)
    expected[3:] = 0
    np.testing.assert_array_equal(labels.read(), expected)
    labels.undo()
    np.testing.assert_array_equal(labels.read(), before)
    ws.channels.add("smooth", "gaussian", sigma_um=0.06)
    labels.threshold(130, channel="smooth", value="a", overwrite=True)
    np.testing.assert_array_equal(labels.read() == 1, ws.channels["smooth"].to_numpy() >= 130)
    with pytest.raises(ConfigError, match="did you mean 'smooth'"):
        labels.threshold(130, channel="smoth")
    with pytest.raises(LabelError, match="without a limit"):
        labels.threshold()
    with pytest.raises(LabelError, match="channel 4"):
        labels.threshold(3, channel=4)
    with pytest.raises(LabelError, match="not both"):
        labels.threshold(3, points=[(1, 1)], region=np.s_[0:1])


@pytest.mark.parametrize("scope", ["slice", "slices", "volume"])
@pytest.mark.parametrize("operation", refining.OPERATIONS)
def test_refined_shapes_are_as_scipy_makes_them(ws, operation, scope):
    labels = ws.labels()
    rng = np.random.default_rng(1)
    mask = ndi.gaussian_filter(rng.normal(size=SHAPE), (0.7, 1.5, 1.5)) > 0.1
    mask[1:4, 20:30, 20:30] = True
    mask[2, 24:26, 24:26] = False  # a hole
    labels.write(None, mask.astype(np.uint8))
    labels.refine(operation, radius_um=0.05, scope=scope, value="a", index=2)
    found = labels.read() == 1
    if scope == "volume":
        expected = refining.refine(mask, operation, 0.05, SPACING)
    else:
        planes = [refining.refine(plane, operation, 0.05, SPACING[1:]) for plane in mask]
        expected = np.stack([planes[z] if scope == "slices" or z == 2 else mask[z] for z in range(SHAPE[0])])
    np.testing.assert_array_equal(found, expected)
    assert not np.array_equal(found, mask)
    labels.undo()
    np.testing.assert_array_equal(labels.read() == 1, mask)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.5, 1.0, 2.3]))
def test_growing_and_shrinking_are_distances(seed, radius):
    mask = ndi.gaussian_filter(np.random.default_rng(seed).normal(size=(20, 24)), 2) > 0
    inside, outside = ndi.distance_transform_edt(mask), ndi.distance_transform_edt(~mask)
    if 0 < mask.sum() < mask.size:
        np.testing.assert_array_equal(refining.refine(mask, "dilate", radius, (1, 1)), mask | (outside <= radius))
        np.testing.assert_array_equal(refining.refine(mask, "erode", radius, (1, 1)), inside > radius)
    for operation in ("open", "close", "fill holes", "keep largest", "remove small"):
        once = refining.refine(mask, operation, radius, (1, 1))
        np.testing.assert_array_equal(refining.refine(once, operation, radius, (1, 1)), once)


def test_growing_goes_over_nothing_unless_it_may(ws):
    labels = ws.labels()
    labels.box(index=0, points=[(10, 10), (19, 19)], value="a")
    labels.box(index=0, points=[(10, 20), (19, 29)], value="b")
    labels.refine("dilate", radius_um=0.06, value="a", index=0)
    assert labels.counts()[2] == 100
    assert labels.read()[0, 12, 7] == 1
    labels.undo()
    labels.refine("dilate", radius_um=0.06, value="a", index=0, overwrite=True)
    assert labels.counts()[2] == 70


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda lab: lab.refine("grow"), "unknown operation 'grow'"),
        (lambda lab: lab.refine("erode", scope="all"), "unknown scope 'all'"),
        (lambda lab: lab.refine("erode", radius_um=-1), "less than 0"),
        (lambda lab: lab.refine("erode", value=0), "unlabelled"),
        (lambda lab: lab.refine("erode", value="c"), "class"),
        (lambda lab: lab.box(points=[(1, 1)]), "2 opposite corners"),
        (lambda lab: lab.ellipse(points=[(1, 1), (2, 2)], mode="xor"), "unknown mode 'xor'"),
        (lambda lab: lab.box(points=[(1, 1), (2, 2)], depth=-1), "depth"),
        (lambda lab: lab.polygon(points=[(1, 1), (2, 2)]), "at least 3 corners"),
        (lambda lab: lab.box(points=[(1, np.nan), (2, 2)]), "NaN"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(ws, call, words):
    with pytest.raises(LabelError, match=words) as caught:
        call(ws.labels())
    assert "\n" not in str(caught.value)
    assert ws.labels().sequence == 0


def test_a_label_that_is_nowhere_and_a_shape_outside_change_nothing(ws):
    labels = ws.labels()
    assert labels.refine("dilate", scope="volume").voxels == 0
    assert labels.box(points=[(500, 500), (600, 600)]).voxels == 0
    assert labels.sequence == 0
