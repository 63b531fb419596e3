"""How clumps of touching objects are cut: where objects begin, and which voxels are theirs. Blocks in memory; no files.

Each way says how far it looks; with that much around it, a block is cut as the whole volume would be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from voxloop.config.objects import ObjectsConfig
from voxloop.geometry import Box
from voxloop.objects import following, segmenting, voxels
from voxloop.objects.fields import Halo, VoxelField, map_field


class Cutting(Protocol):
    """``near``: voxels that :meth:`begin` looks past a box; ``reach``: those that :meth:`grow` does."""

    @property
    def near(self) -> Halo: ...
    @property
    def reach(self) -> Halo: ...
    @property
    def connectivity(self) -> str: ...

    def begin(self, names: np.ndarray, box: Box) -> np.ndarray:
        """Names of clumps where an object begins, 0 elsewhere."""
        ...

    def grow(self, names: np.ndarray, seeds: np.ndarray, box: Box) -> np.ndarray:
        """The seed that each voxel of a clump falls to, 0 where none does."""
        ...


@dataclass(frozen=True, slots=True)
class ByHeight:
    """A watershed from places higher than ``least``; ``height`` of the clumps in a box."""

    height: Callable[[np.ndarray, Box], np.ndarray]
    least: float
    near: Halo
    reach: Halo
    connectivity: str
    frames: bool

    def begin(self, names: np.ndarray, box: Box) -> np.ndarray:
        return np.where(self.height(names, box) > self.least, names, 0)

    def grow(self, names: np.ndarray, seeds: np.ndarray, box: Box) -> np.ndarray:
        return voxels.flood(names, seeds, self.height(names, box), self.connectivity, self.frames)


@dataclass(frozen=True, slots=True)
class ByArrows:
    """Along a network's arrows: voxels that meet are one object; what meets nobody goes to the nearest."""

    channels: VoxelField
    steps: int
    near: Halo
    reach: Halo
    connectivity: str

    def begin(self, names: np.ndarray, box: Box) -> np.ndarray:
        return following.places(names, self._ends(names, box), self.channels.flat)

    def grow(self, names: np.ndarray, seeds: np.ndarray, box: Box) -> np.ndarray:
        seed_at_end = following.seed_at_end(seeds, self._ends(names, box))
        level = np.zeros(names.shape, np.float32)
        return voxels.flood(names, seed_at_end, level, self.connectivity, self.channels.frames)

    def _ends(self, names: np.ndarray, box: Box) -> np.ndarray:
        if not names.any():
            return np.full(names.shape, -1, np.int64)
        said = voxels.as_probability(self.channels.read(box)[1:])
        flow = following.arrows(said, names > 0, self.channels.spacing_um, self.channels.flat, self.steps)
        return following.walk(names, flow, self.channels.spacing_um, self.steps)


def plan_cut(clump: VoxelField, channels: VoxelField | None, config: ObjectsConfig, count: int) -> Cutting:
    """How to cut ``clump``: by the depth of its voxels, or by what a network said in ``count`` channels."""
    reach = segmenting.reach(config, clump)
    if channels is None:
        z, y, x = (n + 1 for n in clump.voxels(config.seed_depth))
        return ByHeight(
            lambda names, _box: voxels.depth(names, clump.spacing_um, clump.frames),
            config.seed_depth,
            (z, y, x),
            reach,
            config.connectivity,
            clump.frames,
        )
    if count == len(segmenting.ARROWS):
        # a walk to its end, those that may end there too, and what their arrows look at
        (z, y, x), (above, beside, _) = (2 * n for n in reach), following.LOOK
        y, x = y + beside, x + beside
        if z:
            z, y, x = z + above, y + reach[1], x + reach[2]
        return ByArrows(channels, max(reach), (z + (z > 0), y + 1, x + 1), (z, y, x), "corners")
    halo = voxels.smoothing_halo(config, clump)
    middle = map_field(channels, lambda block: segmenting.middleness(block, config, clump), halo)
    return ByHeight(
        lambda _names, box: middle.read(box),
        config.seed_threshold,
        (0, 0, 0),
        reach,
        config.connectivity,
        clump.frames,
    )
