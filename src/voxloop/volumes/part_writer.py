"""Writes those chunks of an image that somebody needs elsewhere. Decides nothing about which."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voxloop.geometry import Box
from voxloop.volumes.exposure import Exposure
from voxloop.volumes.multiscale import Layers, new_group, write_metadata
from voxloop.volumes.parts import CHUNK
from voxloop.volumes.pyramid import plan_scales
from voxloop.volumes.saving import describe_group
from voxloop.volumes.volume import origin_of, read_block, shape_zyx, spacing_of
from voxloop.volumes.writers import axes_of, is_frames

if TYPE_CHECKING:
    from xarray import DataArray


def write_parts(volume: DataArray, path: Path, there: np.ndarray, exposure: Exposure | None = None) -> None:
    """Write an image at its finest resolution, of its chunks those that are to be ``there``; the rest is left out.

    Parameters
    ----------
    exposure
        Of the whole image, where whoever reads the parts will want to know it.
    """
    group = new_group(path, "0.5")
    frames = is_frames(volume)
    dims = list(axes_of(volume))
    swapped = frames and volume.ndim == 4  # OME-NGFF wants time before channels
    if swapped:
        dims[:2] = dims[1::-1]
    shape = shape_zyx(volume)
    array = Layers(group, CHUNK, volume.dtype, tuple(dims), swapped).create(0, volume.shape)
    for z, y in zip(*np.nonzero(there.any(axis=2)), strict=True):
        for start, count in _runs(np.flatnonzero(there[z, y])):
            box = Box.at((z, y, start), (1, 1, count)).scale(CHUNK).clip(shape)
            block = read_block(volume, box)
            array[..., *box.slices] = block if volume.ndim == 4 else block[0]
    plan = plan_scales(shape, spacing_of(volume), origin_um=origin_of(volume), frames=frames)[:1]
    write_metadata(group, plan, dims=dims, name=str(volume.name), kind="image")
    describe_group(group, volume, "image")
    noted = {"there": _runs(np.flatnonzero(there)), **({"exposure": exposure.to_json()} if exposure else {})}
    group.attrs["voxloop"] = {**group.attrs["voxloop"], **({} if there.all() else noted)}


def _runs(numbers: np.ndarray) -> list[tuple[int, int]]:
    """Sorted numbers as pairs: the first of each run, and how many follow each other."""
    if not len(numbers):
        return []
    cuts = np.flatnonzero(np.diff(numbers) > 1) + 1
    return [(int(run[0]), len(run)) for run in np.split(numbers, cuts)]
