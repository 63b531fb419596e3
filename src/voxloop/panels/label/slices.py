"""Which slices of a level are painted, and between which of them to interpolate. Reads labels, changes none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import AXES

if TYPE_CHECKING:
    from voxloop.store import Labels


def painted_slices(labels: Labels, axis: str) -> list[int]:
    """Indices of the planes across ``axis`` that hold labels, in order; only touched chunks are read."""
    across = AXES.index(axis)
    others = tuple(i for i in range(3) if i != across)
    painted: set[int] = set()
    for touched in labels.touched():
        holds_labels = np.asarray(labels.read(touched.box) > 0).any(axis=others)
        painted.update((np.flatnonzero(holds_labels) + touched.box.start[across]).tolist())
    return sorted(painted)


def slices_around(labels: Labels, axis: str, index: int) -> tuple[int, int]:
    """The painted planes to interpolate between, seen from plane ``index``.

    The nearest one up to here and the nearest after it; on the last painted one, it and the one before.

    Raises
    ------
    LabelError
        Fewer than two planes are painted, or this one lies beyond all of them.
    """
    painted = painted_slices(labels, axis)
    before = [one for one in painted if one <= index]
    after = [one for one in painted if one > index]
    if before and after:
        return before[-1], after[0]
    if len(before) > 1 and before[-1] == index:
        return before[-2], index
    raise LabelError("paint the object in a slice before this one and in one after it, then interpolate")
