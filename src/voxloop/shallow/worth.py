"""How much each classifier of a blend counts: by its score on held-out strokes, as far as so few can tell. Pure.

Strokes are few and their voxels alike. Of 29 strokes, held out in turn, one classifier knew 0.59 and another 0.46, and
the difference of the two was known to 0.15: believed as it stood, it gave seven tenths of the blend to one
that called a third of the image an object. So differences count by how well they are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from voxloop.shallow.classifier import Member

#: a classifier whose IoU on held-out strokes is surely less by so much counts 2.7 times less
TEMPER = 0.1
#: strokes below which nothing is known of how well differences are known, and what is taken for it then
_FEWEST, _UNKNOWN = 3, 0.3
#: weights of classes that are not there, but for rounding
_NOTHING = 1e-9


def counts(worth: Mapping[Member, float], noise: float) -> dict[Member, float]:
    """How much each classifier counts, the best one as 1, by what each is worth and how well differences are known."""
    best = max(worth.values())
    temper = np.hypot(TEMPER, noise)
    return {member: float(np.exp((value - best) / temper)) for member, value in worth.items()}


def iou_of_members(joints: Mapping[Member, np.ndarray], foreground: Sequence[int]) -> dict[Member, float]:
    """Mean IoU of the foreground, of weights (strokes, true class, class said) by classifier."""
    return {member: float(_mean_iou(joint.sum(axis=0), foreground)) for member, joint in joints.items()}


def noise_of(joints: Mapping[Member, np.ndarray], worth: Mapping[Member, float], foreground: Sequence[int]) -> float:
    """Standard error of what the best classifier is ahead of the others, mean of these: each stroke left out in turn.

    The jackknife (Quenouille 1956, Tukey 1958) of paired differences: what is hard for all changes none of them. Where
    few strokes are all told rightly nothing changes either, so it is at least what one stroke more could change.
    """
    best = max(worth, key=lambda member: worth[member])
    left = {member: _mean_iou(joint.sum(axis=0) - joint, foreground) for member, joint in joints.items()}
    errors = []
    for member in joints:
        behind = left[best] - left[member]
        behind = behind[np.isfinite(behind)]
        if member != best:
            many = len(behind)
            errors.append(np.sqrt(max(many - 1, 0) * behind.var()) if many >= _FEWEST else _UNKNOWN)
    strokes = max((len(joint) for joint in joints.values()), default=0)
    return max(float(np.mean(errors)), 1 / (strokes + 1)) if errors else 0.0


def iou_of(joint: np.ndarray) -> np.ndarray:
    """IoU (..., classes) of weights (..., true class, class said); nan where a class is in neither."""
    hit = np.diagonal(joint, axis1=-2, axis2=-1)
    union = joint.sum(axis=-2) + joint.sum(axis=-1) - hit
    there = union > _NOTHING
    return np.asarray(np.where(there, hit / np.where(there, union, 1), np.nan))


def _mean_iou(joint: np.ndarray, foreground: Sequence[int]) -> np.ndarray:
    """Mean of these classes; nan where none of them is there."""
    values = iou_of(joint)[..., foreground]
    there = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(there, values, 0).sum(axis=-1) / there.sum(axis=-1))
