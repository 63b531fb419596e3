"""Banded products against scipy, and what kernels do to polynomials."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from voxloop.channels.banded import correlate, double, halve, kernel
from voxloop.channels.eigenvalues import eigenvalues


@given(
    shape=st.tuples(*[st.integers(1, 5)] * 2, st.integers(12, 90), st.integers(12, 90)),
    axis=st.integers(0, 3),
    sigma=st.floats(0.3, 1.6),
    order=st.integers(0, 2),
)
@settings(max_examples=40, deadline=None)
def test_correlation_equals_scipy(shape, axis, sigma, order):
    block = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    weights = kernel(sigma, order)
    reach = weights.size // 2
    if shape[axis] <= 2 * reach:
        block = np.repeat(block, 2 * reach + 3, axis=axis)[tuple(slice(0, n) for n in block.shape)]
        block = np.concatenate([block] * (2 * reach + 2), axis=axis)
    wanted = ndimage.correlate1d(block.astype(float), weights, axis=axis)
    cut = [slice(None)] * 4
    cut[axis] = slice(reach, -reach)
    np.testing.assert_allclose(correlate(block, weights, axis), wanted[tuple(cut)], atol=2e-5)


@pytest.mark.parametrize("sigma", [0.05, 0.3, 0.8, 1.6, 4.0])
def test_kernels_are_exact_on_polynomials_however_small_the_sigma(sigma):
    x = np.arange(-kernel(sigma, 0).size // 2 + 1, kernel(sigma, 0).size // 2 + 1, dtype=float)
    assert (kernel(sigma, 0) * np.ones_like(x)).sum() == pytest.approx(1)
    assert (kernel(sigma, 1) * (3 * x + 5)).sum() == pytest.approx(3 * sigma)
    assert (kernel(sigma, 2) * (2 * x**2 + x + 7)).sum() == pytest.approx(4 * sigma**2)


@given(cells=st.integers(3, 40), factors=st.tuples(*[st.sampled_from([1, 2])] * 3))
@settings(max_examples=30, deadline=None)
def test_halving_and_doubling_keep_a_ramp(cells, factors):
    grid = np.meshgrid(*[np.arange(cells * factor, dtype=np.float32) for factor in factors], indexing="ij")
    ramp = (grid[0] + 2 * grid[1] - 3 * grid[2])[None]
    back = double(halve(ramp, factors), factors)
    cut = tuple(slice(1, -1) if factor == 2 else slice(None) for factor in factors)
    np.testing.assert_allclose(back, ramp[(slice(None), *cut)], atol=1e-3)


@pytest.mark.parametrize("size", [2, 3])
def test_eigenvalues_equal_lapack_also_where_they_coincide(size):
    rng = np.random.default_rng(1)
    matrices = rng.normal(size=(200, size, size)).astype(np.float32)
    matrices += matrices.transpose(0, 2, 1)
    matrices[:20] = np.eye(size) * rng.normal(size=(20, 1, 1))
    matrices[20:40] = 0
    axes = (1, 2) if size == 2 else (0, 1, 2)
    tensor = {(a, b): matrices[:, i, j] for i, a in enumerate(axes) for j, b in enumerate(axes) if a <= b}
    wanted = np.linalg.eigvalsh(matrices.astype(float))[:, ::-1]
    np.testing.assert_allclose(np.stack(eigenvalues(tensor, axes), axis=1), wanted, atol=5e-3)
