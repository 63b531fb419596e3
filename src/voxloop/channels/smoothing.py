"""Filters that smooth: Gaussian, median, and three that keep edges. Pure: blocks in, blocks out."""

from __future__ import annotations

from itertools import product

import numpy as np

from voxloop.channels.derivatives import derivatives_of
from voxloop.channels.grid import FilterGrid
from voxloop.channels.neighbourhoods import ball
from voxloop.config.channels import (
    BallSettings,
    BilateralSettings,
    PatchSettings,
    SigmaSettings,
    TotalVariationSettings,
    settled,
)
from voxloop.geometry import Shape


def gaussian(block: np.ndarray, grid: FilterGrid, settings: SigmaSettings) -> np.ndarray:
    """Weighted mean of what is around."""
    return derivatives_of(block, grid, settled(settings.sigma_um)).of()


def median(block: np.ndarray, grid: FilterGrid, settings: BallSettings) -> np.ndarray:
    """The middle one of the intensities in a ball."""
    from scipy import ndimage as ndi

    return np.asarray(ndi.median_filter(block, footprint=ball(grid, settings), mode="reflect"))


def total_variation(block: np.ndarray, grid: FilterGrid, settings: TotalVariationSettings) -> np.ndarray:
    """Chambolle's smoothing (2004, J. Math. Imaging Vis. 20:89) with a set number of steps."""
    from skimage.restoration import denoise_tv_chambolle

    mean, deviation = settled(settings.mean), settled(settings.deviation)
    # no tolerance: to stop early would depend on all of the block
    pieces = [
        denoise_tv_chambolle(
            (piece - mean) / deviation, weight=settings.weight, eps=0, max_num_iter=settings.iterations
        )
        for piece in grid.pieces(block)
    ]
    return grid.together(pieces) * np.float32(deviation) + np.float32(mean)


def total_variation_reach(grid: FilterGrid, settings: TotalVariationSettings) -> Shape:
    """Each step looks one voxel further."""
    return grid.everywhere(settings.iterations + 2)


def bilateral(block: np.ndarray, grid: FilterGrid, settings: BilateralSettings) -> np.ndarray:
    """Mean of what is near in space and in intensity (Tomasi and Manduchi 1998).

    The filters of scikit-image and OpenCV bin intensities between the smallest and the largest of what they are given,
    so their tiles would not fit each other.
    """
    sigma = grid.voxels(settled(settings.sigma_um))
    reach = bilateral_reach(grid, settings)
    contrast = settings.contrast * settled(settings.deviation)
    padded = np.pad(block, [(n, n) for n in reach], mode="symmetric")
    total, weight = np.zeros_like(block), np.zeros_like(block)
    for offset in product(*(range(-n, n + 1) for n in reach)):
        near = -0.5 * sum((step / width) ** 2 for step, width in zip(offset, sigma, strict=True) if width)
        window = tuple(
            slice(n + step, n + step + size) for n, step, size in zip(reach, offset, block.shape, strict=True)
        )
        other = padded[window]
        alike = np.exp(np.float32(near) - np.float32(0.5) * ((other - block) / np.float32(contrast)) ** 2)
        total += alike * other
        weight += alike
    return np.asarray(total / weight)


def bilateral_reach(grid: FilterGrid, settings: BilateralSettings) -> Shape:
    """Two sigmas."""
    z, y, x = (int(np.ceil(2 * sigma)) for sigma in grid.voxels(settled(settings.sigma_um)))
    return z, y, x


def non_local_means(block: np.ndarray, grid: FilterGrid, settings: PatchSettings) -> np.ndarray:
    """Mean of voxels whose surroundings look alike (Buades et al. 2005)."""
    from skimage.restoration import denoise_nl_means

    mean, deviation = np.float32(settled(settings.mean)), np.float32(settled(settings.deviation))
    pieces = [
        denoise_nl_means(
            (piece - mean) / deviation,
            patch_size=settings.patch,
            patch_distance=settings.distance,
            h=settings.strength,
            fast_mode=False,  # the fast one sums up from the corner of what it is given
        )
        for piece in grid.pieces(block)
    ]
    return grid.together(pieces) * deviation + mean


def non_local_means_reach(grid: FilterGrid, settings: PatchSettings) -> Shape:
    """A patch at the greatest distance."""
    return grid.everywhere(settings.patch // 2 + settings.distance + 1)
