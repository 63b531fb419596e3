"""What a user is told of a volume before working on it."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from voxloop.panels.volume.volume_checks import facts, plane_checks
from voxloop.volumes import open_volume


def words(checks):
    return {check.what: (check.verdict, check.words) for check in checks}


def test_checks_of_metadata():
    array = np.zeros((10, 64, 64), "float32")
    found = words(facts(open_volume(array)))
    assert found["Voxel size"][0] == "warning"
    found = words(facts(open_volume(array, spacing=(0.04, 0.008, 0.008))))
    assert found["Voxel size"][0] == "good"
    assert "40 × 8 × 8 nm" in found["Voxel size"][1]
    assert "5.0 times coarser along z" in found["Voxel size"][1]
    assert "Blocks" not in found


def test_what_a_file_does_not_state_is_shown_as_assumed(tmp_path):
    array = np.arange(5 * 8 * 9, dtype=np.uint16).reshape(5, 8, 9)
    tifffile.imwrite(tmp_path / "a.tif", array, resolution=(12_500, 12_500), resolutionunit="CENTIMETER")
    found = words(facts(open_volume(tmp_path / "a.tif")))
    assert found["Voxel size"][0] == found["Axes"][0] == "warning"
    assert "z is assumed, the rest from the file" in found["Voxel size"][1]
    known = open_volume(tmp_path / "a.tif", spacing=(2, 0.8, 0.8), axes="zyx")
    assert words(facts(known))["Voxel size"][0] == "good"
    assert "Axes" not in words(facts(known))
    assert words(facts(known.assign_attrs(remarks=["a page is left out"])))["Note"] == ("warning", "a page is left out")


@pytest.mark.parametrize(
    ("plane", "verdict", "said"),
    [
        (np.full((8, 8), np.nan), "error", "no finite number"),
        (np.full((8, 8), 7), "warning", "7 everywhere"),
        (np.array([[0.0, np.nan], [1.0, 2.0]]), "warning", "25.0%"),
        (np.array([[0, 255], [255, 3]], "uint8"), "warning", "50% saturated at 255"),
        (np.arange(64, dtype="uint8"), "good", "0 to 63"),
    ],
)
def test_checks_of_voxels(plane, verdict, said):
    found = plane_checks(plane)
    assert found[0].verdict == verdict
    assert said in found[0].words
