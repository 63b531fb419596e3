"""Which labelled voxels to learn from: a balanced, well spread subset. Pure: coordinates in, choices out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxloop.geometry import Box

#: planes of one image lie this far from those of the next when several are looked at together
APART = 1 << 24
#: a stroke's own neighbourhood: voxels of one such cell tell much the same
CELL = np.array([2, 16, 16])
#: blocks that are held out together; neighbours must not fall on both sides
BLOCK = np.array([8, 64, 64])


@dataclass(frozen=True, slots=True)
class LabelledVoxels:
    """Labelled voxels of one image.

    Attributes
    ----------
    at : (n, 3) int64 zyx.
    values : (n,) of their classes.
    strokes : (n,) number of the edit that each is of, 0 for none that is a stroke; None where nobody knows.
    """

    at: np.ndarray
    values: np.ndarray
    strokes: np.ndarray | None = None

    def __len__(self) -> int:
        return self.values.size

    def take(self, which: np.ndarray) -> LabelledVoxels:
        """Those that an index or mask names."""
        strokes = None if self.strokes is None else self.strokes[which]
        return LabelledVoxels(self.at[which], self.values[which], strokes)

    def moved(self, by: Sequence[int] | np.ndarray) -> LabelledVoxels:
        """The same elsewhere."""
        return LabelledVoxels(self.at + np.asarray(by), self.values, self.strokes)


def in_block(labels: np.ndarray, box: Box) -> LabelledVoxels:
    """The labelled voxels of a block (z, y, x) that lies at ``box``."""
    at = np.nonzero(labels)
    return LabelledVoxels(np.stack(at, axis=1).astype(np.int64) + np.array(box.start), labels[at])


def join(parts: list[LabelledVoxels]) -> LabelledVoxels:
    """All of them, in order."""
    if not parts:
        return LabelledVoxels(np.empty((0, 3), np.int64), np.empty(0, np.int64))
    strokes = None
    if any(p.strokes is not None for p in parts):
        strokes = np.concatenate([np.zeros(len(p), np.int64) if p.strokes is None else p.strokes for p in parts])
    return LabelledVoxels(np.concatenate([p.at for p in parts]), np.concatenate([p.values for p in parts]), strokes)


def choose(labelled: LabelledVoxels, most: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of at most ``most`` voxels, shared equally between the classes as far as they have them.

    Within a class a voxel is the likelier the fewer others share its cell, by the root of their number: many short
    strokes count for more than one long one, without a lone voxel outweighing all.
    """
    values, counts = np.unique(labelled.values, return_counts=True)
    cells = _ids(labelled.at // CELL)
    picks: list[np.ndarray] = []
    left = most
    for position in np.argsort(counts):
        share = max(1, left // (len(values) - len(picks)))
        own = np.flatnonzero(labelled.values == values[position])
        if own.size > share:
            _, inverse, crowd = np.unique(cells[own], return_inverse=True, return_counts=True)
            weight = 1 / np.sqrt(crowd[inverse])
            own = rng.choice(own, share, replace=False, p=weight / weight.sum())
        picks.append(own)
        left -= own.size
    return np.sort(np.concatenate(picks)) if picks else np.empty(0, dtype=np.int64)


def hold_out(labelled: LabelledVoxels, share: float, rng: np.random.Generator) -> np.ndarray:
    """Mask of voxels in held-out blocks: about ``share`` of the blocks, with every class left on both sides.

    All False where that is not possible (a class lives in a single block, or ``share`` is 0).
    """
    blocks = _ids(labelled.at // BLOCK)
    held = np.zeros(len(labelled), dtype=bool)
    if share <= 0:
        return held
    classes = np.unique(labelled.values)
    homes = {value: set(np.unique(blocks[labelled.values == value])) for value in classes}
    taken: set[int] = set()
    for value in sorted(classes, key=lambda value: len(homes[value])):
        own = sorted(homes[value])
        wanted = max(1, round(share * len(own))) - len(homes[value] & taken)
        for block in rng.permutation(own):
            if wanted <= 0:
                break
            if block not in taken and all(homes[v] - taken != {block} for v in classes):
                taken.add(int(block))
                wanted -= 1
    held = np.isin(blocks, sorted(taken))
    complete = all((held[labelled.values == v].any() and not held[labelled.values == v].all()) for v in classes)
    return held if complete else np.zeros_like(held)


def _ids(cells: np.ndarray) -> np.ndarray:
    """One number per distinct row."""
    if not len(cells):
        return np.empty(0, dtype=np.int64)
    _, inverse = np.unique(cells, axis=0, return_inverse=True)
    return np.asarray(inverse).reshape(-1)
