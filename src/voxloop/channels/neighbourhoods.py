"""Balls and boxes around a voxel, round or cubic in micrometres. Pure."""

from __future__ import annotations

import numpy as np

from voxloop.channels.grid import FilterGrid
from voxloop.config.channels import BallSettings, RadiusSettings, settled
from voxloop.geometry import Shape


def ball(grid: FilterGrid, settings: BallSettings) -> np.ndarray:
    """Which voxels around one lie within the radius, (z, y, x) bool with odd sides."""
    radius = settled(settings.radius_um)
    reach = ball_reach(grid, settings)
    offsets = np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij")
    away = sum((step * side) ** 2 for step, side in zip(offsets, grid.spacing_um, strict=True))
    return np.asarray(away <= radius**2 * (1 + 1e-9))


def ball_reach(grid: FilterGrid, settings: BallSettings) -> Shape:
    """Voxels from the middle of the ball to its surface."""
    z, y, x = (int(length + 1e-9) for length in grid.voxels(settled(settings.radius_um)))
    return z, y, x


def box_sides(grid: FilterGrid, settings: RadiusSettings) -> Shape:
    """Sides of the box around a voxel, odd."""
    z, y, x = (2 * reach + 1 for reach in box_reach(grid, settings))
    return z, y, x


def box_reach(grid: FilterGrid, settings: RadiusSettings) -> Shape:
    """Voxels from the middle of the box to its face."""
    z, y, x = (round(length) for length in grid.voxels(settled(settings.radius_um)))
    return z, y, x
