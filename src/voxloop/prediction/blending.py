"""Blocks that overlap, blended: the mean of what they say, each counting less towards its faces.

For models whose field does not fit in a block: cut, two blocks would disagree along a line; blended, one changes over
to the other across both halos. Arrays and integers only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np

from voxloop.geometry import Box
from voxloop.prediction.plan import Block, Plan


def blocks_touching(plan: Plan, box: Box) -> Iterator[Block]:
    """The blocks of the plan's grid that look at a box, with whatever cores they have."""
    for parts in product(*(plan.reaching(axis, part) for axis, part in enumerate(box.slices))):
        yield plan.block_of(Box.from_json([(part.start, part.stop) for part in parts]))


def outer_of(plan: Plan, box: Box) -> Box:
    """What all blocks that look at a box see together."""
    bounds = []
    for axis, part in enumerate(box.slices):
        cores = plan.reaching(axis, part)
        first, last = (plan.outer(axis, core) for core in (cores[0], cores[-1]))
        bounds.append((first.start, last.stop))
    return Box.from_json(bounds)


class Blend:
    """Adds up what blocks say of a box (class, z, y, x); every voxel of it must be seen by one block at least."""

    def __init__(self, plan: Plan, box: Box) -> None:
        self._plan, self._box = plan, box
        self._sum: np.ndarray | None = None
        self._weight = np.zeros(box.shape, np.float32)

    def add(self, block: Block, output: np.ndarray) -> None:
        """What one block says of all that it sees."""
        shared = block.outer.meet(self._box)
        if shared is None:
            return
        if self._sum is None:
            self._sum = np.zeros((len(output), *self._weight.shape), np.float32)
        in_block, in_tile = (shared.within(whole).slices for whole in (block.outer, self._box))
        z, y, x = (ramp[part] for ramp, part in zip(ramps(self._plan, block), in_block, strict=True))
        weight = z[:, None, None] * y[:, None] * x
        self._weight[in_tile] += weight
        for total, values in zip(self._sum, output, strict=True):
            total[in_tile] += weight * values[in_block]

    def result(self) -> np.ndarray:
        assert self._sum is not None  # a box is never empty
        self._sum /= self._weight
        return self._sum


def ramps(plan: Plan, block: Block) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How much a block counts along each axis of what it sees: 1 in the middle, falling across its own halo and the
    neighbour's as much as the neighbour's rises; 1 up to the volume's faces."""
    by_axis = []
    for axis, (core, outer) in enumerate(zip(block.core.slices, block.outer.slices, strict=True)):
        at = np.arange(outer.start, outer.stop) + 0.5
        before, after = core.start - outer.start, outer.stop - core.stop
        ramp = np.ones(len(at))
        if before > 0 and core.start != plan.box.start[axis]:
            ramp = np.minimum(1, (at - outer.start) / (2 * before))
        if after > 0 and core.stop != plan.box.stop[axis]:
            ramp *= np.minimum(1, (outer.stop - at) / (2 * after))
        by_axis.append(np.maximum(ramp, 1e-6).astype(np.float32))
    return by_axis[0], by_axis[1], by_axis[2]


def blend_blocks(predict: Callable[[Box], np.ndarray], plan: Plan, box: Box) -> np.ndarray:
    """Class probabilities (class, z, y, x) of a box, from every block that looks at it; ``predict`` takes outers."""
    blend = Blend(plan, box)
    for block in blocks_touching(plan, box):
        blend.add(block, predict(block.outer))
    return blend.result()
