"""In how many directions labelled animals lie, and how far frames are turned for it. Pure numpy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from voxloop.deep.pose.pictures import Placed

#: frames are turned at least so far, in degrees: nobody holds a camera straight
_LEAST = 15.0
#: beyond that animals are taken to lie in any direction
_MOST = 100.0
#: so few animals say nothing of the others; of a few more others may lie so much further
_FEW, _UNSEEN = 3, 5.0
#: rounds in which the usual body and the directions of all are found from each other
_ROUNDS = 5


def directions(places: Sequence[Placed]) -> np.ndarray:
    """By how much each animal is turned from the usual body, as unit complex numbers; no entry where it cannot be told.

    All placed nodes have a say: it is the turn that brings an animal nearest to the mean of all, once these are turned
    alike (Procrustes).
    """
    own = [one.at for one in places if len(one)]
    at = np.concatenate(own) if own else np.zeros((0, 1, 2))
    bodies = at[..., 1] + 1j * at[..., 0]
    bodies = bodies - np.nanmean(bodies, axis=1, keepdims=True)
    bodies = bodies[(~np.isnan(bodies)).sum(1) >= 2]
    if not len(bodies):
        return np.zeros(0, complex)
    usual = bodies[np.argmax((~np.isnan(bodies)).sum(1))]
    for _ in range(_ROUNDS):
        alike = np.nansum(bodies * np.conj(np.where(np.isnan(usual), 0, usual)), axis=1)
        turned = alike / np.maximum(np.abs(alike), 1e-12)
        straight = bodies * np.conj(turned)[:, None]
        known = (~np.isnan(straight)).any(0)
        usual = np.full(bodies.shape[1], np.nan + 0j)
        usual[known] = np.nanmean(straight[:, known], axis=0)
    return np.asarray(turned[np.abs(alike) > 1e-9])


def usual_turn(places: Sequence[Placed]) -> tuple[float, str]:
    """How far frames are to be turned either way, in degrees, and why, in words.

    As far as the labelled animals lie away from their mean direction, and further the fewer there are; any direction
    where that is beyond a right angle, or where there are too few to tell.
    """
    found = directions(places)
    if max((one.at.shape[1] for one in places), default=0) < 2:
        return 180.0, "a single node has no direction: turned by up to 180 degrees"
    if len(found) < _FEW:
        return 180.0, "too few animals to tell how they lie: turned by up to 180 degrees"
    middle = found.mean()
    away = np.degrees(np.abs(np.angle(found * np.conj(middle)))) if abs(middle) > 1e-9 else np.full(1, 180.0)
    far = float(away.max())
    wanted = _LEAST + far * (1 + _UNSEEN / len(found))
    if wanted > _MOST:
        return 180.0, f"animals lie in directions {far:.0f} degrees and more from their mean: turned by up to 180"
    degrees = 5.0 * math.ceil(wanted / 5)
    return degrees, f"animals lie within {far:.0f} degrees of one direction: turned by up to {degrees:.0f}"
