"""Which labels train the network, which validate it and which test it. Pure: arrays in, cells out; reads no files.

The volume is divided into cells. A whole cell is held out or not, and training ignores labels within ``gap`` voxels of
a held-out cell, so no held-out voxel has a neighbour that is trained on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod

import numpy as np

from voxloop.geometry import Box, Shape, Spacing

Cell = tuple[int, int, int]
#: a cell of one of several images: (image, z, y, x)
Key = tuple[int, int, int, int]

#: in-plane size of a cell where labels are plenty, and where they are few
CELL, SMALLEST_CELL = 64, 8
#: in-plane voxels between labels that are trained on and held-out cells, and what share of a cell they are at most
GAP, GAP_SHARE = 4, 4
#: how far from the share that is asked for the held-out share of a class may be
TOLERANCE = 0.03
#: fewest cells of labels that are divided without making the cells smaller
ENOUGH_CELLS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The cells of one image: their size and the gap around held-out ones, voxels zyx."""

    cell: Shape
    gap: Shape

    @classmethod
    def of(
        cls, spacing: Spacing, shape: Shape, *, split: str = "block", frames: bool = False, size: int = CELL
    ) -> Grid:
        """Cells as deep, in micrometres, as they are wide; whole planes for ``split="slice"``, all for ``"image"``."""
        gap = min(GAP, size // GAP_SHARE)
        ratio = spacing[1] / spacing[0]
        depth = 1 if frames else min(16, max(1, round(size * ratio)))
        gap_z = 0 if frames else min(round(gap * ratio), max(1, depth // GAP_SHARE))
        if split == "image":
            return cls(cell=shape, gap=(0, 0, 0))
        if split == "slice":
            return cls(cell=(1, shape[1], shape[2]), gap=(gap_z, 0, 0))
        return cls(cell=(depth, size, size), gap=(gap_z, gap, gap))

    @property
    def narrower(self) -> Grid | None:
        """The same cells with half the gap; None where it is one voxel or none."""
        z, y, x = (max(1, size // 2) if size else 0 for size in self.gap)
        return None if (z, y, x) == self.gap else replace(self, gap=(z, y, x))

    def box(self, cell: Cell) -> Box:
        return Box.at([index * size for index, size in zip(cell, self.cell, strict=True)], self.cell)

    def cells(self, box: Box) -> Iterable[Cell]:
        """Those that a box touches, z slowest; every window asks several times."""
        ends = zip(box.start, box.stop, self.cell, strict=True)
        z, y, x = (range(first // size, -(-last // size)) for first, last, size in ends)
        return product(z, y, x)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Held-out cells of one image: those that validate every epoch, and those that test the end of a run."""

    grid: Grid
    validation: frozenset[Cell] = field(default_factory=frozenset)
    test: frozenset[Cell] = field(default_factory=frozenset)

    @property
    def held_out(self) -> frozenset[Cell]:
        """The cells that are not trained on."""
        return self.validation | self.test

    def without_validation(self) -> Split:
        """The same with nothing held out but the test."""
        return replace(self, validation=frozenset())

    def training_mask(self, box: Box, shape: Shape) -> np.ndarray:
        """Where labels may be trained on: bool array of ``box``."""
        out = np.ones(box.shape, bool)
        for cell in self.near(box, shape):
            part = self._around(cell, shape).meet(box)
            if part:
                out[part.within(box).slices] = False
        return out

    def in_training(self, at: np.ndarray, shape: Shape, near: Iterable[Cell] | None = None) -> np.ndarray:
        """Which voxels ``at`` (n, 3) zyx may be trained on: bool (n,); ``near`` are the held-out cells to look at."""
        out = np.ones(len(at), bool)
        for cell in self.held_out if near is None else near:
            box = self._around(cell, shape)
            out &= ~((at >= box.start) & (at < box.stop)).all(axis=1)
        return out

    def validation_mask(self, box: Box) -> np.ndarray:
        """Where labels validate: bool array of ``box``."""
        out = np.zeros(box.shape, bool)
        for cell in self.grid.cells(box):
            part = self.grid.box(cell).meet(box) if cell in self.validation else None
            if part:
                out[part.within(box).slices] = True
        return out

    def near(self, box: Box, shape: Shape) -> list[Cell]:
        """Held-out cells that a box touches, or whose gap it touches."""
        held_out, around = self.held_out, box.grow(self.grid.gap).clip(shape)
        if len(held_out) < prod(-(-n // size) for n, size in zip(around.shape, self.grid.cell, strict=True)):
            return [cell for cell in sorted(held_out) if self.grid.box(cell).meet(around)]
        return [cell for cell in self.grid.cells(around) if cell in held_out]

    def _around(self, cell: Cell, shape: Shape) -> Box:
        """A held-out cell with the gap around it."""
        return self.grid.box(cell).grow(self.grid.gap).clip(shape)


def choose_held_out(
    counts: Mapping[Key, np.ndarray], links: Iterable[tuple[Key, Key]], share: float, rng: np.random.Generator
) -> frozenset[Key]:
    """Cells to hold out: ``share`` of each class's voxels where cells are small enough, never more than half of it.

    Strokes stay whole where that meets the share, cells otherwise; where neither does, each class has something held
    out nevertheless.

    Parameters
    ----------
    counts
        Labelled voxels of each class, by cell.
    links
        Pairs of cells across whose border a stroke runs.
    """
    if not counts or not share:
        return frozenset()
    total = np.sum(list(counts.values()), axis=0)
    most = max(0.5, share) * total
    cells: list[tuple[Key, ...]] = [(cell,) for cell in sorted(counts)]
    strokes = _strokes(counts, links)
    whole = _shuffled(strokes, counts, rng)
    single = _shuffled(cells, counts, rng)
    for units in (whole, single):
        picked, held = _pick(units, share * total, np.minimum(most, (share + TOLERANCE) * total))
        if np.all(held >= (share - TOLERANCE) * total):
            return picked
    few = len(whole) < 6 or max(size.sum() for _, size in whole) > 0.4 * total.sum()
    picked, _ = _pick(single if few else whole, share * total, most)
    return picked


#: cells that are held out together or not at all, and their labelled voxels of each class
Unit = tuple[tuple[Key, ...], np.ndarray]


def _shuffled(units: list[tuple[Key, ...]], counts: Mapping[Key, np.ndarray], rng: np.random.Generator) -> list[Unit]:
    """Units in random order, with their voxels of each class."""
    order = rng.permutation(len(units))
    return [(units[i], np.sum([counts[cell] for cell in units[i]], axis=0)) for i in order]


def _pick(units: Sequence[Unit], wanted: np.ndarray, most: np.ndarray) -> tuple[frozenset[Key], np.ndarray]:
    """Units until each class has as many voxels as ``wanted``, none more than ``most``; cells, and their voxels."""
    picked: set[int] = set()
    held = np.zeros_like(most)
    for value in np.argsort(most):  # the rarest class first: the others find room more easily
        for index, (_, size) in enumerate(units):
            if held[value] >= wanted[value]:
                break
            if index not in picked and size[value] and np.all(held + size <= most):
                picked.add(index)
                held = held + size
    return frozenset(cell for index in picked for cell in units[index][0]), held


def _strokes(counts: Mapping[Key, np.ndarray], links: Iterable[tuple[Key, Key]]) -> list[tuple[Key, ...]]:
    """Cells joined by links, in a fixed order (union-find)."""
    parent = {cell: cell for cell in counts}

    def root(cell: Key) -> Key:
        while parent[cell] != cell:
            parent[cell] = parent[parent[cell]]
            cell = parent[cell]
        return cell

    for a, b in links:
        if a in parent and b in parent:
            parent[root(a)] = root(b)
    groups: dict[Key, list[Key]] = {}
    for cell in sorted(counts):
        groups.setdefault(root(cell), []).append(cell)
    return [tuple(group) for group in groups.values()]
