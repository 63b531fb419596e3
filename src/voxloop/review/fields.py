"""Small random fields of a prediction, and what proof-reading them says of all of it. Knows no files and no people.

Fields are squares of planes. They are drawn systematically with a probability that follows the foreground predicted in
them and a floor that none falls below (Madow 1949), and weighted by its inverse (Horvitz and Thompson 1952). What is
predicted is known everywhere, so only what was missed and what was right are estimated, as ratios to what the model
predicted and to what it believed it missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from voxloop.errors import PredictionError
from voxloop.geometry import Box
from voxloop.model import ClassInfo
from voxloop.review.population import Population
from voxloop.review.score import Score, foreground, summarise, tails

#: pixels a side of a field
SIDE = 64
#: part of the probability that every field has alike
FLOOR = 0.4
#: what a model believes it missed counts as so much of a field more, so that no ratio is of next to nothing
_DAMP = 0.02
_DRAWS = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """Fields of a design, in the order in which they are asked.

    Attributes
    ----------
    boxes : where they lie.
    weights : (n,) how many fields each stands for.
    missed : (n, classes) voxels of each class that the model believes it missed in each; zeros where it kept nothing.
    predicted, believed : (classes,) voxels predicted as each class in all, and believed to be missed.
    voxels : of all.
    """

    boxes: tuple[Box, ...]
    weights: np.ndarray
    missed: np.ndarray
    predicted: np.ndarray
    believed: np.ndarray
    voxels: float

    def to_json(self) -> dict[str, Any]:
        return {
            "boxes": [box.to_json() for box in self.boxes],
            "weights": self.weights.tolist(),
            "missed": np.round(self.missed, 3).tolist(),
            "predicted": self.predicted.tolist(),
            "believed": self.believed.tolist(),
            "voxels": self.voxels,
        }

    def check(self, box: Box, classes: int) -> None:
        """Raise ValueError where this is no design of a prediction of ``box`` with so many classes."""
        number = len(self.boxes)
        shapes = (self.weights.shape, self.missed.shape, self.predicted.shape, self.believed.shape)
        if shapes != ((number,), (number, classes), (classes,), (classes,)):
            raise ValueError("its tables do not fit each other")
        if not all(box.covers(field) and max(field.shape) <= SIDE and field.shape[0] == 1 for field in self.boxes):
            raise ValueError("its fields lie outside of the prediction")
        numbers = (self.weights, self.missed, self.predicted, self.believed, np.array(self.voxels))
        if not all(np.isfinite(table).all() and (table >= 0).all() for table in numbers):
            raise ValueError("its fields have no sizes")

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        boxes = tuple(Box.from_json(box) for box in data["boxes"])
        return cls(
            boxes,
            np.array(data["weights"], float),
            np.array(data["missed"], float),
            np.array(data["predicted"], float),
            np.array(data["believed"], float),
            float(data["voxels"]),
        )


def draw_fields(population: Population, n: int, seed: int) -> Fields:
    """Draw ``n`` fields; the same seed draws the same. Raises PredictionError where nothing is predicted yet."""
    boxes: list[Box] = []
    voxels: list[np.ndarray] = []
    missed: list[np.ndarray] = []
    looked_at, scale = population.blocks(seed)
    for piece in population.pieces(looked_at):
        for tile in piece.box.blocks((1, SIDE, SIDE)):
            local = tile.within(piece.box).slices
            predicted = piece.predicted[local]
            counts = np.bincount(predicted[predicted >= 0], minlength=len(population.classes))
            if not counts.any():
                continue
            boxes.append(tile)
            voxels.append(counts)
            missed.append(_missed(predicted, piece.beliefs, local, len(population.classes)))
    if not boxes:
        raise PredictionError("nothing is predicted yet, so there is nothing to check")
    table, believed = np.array(voxels, float), np.array(missed)
    n = min(n, len(boxes))
    chances = _chances(table, foreground(population.classes), n)
    picks = _systematic(chances, n, np.random.default_rng(seed))
    return Fields(
        tuple(boxes[pick] for pick in picks),
        scale / chances[picks],
        believed[picks],
        table.sum(axis=0) * scale,
        believed.sum(axis=0) * scale,
        float(table.sum() * scale),
    )


def score_fields(
    fields: Fields, joints: np.ndarray, answered: np.ndarray, classes: Sequence[ClassInfo], level: float, seed: int = 0
) -> Score:
    """The IoU that proof-read fields give.

    Parameters
    ----------
    joints
        (n, true class, predicted class) voxels of each field.
    answered
        (n,) which fields were proof-read.
    """
    count = int(answered.sum())
    hit, missed = _hit_and_missed(fields, joints, answered, _redrawn(count, seed))
    union = fields.predicted + missed
    with np.errstate(invalid="ignore", divide="ignore"):
        iou = np.where(union > 0, hit / union, np.nan)
    if not _errors(joints[answered]).any():
        # drawing right fields again says nothing of wrong ones that were not drawn
        iou[1:] *= 1 - _unseen_error(count, level) * np.linspace(0, 1, _DRAWS)[:, None]
    return summarise(
        iou[0],
        iou[1:],
        classes,
        tails(level, count),
        basis="audit",
        n=count,
        level=level,
        source=f"{count} fields proof-read",
    )


def _errors(joints: np.ndarray) -> np.ndarray:
    """Wrong voxels of each field (n,)."""
    return np.asarray(joints.sum(axis=(1, 2)) - np.trace(joints, axis1=1, axis2=2))


def _unseen_error(count: int, level: float) -> float:
    """How much may be wrong where ``count`` fields without an error were drawn.

    A share p of fields with errors stays unseen with probability (1 - p) ** count, the rule of three; half of such a
    field is taken to be wrong.
    """
    return float(1 - (1 - level) ** (1 / count)) / 2


def fractions(
    fields: Fields, joints: np.ndarray, answered: np.ndarray, classes: Sequence[ClassInfo], level: float, seed: int = 0
) -> dict[str, tuple[float, float, float]]:
    """Share of the volume that each class truly takes: (value, low, high)."""
    count = int(answered.sum())
    truth = np.add(*_hit_and_missed(fields, joints, answered, _redrawn(count, seed)))
    shares = truth / truth.sum(axis=1, keepdims=True)
    return {info.name: _interval(shares[:, k], level, count) for k, info in enumerate(classes)}


def totals(
    fields: Fields, counts: np.ndarray, answered: np.ndarray, level: float, seed: int = 0
) -> tuple[float, float, float]:
    """How many there are in all of what was counted in each field (n,): (value, low, high)."""
    count = int(answered.sum())
    weights = fields.weights[answered] / count
    return _interval(_redrawn(count, seed) @ (weights * counts[answered]), level, count)


def _hit_and_missed(
    fields: Fields, joints: np.ndarray, answered: np.ndarray, often: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Voxels (draws, class) of all that was predicted: those that are right, and those predicted as another class."""
    joints = joints[answered]
    weighted = often * (fields.weights[answered] / len(joints))
    hits = np.diagonal(joints, axis1=1, axis2=2)
    predicted = weighted @ joints.sum(axis=1)
    scale = fields.predicted / np.maximum(predicted, 1e-9)
    missed = weighted @ (joints.sum(axis=2) - hits)
    if fields.believed.any():
        damp = _DAMP * fields.believed
        missed = fields.believed * (missed + damp) / np.maximum(weighted @ fields.missed[answered] + damp, 1e-9)
    else:
        missed = missed * scale
    return (weighted @ hits) * scale, missed


def _redrawn(count: int, seed: int) -> np.ndarray:
    """How often each of ``count`` fields is taken: first each once, then as often as chance has it."""
    rng = np.random.default_rng(seed)
    return np.vstack([np.ones((1, count)), rng.multinomial(count, np.full(count, 1 / count), size=_DRAWS)])


def _interval(drawn: np.ndarray, level: float, units: int) -> tuple[float, float, float]:
    low, high = np.quantile(drawn[1:], tails(level, units))
    return float(drawn[0]), float(min(low, drawn[0])), float(max(high, drawn[0]))


def _missed(predicted: np.ndarray, beliefs: np.ndarray | None, local: tuple[slice, ...], classes: int) -> np.ndarray:
    """Voxels of each class that are believed to be predicted as another."""
    if beliefs is None:
        return np.zeros(classes)
    there = predicted >= 0
    believed = beliefs[(slice(None), *local)]
    sums = [believed[k][there & (predicted != k)].sum(dtype=float) for k in range(classes)]
    return np.array(sums)


def _chances(voxels: np.ndarray, chosen: Sequence[int], n: int) -> np.ndarray:
    """The chance of each field to be one draw: by its share of what is predicted as the classes, and by its size."""
    wanted = voxels[:, list(chosen)]
    there = wanted.sum(axis=0) > 0
    size = voxels.sum(axis=1) / voxels.sum()
    chances = size
    if there.any():
        content = (wanted[:, there] / wanted[:, there].sum(axis=0)).mean(axis=1)
        chances = (1 - FLOOR) * content + FLOOR * size
    # no field may be drawn twice
    for _ in range(20):
        chances = np.minimum(chances / chances.sum(), 1 / n)
    return np.asarray(chances / chances.sum())


def _systematic(chances: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of ``n`` draws at even steps along the fields in their order, in a random order."""
    steps = (rng.random() + np.arange(n)) / n
    picks = np.searchsorted(np.cumsum(chances), steps)
    return rng.permutation(np.unique(np.minimum(picks, len(chances) - 1)))
