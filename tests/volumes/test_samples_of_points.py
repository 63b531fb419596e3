"""Made-up samples of animals, spots, dividing cells and pictures: the truth is where it says, the same every time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage as ndi

import voxloop as vl
from voxloop.volumes.samples import dividing, kinds_of_cells, spots, walkers


def test_animals_stay_in_the_picture_and_cross():
    film, truth = walkers.make(3, frames=60)
    again, _ = walkers.make(3, frames=60)
    np.testing.assert_array_equal(film, again)
    assert {said["track"] for said in truth} == {"1", "2", "3", "4", "5"}
    assert len(truth) == 5 * 60
    places = np.array([list(said["points"].values()) for said in truth])
    assert (places >= 0).all()
    assert (places <= np.array(film.shape[1:]) - 1).all()
    heads = [film[said["frame"]][tuple(np.round(said["points"]["head"]).astype(int))] for said in truth]
    assert np.median(heads) > 3 * np.median(film)
    steps = np.linalg.norm(places[5:, 1] - places[:-5, 1], axis=1)
    assert steps.max() < 6
    assert any(said["hidden"] for said in truth)


def test_spots_are_bright_where_the_truth_says():
    picture, places = spots.make(1, number=60)
    assert len(places) == 60
    blurred = ndi.gaussian_filter(picture.astype(float), (1, 1, 1))
    there = blurred[tuple(np.round(places).astype(int).T)]
    assert (there > np.percentile(blurred, 97)).mean() > 0.95


def test_cells_divide_leave_and_keep_their_number():
    film, truth, lineage = dividing.make(0)
    assert film.shape == truth.shape
    assert set(lineage) == set(np.unique(truth)) - {0}
    daughters = [number for number, (_, _, parent) in lineage.items() if parent]
    assert len(daughters) > 10
    for number, (first, last, parent) in lineage.items():
        assert all((truth[frame] == number).any() for frame in range(first, last + 1))
        if parent:
            assert lineage[parent][1] == first - 1
    parents = {parent for _, _, parent in lineage.values()}
    assert any(last < len(truth) - 1 and number not in parents for number, (_, last, _) in lineage.items())


def test_pictures_of_three_kinds_cannot_be_told_by_their_brightness():
    pictures, classes = kinds_of_cells.make(0, number=90)
    assert np.bincount(classes).tolist() == [0, 30, 30, 30]
    means = [np.sort(pictures[classes == value].mean(axis=(1, 2))) for value in (1, 2, 3)]
    assert all(a[0] < b[-1] and b[0] < a[-1] for a in means for b in means)


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[vl.Workspace]:
    with vl.Workspace.create(tmp_path / "ws") as made:
        yield made


@pytest.mark.parametrize("name", ["spots", "dividing"])
def test_a_sample_goes_into_a_workspace_in_three_lines(ws, name):
    sample = vl.samples.load(name, seed=1)
    ws.images.add(name, sample.volume)
    ws.levels.add("points", kind="points", skeleton=sample.skeleton)
    assert len(ws.points().add_many(sample.points)) == len(sample.points)
    assert ws.points().framed == (name != "spots")


def test_pictures_go_into_a_workspace(ws):
    sample = vl.samples.load("pictures", seed=1)
    ws.images.add("pictures", sample.volume)
    ws.levels.add("kind", sample.classes, kind="pictures")
    ws.pictures().assign_many(dict(enumerate(sample.assigned)))
    assert ws.pictures().counts() == {"round": 80, "ring": 80, "dividing": 80}
