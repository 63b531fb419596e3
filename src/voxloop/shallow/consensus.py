"""Classifiers that cannot all be as good as held-out strokes say, since they differ more than that allows. Pure.

Strokes speak for what was painted. Where nobody painted, a ground far darker than any stroke for one, a perceptron goes
on as steeply as it likes: it told held-out strokes at an IoU of 0.92 and called a third of the image a nucleus (IoU
0.09). No stroke says so; the other classifiers do. The distance 1 - IoU of two masks obeys the triangle inequality
(Levandowsky and Winter 1971), so two classifiers that are as good as strokes say differ by no more than both are off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from voxloop.shallow.classifier import Member

#: by how much two may differ beyond what their scores allow: these are of few strokes, in folds that knew fewer
SLACK = 0.1


def overrated(
    scores: Mapping[Member, float], said: Mapping[Member, np.ndarray], foreground: Sequence[int]
) -> dict[Member, float]:
    """By how much less than its score each classifier is worth, for what all say of voxels near the strokes.

    A perceptron answers for what half of the others and more contradict beyond what the scores allow. A forest says of
    the unknown what it says of the nearest that it knows, so that it is believed against one other: it answers only
    where two others at least, one a forest, all contradict it.

    Parameters
    ----------
    scores
        Mean IoU of the foreground on held-out strokes.
    said
        Positions of classes (n,) that each says of the same voxels.
    foreground
        Positions of the classes that count.
    """
    charges = {}
    for member, score in scores.items():
        excess = [
            distance(said[member], said[other], foreground) - (1 - score) - (1 - scores[other]) - SLACK
            for other in scores
            if other != member
        ]
        forests = sum(other.kind == "forest" for other in scores)
        if member.kind == "perceptron":
            charge = float(np.median(excess)) if excess else 0.0
        else:
            charge = min(excess) if forests > 1 else 0.0
        charges[member] = max(0.0, charge)
    return charges


def distance(one: np.ndarray, other: np.ndarray, foreground: Sequence[int]) -> float:
    """1 - IoU of what two say (n,), mean of the classes that count and that either says; 0 where neither says any."""
    found = []
    for position in foreground:
        first, second = one == position, other == position
        union = int((first | second).sum())
        if union:
            found.append(1 - int((first & second).sum()) / union)
    return float(np.mean(found)) if found else 0.0
