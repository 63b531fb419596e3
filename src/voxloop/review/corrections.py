"""What strokes made after a model had learned say of it, stroke by stroke. Knows no learner.

People paint where they see that a model is wrong, so the share of their voxels that it has right is far below the
truth. What is known of all voxels is how sure the model is of them. So the model's own probabilities are the start;
strokes say how much more often it is wrong than it believes, in odds, once people's choice of places is allowed for:

    odds of wrong under strokes = odds the model believes x its overconfidence x the painters' preference for errors

Overconfidence and preference cannot be told apart by strokes alone. Both get a distribution (log odds, normal), and the
interval holds what these leave open, beside what few strokes leave open. Only an audit narrows it further.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.model import ClassInfo
from voxloop.review.cells import CellCount, Cells, count_cells
from voxloop.review.population import Population
from voxloop.review.score import FEWEST, Score, foreground, iou_of, summarise, tails, unknown_score
from voxloop.review.trust import ANY, CHOSEN, CHOSEN_UNSEEN, Normal
from voxloop.store import open_labels

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.store.changes import Change

#: edits that say nothing new: what a prediction said, and what was labelled before
NO_STROKES = ("accept", "restore")
#: strokes of a class below which nothing is said of it
_FEWEST_OF_CLASS = 2
_DRAWS = 400
#: strokes of a group (made beside this prediction, or beside another) below which they say nothing
_FEWEST_OF_GROUP = 5


@dataclass(frozen=True, slots=True, eq=False)
class Strokes:
    """Strokes as evidence: every stroke counts the same.

    Attributes
    ----------
    truth : (n,) position of the class that each painted.
    wrong : (n,) share of its voxels that are predicted otherwise.
    believed : (n, bins) share of its voxels in each bin of ``odds``.
    odds : (bins,) log odds that the model believes it is wrong there.
    unseen : (n,) whether another prediction was on show when it was painted; None: nobody knows.
    """

    truth: np.ndarray
    wrong: np.ndarray
    believed: np.ndarray
    odds: np.ndarray
    unseen: np.ndarray | None = None


def score_corrections(
    ws_path: str | Path,
    prediction: Prediction,
    labels: Any,
    level: float = 0.9,
    seed: int = 0,
    cells: CellCount = count_cells,
    trust: Normal | None = None,
) -> Score:
    """The score of a prediction by the strokes that came after the labels its model saw.

    Not known where the prediction does not say which labels these were, kept no probabilities, or where fewer than ten
    strokes were made since. What was accepted from a prediction does not count.

    Parameters
    ----------
    trust
        By how much its model is wrong more often than it believes; as is usual where not given.
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
    beside = [_beside(labels, change) for change in changes]
    unseen = np.array([bool(name) and name != prediction.name for name in beside])
    strokes = _evidence(changes, population, unseen)
    lacking = _lacking(strokes, population.classes)
    if lacking:
        return unknown_score(f"correct {lacking}, or check 100 points", len(changes), level)
    return score_strokes(strokes, cells(population), population.classes, level, seed, trust)


def score_strokes(
    strokes: Strokes,
    cells: Cells,
    classes: Sequence[ClassInfo],
    level: float = 0.9,
    seed: int = 0,
    trust: Normal | None = None,
) -> Score:
    """The score that strokes and what the model believes give together."""
    count = len(strokes.truth)
    rng = np.random.default_rng(seed)
    unseen = np.zeros(count, bool) if strokes.unseen is None else strokes.unseen
    mean, spread = ANY if trust is None else trust
    precision, weighted = 1 / spread**2, mean / spread**2
    for group, preference in ((~unseen, CHOSEN), (unseen, CHOSEN_UNSEEN)):
        if group.sum() < min(_FEWEST_OF_GROUP, count):
            continue
        seen, noise = _drawn_shift(strokes, group, rng)
        of_group = 1 / (preference.spread**2 + noise)
        precision += of_group
        weighted += of_group * (seen - preference.mean)
    shift, left = weighted / precision, precision**-0.5
    return _score_shifts(
        shift + left * rng.standard_normal(_DRAWS),
        shift,
        cells,
        classes,
        level,
        basis="corrections",
        n=count,
        source=f"{count} corrected places",
    )


def score_beliefs(
    prediction: Prediction,
    places: int,
    source: str,
    level: float = 0.9,
    seed: int = 0,
    cells: CellCount = count_cells,
    trust: Normal | None = None,
) -> Score:
    """The score that a model believes in, whose sureness was set right by so many places; ``source`` says it in words.

    Nothing is known of voxels that nobody painted, so the interval is as wide as models were seen to be wrong about
    themselves. Not known where the prediction kept no probabilities, or with fewer than ten places.
    """
    population = Population(prediction)
    if not population.believes or places < FEWEST:
        return unknown_score("check 100 points", level=level)
    mean, spread = ANY if trust is None else trust
    return _score_shifts(
        mean + spread * np.random.default_rng(seed).standard_normal(_DRAWS),
        mean,
        cells(population),
        population.classes,
        level,
        basis="cross-fit",
        n=places,
        source=source,
    )


def _score_shifts(
    shifts: np.ndarray, best: float, cells: Cells, classes: Sequence[ClassInfo], level: float, **facts: Any
) -> Score:
    """The score where the log odds of being wrong are those believed and a shift, which is drawn many times."""
    quantiles = tails(level)
    low, high = np.quantile(shifts, quantiles)
    score = summarise(
        iou_of(cells.joint(best)),
        np.array([iou_of(cells.joint(shift)) for shift in shifts]),
        classes,
        quantiles,
        level=level,
        **facts,
    )
    return replace(score, shift=(float(best), float(low), float(high)))


def _drawn_shift(strokes: Strokes, group: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """The shift under some of the strokes, and the variance that so few of them leave."""
    count = int(group.sum())
    weights = _even(strokes.truth[group])
    part = Strokes(strokes.truth[group], strokes.wrong[group], strokes.believed[group], strokes.odds)
    often = rng.multinomial(count, np.full(count, 1 / count), size=_DRAWS)
    drawn = [_shift(part, weights * row) for row in often]
    # the bootstrap of few units is too narrow
    return _shift(part, weights), float(np.var(drawn)) * count / max(1, count - 1)


def _beside(labels: Any, change: Change) -> str:
    """The prediction that was on show when an edit was made; empty where nobody noted it."""
    return str(labels.history(change.sequence).get("arguments", {}).get("beside", ""))


def _unseen(changes: Sequence[Change], before: Any) -> list[Change]:
    """Changes whose voxels the model had not seen with this label, and which no prediction made."""
    unseen = []
    for change in changes:
        if change.tool not in NO_STROKES and (left := change.unlike(before.read)) is not None:
            unseen.append(left)
    return unseen


#: bins of the log odds that a model believes itself wrong
_ODDS = np.linspace(-8, 4, 49)


def _evidence(changes: Sequence[Change], population: Population, unseen: np.ndarray) -> Strokes:
    positions = {info.value: position for position, info in enumerate(population.classes)}
    truth, wrong, believed, others = [], [], [], []
    for change, other in zip(changes, unseen, strict=True):
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
            others.append(bool(other))
            wrong.append(float((predicted[inside] != positions[value]).mean()))
            believed.append(np.bincount(bins, minlength=len(_ODDS) + 1) / inside.sum())
    middles = np.concatenate([[_ODDS[0]], (_ODDS[1:] + _ODDS[:-1]) / 2, [_ODDS[-1]]])
    table = np.array(believed).reshape(-1, len(middles))
    return Strokes(np.array(truth, int), np.array(wrong), table, middles, np.array(others, bool))


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
