"""Gaussian derivatives along one axis, as products with a banded matrix. Pure: knows numpy alone, no units, no images.

A correlation along an axis is a matrix product with a band. Cut into cells of 32 outputs the band is nearly dense, so
BLAS does it in single precision at several times the rate of a generic filter, and one read of the data serves it well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import ceil, prod

import numpy as np
from numpy.lib.stride_tricks import as_strided

#: outputs in one cell of the band; 24 to 48 run equally fast, larger ones multiply too many zeros
CELL = 32


def radius_of(sigma: float) -> int:
    """Voxels to one side that a kernel of ``sigma`` voxels reads: three sigmas and room for the derivatives."""
    return max(1, ceil(3.0 * sigma + 0.5))


@lru_cache(maxsize=256)
def kernel(sigma: float, order: int) -> np.ndarray:
    """Sampled derivative of a Gaussian, scale-normalised, as a correlation kernel (2 * radius + 1,) float64.

    The moments are made exact (constant, slope and curvature of polynomials come out right), so a sigma far below one
    voxel turns into the identity, the central and the second difference instead of noise. ``order`` is 0, 1 or 2; the
    result is multiplied by ``sigma ** order``, which makes scales comparable.
    """
    reach = radius_of(sigma)
    x = np.arange(-reach, reach + 1, dtype=np.float64)
    bell = np.exp(-0.5 * (x / max(sigma, 0.2)) ** 2)
    bell /= bell.sum()
    if order == 0:
        return bell
    if order == 1:
        slope = x * bell
        return np.asarray(sigma * slope / (slope * x).sum())
    curve = (x**2 - (x**2 * bell).sum()) * bell
    curve -= bell * curve.sum()
    return np.asarray(sigma**2 * 2.0 * curve / (curve * x**2).sum())


@lru_cache(maxsize=512)
def _band(taps: bytes, width: int) -> np.ndarray:
    """The (width, width + 2 * radius) float32 matrix that correlates with the kernel in ``taps``."""
    weights = np.frombuffer(taps, dtype=np.float64).astype(np.float32)
    band = np.zeros((width, width + weights.size - 1), dtype=np.float32)
    for row in range(width):
        band[row, row : row + weights.size] = weights
    return band


@lru_cache(maxsize=64)
def _doubling(width: int) -> np.ndarray:
    """The (width, width / 2 + 1) float32 matrix that interpolates between cell centres."""
    band = np.zeros((width, width // 2 + 1), dtype=np.float32)
    for row in range(width):
        near, far = (0.75, 0.25) if row % 2 == 0 else (0.25, 0.75)
        band[row, row // 2 : row // 2 + 2] = near, far
    return band


def correlate(block: np.ndarray, weights: np.ndarray, axis: int) -> np.ndarray:
    """Correlate float32 ``block`` with ``weights`` along ``axis``; only where the kernel fits, so the axis shrinks.

    Equals ``scipy.ndimage.correlate1d`` cut by the radius at both ends, to single precision.
    """
    taps = np.ascontiguousarray(weights, dtype=np.float64).tobytes()
    size = block.shape[axis] - weights.size + 1
    return _banded(block, axis, size, 1, lambda width: _band(taps, width))


def _banded(block: np.ndarray, axis: int, size: int, rate: int, band: Callable[[int], np.ndarray]) -> np.ndarray:
    """Multiply cells of ``axis`` with ``band(width)``; ``rate`` outputs advance the input by one, ``size`` come out."""
    block = np.ascontiguousarray(block, dtype=np.float32)
    shape = (*block.shape[:axis], size, *block.shape[axis + 1 :])
    out = np.empty(shape, dtype=np.float32)
    lines = block.reshape(prod(block.shape[:axis]), block.shape[axis], prod(block.shape[axis + 1 :]))
    made = out.reshape(lines.shape[0], size, lines.shape[2])
    whole = size // CELL
    done = whole * CELL
    if whole:
        matrix = band(CELL)
        windows = _cells(lines, whole, CELL // rate, matrix.shape[1])
        _product(matrix, windows, _cells(made, whole, CELL, CELL))
    if rest := size - done:
        _product(band(rest), lines[:, None, done // rate :], made[:, None, done:])
    return out


def _cells(lines: np.ndarray, count: int, step: int, width: int) -> np.ndarray:
    """View (lines, n, post) as overlapping (lines, count, width, post)."""
    line, one, post = lines.strides
    return as_strided(lines, (lines.shape[0], count, width, lines.shape[2]), (line, step * one, one, post))


def _product(matrix: np.ndarray, cells: np.ndarray, out: np.ndarray) -> None:
    """``out = matrix @ cells``; where the axis is the last one, all lines at once, transposed to keep BLAS busy."""
    if cells.shape[-1] > 1:
        np.matmul(matrix, cells, out=out)
    else:
        np.matmul(cells[..., 0].swapaxes(0, 1), matrix.T, out=out[..., 0].swapaxes(0, 1))


def halve(block: np.ndarray, factors: Sequence[int]) -> np.ndarray:
    """Mean of cells of ``factors`` (1 or 2) voxels on the last three axes, whose sizes they divide."""
    for axis, factor in zip((-3, -2, -1), factors, strict=True):
        if factor == 2:
            even = [slice(None)] * block.ndim
            odd = [slice(None)] * block.ndim
            even[axis], odd[axis] = slice(0, None, 2), slice(1, None, 2)
            block = (block[tuple(even)] + block[tuple(odd)]) * np.float32(0.5)
    return block


def double(block: np.ndarray, factors: Sequence[int]) -> np.ndarray:
    """Interpolate linearly to twice the resolution where ``factors`` is 2; such an axis of n gives 2 n - 2.

    Cells of :func:`halve` have their centres between two voxels, so the weights are 3/4 and 1/4; the outermost half
    cells, which would need a neighbour, are left out.
    """
    for axis, factor in zip((-3, -2, -1), factors, strict=True):
        if factor == 2:
            axis = axis % block.ndim
            block = _banded(block, axis, 2 * (block.shape[axis] - 1), 2, _doubling)
    return block
