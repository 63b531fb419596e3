"""Eigenvalues of symmetric 2x2 and 3x3 matrices, one a voxel, in closed form. Pure: numpy alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Tensor = Mapping[tuple[int, int], np.ndarray]


def eigenvalues(tensor: Tensor, axes: Sequence[int]) -> list[np.ndarray]:
    """Eigenvalues, largest first, of the symmetric matrix whose upper triangle ``tensor`` holds for ``axes``.

    Each value of ``tensor`` is an array of one entry a voxel; the results have its shape and dtype.
    """
    if len(axes) == 2:
        a, b = axes
        return _two(tensor[a, a], tensor[b, b], tensor[a, b])
    return _three(*(tensor[key] for key in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))))


def _two(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> list[np.ndarray]:
    mean = (a + b) * np.float32(0.5)
    half = (a - b) * np.float32(0.5)
    spread = np.sqrt(half * half + c * c)
    return [mean + spread, mean - spread]


def _three(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, ab: np.ndarray, ac: np.ndarray, bc: np.ndarray
) -> list[np.ndarray]:
    """Trigonometric solution of the characteristic polynomial (Smith 1961, Comm. ACM 4:168)."""
    mean = (a + b + c) / np.float32(3)
    a, b, c = a - mean, b - mean, c - mean
    p = np.sqrt((a * a + b * b + c * c + 2 * (ab * ab + ac * ac + bc * bc)) / np.float32(6))
    determinant = a * (b * c - bc * bc) - ab * (ab * c - bc * ac) + ac * (ab * bc - b * ac)
    # a multiple of the identity has p = 0, and then any angle gives the right answer
    cube = np.maximum(p * p * p, np.finfo(np.float32).tiny)
    angle = np.arccos(np.clip(determinant / (2 * cube), -1, 1)) / np.float32(3)
    largest = mean + 2 * p * np.cos(angle)
    smallest = mean + 2 * p * np.cos(angle + np.float32(2 * np.pi / 3))
    return [largest, 3 * mean - largest - smallest, smallest]
