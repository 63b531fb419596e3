"""Which peaks belong to the same animal, by the fields that point along its edges. Numpy and scipy; no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

#: places along an edge at which its field is asked
_ASKED = 10
#: an edge counts where its field agrees at least that much with it
_AGREES = 0.25
#: an edge longer than so many times the longest that was labelled costs as much as its field gives
_LONG = 1.5


def group(
    at: np.ndarray,
    node: np.ndarray,
    score: np.ndarray,
    fields: np.ndarray,
    stride: Sequence[int],
    edges: Sequence[tuple[int, int]],
    nodes: int,
    longest: float,
) -> list[dict[int, int]]:
    """Join peaks to animals.

    Parameters
    ----------
    at, node, score
        (peak, 2) pixels yx, (peak,) which node, (peak,) how sure.
    fields
        (2 * edge, y, x), those of :func:`voxloop.deep.pose.maps.affinity_fields`.
    stride
        Pixels from one cell of the fields to the next.
    longest
        Pixels of the longest edge that was ever labelled.

    Returns
    -------
    list
        Of each animal, node to number of its peak; those with most evidence first.
    """
    owner = np.full(len(at), -1)
    animals: list[dict[int, int]] = []
    evidence: list[float] = []
    for start, stop, sure in _links(at, node, fields, stride, edges, longest):
        _join(start, stop, sure, node, owner, animals, evidence)
    for peak in np.flatnonzero(owner < 0):
        owner[peak] = len(animals)
        animals.append({int(node[peak]): int(peak)})
        evidence.append(0.0)
    total = [value + sum(score[peak] for peak in own.values()) for own, value in zip(animals, evidence, strict=True)]
    order = sorted((i for i, own in enumerate(animals) if own), key=lambda i: -total[i])
    return [animals[i] for i in order]


def _links(
    at: np.ndarray,
    node: np.ndarray,
    fields: np.ndarray,
    stride: Sequence[int],
    edges: Sequence[tuple[int, int]],
    longest: float,
) -> list[tuple[int, int, float]]:
    """The best pairs of peaks over each edge, one each way (Hungarian), surest first."""
    found = []
    for number, (first, second) in enumerate(edges):
        starts, stops = np.flatnonzero(node == first), np.flatnonzero(node == second)
        if not len(starts) or not len(stops):
            continue
        agreement = _agreement(at[starts], at[stops], fields[2 * number : 2 * number + 2], stride, longest)
        for i, j in zip(*linear_sum_assignment(-agreement), strict=True):
            if agreement[i, j] >= _AGREES:
                found.append((int(starts[i]), int(stops[j]), float(agreement[i, j])))
    return sorted(found, key=lambda link: -link[2])


def _agreement(
    starts: np.ndarray, stops: np.ndarray, field: np.ndarray, stride: Sequence[int], longest: float
) -> np.ndarray:
    """(start, stop): the mean of the field along the line between two peaks, less what the line is too long."""
    along = stops[None] - starts[:, None]
    length = np.linalg.norm(along, axis=2)
    unit = along / np.maximum(length, 1e-6)[..., None]
    share = np.linspace(0, 1, _ASKED)
    on_line = starts[:, None, None] + share[:, None] * along[:, :, None]
    cell = np.round((on_line - (np.array(stride) - 1) / 2) / np.array(stride)).astype(int)
    cell = np.clip(cell, 0, np.array(field.shape[1:]) - 1)
    asked = field[:, cell[..., 0], cell[..., 1]]
    mean = (asked[0] * unit[..., None, 0] + asked[1] * unit[..., None, 1]).mean(2)
    too_long = np.maximum(0.0, length / max(longest, 1e-6) / _LONG - 1)
    return np.asarray(np.where(length > 0, mean - too_long, -1.0))


def _join(
    start: int,
    stop: int,
    sure: float,
    node: np.ndarray,
    owner: np.ndarray,
    animals: list[dict[int, int]],
    evidence: list[float],
) -> None:
    """Take one link into the animals, unless it would give one of them two nodes of a kind."""
    one, other = owner[start], owner[stop]
    if one < 0 and other < 0:
        owner[[start, stop]] = len(animals)
        animals.append({int(node[start]): start, int(node[stop]): stop})
        evidence.append(sure)
        return
    if one < 0 or other < 0:
        known, new = (other, start) if one < 0 else (one, stop)
        if int(node[new]) in animals[known]:
            return
        animals[known][int(node[new])] = new
        owner[new] = known
        evidence[known] += sure
        return
    if one == other or animals[one].keys() & animals[other].keys():
        return
    for peak in animals[other].values():
        owner[peak] = one
    animals[one] |= animals[other]
    evidence[one] += evidence[other] + sure
    animals[other] = {}
