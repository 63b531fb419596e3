"""Intensities as whole numbers of small steps, so that sums over them are exact in any order. Pure but for what reads.

A step is 1/1024 of the range from the first percentile to the last; what lies further than half a range outside of it
is cut off there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from voxloop.geometry import Box, Shape

#: steps of a range of intensities, and those that are one unit of what supervoxels compare
LEVELS, UNIT = 1024, 256
#: planes that are looked at, and how much of each along y and x
_PLANES, _SIDE = 8, 512
#: of a golden section, so that parts of successive planes lie apart
_STEP = 0.618


@dataclass(frozen=True, slots=True)
class IntensityRange:
    """The first and the last percentile of an image."""

    low: float
    high: float

    @classmethod
    def measured(cls, read: Callable[[Box], np.ndarray], shape: Shape) -> IntensityRange:
        """That of parts of a few planes, always the same ones; not numbers are passed over."""
        found = []
        depth = shape[0]
        for number, z in enumerate(sorted({(2 * at + 1) * depth // (2 * _PLANES) for at in range(_PLANES)})):
            sides = [min(size, _SIDE) for size in shape[1:]]
            start = [int((size - side) * (number * _STEP % 1)) for size, side in zip(shape[1:], sides, strict=True)]
            values = np.asarray(read(Box.at((z, *start), (1, *sides))), np.float32)
            found.append(values[np.isfinite(values)])
        values = np.concatenate(found)
        low, high = (float(at) for at in np.percentile(values, (1, 99))) if values.size else (0.0, 1.0)
        return cls(low, high if high > low else low + 1.0)

    def steps(self, values: np.ndarray) -> np.ndarray:
        """Values in units of a quarter of the range, whole numbers of 1/256 of that, float32."""
        out = np.array(values, np.float32)
        out -= np.float32(self.low)
        out *= np.float32(LEVELS / (self.high - self.low))
        np.nan_to_num(out, copy=False, nan=0.0)
        np.clip(out, -LEVELS / 2, LEVELS * 1.5, out=out)
        np.rint(out, out=out)
        out *= np.float32(1 / UNIT)
        return out
