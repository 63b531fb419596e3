"""How much like a tube the surroundings of a voxel are, from the eigenvalues of the Hessian. Pure: numpy alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: how far from a sheet (3-D) and from a blob counts as a tube, and what curvature is more than noise, in standard
#: deviations of the image's intensities where the Hessian is scale-normalised
ALPHA, BETA, NOISE = 0.5, 0.5, 0.5


def vesselness(values: Sequence[np.ndarray]) -> np.ndarray:
    """Frangi's measure (Frangi et al. 1998, MICCAI 1496:130): 0 to 1 for bright tubes, 0 to -1 for dark ones.

    ``values`` are the two or three eigenvalues, one array each; the result has their shape, float32. The curvature that
    counts is a constant, not half of the largest in the image, so that tiles say the same as the whole.
    """
    ordered = np.stack(values)
    ordered = np.take_along_axis(ordered, np.argsort(np.abs(ordered), axis=0), axis=0)
    tiny = np.float32(1e-12)
    largest = np.abs(ordered[-1]) + tiny
    strength = 1 - np.exp(-np.square(ordered).sum(0) / (2 * NOISE**2))
    if len(ordered) == 2:
        blob = np.abs(ordered[0]) / largest
        tube = np.exp(-(blob**2) / (2 * BETA**2))
    else:
        middle = np.abs(ordered[1]) + tiny
        blob = np.abs(ordered[0]) / np.sqrt(middle * largest)
        tube = np.exp(-(blob**2) / (2 * BETA**2)) * (1 - np.exp(-((middle / largest) ** 2) / (2 * ALPHA**2)))
        tube = np.where(np.sign(ordered[1]) == np.sign(ordered[2]), tube, 0)  # a saddle is no tube
    found: np.ndarray = (-np.sign(ordered[-1]) * strength * tube).astype(np.float32)
    return found
