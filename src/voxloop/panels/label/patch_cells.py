"""Which voxels the cells of a piece of overlay stand for, and what it says of each. Pure; shows nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.geometry import AXES, Box, plane_axes
from voxloop.panels.view.layers import LayerPatch
from voxloop.store.region_mask import mask_of

if TYPE_CHECKING:
    from voxloop.store.document import NamedRegion


def only_inside(patch: LayerPatch, region: NamedRegion, axis: str, index: int, shape: Any) -> LayerPatch:
    """A patch that says nothing outside of a region."""
    rows, columns = cells_of(patch, shape, axis)
    box = Box.whole(shape).cut(axis, index, index + 1)
    for name, along in zip(plane_axes(axis), (rows, columns), strict=True):
        box = box.cut(name, int(along.min()), int(along.max()) + 1)
    plane = mask_of(region, box).squeeze(AXES.index(axis))
    mask = plane[np.ix_(rows - rows.min(), columns - columns.min())]
    alpha = None if patch.alpha is None else patch.alpha * mask
    return LayerPatch(patch.indices * mask, patch.box, patch.sequence, alpha)


def step_of(patch: LayerPatch) -> float:
    """Voxels in a cell."""
    return float(patch.box[2] - patch.box[0]) / int(patch.indices.shape[0])


def cells_of(patch: LayerPatch, shape: Any, axis: str) -> tuple[np.ndarray, np.ndarray]:
    """The voxel rows and columns at the centres of the cells of a patch."""
    sizes = [size for i, size in enumerate(shape) if AXES[i] != axis]
    centres_of = []
    for i, count in enumerate(patch.indices.shape):
        low, high = patch.box[i], patch.box[i + 2]
        centres = low + (np.arange(count) + 0.5) * (high - low) / count
        centres_of.append(np.clip(np.floor(centres).astype(int), 0, sizes[i] - 1))
    return centres_of[0], centres_of[1]


def sampled(patch: LayerPatch, parts: list[slice]) -> np.ndarray:
    """Class of every voxel of a piece of the plane; 0 beyond the patch."""
    out = np.zeros([part.stop - part.start for part in parts], np.uint8)
    picks, inside = [], []
    for i, part in enumerate(parts):
        low, high, count = patch.box[i], patch.box[i + 2], patch.indices.shape[i]
        cell = np.floor((np.arange(part.start, part.stop) + 0.5 - low) / (high - low) * count).astype(int)
        inside.append((cell >= 0) & (cell < count))
        picks.append(cell.clip(0, count - 1))
    out[:] = patch.indices[np.ix_(picks[0], picks[1])]
    out[~inside[0]] = 0
    out[:, ~inside[1]] = 0
    return out
