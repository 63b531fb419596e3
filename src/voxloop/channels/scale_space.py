"""One filter at several scales, and what of them is kept at each voxel. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from voxloop.channels import derivatives
from voxloop.channels.grid import FilterGrid
from voxloop.config.channels import DifferenceSettings, ScaleSpaceSettings, SigmaSettings, TubeSettings, settled
from voxloop.geometry import Shape

_MOST = 32


def sigmas(settings: ScaleSpaceSettings) -> list[float]:
    """All sigmas, micrometres, smallest first; 32 at most."""
    first, step, last = settled(settings.first_um), settled(settings.step_um), settled(settings.last_um)
    count = max(0, int((last - first) / step + 1e-9)) + 1
    return [first + at * step for at in range(min(count, _MOST))]


def scale_space(block: np.ndarray, grid: FilterGrid, settings: ScaleSpaceSettings) -> np.ndarray:
    """The filter at each scale, combined voxel by voxel; one scale more is held at a time."""
    kept: np.ndarray | None = None
    for found in _each(block, grid, settings):
        kept = found if kept is None else _combined(kept, found, settings.combine)
    assert kept is not None  # there is one sigma at least
    if settings.combine == "mean":
        return kept / np.float32(len(sigmas(settings)))
    return kept


def scale_space_reach(grid: FilterGrid, settings: ScaleSpaceSettings) -> Shape:
    """That of the largest scale."""
    wider = DifferenceSettings().ratio if settings.base == "dog" else 1.0
    return derivatives.sigma_reach(grid, sigmas(settings)[-1] * wider)


def _each(block: np.ndarray, grid: FilterGrid, settings: ScaleSpaceSettings) -> Iterator[np.ndarray]:
    for sigma in sigmas(settings):
        if settings.base == "gaussian":
            yield derivatives.derivatives_of(block, grid, sigma).of()
        elif settings.base == "log":
            yield derivatives.laplacian(block, grid, SigmaSettings(sigma_um=sigma))
        elif settings.base == "dog":
            yield derivatives.difference(block, grid, DifferenceSettings(sigma_um=sigma))
        elif settings.base == "determinant":
            yield derivatives.determinant(block, grid, SigmaSettings(sigma_um=sigma))
        else:
            measured = {"mean": settings.mean, "deviation": settings.deviation}
            yield derivatives.tubes(block, grid, TubeSettings(sigma_um=sigma, **measured))


def _combined(one: np.ndarray, other: np.ndarray, how: str) -> np.ndarray:
    if how == "largest":
        return np.asarray(np.maximum(one, other))
    if how == "smallest":
        return np.asarray(np.minimum(one, other))
    if how == "mean":
        return np.asarray(one + other)
    return np.where(np.abs(other) > np.abs(one), other, one)
