"""Mean and standard deviation of a stack, from parts of a few planes that are always the same ones. Knows no files."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from voxloop.geometry import Box, Shape

#: planes that are looked at, and how much of each along y and x
_PLANES, _SIDE = 8, 768
#: of a golden section, so that parts of successive planes lie apart
_STEP = 0.618


def measure(read: Callable[[Box], np.ndarray], shape: Shape) -> tuple[float, float]:
    """Mean and standard deviation of what ``read`` gives (z, y, x); not numbers are passed over.

    Never a deviation of 0: of an even stack it is 1, which changes nothing.
    """
    count, total, squares = 0, 0.0, 0.0
    depth = shape[0]
    for number, z in enumerate(sorted({(2 * at + 1) * depth // (2 * _PLANES) for at in range(_PLANES)})):
        sides = [min(size, _SIDE) for size in shape[1:]]
        start = [int((size - side) * (number * _STEP % 1)) for size, side in zip(shape[1:], sides, strict=True)]
        values = read(Box.at((z, *start), (1, *sides))).astype(np.float64)
        values = values[np.isfinite(values)]
        count += values.size
        total += float(values.sum())
        squares += float((values**2).sum())
    if not count:
        return 0.0, 1.0
    mean = total / count
    spread = float(np.sqrt(max(0.0, squares / count - mean**2)))
    return mean, spread if spread > 1e-9 * max(1.0, abs(mean)) else 1.0
