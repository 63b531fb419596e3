"""GrabCut (Rother et al. 2004) of OpenCV on a window with seeds. Pure; OpenCV is imported at the first use."""

from __future__ import annotations

from typing import Any

import numpy as np

from voxloop.guides.hints import INSIDE, OUTSIDE, Hints
from voxloop.guides.open_cv import as_bytes_of, open_cv

#: rounds of guessing colours and cutting
_ROUNDS = 4
#: voxels around strokes that may be the object where no box says so
_NEAR = 24
#: widths (pixels) of the smoothing that makes three channels of one
_WIDTHS = (1.0, 2.0, 4.0)


def grabbed(picture: np.ndarray, seeds: np.ndarray, hints: Hints) -> np.ndarray:
    """What is like the seeds inside and unlike those outside, bool; ``picture`` (rows, columns)."""
    from scipy.ndimage import distance_transform_edt

    cv2: Any = open_cv()
    mask = np.full(seeds.shape, cv2.GC_PR_BGD, np.uint8)
    if hints.box is not None:
        mask[seeds != OUTSIDE] = cv2.GC_PR_FGD
    else:
        mask[distance_transform_edt(seeds != INSIDE) <= _NEAR] = cv2.GC_PR_FGD
    mask[seeds == OUTSIDE] = cv2.GC_BGD
    mask[seeds == INSIDE] = cv2.GC_FGD  # without any that is sure, what is in a box of grays all becomes background
    outside = np.isin(mask, (cv2.GC_BGD, cv2.GC_PR_BGD))
    if outside.all() or not outside.any():  # nothing to tell apart
        return np.asarray(seeds == INSIDE)
    gray = as_bytes_of(picture)
    # three times the same gray would be colours without a spread: the models collapse
    colours = cv2.merge([cv2.GaussianBlur(gray, (0, 0), width) for width in _WIDTHS])
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # the same hints, the same object
    found, *_ = cv2.grabCut(colours, mask, None, *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    return np.asarray((found == cv2.GC_FGD) | (found == cv2.GC_PR_FGD))
