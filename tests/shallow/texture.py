"""A made-up volume that filters can tell apart: dark noisy discs on a bright smooth ground."""

from __future__ import annotations

import numpy as np

from voxloop.model import ClassInfo

SPACING = (0.02, 0.01, 0.01)
CLASSES = (ClassInfo(value=1, name="disc"), ClassInfo(value=2, name="ground", background=True))


def textured(shape=(6, 96, 96), seed=0):
    """Intensities (z, y, x) uint8 and truth: 1 in discs, 2 outside."""
    rng = np.random.default_rng(seed)
    _, y, x = np.indices(shape)
    inside = ((y % 48 - 24) ** 2 + (x % 48 - 24) ** 2) < 15**2
    image = np.where(inside, 90 + rng.normal(0, 30, shape), 150 + rng.normal(0, 12, shape))
    return image.clip(0, 255).astype(np.uint8), np.where(inside, 1, 2).astype(np.uint8)


def strokes(truth, planes=(1, 4), value_rows=((24, 60), (2, 90))):
    """Labels along a few lines of some planes, as the truth says."""
    labels = np.zeros_like(truth)
    for z in planes:
        for row in {row for rows in value_rows for row in rows}:
            labels[z, row : row + 2] = truth[z, row : row + 2]
    return labels


def accuracy(probabilities, truth):
    """Share of voxels where the most probable class is the true one."""
    return float((probabilities.argmax(axis=0) + 1 == truth).mean())
