"""Which labelled blocks judge the network and which teach it. Pure: arrays in, cells out; reads no files.

The volume is divided into cells. A whole cell is held out or not, and training ignores labels within ``gap`` voxels of
a held-out cell, so no voxel that judges has a neighbour that teaches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from voxloop.geometry import Box, Shape, Spacing

Cell = tuple[int, int, int]
#: a cell of one of several images: (image, z, y, x)
Key = tuple[int, int, int, int]

#: in-plane size of a cell where labels are plenty, and where they are few
CELL, SMALLEST_CELL = 64, 8
#: in-plane voxels between labels that teach and cells that judge
GAP = 8
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
        gap = min(GAP, size // 2)
        ratio = spacing[1] / spacing[0]
        depth, gap_z = (1, 0) if frames else (max(1, round(size * ratio)), round(gap * ratio))
        if split == "image":
            return cls(cell=shape, gap=(0, 0, 0))
        if split == "slice":
            return cls(cell=(1, shape[1], shape[2]), gap=(gap_z, 0, 0))
        return cls(cell=(min(depth, 16), size, size), gap=(gap_z, gap, gap))

    def box(self, cell: Cell) -> Box:
        return Box.at([index * size for index, size in zip(cell, self.cell, strict=True)], self.cell)

    def cells(self, box: Box) -> Iterable[Cell]:
        """Those that a box touches, z slowest; every window asks several times."""
        ends = zip(box.start, box.stop, self.cell, strict=True)
        z, y, x = (range(first // size, -(-last // size)) for first, last, size in ends)
        return product(z, y, x)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Held-out cells of one image; those ``tested`` judge nothing before the end of a run."""

    grid: Grid
    held: frozenset[Cell] = field(default_factory=frozenset)
    tested: frozenset[Cell] = field(default_factory=frozenset)

    @property
    def judging(self) -> frozenset[Cell]:
        """The cells that judge every epoch."""
        return self.held - self.tested

    def teaches(self, box: Box, shape: Shape) -> np.ndarray:
        """Where labels may be trained on: bool array of ``box``."""
        out = np.ones(box.shape, bool)
        for cell in self._near(box, shape):
            part = self._around(cell, shape).meet(box)
            if part:
                out[part.within(box).slices] = False
        return out

    def teaches_at(self, at: np.ndarray, shape: Shape) -> np.ndarray:
        """Which voxels ``at`` (n, 3) zyx may be trained on: bool (n,)."""
        out = np.ones(len(at), bool)
        for cell in self.held:
            box = self._around(cell, shape)
            out &= ~((at >= box.start) & (at < box.stop)).all(axis=1)
        return out

    def judges(self, box: Box) -> np.ndarray:
        """Where labels judge: bool array of ``box``."""
        out = np.zeros(box.shape, bool)
        for cell in self.grid.cells(box):
            part = self.grid.box(cell).meet(box) if cell in self.judging else None
            if part:
                out[part.within(box).slices] = True
        return out

    def _around(self, cell: Cell, shape: Shape) -> Box:
        """A held-out cell with the gap around it."""
        return self.grid.box(cell).grow(self.grid.gap).clip(shape)

    def _near(self, box: Box, shape: Shape) -> Iterable[Cell]:
        return (cell for cell in self.grid.cells(box.grow(self.grid.gap).clip(shape)) if cell in self.held)


def choose(
    counts: Mapping[Key, np.ndarray], links: Iterable[tuple[Key, Key]], share: float, rng: np.random.Generator
) -> frozenset[Key]:
    """Cells to hold out: about ``share`` of each class's voxels, never more than half of a class.

    Parameters
    ----------
    counts
        Labelled voxels of each class, by cell.
    links
        Pairs of cells across whose border a stroke runs. Strokes stay whole where that leaves enough pieces.
    """
    total = np.sum(list(counts.values()), axis=0)
    units: list[tuple[Key, ...]] = _strokes(counts, links)
    if max((sum(counts[c].sum() for c in unit) for unit in units), default=0) > 0.4 * total.sum() or len(units) < 6:
        units = [(cell,) for cell in sorted(counts)]
    units = [units[i] for i in rng.permutation(len(units))]
    sizes = np.array([np.sum([counts[c] for c in unit], axis=0) for unit in units])
    held: set[int] = set()
    have = np.zeros_like(total)
    for value in np.argsort(total):  # the rarest class first: the others find room more easily
        for index, size in enumerate(sizes):
            if have[value] >= share * total[value]:
                break
            if index not in held and size[value] and np.all(have + size <= np.maximum(total * 0.5, share * total)):
                held.add(index)
                have = have + size
    return frozenset(cell for index in held for cell in units[index])


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
