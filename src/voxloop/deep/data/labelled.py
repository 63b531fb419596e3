"""The labelled voxels of one image, gone through once, chunk by chunk. Never walks the grid, holds no dense copy.

What stays in RAM is bounded by the number of labelled cells: voxel counts by class, and for each class at most
``ANCHORS`` voxels to centre windows on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from voxloop.deep.data.split import Cell, Grid, Split
from voxloop.geometry import Box, Shape

#: voxels kept of a class in a cell
ANCHORS = 128


class ValueTable(Protocol):
    """Label values to uint8: 0 for what is not learnt, classes from 1."""

    def __getitem__(self, values: np.ndarray, /) -> np.ndarray: ...


class LabelSource(Protocol):
    """What is asked of a label array."""

    @property
    def shape(self) -> Shape: ...
    def read(self, region: object) -> np.ndarray: ...


@dataclass(slots=True, kw_only=True)
class Labelled:
    """Of each cell: counts (one number a class), anchors (k, 3 zyx, one array a class), links by strokes."""

    counts: dict[Cell, np.ndarray] = field(default_factory=dict)
    anchors: dict[Cell, list[np.ndarray]] = field(default_factory=dict)
    links: set[tuple[Cell, Cell]] = field(default_factory=set)


def lookup(values: Sequence[int]) -> np.ndarray:
    """Table (65536 uint8) from label values to 1 + the place among ``values``; 0 for what is not among them."""
    table = np.zeros(2**16, np.uint8)
    table[list(values)] = np.arange(1, len(values) + 1)
    return table


def gather(
    labels: LabelSource, chunks: Iterable[Box], table: ValueTable, classes: int, grid: Grid, seed: int
) -> Labelled:
    """Go through ``chunks`` of a label array whose values ``table`` translates to 1 ... ``classes``."""
    out = Labelled()
    for number, chunk in enumerate(chunks):
        # one voxel further, to see strokes that go on in the next chunk
        wider = Box(chunk.start, chunk.grow((1, 1, 1)).clip(labels.shape).stop)
        values = table[labels.read(wider)]
        out.links |= _links(values > 0, chunk, grid)
        _add_cells(out, values, chunk, classes, grid, np.random.default_rng((seed, number)))
    return out


def keep_training(labelled: Labelled, split: Split, shape: Shape) -> Labelled:
    """What of an image's labels is trained on: no held-out cells, nothing in the gap around them.

    In a cell that the gap cuts, voxels are counted by the share of its anchors that are left.
    """
    out = Labelled(links=labelled.links)
    for cell, counts in labelled.counts.items():
        if cell in split.held_out:
            continue
        near = split.near(split.grid.box(cell), shape)
        if not near:
            out.counts[cell], out.anchors[cell] = counts, labelled.anchors[cell]
            continue
        masks = [split.in_training(at, shape, near) for at in labelled.anchors[cell]]
        shares = [mask.mean() if len(mask) else 0.0 for mask in masks]
        left = np.ceil(counts * shares).astype(np.int64)
        if left.any():
            out.counts[cell] = left
            out.anchors[cell] = [at[mask] for at, mask in zip(labelled.anchors[cell], masks, strict=True)]
    return out


def totals(counts: Mapping[Cell, np.ndarray], classes: int) -> np.ndarray:
    """Labelled voxels of each class over all cells."""
    return np.sum(list(counts.values()), axis=0) if counts else np.zeros(classes, np.int64)


def _add_cells(
    out: Labelled, values: np.ndarray, chunk: Box, classes: int, grid: Grid, rng: np.random.Generator
) -> None:
    for cell in grid.cells(chunk):
        box = grid.box(cell).meet(chunk)
        assert box is not None  # the grid gave only cells that the chunk touches
        part = values[box.within(chunk).slices]
        found = part[part > 0]
        if not len(found):
            continue
        counts = np.bincount(found, minlength=classes + 1)[1:]
        anchors = [_some(part == value, box.start, rng) for value in range(1, classes + 1)]
        if cell in out.counts:  # a cell may reach over several chunks
            out.counts[cell] = out.counts[cell] + counts
            out.anchors[cell] = [np.concatenate(pair) for pair in zip(out.anchors[cell], anchors, strict=True)]
        else:
            out.counts[cell], out.anchors[cell] = counts, anchors


def _some(mask: np.ndarray, start: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    flat = np.flatnonzero(mask)
    if len(flat) > ANCHORS:
        flat = np.sort(rng.choice(flat, ANCHORS, replace=False))
    found: np.ndarray = np.stack(np.unravel_index(flat, mask.shape), axis=1).astype(np.int64) + np.array(start)
    return found


def _links(mask: np.ndarray, chunk: Box, grid: Grid) -> set[tuple[Cell, Cell]]:
    """The pairs of cells across whose common face labelled voxels touch; ``mask`` begins where ``chunk`` does."""
    links = set()
    start = np.array(chunk.start)
    for axis in range(3):
        size = grid.cell[axis]
        inside = tuple(slice(None) if i == axis else slice(0, n) for i, n in enumerate(chunk.shape))
        own = mask[inside]
        for face in range((start[axis] // size + 1) * size, start[axis] + mask.shape[axis], size):
            at = face - start[axis]
            touching = np.argwhere(np.take(own, at - 1, axis) & np.take(own, at, axis))
            if not len(touching):
                continue
            here = (np.insert(touching, axis, at, axis=1) + start) // np.array(grid.cell)
            for z, y, x in np.unique(here, axis=0).tolist():
                after = (z, y, x)
                before = (z - (axis == 0), y - (axis == 1), x - (axis == 2))
                links.add((before, after))
    return links
