"""How much of an image is like each labelled voxel, compared with how much was painted of it. Pure: features alone."""

from __future__ import annotations

import warnings

import numpy as np

#: typical places that features are sorted into, and the directions of most variance they are sorted by
PLACES, DIRECTIONS = 24, 8
#: a voxel counts at most so many times more or less than another: few strokes may not outweigh the rest
BOUND = 5.0
_LOOKED_AT = 6000


def likeness(labelled: np.ndarray, around: np.ndarray, seed: int = 0) -> np.ndarray:
    """Weights (n,) of labelled voxels (n, features) so that they stand for the image that ``around`` was drawn from.

    The image is sorted into typical places (k-means); a place that makes up much of it and was painted on little
    weighs more, by the ratio of the two shares (post-stratification), within :data:`BOUND`.
    """
    from scipy.cluster.vq import kmeans2, vq

    step = max(1, len(around) // _LOOKED_AT)
    image = around[::step].astype(float)
    mean, spread = image.mean(axis=0), image.std(axis=0)
    spread[spread < 1e-6] = 1
    scaled = (image - mean) / spread
    if len(scaled) < 10 * PLACES:
        return np.ones(len(labelled))
    _, directions = np.linalg.eigh(scaled.T @ scaled)
    directions = directions[:, ::-1][:, :DIRECTIONS]
    points = scaled @ directions
    begin = points[np.random.default_rng(seed).choice(len(points), PLACES, replace=False)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a place that loses all its voxels only makes for fewer places
        centres, owners = kmeans2(points, begin, minit="matrix")
    painted, _ = vq((labelled - mean) / spread @ directions, centres)
    of_image = np.bincount(owners, minlength=PLACES) / len(owners)
    of_labels = np.bincount(painted, minlength=PLACES) / len(painted)
    ratio = of_image / np.maximum(of_labels, 1e-9)
    return np.asarray(np.clip(ratio, 1 / BOUND, BOUND)[painted])
