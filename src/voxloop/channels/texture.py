"""Stripes and detail of one size. Pure: blocks in, blocks out."""

from __future__ import annotations

import numpy as np

from voxloop.channels.grid import FilterGrid
from voxloop.config.channels import GaborSettings, WaveletSettings, settled
from voxloop.geometry import Shape

#: width of the Gaussian of a Gabor filter, in wavelengths, and how many of it are looked at
_WIDTH, _WIDTHS = 0.5, 3.0
#: the smoothing between two bands: a cubic spline
_SPLINE = np.array([1, 4, 6, 4, 1], np.float64) / 16


def gabor(block: np.ndarray, grid: FilterGrid, settings: GaborSettings) -> np.ndarray:
    """How strong stripes of a wavelength are, in the direction in which they are strongest; 0 where all is even."""
    from scipy.signal import oaconvolve

    reach = gabor_reach(grid, settings)[1:]
    strongest = np.zeros_like(block)
    padded = np.pad(block, [(0, 0), *((n, n) for n in reach)], mode="symmetric")
    for angle in np.arange(settings.angles) * np.pi / settings.angles:
        weights = _stripes(grid, settings, angle, reach)
        for z, plane in enumerate(padded):
            found = np.abs(oaconvolve(plane, weights, mode="valid"))
            np.maximum(strongest[z], found, out=strongest[z])
    return strongest


def gabor_reach(grid: FilterGrid, settings: GaborSettings) -> Shape:
    """Three widths of the Gaussian."""
    _, y, x = grid.voxels(_WIDTHS * _WIDTH * settled(settings.wavelength_um))
    return 0, int(np.ceil(y)), int(np.ceil(x))


def _stripes(grid: FilterGrid, settings: GaborSettings, angle: float, reach: tuple[int, ...]) -> np.ndarray:
    """A wave under a Gaussian, complex (y, x); round in micrometres, and blind to even brightness."""
    wavelength = settled(settings.wavelength_um)
    axes = [np.arange(-n, n + 1) * side for n, side in zip(reach, grid.spacing_um[1:], strict=True)]
    y, x = np.meshgrid(*axes, indexing="ij")
    bell = np.exp(-0.5 * (y**2 + x**2) / (_WIDTH * wavelength) ** 2)
    bell /= bell.sum()
    wave = np.exp(2j * np.pi * (y * np.sin(angle) + x * np.cos(angle)) / wavelength)
    weights = bell * wave
    return np.asarray((weights - weights.sum() * bell).astype(np.complex64))


def wavelet(block: np.ndarray, grid: FilterGrid, settings: WaveletSettings) -> np.ndarray:
    """Detail of one size, undecimated (Starck and Murtagh 1994, A&A 288:342): what one more smoothing takes away."""
    smooth = block.astype(np.float64)
    before = smooth
    for band in range(settings.band):
        before, smooth = smooth, _smoothed(smooth, grid, 2**band)
    return np.asarray(before - smooth, np.float32)


def wavelet_reach(grid: FilterGrid, settings: WaveletSettings) -> Shape:
    """The splines of all bands, one after the other."""
    return grid.everywhere(2 * (2**settings.band - 1))


def _smoothed(block: np.ndarray, grid: FilterGrid, apart: int) -> np.ndarray:
    from scipy import ndimage as ndi

    weights = np.zeros(4 * apart + 1)
    weights[::apart] = _SPLINE
    for axis in grid.axes:
        block = ndi.correlate1d(block, weights, axis=axis, mode="reflect")
    return block
