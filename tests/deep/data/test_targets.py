"""Targets of objects: what they are where labels say so, and nothing where they do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxloop.config import ObjectsConfig
from voxloop.deep.data.targets import code, instance_targets
from voxloop.objects import decode_instances
from voxloop.volumes.samples.nuclei import SPACING, make


def discs() -> np.ndarray:
    """Two discs that touch, one that the edge cuts; everything labelled."""
    y, x = np.mgrid[:64, :64]
    coded = np.ones((64, 64), np.uint8)
    coded[(y - 20) ** 2 + (x - 20) ** 2 < 100] = 2
    coded[((y - 20) ** 2 + (x - 39) ** 2 < 100) & (coded == 1)] = 3
    coded[(y - 50) ** 2 + (x - 62) ** 2 < 100] = 4
    return coded


def test_depth_is_one_in_the_middle_and_small_at_the_border() -> None:
    targets = instance_targets(discs())
    foreground, boundary, depth = targets.values
    assert depth[20, 20] > 0.95
    assert 0 < depth[20, 11] < 0.2
    assert depth[0, 0] == 0
    assert boundary[20, 11] == 1
    assert boundary[20, 20] == 0
    assert foreground.sum() == (discs() > 1).sum()


def test_objects_cut_by_the_edge_have_no_known_depth() -> None:
    targets = instance_targets(discs())
    assert targets.known[0].all()
    assert targets.known[1].all()
    assert not targets.known[2][50, 62]
    assert targets.known[2][20, 20]
    assert targets.known[2][0, 0]


def test_what_is_not_labelled_teaches_nothing() -> None:
    coded = discs()
    coded[:, :20] = 0  # half of the first disc, and what lies left of it
    targets = instance_targets(coded)
    assert not targets.known[:, :, :20].any()
    assert targets.known[0][20, 21]
    assert not targets.known[1][20, 20]  # its border may or may not be here
    assert targets.known[1][20, 25]  # far from any border that could be
    assert not targets.known[2][20, 25]  # but where its middle is, nobody knows
    assert targets.known[2][20, 40]


def test_spacing_is_that_of_the_axes() -> None:
    coded = np.ones((9, 21, 21), np.uint8)
    coded[3:6, 5:16, 5:16] = 2
    targets = instance_targets(coded, (4.0, 1.0, 1.0))
    depth = targets.values[2]
    assert depth[4, 10, 10] == 1.0  # five planes of voxels away sideways, two planes of four upwards
    assert depth[3, 10, 10] == pytest.approx(4 / 6)
    assert instance_targets(coded, (1.0, 1.0, 1.0)).values[2][3, 10, 10] == pytest.approx(1 / 2)


def test_a_single_plane_of_a_stack_is_not_cut_by_its_faces() -> None:
    targets = instance_targets(discs()[None], (5.0, 1.0, 1.0))
    assert targets.known[2][0, 20, 20]
    np.testing.assert_allclose(targets.values[:, 0], instance_targets(discs()).values)


@given(st.integers(0, 2**31), st.integers(1, 3000))
def test_codes_keep_what_touches_apart(number, step) -> None:
    numbers = np.array([0, 1, 2 + number, 2 + number + step], np.uint32)
    coded = code(numbers, 1)
    assert coded[:2].tolist() == [0, 1]
    assert min(coded[2:]) >= 2
    assert (coded[2] == coded[3]) == (step % 254 == 0)
    assert code(np.array([1], np.uint32), None)[0] == 3


def test_targets_of_the_truth_decode_to_the_truth() -> None:
    truth = make(5, (16, 96, 96))[1]
    coded = code(np.where(truth > 0, truth + 1, 1).astype(np.uint32), 1)
    found = decode_instances(
        instance_targets(coded, SPACING).values, ObjectsConfig(seed_threshold=0.5), spacing_um=SPACING
    )
    overlap = [np.bincount(found[truth == number]).max() / (truth == number).sum() for number in np.unique(truth)[1:]]
    assert np.mean(np.array(overlap) > 0.8) > 0.9
    assert abs(int(found.max()) - (len(np.unique(truth)) - 1)) <= 3
