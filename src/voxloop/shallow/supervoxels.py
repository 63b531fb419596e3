"""Supervoxels as the unit that is classified: where they lie, what each is like, how far all of it looks. No labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from voxloop.errors import ModelError
from voxloop.geometry import Box, Shape
from voxloop.shallow.descriptors import Descriptor
from voxloop.shallow.features import FeatureBank
from voxloop.shallow.neighbours import Contacts, contacts
from voxloop.shallow.tiles import tile_shape
from voxloop.supervoxels.cells import SupervoxelGrid, grid_for
from voxloop.supervoxels.slic import reach, slic

#: what single voxels are smoothed with before they choose: sigma in voxels of the finest in-plane axis, and how far
SIGMA, _TRUNCATE = 1.0, 3.0

Mapper = Callable[[Callable[..., Any], Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True)
class Described:
    """Supervoxels of a part of a block.

    Attributes
    ----------
    box : where in the block ``labels`` lie.
    labels : int32 (z, y, x), cells of :attr:`Supervoxels.grid`.
    rows : (cells, :attr:`Supervoxels.count`) float32.
    contacts : None where neither neighbours nor refinement need them.
    """

    box: Box
    labels: np.ndarray
    rows: np.ndarray
    contacts: Contacts | None


@dataclass(frozen=True)
class Supervoxels:
    """Supervoxels of ``size`` voxels, described by features of ``bank`` and by those of ``neighbours`` orders.

    Attributes
    ----------
    size : voxels of the finest in-plane axis; as wide in micrometres along the others.
    refined : rounds in which neighbours look at each other afterwards.
    """

    bank: FeatureBank
    size: float
    compactness: float
    descriptor: Descriptor
    neighbours: int = 0
    refined: int = 0

    @cached_property
    def grid(self) -> SupervoxelGrid:
        return grid_for(self.size, self.bank.spacing_um, self.bank.stride, planar=self.bank.dimensions == 2)

    @property
    def count(self) -> int:
        """Numbers that the classifier is shown of one supervoxel."""
        return self.descriptor.count * (1 + self.neighbours)

    @property
    def stride(self) -> Shape:
        return self.grid.stride

    @cached_property
    def halo(self) -> Shape:
        """Voxels around a block that what its voxels are told depends on, zyx."""
        z, y, x = (
            max(chosen + smooth, seen + features)
            for chosen, smooth, seen, features in zip(
                self.grid.reach(self._chosen), self._smoothed, self.grid.reach(self._seen), self.bank.halo, strict=True
            )
        )
        return z, y, x

    def describe(self, block: np.ndarray, wanted: Box, mapper: Mapper = map) -> Described:
        """Supervoxels that voxels of ``wanted`` belong to, and enough of those around.

        ``block`` is normalised (c, z, y, x), its shape and its origin in the volume multiples of the stride. What is
        told of supervoxels further from ``wanted`` is not to be used.
        """
        shape = block.shape[1:]
        box = wanted.grow(self.grid.reach(self._chosen)).clip(shape).aligned(self.stride)
        seen = wanted.grow(self.grid.reach(self._seen)).clip(shape).aligned(self.bank.stride)
        image = self._smooth(block, box)
        labels = slic(image, self.grid, self.compactness, mapper=mapper)
        rows = self._pool(block, labels, box, seen, mapper)
        touching = contacts(image, labels, self.grid) if self.neighbours or self.refined else None
        parts = [rows]
        for _ in range(self.neighbours):
            assert touching is not None
            parts.append(touching.average(parts[-1]))
        return Described(box, labels, np.concatenate(parts, axis=1), touching)

    @property
    def _beyond(self) -> int:
        """Cells from a voxel's own to the furthest supervoxel that has a say in it."""
        return 1 + self.neighbours + self.refined

    @property
    def _chosen(self) -> int:
        """Cells within which it matters what voxels choose from: a supervoxel reaches into the adjacent cells, its
        contacts one further; and one for the place of a voxel within its own."""
        return self._beyond + 1 + (self._beyond > 1) + reach() + 1

    @property
    def _seen(self) -> int:
        """Cells within which features matter."""
        return self._beyond + 1 + 1

    @cached_property
    def _sigma(self) -> tuple[float, ...]:
        sigma = [SIGMA * min(self.bank.spacing_um[1:]) / step for step in self.bank.spacing_um]
        return (0.0 if self.grid.planar else sigma[0], *sigma[1:])

    @property
    def _smoothed(self) -> Shape:
        z, y, x = (int(_TRUNCATE * sigma + 0.5) for sigma in self._sigma)
        return z, y, x

    def _smooth(self, block: np.ndarray, box: Box) -> np.ndarray:
        """Intensities of ``box`` by a filter that gives the same to the last bit wherever the block begins."""
        from scipy.ndimage import gaussian_filter1d  # the live overlay loads this module, and never needs that one

        wider = box.grow(self._smoothed).clip(block.shape[1:])
        part = np.asarray(block[:, *wider.slices], dtype=np.float32)
        for axis, sigma in enumerate(self._sigma, start=1):
            if int(_TRUNCATE * sigma + 0.5):
                part = gaussian_filter1d(part, sigma, axis, mode="reflect", truncate=_TRUNCATE)
        return part[:, *box.within(wider).slices]

    def _pool(self, block: np.ndarray, labels: np.ndarray, box: Box, seen: Box, mapper: Mapper) -> np.ndarray:
        """Descriptors (cells, n) of the supervoxels, from features tile by tile."""
        reduced = self.bank.reduce(block)

        def add_up(tile: Box) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            features = self.bank.merge(self.bank.pyramid(reduced, tile))
            owners = labels[tile.within(box).slices].ravel()
            return self.descriptor.add_up(np.ascontiguousarray(features.reshape(len(features), -1).T), owners)

        cells = int(np.prod(self.grid.shape(labels.shape)))
        counts, sums = np.zeros(cells), np.zeros((cells, self.descriptor.sums))
        for owners, many, total in mapper(add_up, seen.blocks(tile_shape(self.bank))):
            counts[owners] += many
            sums[owners] += total
        return self.descriptor.of(counts, sums)

    def place(self, cells: np.ndarray, box: Box) -> np.ndarray:
        """Voxels (n, 3) of a block in the middle of ``cells`` of a part of it."""
        at = np.unravel_index(cells, self.grid.shape(box.shape))
        sizes = [axis.size for axis in self.grid.axes]
        middles = ((np.stack(at, axis=1) + 0.5) * sizes).astype(np.int64)
        return np.asarray(middles + np.array(box.start))


def to_json(unit: Supervoxels) -> dict[str, Any]:
    """What a spec says of its supervoxels; the bank is there already."""
    known = asdict(unit)
    del known["bank"]
    return known


def from_json(known: dict[str, Any], bank: FeatureBank) -> Supervoxels:
    """The supervoxels that a spec names. Raises ModelError."""
    try:
        words = known["descriptor"]["vocabulary"]
        frozen = None if words is None else tuple(tuple(map(float, row)) for row in words)
        descriptor = Descriptor(**{**known["descriptor"], "vocabulary": frozen})
        return Supervoxels(bank=bank, **{**known, "descriptor": descriptor})
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"spec.json of this model does not say which supervoxels it uses ({error})") from error
