"""Contacts are those that looking at every pair of voxels finds."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from voxloop.shallow.neighbours import contacts
from voxloop.supervoxels.cells import grid_for
from voxloop.supervoxels.slic import slic


@pytest.fixture(params=[True, False], ids=["planar", "solid"])
def scene(request):
    grid = grid_for(4, (1.0, 1.0, 1.0), (1, 1, 1), request.param)
    shape = (2, 20, 16) if request.param else (12, 16, 12)
    image = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    return grid, image, slic(image, grid, 10.0)


def by_hand(grid, image, labels):
    """For every ordered pair of touching supervoxels from adjacent cells: squared steps across each face."""
    found = defaultdict(list)
    seats = grid.shape(labels.shape)
    for at in np.ndindex(labels.shape):
        for axis in (1, 2) if grid.planar else (0, 1, 2):
            to = list(at)
            to[axis] += 1
            if to[axis] < labels.shape[axis]:
                one, other = labels[at], labels[tuple(to)]
                apart = np.subtract(np.unravel_index(one, seats), np.unravel_index(other, seats))
                if one != other and np.abs(apart).max() <= 1:
                    step = ((image[(slice(None), *to)] - image[(slice(None), *at)]) ** 2).mean()
                    found[one, other].append(step)
                    found[other, one].append(step)
    return found


def test_faces_and_steps_are_those_found_one_by_one(scene):
    grid, image, labels = scene
    found = contacts(image, labels, grid)
    wanted = by_hand(grid, image, labels)
    seats = np.stack(np.unravel_index(np.arange(found.faces.shape[1]), found.shape), axis=1)
    for cell, seat in enumerate(seats):
        for number, offset in enumerate(grid.offsets):
            there = seat + offset
            inside = ((there >= 0) & (there < found.shape)).all()
            steps = wanted.get((cell, int(np.ravel_multi_index(there, found.shape))), []) if inside else []
            assert found.faces[number, cell] == len(steps)
            assert found.steps[number, cell] == pytest.approx(np.mean(steps) if steps else 0, rel=1e-5)


def test_pooling_takes_the_mean_over_neighbours(scene):
    grid, image, labels = scene
    found = contacts(image, labels, grid)
    values = np.random.default_rng(1).normal(size=(found.faces.shape[1], 3)).astype(np.float32)
    pooled = found.average(values)
    pairs = by_hand(grid, image, labels)
    for cell in range(len(values)):
        others = [other for one, other in pairs if one == cell]
        wanted = values[others].mean(axis=0) if others else values[cell]
        np.testing.assert_allclose(pooled[cell], wanted, atol=1e-5)
