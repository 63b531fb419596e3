"""Boxes that filters are computed in. Pure: numbers only."""

from __future__ import annotations

from voxloop.geometry import Region, Shape
from voxloop.shallow.features import FeatureBank

#: voxels of a tile: features of a plane's tile stay in the cache; a block's must amortise its halo
TILE_2D, TILE_3D = (1, 256, 256), (32, 96, 96)


def aligned(region: Region, stride: Shape) -> Region:
    """The smallest box around ``region`` with bounds at multiples of ``stride``."""
    z, y, x = (
        slice(part.start // step * step, -(-part.stop // step) * step)
        for part, step in zip(region, stride, strict=True)
    )
    return z, y, x


def tile_shape(bank: FeatureBank) -> Shape:
    """A good tile, a multiple of the stride."""
    wanted = TILE_3D if bank.dimensions == 3 else TILE_2D
    z, y, x = (max(1, size // step) * step for size, step in zip(wanted, bank.stride, strict=True))
    return z, y, x
