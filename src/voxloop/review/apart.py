"""How far two predictions of an image differ, as 1 - IoU of what they say. Reads labels alone; judges nothing."""

from __future__ import annotations

import numpy as np

from voxloop.review.population import Population
from voxloop.review.score import foreground, iou_of, mean_of

#: blocks of a large prediction that are compared
_BLOCKS = 12


def distance_between(one: Population, other: Population, seed: int = 0) -> float:
    """1 - IoU of two predictions, mean of the foreground classes that either says; nan where neither says any.

    It obeys the triangle inequality: two predictions whose true IoU are a and b differ by (1 - a) + (1 - b) at most.
    """
    count = len(one.classes)
    sizes = np.zeros((count, count))
    boxes, _ = one.blocks(seed, most=_BLOCKS)
    for box in boxes:
        first, second = one.read(box).astype(np.int64), other.read(box).astype(np.int64)
        both = (first >= 0) & (second >= 0)
        sizes += np.bincount(first[both] * count + second[both], minlength=count**2).reshape(count, count)
    return 1 - float(mean_of(iou_of(sizes)[None, foreground(one.classes)])[0])
