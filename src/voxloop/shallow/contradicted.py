"""Strokes that all others contradict: few, sure, and of a class that models know otherwise. Pure; changes no labels.

A stroke on the wrong thing among the first ten is a tenth of all that is known. Models that had not learned it call it
something else and are sure; but so they call what is rare and what is hard. What tells them apart is how models fare
with the other strokes of its class: where they know these, one that they do not know is odd. Corrections are painted
where models err, so later on they are unsure of many strokes of any class. A stroke that is doubted among others that
are unsure, yet not clearly something else, is tried: a wrong one teaches what the other classes are not, so models
that did not learn it know these better. Without a right one they do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
#: mean probability of the painted class below which an other stroke is clearly something else, not only unsure
CLEARLY = 0.25
#: other strokes of its class that are doubted as much, at most: more of them are a kind that models do not know
ALIKE = 1
#: strokes that are tried, at most: each costs models of their own
TRIED = 3
#: mean probability by which models must know strokes of other classes better without a stroke that is tried
BETTER = 0.02
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
    answers: Answers,
    strokes: np.ndarray,
    kept: frozenset[tuple[int, int]] = frozenset(),
    without: Callable[[Sequence[LeftOut]], Answers | None] | None = None,
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
    without
        What models that did not learn these strokes either say of the same voxels; None where they cannot be had.
        Asked only where a stroke is doubted of a class that models are unsure of. None: such strokes are learned.
    """
    units = _units(answers, strokes)
    most = max(1, round(FEW * len(units)))
    doubted = [key for key, unit in units.items() if unit.own < DOUBTED and key not in kept]
    doubted.sort(key=lambda key: units[key].own)
    known = [key for key in doubted if _is_known(units, key, 0.5)]
    found = [_left_out(units, key) for key in known[:most]]
    unsure = [key for key in doubted if key not in known and _is_odd(units, key)]
    if without is None or not unsure or len(found) >= most:
        return found
    base = without(found) if found else answers
    if base is None:
        return found
    best, highest = None, -np.inf
    for one in (_left_out(units, key) for key in unsure[:TRIED]):
        tried = without([*found, one])
        rise = -np.inf if tried is None else _rise(one, _units(base, strokes), _units(tried, strokes))
        if rise >= BETTER and rise > highest:
            best, highest = one, rise
    return found if best is None else [*found, best]


def _rise(one: LeftOut, before: dict[tuple[int, int], _Unit], now: dict[tuple[int, int], _Unit]) -> float:
    """By how much models know strokes of other classes better without one: mean probability; -inf without any."""
    rises = [now[key].own - unit.own for key, unit in before.items() if unit.painted != one.painted]
    return float(np.mean(rises)) if rises else -np.inf


@dataclass(frozen=True, slots=True, eq=False)
class _Unit:
    """A stroke: position of the class painted, and the mean probabilities (classes,) of its voxels."""

    painted: int
    mean: np.ndarray

    @property
    def own(self) -> float:
        """Mean probability of the class painted."""
        return float(self.mean[self.painted])


def _is_known(units: dict[tuple[int, int], _Unit], key: tuple[int, int], bar: float) -> bool:
    """Whether models know the class of a stroke by the other strokes of it: few lie below the bar."""
    others = [unit for other, unit in units.items() if other != key and unit.painted == units[key].painted]
    doubted = sum(unit.own < bar for unit in others)
    return len(others) >= LEFT and (doubted + 0.5) / (len(others) + 1) <= KNOWN


def _is_odd(units: dict[tuple[int, int], _Unit], key: tuple[int, int]) -> bool:
    """Whether few of the other strokes of its class are clearly something else, and hardly any as much as this one."""
    alike = [other for other, unit in units.items() if unit.painted == units[key].painted and unit.own < DOUBTED]
    return len(alike) - 1 <= ALIKE and _is_known(units, key, CLEARLY)


def _left_out(units: dict[tuple[int, int], _Unit], key: tuple[int, int]) -> LeftOut:
    mean = units[key].mean
    said = int(mean.argmax())
    return LeftOut(*key, units[key].painted, said, float(mean[said]))


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
