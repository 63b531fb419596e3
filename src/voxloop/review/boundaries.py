"""How far the boundaries of classes lie apart, in micrometres, block by block. Keeps no voxels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil

import numpy as np

from voxloop.geometry import Box, Shape, Spacing

#: steps in which distances are counted
_STEPS = 1024
#: voxels of the finest axis that boundaries are looked for, where nobody says how far
REACH = 16
Read = Callable[[Box], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, slots=True)
class BoundaryDistance:
    """Distances from every boundary voxel of a class in one labeling to the nearest in the other, both ways.

    Attributes
    ----------
    mean_um, median_um, worst_um : ``worst`` is the 95th percentile. What lies beyond the reach counts as the reach.
    beyond : share of boundary voxels that have none within reach.
    voxels : boundary voxels of both.
    """

    mean_um: float
    median_um: float
    worst_um: float
    beyond: float
    voxels: int


@dataclass(slots=True)
class BoundaryTally:
    """Counts of distances by class.

    Parameters
    ----------
    reach_um
        Distances beyond are cut off, so that blocks of any size say the same.
    frames
        Neighbouring planes are other pictures: boundaries and distances lie within planes.
    """

    shape: Shape
    spacing_um: Spacing
    classes: int
    reach_um: float
    frames: bool = False
    _counts: np.ndarray = field(init=False)
    _sums: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self._counts = np.zeros((self.classes, _STEPS + 2), np.int64)
        self._sums = np.zeros(self.classes)

    @property
    def halo(self) -> tuple[int, int, int]:
        """Voxels around a block that have to be read with it."""
        z, y, x = (ceil(self.reach_um / step) + 1 for step in self.spacing_um)
        return (0 if self.frames or self.shape[0] == 1 else z), y, x

    def add(self, block: Box, read: Read) -> None:
        """Take up the boundaries of a block; ``read`` gives places of both labelings, -1 where nobody labelled."""
        around = block.grow(self.halo).clip(self.shape)
        one, other = read(around)
        inner = block.within(around).slices
        for label in range(self.classes):
            edges = self._edges(one, label), self._edges(other, label)
            for here, there in (edges, edges[::-1]):
                mine = here[inner]
                if mine.any():
                    self._take(label, self._distances(there)[inner][mine])

    def result(self, label: int) -> BoundaryDistance | None:
        """What is known of a class; None where it has no boundary."""
        counts = self._counts[label]
        total = int(counts.sum())
        if not total:
            return None
        steps = np.minimum((np.arange(_STEPS + 2) - 0.5) / _STEPS, 1.0) * self.reach_um
        steps[0] = 0.0
        shares = np.cumsum(counts) / total
        median, worst = (float(steps[np.searchsorted(shares, share)]) for share in (0.5, 0.95))
        return BoundaryDistance(float(self._sums[label] / total), median, worst, float(counts[-1] / total), total)

    def _take(self, label: int, distances: np.ndarray) -> None:
        near = np.minimum(distances.astype(float), self.reach_um)
        steps = np.ceil(near / self.reach_um * _STEPS - 1e-6).astype(int)
        steps[distances > self.reach_um * (1 + 1e-4)] = _STEPS + 1
        self._counts[label] += np.bincount(steps, minlength=_STEPS + 2)
        self._sums[label] += float(near.sum())

    def _edges(self, places: np.ndarray, label: int) -> np.ndarray:
        """Voxels of a class that have one of another class at a face."""
        mine, others = places == label, (places != label) & (places >= 0)
        edges = np.zeros(places.shape, bool)
        for axis in range(3):
            if axis == 0 and (self.frames or places.shape[0] == 1):
                continue
            low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
            high = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
            edges[low] |= mine[low] & others[high]
            edges[high] |= mine[high] & others[low]
        return edges

    def _distances(self, edges: np.ndarray) -> np.ndarray:
        """Micrometres from every voxel to the nearest of ``edges``."""
        import edt

        if not edges.any():
            return np.full(edges.shape, np.inf, np.float32)
        if self.frames or edges.shape[0] == 1:
            planes = [self._in_plane(plane) for plane in edges]
            return np.stack(planes)
        found: np.ndarray = edt.edt(~edges, anisotropy=self.spacing_um, black_border=False, parallel=1)
        return found

    def _in_plane(self, edges: np.ndarray) -> np.ndarray:
        import edt

        if not edges.any():
            return np.full(edges.shape, np.inf, np.float32)
        found: np.ndarray = edt.edt(~edges, anisotropy=self.spacing_um[1:], black_border=False, parallel=1)
        return found
