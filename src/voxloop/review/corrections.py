"""What strokes made after a model had learned say of it, stroke by stroke. Knows no learner.

People paint where they see that a model is wrong, so the share of their voxels that it has right is far below the
truth. What is known of all voxels is how sure the model is of them. So the model's own probabilities are the start;
strokes say how much more often it is wrong than it believes, in odds, once people's choice of places is allowed for:

    odds of wrong under strokes = odds the model believes x its overconfidence x the painters' preference for errors

Overconfidence and preference cannot be told apart by strokes alone. Both get a distribution (log odds, normal), and the
interval holds what these leave open, beside what few strokes leave open. Only an audit narrows it further.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from voxloop.model import ClassInfo
from voxloop.review.population import Population
from voxloop.review.score import FEWEST, Score, foreground, iou_of, less_sure, summarise, tails, unknown_score
from voxloop.store import open_labels

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.store.changes import Change

#: probabilities of the predicted class that part voxels into cells
CUTS = (0.6, 0.8, 0.95)
#: log odds by which models are wrong more often than they believe, and by which people prefer to paint what is wrong:
#: mean and deviation. Seen with the simulated annotator on seven stacks: -0.3 and 0.5, 2.6 and 1.0
OVERCONFIDENCE = (-0.2, 0.5)
PREFERENCE = (2.5, 1.0)
#: edits that say nothing new: what a prediction said, and what was labelled before
_NO_STROKES = ("accept", "restore")
#: strokes of a class below which nothing is said of it
_FEWEST_OF_CLASS = 2
_DRAWS = 400
#: blocks of a large prediction from which its cells are counted
_BLOCKS = 24


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The voxels of a prediction by predicted class and how sure it is.

    Attributes
    ----------
    sizes : voxels of each cell.
    predicted : position of the class predicted in each.
    expected : (cells, classes) mean probabilities.
    """

    sizes: np.ndarray
    predicted: np.ndarray
    expected: np.ndarray

    def to_json(self) -> dict[str, Any]:
        return {
            "sizes": self.sizes.tolist(),
            "predicted": self.predicted.tolist(),
            "expected": self.expected.tolist(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What :meth:`to_json` made. Raises KeyError, TypeError or ValueError where it is not that."""
        sizes, predicted = np.array(data["sizes"], float), np.array(data["predicted"], np.int64)
        expected = np.array(data["expected"], float)
        if not len(sizes) == len(predicted) == len(expected) or expected.ndim != 2:
            raise ValueError("the arrays do not fit together")
        return cls(sizes, predicted, expected)

    def joint(self, shift: float) -> np.ndarray:
        """Voxels (true class, predicted class) where the odds of being wrong are those believed times exp(shift)."""
        shares = less_sure(self.expected, self.predicted, shift)
        joint = np.zeros((shares.shape[1], shares.shape[1]))
        np.add.at(joint.T, self.predicted, self.sizes[:, None] * shares)
        return joint


@dataclass(frozen=True, slots=True, eq=False)
class Strokes:
    """Strokes as evidence: every stroke counts the same.

    Attributes
    ----------
    truth : (n,) position of the class that each painted.
    wrong : (n,) share of its voxels that are predicted otherwise.
    believed : (n, bins) share of its voxels in each bin of ``odds``.
    odds : (bins,) log odds that the model believes it is wrong there.
    """

    truth: np.ndarray
    wrong: np.ndarray
    believed: np.ndarray
    odds: np.ndarray


def count_cells(population: Population, seed: int = 0) -> Cells:
    """The cells of a prediction that kept how sure it is; of a large one from a sample of its blocks."""
    classes, bands = len(population.classes), len(CUTS) + 1
    sizes = np.zeros(classes * bands)
    sums = np.zeros((classes * bands, classes))
    boxes, scale = population.blocks(seed, most=_BLOCKS)
    for piece in population.pieces(boxes):
        assert piece.beliefs is not None
        there = piece.predicted >= 0
        positions, beliefs = piece.predicted[there].astype(np.int64), piece.beliefs[:, there]
        own = np.take_along_axis(beliefs, positions[None], axis=0)[0]
        cells = positions * bands + np.digitize(own, CUTS)
        sizes += np.bincount(cells, minlength=len(sizes))
        for k in range(classes):
            sums[:, k] += np.bincount(cells, beliefs[k], len(sizes))
    there = sizes > 0
    expected = sums[there] / sums[there].sum(axis=1, keepdims=True)
    return Cells(sizes[there] * scale, np.flatnonzero(there) // bands, expected)


#: what gives the cells of a prediction: counted, or as they were counted before
CellCount = Callable[[Population], Cells]


def score_corrections(
    ws_path: str | Path,
    prediction: Prediction,
    labels: Any,
    level: float = 0.9,
    seed: int = 0,
    cells: CellCount = count_cells,
) -> Score:
    """The score of a prediction by the strokes that came after the labels its model saw.

    Not known where the prediction does not say which labels these were, kept no probabilities, or where fewer than ten
    strokes were made since. What was accepted from a prediction does not count.
    """
    learned = prediction.lineage.get("labels", {})
    # of an image that was not among those learned from, nothing was seen
    seen = learned.get(f"{prediction.level}/{prediction.image}", 0 if learned else None)
    if seen is None:
        return unknown_score("check 100 points; which labels its model learned from is not on record", level=level)
    with open_labels(ws_path, str(prediction.level), str(prediction.image), at=int(seen)) as before:
        changes = _unseen(labels.changes(int(seen)), before)
    if len(changes) < FEWEST:
        more = FEWEST - len(changes)
        places = "places" if more > 1 else "place"
        return unknown_score(f"correct {more} more {places}, or check 100 points", len(changes), level)
    population = Population(prediction)
    if not population.believes:
        return unknown_score(
            "check 100 points, or predict again with probabilities or uncertainty", len(changes), level
        )
    strokes = _evidence(changes, population)
    lacking = _lacking(strokes, population.classes)
    if lacking:
        return unknown_score(f"correct {lacking}, or check 100 points", len(changes), level)
    return score_strokes(strokes, cells(population), population.classes, level, seed)


def score_strokes(
    strokes: Strokes, cells: Cells, classes: Sequence[ClassInfo], level: float = 0.9, seed: int = 0
) -> Score:
    """The score that strokes and what the model believes give together."""
    count = len(strokes.truth)
    rng = np.random.default_rng(seed)
    often = rng.multinomial(count, np.full(count, 1 / count), size=_DRAWS)
    weights = _even(strokes.truth)
    seen = _shift(strokes, weights)
    drawn = np.array([_shift(strokes, weights * row) for row in often])
    # the bootstrap of few units is too narrow
    noise = float(np.var(drawn)) * count / (count - 1)
    mean, spread = OVERCONFIDENCE
    trust = spread**2 / (spread**2 + PREFERENCE[1] ** 2 + noise)
    shift = mean + trust * (seen - PREFERENCE[0] - mean)
    shifts = shift + spread * np.sqrt(1 - trust) * rng.standard_normal(_DRAWS)
    return summarise(
        iou_of(cells.joint(shift)),
        np.array([iou_of(cells.joint(one)) for one in shifts]),
        classes,
        tails(level),
        basis="corrections",
        n=count,
        level=level,
        source=f"{count} corrected places",
    )


def score_beliefs(
    prediction: Prediction, places: int, level: float = 0.9, seed: int = 0, cells: CellCount = count_cells
) -> Score:
    """The score that a model believes in, whose sureness was set right by strokes held out at so many places.

    Nothing is known of voxels that nobody painted, so the interval is as wide as models were seen to be wrong about
    themselves. Not known where the prediction kept no probabilities.
    """
    population = Population(prediction)
    if not population.believes or places < FEWEST:
        return unknown_score("check 100 points", level=level)
    counted = cells(population)
    mean, spread = OVERCONFIDENCE
    shifts = mean + spread * np.random.default_rng(seed).standard_normal(_DRAWS)
    return summarise(
        iou_of(counted.joint(mean)),
        np.array([iou_of(counted.joint(shift)) for shift in shifts]),
        population.classes,
        tails(level),
        basis="cross-fit",
        n=places,
        level=level,
        source=f"how sure the model is, held to strokes at {places} places",
    )


def _unseen(changes: Sequence[Change], before: Any) -> list[Change]:
    """Changes whose voxels the model had not seen with this label, and which no prediction made."""
    unseen = []
    for change in changes:
        if change.tool not in _NO_STROKES and (left := change.unlike(before.read)) is not None:
            unseen.append(left)
    return unseen


#: bins of the log odds that a model believes itself wrong
_ODDS = np.linspace(-8, 4, 49)


def _evidence(changes: Sequence[Change], population: Population) -> Strokes:
    positions = {info.value: position for position, info in enumerate(population.classes)}
    truth, wrong, believed = [], [], []
    for change in changes:
        predicted, beliefs = population.at(change.at)
        assert beliefs is not None
        for value in np.unique(change.values):
            inside = (change.values == value) & (predicted >= 0)
            if value not in positions or not inside.any():
                continue
            own = beliefs[inside, predicted[inside]].astype(float)
            odds = np.log((1 - own + 1e-4) / (own + 1e-4))
            bins = np.clip(np.digitize(odds, _ODDS), 0, len(_ODDS))
            truth.append(positions[value])
            wrong.append(float((predicted[inside] != positions[value]).mean()))
            believed.append(np.bincount(bins, minlength=len(_ODDS) + 1) / inside.sum())
    middles = np.concatenate([[_ODDS[0]], (_ODDS[1:] + _ODDS[:-1]) / 2, [_ODDS[-1]]])
    return Strokes(np.array(truth, int), np.array(wrong), np.array(believed).reshape(-1, len(middles)), middles)


def _lacking(strokes: Strokes, classes: Sequence[ClassInfo]) -> str:
    """Places of which foreground classes are missing, in words; empty where none is."""
    missing = []
    for position in foreground(classes):
        more = _FEWEST_OF_CLASS - int((strokes.truth == position).sum())
        if more > 0:
            missing.append(f"{more} more place{'s' if more > 1 else ''} of {classes[position].name}")
    return ", ".join(missing)


def _even(truth: np.ndarray) -> np.ndarray:
    """Weights of strokes so that every class counts the same."""
    counts = np.bincount(truth)
    weights = 1.0 / counts[truth]
    return np.asarray(weights / weights.sum())


def _shift(strokes: Strokes, weights: np.ndarray) -> float:
    """By what the log odds of being wrong under the strokes exceed those believed: the root of a monotone function."""
    wrong = float(weights @ strokes.wrong)
    believed = weights @ strokes.believed
    whole = believed.sum()
    wrong = np.clip(wrong, 0.01 * whole, 0.99 * whole)
    low, high = -10.0, 14.0
    for _ in range(40):
        middle = (low + high) / 2
        expected = float(believed @ (1 / (1 + np.exp(-(strokes.odds + middle)))))
        low, high = (middle, high) if expected < wrong else (low, middle)
    return (low + high) / 2
