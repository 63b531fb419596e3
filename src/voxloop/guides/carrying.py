"""An object carried from its plane to the ones beside it, each found from the one before. Pure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from voxloop.guides.hints import AROUND_BEFORE, Hints, Spot

#: of what two slices hold together, the share that both hold; less, and it is another object
_ALIKE = 0.35
#: of its contrast to what is around it where it was pointed at; less, and it has ended
_STANDS_OUT = 0.4


def carried(
    first: Spot,
    index: int,
    count: int,
    slices: int,
    again: Callable[[int, Hints], Spot | None],
    contrast: Callable[[int, Spot], float] | None = None,
) -> list[tuple[int, Spot]]:
    """The object on up to ``slices`` planes to either side of ``index``; it ends where it is not found again.

    ``again(index, hints)`` finds it on a plane from what it was on the one beside. ``contrast(index, spot)`` says how
    it stands out there: whoever goes by edges finds some everywhere.
    """
    found = [(index, first)]
    usual = contrast(index, first) if contrast is not None else 0.0
    for way in (-1, 1):
        before = first
        for at in range(index + way, index + way * (slices + 1), way):
            if not 0 <= at < count:
                break
            spot = again(at, Hints(before=before))
            if spot is None or _shared(before, spot) < _ALIKE:
                break
            if contrast is not None and usual and contrast(at, spot) / usual < _STANDS_OUT:
                break
            found.append((at, spot))
            before = spot
    return sorted(found, key=lambda one: one[0])


def _shared(a: Spot, b: Spot) -> float:
    """Intersection over union."""
    low = np.minimum(a.origin, b.origin) - AROUND_BEFORE
    high = np.maximum(a.ends, b.ends)
    window = slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))
    one, other = a.on(window), b.on(window)
    union = int((one | other).sum())
    return int((one & other).sum()) / union if union else 0.0
