"""Whole planes of an image in turn: where they lie, and how much each differs from the one before. Streams planes."""

from __future__ import annotations

from typing import Any

import numpy as np

from voxloop.geometry import Box

#: planes that are compared at most, and pixels a side that are looked at of each
MOST_PLANES, _SAMPLED = 1_000, 128


def planes_of(inside: Box, most: int = MOST_PLANES) -> list[Box]:
    """The planes across z, evenly thinned to ``most``."""
    first, last = inside.start[0], inside.stop[0]
    count = min(most, last - first)
    indices = np.linspace(first, last - 1, count).round().astype(int)
    return [inside.cut("z", int(z), int(z) + 1) for z in indices]


def motion(read: Any, planes: list[Box]) -> np.ndarray:
    """Mean difference (n,) of each plane from the one before it, by the deviation of the intensities; 0 of the first.

    ``read(box)`` gives (c, z, y, x).
    """
    moved = np.zeros(len(planes))
    before: np.ndarray | None = None
    spread = 0.0
    for number, box in enumerate(planes):
        step = max(1, max(box.shape[1:]) // _SAMPLED)
        plane = np.asarray(read(box))[:, 0, ::step, ::step].astype(np.float32)
        spread += float(plane.std())
        if before is not None:
            moved[number] = float(np.abs(plane - before).mean())
        before = plane
    return np.asarray(moved / max(spread / max(len(planes), 1), 1e-12))
