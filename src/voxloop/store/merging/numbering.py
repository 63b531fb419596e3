"""Objects that two copies made since they parted: which are the same, and which need another number. Pure numpy."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from voxloop.geometry import Box
from voxloop.store.merging.base import Base
from voxloop.store.state import LabelState

#: overlap (intersection over union) from which two objects are the same one
SAME = 0.5


def number_anew(
    mine: LabelState, theirs: LabelState, before: LabelState, base: Base, blocks: Iterable[Box]
) -> dict[int, int]:
    """Numbers of theirs and what they are to be here: that of mine which it mostly is, else a free one.

    Objects that were there when the copies parted keep their number, and new ones whose number nobody has here.
    """
    known = set(before.totals())
    if base.side == "theirs":
        known = {base.numbers.get(number, number) for number in known}
    my_sizes, their_sizes = mine.totals(), theirs.totals()
    new = [n for n in sorted(their_sizes) if base.numbers.get(n, n) not in known]
    fresh = {n for n in my_sizes if n not in known}
    numbers: dict[int, int] = {}
    taken: set[int] = set()
    pairs = _overlaps(mine, theirs, blocks, set(new), fresh)
    for (their, ours), voxels in sorted(pairs.items(), key=lambda item: (-item[1], item[0])):
        union = their_sizes[their] + my_sizes[ours] - voxels
        if voxels > SAME * union and ours not in taken:
            numbers[their] = ours
            taken.add(ours)
    highest = max([0, *my_sizes, *their_sizes, *known, *numbers.values(), *base.numbers.values()])
    for their in new:
        here = base.numbers.get(their, their)
        if their not in numbers and here in my_sizes:
            highest += 1
            numbers[their] = highest
    return {their: ours for their, ours in numbers.items() if their != ours}


def _overlaps(
    mine: LabelState, theirs: LabelState, blocks: Iterable[Box], new: set[int], fresh: set[int]
) -> dict[tuple[int, int], int]:
    """Voxels that a new object of theirs and one of mine have in common."""
    found: dict[tuple[int, int], int] = {}
    if not new or not fresh:
        return found
    for block in blocks:
        a, b = theirs.read(block).ravel(), mine.read(block).ravel()
        both = (a > 0) & (b > 0)
        if not both.any():
            continue
        pairs, voxels = np.unique(np.stack([a[both], b[both]]).astype(np.int64), axis=1, return_counts=True)
        for (their, ours), number in zip(pairs.T.tolist(), voxels.tolist(), strict=True):
            if their in new and ours in fresh:
                found[their, ours] = found.get((their, ours), 0) + number
    return found
