"""Blocks of a volume as arrays, mirrored where they reach past its far faces. Knows no models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voxloop.geometry import Box
from voxloop.volumes import read_block, shape_zyx

if TYPE_CHECKING:
    import xarray as xr


def mirror(start: int, stop: int, size: int) -> np.ndarray:
    """The voxel that stands for each of ``start..stop`` on an axis of ``size``: reflected, the edge not repeated."""
    positions = np.arange(start, stop)
    if size == 1:
        return np.zeros_like(positions)
    period = 2 * (size - 1)
    positions = positions % period
    return np.where(positions < size, positions, period - positions)


def read_outer(volume: xr.DataArray, outer: Box) -> np.ndarray:
    """The voxels (c, z, y, x) of a box that may reach past the volume; raw intensities in the volume's dtype."""
    shape = shape_zyx(volume)
    if Box.whole(shape).covers(outer):
        return np.asarray(read_block(volume, outer))
    voxels = [mirror(*bounds) for bounds in zip(outer.start, outer.stop, shape, strict=True)]
    inside = Box.from_json([(int(index.min()), int(index.max()) + 1) for index in voxels])
    raw = np.asarray(read_block(volume, inside))
    for axis, (index, first) in enumerate(zip(voxels, inside.start, strict=True), start=1):
        if len(index) != raw.shape[axis] or index[-1] - first != len(index) - 1:
            raw = np.take(raw, index - first, axis=axis)
    return raw
