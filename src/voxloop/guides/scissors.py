"""Intelligent scissors (Mortensen and Barrett 1995) of OpenCV: outlines that follow edges between anchors. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np

from voxloop.errors import LabelError
from voxloop.guides.objects import Look
from voxloop.guides.open_cv import as_bytes_of, open_cv

#: voxels around the anchors in which edges are followed
_AROUND = 48
#: voxels that are looked at at once
_MOST = 2048 * 2048


def traced(anchors: np.ndarray, size: tuple[int, int], look: Look, *, closed: bool = True) -> np.ndarray:
    """The corners (n, 2) of a line along edges through anchors (row, column), back to the first where ``closed``.

    Raises LabelError where an anchor lies outside, or they lie further apart than fits at once.
    """
    cv2: Any = open_cv()
    if not ((anchors > -0.5) & (anchors < np.array(size) - 0.5)).all():
        raise LabelError(f"anchors lie outside of the plane of {size[0]} x {size[1]} voxels")
    whole = np.round(anchors).astype(int)
    low = np.maximum(whole.min(axis=0) - _AROUND, 0)
    high = np.minimum(whole.max(axis=0) + _AROUND + 1, size)
    if int(np.prod(high - low)) > _MOST:
        raise LabelError("the anchors lie too far apart: edges are followed in 2048 x 2048 voxels at most")
    if len(whole) < 2:
        return np.asarray(whole, float)
    picture = as_bytes_of(look(slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))))
    tool = cv2.segmentation.IntelligentScissorsMB()
    tool.setEdgeFeatureCannyParameters(32, 100)
    tool.setGradientMagnitudeMaxLimit(200)
    tool.applyImage(cv2.GaussianBlur(picture, (0, 0), 1.0))
    local = whole - low
    ends = [*local[1:], local[0]] if closed and len(local) > 2 else list(local[1:])
    line = [local[:1]]
    for start, end in zip(local, ends, strict=False):
        tool.buildMap((int(start[1]), int(start[0])))
        path = np.asarray(tool.getContour((int(end[1]), int(end[0])))).reshape(-1, 2)[:, ::-1]
        line.append(path[1:] if len(path) > 1 else end[None])
    corners = np.concatenate(line)
    return np.asarray(_thinned(corners) + low, float)


def _thinned(corners: np.ndarray) -> np.ndarray:
    """Without corners in the middle of straight pieces."""
    if len(corners) < 3:
        return corners
    steps = np.diff(corners, axis=0)
    turns = np.ones(len(corners), bool)
    turns[1:-1] = (steps[1:] != steps[:-1]).any(axis=1)
    return corners[turns]
