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
#: how much more an excess weighs than as much IoU on held-out strokes: it cannot be chance that strokes are few. Seen
#: in five answers of two stacks, excess 0.12 to 0.42: each perceptron was worse than the forest by 0.4 and more
WEIGHT = 5
#: distance from the nearest forest up to which a perceptron counts in full, and from which on not at all. Seen in 70
#: answers of ten stacks: up to 0.55 neither of the two is better (-0.01 to 0.05); 0.74 to 0.96, six of them, the
#: perceptron was worse by an IoU of 0.46 to 0.74
NEAR, FAR = 0.55, 0.75


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
        charges[member] = max(0.0, WEIGHT * charge)
    return charges


def near_forests(said: Mapping[Member, np.ndarray], foreground: Sequence[int]) -> dict[Member, float]:
    """How far each classifier counts, 0 to 1, by whether some forest calls about the same an object as it does.

    Where strokes are few, some wrong, or unlike the image, all of them tell held-out strokes badly, and then scores
    allow any difference. But what a perceptron calls an object and no forest does has no stroke like it.
    """
    forests = [member for member in said if member.kind == "forest"]
    counted = dict.fromkeys(said, 1.0)
    for member in said if forests else ():
        if member.kind == "perceptron":
            nearest = min(distance(said[member], said[forest], foreground) for forest in forests)
            counted[member] = min(1.0, max(0.0, (FAR - nearest) / (FAR - NEAR)))
    return counted


def distance(one: np.ndarray, other: np.ndarray, foreground: Sequence[int]) -> float:
    """1 - IoU of what two say (n,), mean of the classes that count and that either says; 0 where neither says any."""
    found = []
    for position in foreground:
        first, second = one == position, other == position
        union = int((first | second).sum())
        if union:
            found.append(1 - int((first & second).sum()) / union)
    return float(np.mean(found)) if found else 0.0
