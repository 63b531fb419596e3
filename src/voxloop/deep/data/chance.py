"""What augmentations draw: which windows are changed, how much, where. Pure numpy."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from voxloop.config.augment import Range


class Kind(Protocol):
    """Settings of an augmentation."""

    @property
    def on(self) -> bool: ...
    @property
    def probability(self) -> float: ...


def hits(kind: Kind, n: int, rng: np.random.Generator) -> np.ndarray:
    """Which of n windows; draws in any case, so that switching one augmentation leaves the others as they were."""
    return (rng.random(n) < kind.probability) & kind.on


def draw(bounds: Range, n: int, rng: np.random.Generator) -> np.ndarray:
    """One number for each of n windows."""
    return rng.uniform(bounds[0], bounds[1], n)


def box(shape: tuple[int, ...], size: Range, rng: np.random.Generator) -> tuple[slice, ...]:
    """A box somewhere in a window, its sides the same share of the window's; ``size`` is the range of that share."""
    share = rng.uniform(*size)
    sides = [max(1, round(extent * share)) for extent in shape]
    starts = [int(rng.integers(extent - side + 1)) for extent, side in zip(shape, sides, strict=True)]
    return tuple(slice(start, start + side) for start, side in zip(starts, sides, strict=True))
