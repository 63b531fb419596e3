"""Strokes that all others contradict: few, sure, and of a class that models know otherwise. Pure; changes no labels.

A stroke on the wrong thing among the first ten is a tenth of all that is known. Models that had not learned it call it
something else and are sure; but so they call what is rare and what is hard. What tells them apart is how models fare
with the other strokes of its class: where they know these, one that they do not know is odd.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voxloop.shallow.crossfit import Answers
from voxloop.shallow.samples import APART

#: mean probability of the painted class, by models that had not learned the stroke, from which on it counts as right
DOUBTED = 0.1
#: share of the other strokes of its class that may be contradicted too, at most; (k + 0.5) / (n + 1) of n
KNOWN = 0.2
#: other strokes of the class that are left in any case
LEFT = 3
#: share of all strokes that is left out at most, the surest contradictions first; one stroke always may be
FEW = 0.05
#: voxels of a stroke that models must have been asked about
_FEWEST = 5


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A stroke that is not learned.

    Attributes
    ----------
    image : position among the examples.
    sequence : number of its edit.
    painted, said : positions of the class that was painted, and of the one that models say.
    confidence : how sure they are of it, 0 to 1.
    """

    image: int
    sequence: int
    painted: int
    said: int
    confidence: float


def contradicted(
    answers: Answers, strokes: np.ndarray, kept: frozenset[tuple[int, int]] = frozenset()
) -> list[LeftOut]:
    """The strokes that are better left out, the surest contradiction first.

    Parameters
    ----------
    answers
        Of models that had not learned the voxels they were asked about.
    strokes
        (n,) numbers of the edits that these voxels are of; 0 for none that is a stroke.
    kept
        Image and edit of those that somebody says are right.
    """
    units = _units(answers, strokes)
    unsure = {key: unit.mean[unit.painted] < 0.5 for key, unit in units.items()}
    found = []
    for key, unit in units.items():
        others = [unsure[other] for other, one in units.items() if one.painted == unit.painted and other != key]
        known = len(others) >= LEFT and (sum(others) + 0.5) / (len(others) + 1) <= KNOWN
        if known and unit.mean[unit.painted] < DOUBTED and key not in kept:
            said = int(unit.mean.argmax())
            found.append(LeftOut(*key, unit.painted, said, float(unit.mean[said])))
    found.sort(key=lambda one: float(units[one.image, one.sequence].mean[one.painted]))
    return found[: max(1, round(FEW * len(units)))]


@dataclass(frozen=True, slots=True, eq=False)
class _Unit:
    """A stroke: position of the class painted, and the mean probabilities (classes,) of its voxels."""

    painted: int
    mean: np.ndarray


def _units(answers: Answers, strokes: np.ndarray) -> dict[tuple[int, int], _Unit]:
    """The strokes that models were asked about, by image and edit."""
    images = answers.at[:, 0] // APART
    units = {}
    for image, sequence in np.unique(np.column_stack([images, strokes]), axis=0):
        rows = (images == image) & (strokes == sequence)
        if sequence and rows.sum() >= _FEWEST:
            painted = int(np.bincount(answers.targets[rows]).argmax())
            units[int(image), int(sequence)] = _Unit(painted, answers.probabilities[rows].mean(axis=0))
    return units
