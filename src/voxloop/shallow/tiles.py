"""Boxes that filters are computed in. Pure: numbers only."""

from __future__ import annotations

from voxloop.geometry import Shape
from voxloop.shallow.features import FeatureBank

#: voxels of a tile: features of a plane's tile stay in the cache; a block's must amortise its halo
TILE_2D, TILE_3D = (1, 256, 256), (32, 96, 96)


def tile_shape(bank: FeatureBank) -> Shape:
    """A good tile, a multiple of the stride."""
    wanted = TILE_3D if bank.dimensions == 3 else TILE_2D
    z, y, x = (max(1, size // step) * step for size, step in zip(wanted, bank.stride, strict=True))
    return z, y, x
