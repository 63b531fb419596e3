"""Means and deviations of what is around, and intensities set against them. Pure: blocks in, blocks out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from voxloop.channels.derivatives import derivatives_of
from voxloop.channels.grid import FilterGrid
from voxloop.channels.neighbourhoods import box_reach, box_sides
from voxloop.config.channels import RadiusSettings, SigmaSettings, settled
from voxloop.geometry import Shape

#: a deviation below this share of the largest intensities around is none: what is even stays even
_NOTHING = 1e-6

Mean = Callable[[np.ndarray], np.ndarray]


def local_mean(block: np.ndarray, grid: FilterGrid, settings: RadiusSettings) -> np.ndarray:
    """Mean over a box."""
    return np.asarray(_boxed(grid, settings)(block.astype(np.float64)), np.float32)


def local_deviation(block: np.ndarray, grid: FilterGrid, settings: RadiusSettings) -> np.ndarray:
    """Standard deviation over a box."""
    return _moments(block, _boxed(grid, settings))[1]


def local_centre(block: np.ndarray, grid: FilterGrid, settings: RadiusSettings) -> np.ndarray:
    """Intensity less the mean over a box."""
    return np.asarray(block - local_mean(block, grid, settings))


def local_normalise(block: np.ndarray, grid: FilterGrid, settings: RadiusSettings) -> np.ndarray:
    """Intensity less the mean over a box, in standard deviations of it."""
    return _normalised(block, _boxed(grid, settings))


def local_gradient(block: np.ndarray, grid: FilterGrid, settings: RadiusSettings) -> np.ndarray:
    """How steep the mean over a box is, by a step of a voxel to either side."""
    smooth = local_mean(block, grid, settings)
    slopes = [_slope(smooth, axis) for axis in grid.axes]
    return np.asarray(np.sqrt(sum(slope**2 for slope in slopes)))


def local_gradient_reach(grid: FilterGrid, settings: RadiusSettings) -> Shape:
    """The box, and a voxel more."""
    z, y, x = (a + b for a, b in zip(box_reach(grid, settings), grid.everywhere(1), strict=True))
    return z, y, x


def gaussian_centre(block: np.ndarray, grid: FilterGrid, settings: SigmaSettings) -> np.ndarray:
    """Intensity less the weighted mean around."""
    return np.asarray(block - derivatives_of(block, grid, settled(settings.sigma_um)).of())


def gaussian_normalise(block: np.ndarray, grid: FilterGrid, settings: SigmaSettings) -> np.ndarray:
    """Intensity less the weighted mean around, in weighted standard deviations."""
    return _normalised(block, _weighted(grid, settings))


def gaussian_deviation(block: np.ndarray, grid: FilterGrid, settings: SigmaSettings) -> np.ndarray:
    """Weighted standard deviation around: smooth or rough."""
    return _moments(block, _weighted(grid, settings))[1]


def _boxed(grid: FilterGrid, settings: RadiusSettings) -> Mean:
    from scipy import ndimage as ndi

    sides = box_sides(grid, settings)
    return lambda values: ndi.uniform_filter(values, sides, mode="reflect")


def _weighted(grid: FilterGrid, settings: SigmaSettings) -> Mean:
    from scipy import ndimage as ndi

    # in double precision, unlike the Gaussian of the derivatives: squares of intensities nearly cancel
    sigma = grid.voxels(settled(settings.sigma_um))
    return lambda values: ndi.gaussian_filter(values, sigma, mode="reflect", truncate=3.0)


def _moments(block: np.ndarray, mean: Mean) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation around each voxel, float32."""
    values = block.astype(np.float64)
    middle = mean(values)
    square = mean(values**2)
    spread = np.sqrt(np.maximum(square - middle**2, 0))
    spread[spread <= _NOTHING * np.sqrt(square)] = 0
    return middle.astype(np.float32), spread.astype(np.float32)


def _normalised(block: np.ndarray, mean: Mean) -> np.ndarray:
    middle, spread = _moments(block, mean)
    return np.asarray(np.divide(block - middle, spread, out=np.zeros_like(block), where=spread > 0))


def _slope(block: np.ndarray, axis: int) -> np.ndarray:
    around = [(0, 0)] * 3
    around[axis] = (1, 1)
    padded = np.pad(block, around, mode="symmetric")
    ahead, back = [slice(None)] * 3, [slice(None)] * 3
    ahead[axis], back[axis] = slice(2, None), slice(None, -2)
    return np.asarray((padded[tuple(ahead)] - padded[tuple(back)]) / 2)
