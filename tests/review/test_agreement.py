"""Two labelings held against each other: the numbers of libraries, whatever the blocks; classes mapped; differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from voxloop.errors import VoxloopError
from voxloop.geometry import Box
from voxloop.review import agree
from voxloop.review.boundaries import BoundaryTally
from voxloop.volumes import as_volume
from voxloop.workspace.workspace import Workspace

SPACING = (0.04, 0.01, 0.02)


@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
@settings(max_examples=25)
def test_the_numbers_are_those_of_scikit_learn(seed, classes):
    one, other = np.random.default_rng(seed).integers(0, classes, (2, 3, 9, 8)).astype(np.uint8)
    found = agree(one, other, boundaries=False)
    assert np.array_equal(found.confusion, confusion_matrix(one.ravel(), other.ravel()))
    assert found.kappa == pytest.approx(cohen_kappa_score(one.ravel(), other.ravel()))
    both = ((one == 1) & (other == 1)).sum()
    assert found.dice["1"] == pytest.approx(2 * both / ((one == 1).sum() + (other == 1).sum()))
    assert sum(one.voxels for one in found.differences) == (one != other).sum()
    assert np.array_equal(found.array[:, :, :] > 0, one != other)


def distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Micrometres between the boundaries of value 1, both ways, on the whole."""

    def edges(values: np.ndarray) -> np.ndarray:
        padded = np.pad(values, 1, mode="edge")
        inner = (slice(1, -1),) * 3
        near = [np.roll(padded, step, axis)[inner] for axis in range(3) for step in (1, -1)]
        return (values == 1) & np.any([one != 1 for one in near], axis=0)

    a, b = edges(one), edges(other)
    far = [distance_transform_edt(~there, sampling=SPACING)[here] for here, there in ((a, b), (b, a))]
    return np.concatenate(far)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_distances_of_boundaries_are_those_of_the_whole_whatever_the_blocks(seed):
    rng = np.random.default_rng(seed)
    shape, reach = (6, 20, 24), 0.09
    one, other = np.zeros((2, *shape), np.int32)
    for values in (one, other):
        z, y, x = rng.integers(0, (3, 10, 12))
        values[z : z + 3, y : y + rng.integers(3, 9), x : x + rng.integers(3, 9)] = 1
    expected = np.minimum(distances(one, other), reach)
    for block in (Box.whole(shape).shape, tuple(rng.integers(3, 12, 3))):
        tally = BoundaryTally(shape, SPACING, 2, reach)
        for part in Box.whole(shape).blocks(block):
            tally.add(part, lambda around: (one[around.slices], other[around.slices]))
        found = tally.result(1)
        assert found.voxels == len(expected)
        assert found.mean_um == pytest.approx(expected.mean(), abs=1e-5)
        assert found.beyond == pytest.approx((distances(one, other) > reach * (1 + 1e-4)).mean(), abs=1e-6)
        assert found.median_um == pytest.approx(np.quantile(expected, 0.5, method="inverted_cdf"), abs=reach / 500)


def test_objects_are_matched_whatever_their_numbers():
    one, other = np.zeros((2, 2, 40, 40), np.uint32)
    one[:, 2:10, 2:10], one[:, 20:30, 20:30] = 5, 9
    other[:, 2:10, 2:10], other[:, 20:30, 20:24] = 700_000, 3
    found = agree(one, other, kind="instances")
    assert found.objects == (2, 2)
    assert found.ap[0.5] == pytest.approx(1 / 3)
    assert found.array[0, :, :][5, 5] == 0
    assert {piece.voxels for piece in found.differences} == {2 * 10 * 10}
    assert found.boundaries["object"].voxels > 0


@pytest.fixture
def ws(tmp_path):
    with Workspace.create(tmp_path / "ws", image=np.zeros((4, 60, 70), np.uint8), classes=["cell", "rest"]) as ws:
        ws.levels.add("second", ["Rest", "nucleus"])
        ws.labels("labels").box(index=1, points=[(10, 10), (29, 29)], value="cell")
        ws.labels("labels").box(index=1, points=[(30, 10), (49, 29)], value="rest")
        ws.labels("second").box(index=1, points=[(10, 10), (24, 29)], value="nucleus")
        ws.labels("second").box(index=1, points=[(25, 10), (49, 29)], value="Rest")
        yield ws


def test_two_levels_agree_where_both_are_labelled_and_classes_go_by_name_or_mapping(ws):
    found = ws.agreement("labels", "second")
    assert found.classes == ("cell", "rest", "nucleus")
    assert (found.voxels, found.accuracy) == (800, 0.5)
    found = ws.agreement("labels", "second", mapping={"nucleus": "cell"})
    assert found.classes == ("cell", "rest")
    assert found.confusion.tolist() == [[300, 100], [0, 400]]
    (piece,) = found.differences
    assert (piece.voxels, piece.one, piece.other, piece.box) == (100, "cell", "rest", Box((1, 25, 10), (2, 30, 30)))
    assert found.array[1, 25:30, 10:30].tolist() == [[1] * 20] * 5 or (found.array[1, 25:30, 10:30] > 0).all()
    assert "agree on 87.5% of 800 voxels" in found.words
    ws.regions.add("low", (slice(None), slice(30, 60)))
    ws.regions.activate("low")
    assert ws.agreement("labels", "second").voxels == 400


def test_a_mask_file_against_a_level(ws, tmp_path):
    import tifffile

    mask = np.zeros((4, 60, 70), np.uint8)
    mask[1, 10:30, 10:30] = 7
    tifffile.imwrite(tmp_path / "mask.tif", mask, photometric="minisblack")
    found = ws.agreement("labels", str(tmp_path / "mask.tif"), mapping={7: "cell", 0: "rest"})
    assert (found.names, found.accuracy, found.kappa) == (("labels", "mask.tif"), 1.0, 1.0)
    assert found.differences == ()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("labels", "nothing"), "no level .*'labels', 'second'.*no prediction .none. and no file"),
        (("labels", np.zeros((3, 3, 3), np.uint8)), "must be the same"),
        (("labels", np.zeros((4, 60, 70), np.float32)), "labels are whole numbers"),
    ],
)
def test_what_cannot_be_compared_is_said(ws, arguments, words):
    with pytest.raises(VoxloopError, match=words):
        ws.agreement(*arguments)
    with pytest.raises(VoxloopError, match="class of the second labeling 'mito'"):
        ws.agreement("labels", "second", mapping={"mito": "cell"})


def test_frames_are_pictures_of_their_own():
    one, other = np.zeros((2, 2, 12, 12), np.uint8)
    one[0, 3:8, 3:8] = other[1, 3:8, 3:8] = 1
    apart = agree(as_volume(one, axes="zyx"), as_volume(other, axes="zyx"), frames=True)
    assert apart.boundaries["1"].beyond == 1.0
    together = agree(as_volume(one, axes="zyx"), as_volume(other, axes="zyx"))
    assert together.boundaries["1"].beyond == 0.0
