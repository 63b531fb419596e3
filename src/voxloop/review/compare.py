"""Which of several predictions is better, judged on places from which none of their models has learned.

Two predictions agree nearly everywhere, and where they agree they are equally right. So voxels are parted into cells by
what the two say; how many each cell has is counted, what is true in it comes from the places (Bayesian bootstrap,
Rubin 1981), and the IoU of both follows from the same draws. A cell that no place fell into counts as open.

People paint where the prediction on show is wrong. Strokes are therefore corrected for that preference, with all that
is not known of it; only places drawn by chance need no such correction. Knows no files and no learner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from voxloop.errors import PredictionError
from voxloop.geometry import Box
from voxloop.review.comparison import Comparison, Interval, Pair
from voxloop.review.evidence import Evidence, Unit
from voxloop.review.population import Population
from voxloop.review.score import FEWEST, foreground, iou_of, less_sure, mean_of, tails
from voxloop.review.trust import ANY, PREFERENCE, PREFERENCE_UNSEEN, Normal

if TYPE_CHECKING:
    from voxloop.prediction import Prediction

#: what nobody looked at counts as so many places of a cell
_PRIOR = 1.0
#: share of voxels that are right where a prediction kept no probabilities
_USUAL = 0.95
#: deviation of the log odds by which people prefer one class to another
_PREFERENCE_OF_CLASS = 0.7
_DRAWS = 1000
#: as wide as the bootstrap of so many units at most would have to be
_UNITS = 20
#: blocks of a large prediction in which its cells are counted
_BLOCKS = 48


@dataclass(frozen=True, slots=True, eq=False)
class CellTable:
    """The voxels that two predictions have in common.

    Attributes
    ----------
    sizes : (classes, classes) voxels by what one and what the other says.
    expected : (2, classes, classes) mean probabilities of each where it says a class.
    """

    sizes: np.ndarray
    expected: np.ndarray

    @property
    def differ(self) -> float:
        total = self.sizes.sum()
        return float(1 - np.trace(self.sizes) / total) if total else 0.0


def compare(
    predictions: Sequence[Prediction],
    evidence: Evidence,
    level: float = 0.9,
    lacking: str = "check 100 points",
    seed: int = 0,
    tables: Mapping[tuple[str, str], CellTable] | None = None,
) -> Comparison:
    """Every two of some predictions of the same image, on the same places.

    Parameters
    ----------
    evidence
        Places from which none of their models has learned.
    level
        How often an interval is to hold the true difference.
    lacking
        What it takes to know more, in words.
    tables
        What every two of them say together, where it was counted before.

    Raises
    ------
    PredictionError
        They are fewer than two, or not of the same image and classes.
    """
    populations = {one.name: Population(one) for one in predictions}
    if len(populations) < 2:
        raise PredictionError("comparing takes two predictions at least")
    first = predictions[0]
    values = [info.value for info in first.classes]
    for later in predictions[1:]:
        if (later.image, later.level) != (first.image, first.level) or [info.value for info in later.classes] != values:
            raise PredictionError(
                f"{first.name!r} is of {first.level}/{first.image} and {later.name!r} of {later.level}/{later.image}, "
                "or their classes differ; compare predictions of the same image and level"
            )
    if tables is None:
        tables = count_pairs(populations, seed)
    pairs = []
    for (one, other), table in tables.items():
        lacks = "" if table.differ == 0 else lacking
        pair = Pair(one=one, other=other, differ=table.differ, lacking=lacks)
        if table.differ and len(evidence.units) >= (1 if evidence.drawn else FEWEST):
            pair = judge(populations[one], populations[other], (one, other), table, evidence, level, seed)
        pairs.append(pair)
    return Comparison(names=tuple(populations), pairs=tuple(pairs))


def count_pairs(populations: Mapping[str, Population], seed: int = 0) -> dict[tuple[str, str], CellTable]:
    """The cells of every two predictions, where both predicted; of large ones from a sample of blocks."""
    pairs = list(combinations(populations, 2))
    classes = len(next(iter(populations.values())).classes)
    sizes = {pair: np.zeros((classes, classes)) for pair in pairs}
    sums = {name: np.zeros((classes, classes)) for name in populations}
    first = next(iter(populations.values()))
    boxes, scale = first.blocks(seed, most=_BLOCKS)
    for box in boxes:
        positions = {name: population.read(box) for name, population in populations.items()}
        for one, other in pairs:
            both = (positions[one] >= 0) & (positions[other] >= 0)
            codes = positions[one][both].astype(np.int64) * classes + positions[other][both]
            sizes[one, other] += np.bincount(codes, minlength=classes**2).reshape(classes, classes)
        for name, population in populations.items():
            sums[name] += _believed(population, box, positions[name])
    expected = {name: _shares(table) for name, table in sums.items()}
    return {pair: CellTable(sizes[pair] * scale, np.stack([expected[one] for one in pair])) for pair in pairs}


def judge(
    one: Population,
    other: Population,
    names: tuple[str, str],
    table: CellTable,
    evidence: Evidence,
    level: float,
    seed: int = 0,
) -> Pair:
    """How far the IoU of two predictions differ, by places."""
    classes = one.classes
    counts, besides = _counts(one, other, evidence.units)
    used = counts.sum(axis=(1, 2)) > 0
    counts, besides = counts[used], besides[used]
    rng = np.random.default_rng(seed)
    masses = _drawn_masses(counts, table, rng)
    if not evidence.drawn:
        masses = _stroke_masses(counts, besides, names, table, rng)
    shares = masses / np.maximum(masses.sum(axis=2, keepdims=True), 1e-300)
    differences = _difference(shares, table.sizes, len(classes))
    chosen = foreground(classes)
    both = np.column_stack([mean_of(differences[:, chosen]), differences[:, chosen]])
    quantiles = tails(level, min(_UNITS, max(2, len(counts))))
    rows = [_interval(column, quantiles) for column in both.T]
    named = zip(chosen, rows[1:], strict=True)
    return Pair(
        one=names[0],
        other=names[1],
        difference=rows[0],
        per_class={classes[position].name: row for position, row in named},
        differ=table.differ,
        n=len(counts),
        source=evidence.source,
    )


def _believed(population: Population, box: Box, positions: np.ndarray) -> np.ndarray:
    """Sums of probabilities (class said, class) in a block; what is usual where none were kept."""
    classes = len(population.classes)
    there = positions >= 0
    said = positions[there].astype(np.int64)
    beliefs = population.beliefs(box, positions)
    sums = np.zeros((classes, classes))
    if beliefs is None:
        counts = np.bincount(said, minlength=classes)
        return np.asarray(counts[:, None] * _usual(classes))
    for position in range(classes):
        sums[:, position] = np.bincount(said, beliefs[position][there], classes)
    return sums


def _usual(classes: int) -> np.ndarray:
    usual = np.full((classes, classes), (1 - _USUAL) / max(1, classes - 1))
    np.fill_diagonal(usual, _USUAL)
    return usual


def _shares(sums: np.ndarray) -> np.ndarray:
    """Mean probabilities (class said, class) from their sums; what is usual for a class that is never said."""
    totals = sums.sum(axis=1, keepdims=True)
    return np.asarray(np.where(totals > 0, sums / np.maximum(totals, 1e-300), _usual(len(sums))))


def _counts(one: Population, other: Population, units: Sequence[Unit]) -> tuple[np.ndarray, np.ndarray]:
    """Mass (units, cells, true class), each voxel by its weight; and what was on show beside each unit.

    A unit that weighs nothing of its own counts as one, however many voxels it has.
    """
    count = len(one.classes)
    position_of = {info.value: position for position, info in enumerate(one.classes)}
    owners = np.repeat(np.arange(len(units)), [len(unit.at) for unit in units])
    at = np.concatenate([unit.at for unit in units])
    values = np.concatenate([unit.values for unit in units])
    truth = np.array([position_of.get(int(value), -1) for value in values])
    said = [population.at(at)[0] for population in (one, other)]
    inside = (truth >= 0) & (said[0] >= 0) & (said[1] >= 0)
    codes = (said[0].astype(np.int64) * count + said[1]) * count + truth
    counts = np.zeros((len(units), count**3))
    weights = np.array([unit.weight for unit in units])[owners]
    np.add.at(counts, (owners[inside], codes[inside]), weights[inside])
    return counts.reshape(len(units), count**2, count), np.array([unit.beside for unit in units], object)


def _prior(table: CellTable) -> np.ndarray:
    """What is expected in each cell (cells, classes): where they agree what both believe, else one vote for each."""
    count = len(table.sizes)
    prior = np.empty((count, count, count))
    prior[:] = (1 - _USUAL) / count
    for said in range(count):
        prior[said, :, said] += _USUAL / 2
        prior[:, said, said] += _USUAL / 2
    for said in range(count):
        prior[said, said] = table.expected[:, said].mean(axis=0)
    return prior.reshape(count**2, count)


def _drawn_masses(counts: np.ndarray, table: CellTable, rng: np.random.Generator) -> np.ndarray:
    """Mass of the true classes (draws, cells, classes) where chance chose the places; the first is the best guess."""
    often = rng.gamma(1.0, size=(_DRAWS, len(counts)))
    often[0] = 1.0
    return np.asarray(np.tensordot(often, counts, 1) + _open_mass(counts, table, rng))


def _open_mass(counts: np.ndarray, table: CellTable, rng: np.random.Generator) -> np.ndarray:
    """What stands for all that nobody looked at: a place or so in each cell, of a class that is drawn."""
    prior = np.maximum(_prior(table), 1e-6)
    drawn = rng.gamma(_PRIOR * prior, size=(_DRAWS, *prior.shape))
    drawn[0] = _PRIOR * prior
    mass = counts.sum(axis=2)
    whole = mass.sum(axis=0)
    typical = np.where(whole > 0, (mass**2).sum(axis=0) / np.maximum(whole, 1e-300), 1.0)
    return np.asarray(typical[:, None] * drawn)


def _stroke_masses(
    counts: np.ndarray, besides: np.ndarray, names: tuple[str, str], table: CellTable, rng: np.random.Generator
) -> np.ndarray:
    """The same where people chose the places, each stroke alike.

    An error of the prediction on show is painted exp(preference) times as often as what it has right, so it counts
    that much less. Strokes of which nobody knows what was on show may have been made beside either. Where both agree,
    strokes say nothing, since both are equally right there; what they believe stands.
    """
    classes = len(table.sizes)
    counts = counts / np.maximum(counts.sum(axis=(1, 2), keepdims=True), 1e-300)
    cells = np.arange(classes**2)
    truth = np.arange(classes)
    wrong = np.stack([(cells // classes)[:, None] != truth, (cells % classes)[:, None] != truth])
    shown = np.stack([besides == name for name in names])
    unknown, third = besides == "", (besides != "") & ~shown.any(axis=0)
    beside_first = np.where(rng.random(_DRAWS) < 0.5, 1.0, 0.0)
    beside_first[0] = 0.5
    often = rng.gamma(1.0, size=(_DRAWS, len(counts)))
    often[0] = 1.0
    masses = np.zeros((_DRAWS, classes**2, classes))
    for number in (0, 1):
        of_all = beside_first if number == 0 else 1 - beside_first
        weights = often * (shown[number] + unknown * of_all[:, None])
        preference = _normal(rng, PREFERENCE)
        masses += np.tensordot(weights, counts, 1) * np.exp(-preference[:, None, None] * wrong[number])
    unseen = np.stack([_normal(rng, PREFERENCE_UNSEEN) for _ in names])
    exponents = np.tensordot(unseen.T, wrong.astype(float), 1)
    masses += np.tensordot(often * third, counts, 1) * np.exp(-exponents)
    masses *= np.exp(_PREFERENCE_OF_CLASS * rng.standard_normal((_DRAWS, 1, classes)))
    masses += _open_mass(counts, table, rng)
    agree = np.arange(classes) * (classes + 1)
    shifts = _normal(rng, ANY)
    believed = table.expected.mean(axis=0)
    masses[:, agree] = [less_sure(believed, np.arange(classes), shift) for shift in shifts]
    return masses


def _normal(rng: np.random.Generator, of: Normal) -> np.ndarray:
    """Draws of a normal distribution; the first is its mean."""
    mean, spread = of
    drawn = mean + spread * rng.standard_normal(_DRAWS)
    drawn[0] = mean
    return np.asarray(drawn)


def _difference(shares: np.ndarray, sizes: np.ndarray, classes: int) -> np.ndarray:
    """IoU of the first less that of the second (draws, classes); a class that is nowhere is 0."""
    voxels = shares * sizes.reshape(-1)[:, None]
    joint = voxels.reshape(len(shares), classes, classes, classes)
    one = iou_of(joint.sum(axis=2).transpose(0, 2, 1))
    other = iou_of(joint.sum(axis=1).transpose(0, 2, 1))
    return np.asarray(np.nan_to_num(one) - np.nan_to_num(other))


def _interval(drawn: np.ndarray, quantiles: tuple[float, float]) -> Interval:
    low, high = np.quantile(drawn, quantiles)
    return float(drawn[0]), float(min(low, drawn[0])), float(max(high, drawn[0]))
