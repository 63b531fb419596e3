"""What is held out never has a neighbour that teaches, and never takes a class away from training."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from voxloop.deep.data.labelled import gather, lookup
from voxloop.deep.data.split import GAP, Grid, Split, choose_held_out
from voxloop.geometry import Box

SHAPE = (4, 40, 48)


@st.composite
def painted(draw: st.DrawFn) -> np.ndarray:
    """A few strokes of two classes."""
    labels = np.zeros(SHAPE, np.uint8)
    for _ in range(draw(st.integers(1, 12))):
        z, y, x = (draw(st.integers(0, size - 1)) for size in SHAPE)
        labels[z, y : y + draw(st.integers(1, 4)), x : x + draw(st.integers(1, 20))] = draw(st.integers(1, 2))
    return labels


class Memory:
    def __init__(self, array: np.ndarray) -> None:
        self.array, self.shape = array, array.shape

    def read(self, region: Box) -> np.ndarray:
        return self.array[region.slices]


def gathered(labels: np.ndarray, grid: Grid):  # type: ignore[no-untyped-def]
    return gather(Memory(labels), [Box.whole(SHAPE)], lookup([1, 2]), 2, grid, 0)  # type: ignore[arg-type]


@given(painted(), st.integers(0, 5), st.sampled_from([0.1, 0.25, 0.5]))
def test_sides_are_apart_and_no_class_is_lost(labels: np.ndarray, seed: int, share: float) -> None:
    grid = Grid.of((1.0, 1.0, 1.0), SHAPE, size=16)
    found = gathered(labels, grid)
    keys = {(0, *cell): n for cell, n in found.counts.items()}
    links = [((0, *a), (0, *b)) for a, b in found.links]
    held = choose_held_out(keys, links, share, np.random.default_rng(seed))
    split = Split(grid=grid, validation=frozenset(key[1:] for key in held))
    judges = split.validation_mask(Box.whole(SHAPE)) & (labels > 0)
    teaches = split.training_mask(Box.whole(SHAPE), SHAPE) & (labels > 0)
    assert not (judges & teaches).any()
    if judges.any() and teaches.any():
        distance = ndimage.distance_transform_cdt(~judges, metric="chessboard")
        assert distance[teaches].min() > grid.gap[1] == GAP
    total = np.array([(labels == v).sum() for v in (1, 2)])
    out = np.sum([n for key, n in keys.items() if key in held], axis=0) if held else np.zeros(2)
    assert np.all(out <= np.maximum(total * 0.5, share * total))


@given(painted(), st.sampled_from([8, 16]))
def test_cells_count_every_voxel_once_and_anchors_lie_on_their_class(labels: np.ndarray, size: int) -> None:
    found = gathered(labels, Grid.of((1.0, 1.0, 1.0), SHAPE, size=size))
    total = np.sum(list(found.counts.values()), axis=0)
    assert total.tolist() == [(labels == 1).sum(), (labels == 2).sum()]
    for anchors in found.anchors.values():
        for value, places in enumerate(anchors, start=1):
            assert (labels[tuple(places.T)] == value).all()


@given(painted())
def test_links_are_the_cells_that_one_stroke_joins(labels: np.ndarray) -> None:
    grid = Grid.of((1.0, 1.0, 1.0), SHAPE, size=16)
    expected = set()
    marked = labels > 0
    for place in product(*(range(size) for size in SHAPE)):
        for axis in range(3):
            after = tuple(v + (i == axis) for i, v in enumerate(place))
            if after[axis] < SHAPE[axis] and marked[place] and marked[after]:
                a, b = (tuple(v // n for v, n in zip(p, grid.cell, strict=True)) for p in (place, after))
                if a != b:
                    expected.add((a, b))
    assert gathered(labels, grid).links == expected


def test_cells_are_as_deep_in_micrometres_as_they_are_wide() -> None:
    assert Grid.of((0.4, 0.1, 0.1), (100, 500, 500)).cell == (16, 64, 64)
    assert Grid.of((0.4, 0.1, 0.1), (100, 500, 500)).gap == (1, 4, 4)
    assert Grid.of((6.4, 0.1, 0.1), (100, 500, 500)).cell == (1, 64, 64)
    assert Grid.of((0.1, 0.1, 0.1), (9, 500, 500), frames=True).cell[0] == 1
    assert Grid.of((0.1, 0.1, 0.1), (9, 500, 500), frames=True).gap[0] == 0
    assert Grid.of((0.1, 0.1, 0.1), (9, 500, 400), split="slice").cell == (1, 500, 400)
