"""Shapes of one label made larger, smaller, smoother or fewer. Pure: masks in, masks out; lengths in micrometres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

Operation = Literal["dilate", "erode", "open", "close", "fill holes", "smooth", "remove small", "keep largest"]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)
#: those that may reach beyond where the label is
GROWING = ("dilate", "close", "smooth")


def refine(mask: np.ndarray, operation: Operation, radius_um: float, spacing_um: Sequence[float]) -> np.ndarray:
    """One operation on a mask (y, x) or (z, y, x) bool, as a whole. What lies beyond the mask counts as it ends.

    ``radius_um``: how far shapes grow or shrink; the width (sigma) of the smoothing; the radius of a disc or ball that
    parts must be as large as.
    """
    if not mask.any():
        return mask
    if operation == "dilate":
        return _grown(mask, radius_um, spacing_um)
    if operation == "erode":
        return _shrunk(mask, radius_um, spacing_um)
    if operation == "open":
        return _grown(_shrunk(mask, radius_um, spacing_um), radius_um, spacing_um)
    if operation == "close":
        return _shrunk(_grown(mask, radius_um, spacing_um), radius_um, spacing_um)
    if operation == "fill holes":
        return _filled(mask)
    if operation == "smooth":
        return _smoothed(mask, radius_um, spacing_um)
    if operation == "remove small":
        return _without_small(mask, _ball(radius_um, spacing_um))
    return _largest(mask)


def _grown(mask: np.ndarray, by: float, spacing_um: Sequence[float]) -> np.ndarray:
    return np.asarray(mask | (_distance(~mask, spacing_um) <= by)) if mask.any() else mask


def _shrunk(mask: np.ndarray, by: float, spacing_um: Sequence[float]) -> np.ndarray:
    return np.asarray(_distance(mask, spacing_um) > by) if not mask.all() else mask


def _distance(mask: np.ndarray, spacing_um: Sequence[float]) -> np.ndarray:
    """Micrometres from each voxel of a mask to the nearest one outside of it."""
    import edt

    return np.asarray(edt.edt(np.ascontiguousarray(mask), anisotropy=tuple(spacing_um), black_border=False))


def _filled(mask: np.ndarray) -> np.ndarray:
    from scipy import ndimage as ndi

    return np.asarray(ndi.binary_fill_holes(mask))


def _smoothed(mask: np.ndarray, sigma_um: float, spacing_um: Sequence[float]) -> np.ndarray:
    from scipy import ndimage as ndi

    sigma = [sigma_um / step for step in spacing_um]
    return np.asarray(ndi.gaussian_filter(mask.astype(np.float32), sigma, mode="nearest") > 0.5)


def _ball(radius_um: float, spacing_um: Sequence[float]) -> float:
    """Voxels of a disc, or of a ball."""
    size = np.pi * radius_um**2 if len(spacing_um) == 2 else 4 / 3 * np.pi * radius_um**3
    return float(size / np.prod(spacing_um))


def _without_small(mask: np.ndarray, least: float) -> np.ndarray:
    parts, sizes = _parts(mask)
    return np.asarray((sizes >= least)[parts])


def _largest(mask: np.ndarray) -> np.ndarray:
    parts, sizes = _parts(mask)
    return np.asarray(parts == int(sizes.argmax()))


def _parts(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Connected parts (also by corners), numbered from 1, and how many voxels each has; none of 0."""
    import cc3d

    parts = cc3d.connected_components(mask, connectivity=8 if mask.ndim == 2 else 26)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return parts, sizes
