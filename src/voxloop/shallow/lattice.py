"""Voxels as neighbours of one another, face to face: how alike they are, and the refinement of what they are told."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from voxloop.geometry import Box, Shape
from voxloop.shallow.features import FeatureBank
from voxloop.shallow.refinement import VOXEL_ROUNDS, Refinement, mean_field
from voxloop.shallow.supervoxels import SIGMA, Mapper
from voxloop.shallow.tiles import tile_shape


def choose_compared(bank: FeatureBank, kind: str) -> FeatureBank:
    """What tells how alike voxels are: all features for appearance, slightly smoothed intensity across an edge."""
    if kind == "appearance":
        return bank
    sigma = SIGMA * min(bank.spacing_um[1:])
    return FeatureBank(bank.channels, bank.spacing_um, (sigma,), bank.dimensions, kinds=("gaussian",))


@dataclass(frozen=True)
class Lattice:
    """The voxels of an image with the features of ``bank``: six neighbours each, four where planes are filtered alone.

    A neighbour counts the less the further away it is, which matters where slices are thick.
    """

    bank: FeatureBank
    refinement: Refinement

    @property
    def stride(self) -> Shape:
        return self.bank.stride

    @cached_property
    def halo(self) -> Shape:
        """Voxels around a block that what its voxels are told depends on, zyx."""
        z, y, x = (
            max(own, other) + rounds
            for own, other, rounds in zip(self.bank.halo, self._compared.halo, self.rounds, strict=True)
        )
        return z, y, x

    @property
    def rounds(self) -> Shape:
        """How far along each axis neighbours of neighbours are felt."""
        return (VOXEL_ROUNDS if self.bank.dimensions == 3 else 0), VOXEL_ROUNDS, VOXEL_ROUNDS

    def refine(self, probabilities: np.ndarray, block: np.ndarray, box: Box, mapper: Mapper = map) -> np.ndarray:
        """Probabilities (classes, z, y, x) of a part of a normalised block (c, z, y, x), refined.

        The shape of the block is a multiple of the stride.
        """
        shape = box.shape
        axes = (0, 1, 2) if self.bank.dimensions == 3 else (1, 2)
        near = {axis: min(self.bank.spacing_um) / self.bank.spacing_um[axis] for axis in axes}
        if self.refinement.kind == "potts":
            weights = {axis: np.ones(_between(shape, axis), dtype=np.float32) for axis in axes}
        else:
            weights = self._weights(block, box, axes, mapper)
        many = np.zeros(shape, dtype=np.float32)
        for axis in axes:
            low, high = _sides(axis)
            many[low] += near[axis]
            many[high] += near[axis]
            weights[axis] *= near[axis]
        many = np.maximum(many, np.float32(1e-6))

        def pull(values: np.ndarray) -> np.ndarray:
            total = np.zeros_like(values)
            for axis in axes:
                low, high = ((slice(None), *side) for side in _sides(axis))
                total[low] += weights[axis] * values[high]
                total[high] += weights[axis] * values[low]
            total /= many
            return total

        return mean_field(probabilities, pull, self.refinement.strength, VOXEL_ROUNDS)

    @cached_property
    def _compared(self) -> FeatureBank:
        return choose_compared(self.bank, self.refinement.kind)

    def _weights(self, block: np.ndarray, box: Box, axes: tuple[int, ...], mapper: Mapper) -> dict[int, Any]:
        """How alike each voxel and the next along each axis are: (z, y, x), one less along that axis."""
        bank = self._compared
        reduced = bank.reduce(block)
        whole = box.aligned(bank.stride)
        out = {axis: np.ones(box.shape, dtype=np.float32) for axis in axes}

        def compare(tile: Box) -> None:
            # one stride more, for the neighbours of the last voxels
            wider = Box(tile.start, tile.grow(bank.stride).clip(block.shape[1:]).stop)
            features = bank.merge(bank.pyramid(reduced, wider))
            for axis in axes:
                low, high = ((slice(None), *side) for side in _sides(axis))
                alike = self.refinement.likeness((features[high] - features[low]) ** 2)
                covered = Box.at(wider.start, alike.shape).meet(tile)
                both = covered and covered.meet(box)
                if both:
                    out[axis][both.within(box).slices] = alike[both.within(wider).slices]

        list(mapper(compare, whole.blocks(tile_shape(bank))))
        return {axis: np.ascontiguousarray(values[_sides(axis)[0]]) for axis, values in out.items()}


def _between(shape: Shape, axis: int) -> tuple[int, ...]:
    return tuple(size - (number == axis) for number, size in enumerate(shape))


def _sides(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Every voxel that has a next one along an axis, and those next ones."""
    low = tuple(slice(None, -1) if number == axis else slice(None) for number in range(3))
    high = tuple(slice(1, None) if number == axis else slice(None) for number in range(3))
    return low, high
