"""Objects from arrows: every voxel walks along the arrows that a network drew, and voxels that meet are one object.

As Cellpose follows its flows (Stringer et al. 2021). Arrays in memory; pure.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voxloop.geometry import Spacing
from voxloop.objects.labelling import components
from voxloop.objects.voxels import depth

#: voxels of an object that must end within one voxel of a place for an object to be there
_MEET = 8
#: arrows shorter than this lead nowhere: their voxel has arrived
_STILL = 0.15
#: arrows along z longer than this are the network's own
_SAID = 0.25
#: sigma zyx in voxels by which the width of cross-sections is smoothed; growth of width per length at which an arrow is
#: as long as any
_EVEN, _STEEP = (1.5, 1.5, 1.5), 0.25
#: how much arrows are drawn to where they converge, and over how many voxels that is smoothed (sigma)
_DRAWN, _NEAR = 2.0, 1.5
#: voxels zyx that finding arrows looks past a voxel, and more in the plane as far as widths are measured
LOOK = (6, 7, 7)


def arrows(
    channels: np.ndarray, inside: np.ndarray, spacing_um: Sequence[float], flat: bool, widest: int
) -> np.ndarray:
    """Arrows (3, z, y, x) from -1 to 1 out of channels that hold them from 0 to 1; none along z where planes are
    separate.

    Where the network says nothing along z, as one that sees or was taught single planes, arrows lead to where
    cross-sections are wider: there is the middle of an object that is about round. Within the plane they are drawn to
    where they converge: of two objects that touch a network half tells, arrows do not part, yet they converge in two
    places.

    Parameters
    ----------
    inside
        Voxels of objects (z, y, x).
    widest
        Distance to the border, in voxels of the finest axis, up to which widths are told apart.
    """
    flow = channels * np.float32(2) - np.float32(1)
    if flat:
        flow[0] = 0
    elif len(flow[0]) > 1:
        silent = 1 - np.minimum(1, np.abs(flow[0]) / np.float32(_SAID))
        flow[0] += silent * _to_the_widest(inside, spacing_um, widest)
    flow[1:] = _drawn(flow[1:], inside)
    return np.asarray(flow)


def _drawn(flow: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Arrows yx (2, z, y, x) as they are, and uphill of how much they converge; none longer than 1 in the plane."""
    from scipy import ndimage as ndi

    if min(inside.shape[1:]) < 2:  # no plane to be drawn in
        return flow
    even = (0.0, _NEAR, _NEAR)
    within = inside.astype(np.float32)
    down, right = flow * within  # outside of objects arrows mean nothing
    converging = -(np.gradient(down, axis=1) + np.gradient(right, axis=2)) * within
    share = ndi.gaussian_filter(within, even, truncate=3.0) + np.float32(1e-3)
    height = ndi.gaussian_filter(converging, even, truncate=3.0) / share
    drawn = flow + np.float32(_DRAWN) * np.stack(np.gradient(height, axis=(1, 2)))
    return np.asarray(drawn / np.maximum(1, np.sqrt(np.square(drawn).sum(0))))


def _to_the_widest(inside: np.ndarray, spacing_um: Sequence[float], widest: int) -> np.ndarray:
    """Arrows along z, from -1 to 1, to where the border within the plane is further away."""
    from scipy import ndimage as ndi

    size: Spacing = (spacing_um[0], spacing_um[1], spacing_um[2])
    width = np.minimum(depth(inside.view(np.uint8), size, frames=True), np.float32(widest * min(size)))
    growth = np.gradient(ndi.gaussian_filter(width, _EVEN, truncate=3.0), size[0], axis=0)
    return np.asarray(np.clip(growth / np.float32(_STEEP), -1, 1) * inside)


def walk(names: np.ndarray, flow: np.ndarray, spacing_um: Sequence[float], steps: int) -> np.ndarray:
    """Where each voxel of a clump ends, as an index into the flattened array; -1 where there is no clump.

    Parameters
    ----------
    names
        Clumps (z, y, x), 0 outside. A walk never leaves its clump.
    flow
        Arrows (3, z, y, x) zyx of length 1 in micrometres.
    spacing_um
        Voxel size zyx; a step is the shortest edge, so no step is longer than a voxel along any axis.
    """
    shape = np.array(names.shape)
    ends = np.full(names.shape, -1, np.int64)
    start = np.flatnonzero(names)
    at = np.stack(np.unravel_index(start, names.shape)).astype(np.float32)
    name, home = names.ravel()[start], start.copy()
    pace = (min(spacing_um) / np.asarray(spacing_um, np.float32))[:, None]
    field, everywhere = flow.reshape(3, -1), names.ravel()
    moving = np.arange(len(start))
    for _ in range(steps):
        arrow = field[:, home[moving]]
        going = np.square(arrow).sum(0) > _STILL**2
        moving = moving[going]
        if not len(moving):
            break
        there = at[:, moving] + arrow[:, going] * pace
        cell = np.rint(there).astype(np.int64)
        inside = ((cell >= 0) & (cell < shape[:, None])).all(0)
        index = np.ravel_multi_index(tuple(np.clip(cell, 0, shape[:, None] - 1)), names.shape)
        stays = inside & (everywhere[index] == name[moving])
        moving = moving[stays]
        at[:, moving] = there[:, stays]
        home[moving] = index[stays]
    ends.ravel()[start] = home
    return ends


def count_ends(ends: np.ndarray, flat: bool) -> np.ndarray:
    """How many walks end within a voxel of each voxel; float32."""
    from scipy import ndimage as ndi

    counts = np.bincount(ends[ends >= 0], minlength=ends.size).reshape(ends.shape).astype(np.float32)
    for axis in (1, 2) if flat else (0, 1, 2):
        counts = ndi.uniform_filter1d(counts, 3, axis=axis, mode="constant") * np.float32(3)
    return np.rint(counts)


def places(names: np.ndarray, ends: np.ndarray, flat: bool) -> np.ndarray:
    """Voxels where enough walks end for an object to be there, with the names of their clumps; 0 elsewhere."""
    return np.where(count_ends(ends, flat) >= _MEET, names, 0)


def seed_at_end(seeds: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The seed at the end of each voxel's walk, 0 where there is none."""
    arrivals: np.ndarray = np.where(ends >= 0, seeds.ravel()[np.maximum(ends, 0)], 0)
    return arrivals.astype(seeds.dtype, copy=False)


def follow(
    names: np.ndarray, flow: np.ndarray, spacing_um: Sequence[float], steps: int, frames: bool, flat: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Seeds of objects in memory and the seed of every voxel, 0 where a walk ends at none."""
    ends = walk(names, flow, spacing_um, steps)
    seeds, _ = components(places(names, ends, flat), "corners", frames)
    return seeds, seed_at_end(seeds, ends)
