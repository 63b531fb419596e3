"""How good a model is on an image, as an interval with the words for it. A value; knows no files and reads nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self, cast, get_args

import numpy as np

from voxloop.errors import PredictionError
from voxloop.model import ClassInfo
from voxloop.store.values import number

Basis = Literal["audit", "corrections", "cross-fit", "none"]
#: units below which nothing is said of the score
FEWEST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """IoU of a model on an image as far as anybody can know it without the truth.

    Attributes
    ----------
    known : whether there is enough to say anything.
    iou : mean over foreground classes; nan where not known.
    interval : low and high, which hold the true value in ``level`` of cases.
    per_class : (value, low, high) of every foreground class.
    basis : what it rests on: ``"audit"`` (places drawn by the tool), ``"corrections"`` (strokes made after the model
        had learned), ``"cross-fit"`` (strokes held out in turn while it learned).
    n : how many places, points, fields or strokes.
    source : these in words, as in "14 corrected places".
    lacking : what it takes to know, where it is not known.
    shift : by how much the log odds of being wrong exceed those that the model believes: value, low and high; None
        where that is not known.
    sureness : of every class the voxels predicted as it, by probability in 255 steps; empty where that is not known.
    """

    known: bool
    iou: float = math.nan
    interval: tuple[float, float] = (math.nan, math.nan)
    per_class: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    basis: Basis = "none"
    n: int = 0
    level: float = 0.9
    source: str = ""
    lacking: str = ""
    shift: tuple[float, float, float] | None = None
    sureness: Mapping[str, Sequence[float]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def words(self) -> str:
        """``IoU 0.48-0.66, from 14 corrected places``, or what it takes to know."""
        if not self.known:
            return f"not known yet: {self.lacking}" if self.lacking else "not known yet"
        low, high = self.interval
        return f"IoU {low:.2f}-{high:.2f}, from {self.source}"

    def expected_precision(
        self, above: float, classes: Sequence[str] | None = None
    ) -> tuple[float, float, float] | None:
        """Of the voxels whose class is as probable as ``above`` or more, the share that is right: value, low and high.

        None where nobody knows how far the model's sureness can be trusted, or where no voxel is that sure.

        Parameters
        ----------
        above
            Probability, 0 to 1.
        classes
            Names of the predicted classes that count; all where None.
        """
        rows = [row for name, row in self.sureness.items() if classes is None or name in classes]
        if self.shift is None or not rows:
            return None
        voxels = np.sum(np.array(rows, float), axis=0)
        probabilities = np.linspace(0, 1, len(voxels))
        voxels = np.where(probabilities >= above - 0.5 / (len(voxels) - 1), voxels, 0)
        if not voxels.sum():
            return None
        value, most, least = (_right(voxels, probabilities, shift) for shift in self.shift)
        return value, least, most

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; nan as None."""
        return {
            "known": self.known,
            "iou": _plain(self.iou),
            "interval": [_plain(value) for value in self.interval],
            "per_class": {name: [_plain(value) for value in row] for name, row in self.per_class.items()},
            "basis": self.basis,
            "n": self.n,
            "level": self.level,
            "source": self.source,
            "lacking": self.lacking,
            "shift": self.shift,
            "words": self.words,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What :meth:`to_json` made. Raises KeyError, TypeError or ValueError where it is not that."""
        low, high = (_number(value) for value in data["interval"])
        basis = str(data["basis"])
        if basis not in get_args(Basis):
            raise ValueError(f"no basis of a score: {basis!r}")
        return cls(
            known=bool(data["known"]),
            iou=_number(data["iou"]),
            interval=(low, high),
            per_class={str(name): _three(row) for name, row in data["per_class"].items()},
            basis=cast("Basis", basis),
            n=int(data["n"]),
            level=float(data["level"]),
            source=str(data["source"]),
            lacking=str(data["lacking"]),
            shift=None if data["shift"] is None else _three(data["shift"]),
        )

    def __repr__(self) -> str:
        return f"<Score: {self.words}>"


def unknown_score(lacking: str, n: int = 0, level: float = 0.9) -> Score:
    """A score that is not known, and what it takes."""
    return Score(known=False, n=n, level=level, lacking=lacking)


def foreground(classes: Sequence[ClassInfo]) -> list[int]:
    """Positions of the classes whose IoU counts: all but background, or all where there is no other."""
    chosen = [position for position, info in enumerate(classes) if not info.background]
    return chosen or list(range(len(classes)))


def iou_of(joint: np.ndarray) -> np.ndarray:
    """IoU of each class of joint shares (..., true class, predicted class); nan where a class is in neither."""
    hit = np.diagonal(joint, axis1=-2, axis2=-1)
    union = joint.sum(axis=-1) + joint.sum(axis=-2) - hit
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(union > 0, hit / union, np.nan))


def less_sure(expected: np.ndarray, predicted: np.ndarray, shift: float) -> np.ndarray:
    """Probabilities (n, classes) where the odds of not being the ``predicted`` class (n,) grow by exp(shift)."""
    rows = np.arange(len(predicted))
    shares = np.clip(expected, 1e-6, 1)
    right = shares[rows, predicted].copy()
    shares = shares * np.exp(shift)
    shares[rows, predicted] = right
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def summarise(
    best: np.ndarray, draws: np.ndarray, classes: Sequence[ClassInfo], tails: tuple[float, float], **facts: Any
) -> Score:
    """A score from the IoU of every class (classes,), and drawn again many times (draws, classes).

    ``tails`` are the shares of the draws below the interval and below its upper end.
    """
    chosen = foreground(classes)
    columns = [*chosen]
    table = np.column_stack([mean_of(draws[:, columns]), draws[:, columns]])
    values = np.concatenate([[mean_of(best[None, columns])[0]], best[columns]])
    rows = []
    for value, column in zip(values, table.T, strict=True):
        drawn = column[np.isfinite(column)]
        low, high = np.quantile(drawn, tails) if len(drawn) else (math.nan, math.nan)
        rows.append((float(value), float(np.fmin(low, value)), float(np.fmax(high, value))))
    return Score(
        known=True,
        iou=rows[0][0],
        interval=rows[0][1:],
        per_class={classes[position].name: row for position, row in zip(chosen, rows[1:], strict=True)},
        **facts,
    )


def mean_of(iou: np.ndarray) -> np.ndarray:
    """Mean over the classes (n, classes) that are there; nan where none is."""
    there = np.isfinite(iou)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(there, iou, 0).sum(axis=1) / np.where(there.any(axis=1), there.sum(axis=1), np.nan))


def tails(level: float, units: int | None = None) -> tuple[float, float]:
    """Quantiles between which ``level`` lies; with few ``units`` drawn again, further out.

    The bootstrap of n units is too narrow by the root of (n - 1) / n and knows no t distribution: Hesterberg (2015),
    "What teachers should know about the bootstrap", the expanded percentile interval.
    """
    from scipy.stats import norm, t

    outside = (1 - level) / 2
    if units is not None and units > 1:
        wider = math.sqrt(units / (units - 1)) * t.ppf(1 - outside, units - 1)
        outside = float(norm.cdf(-wider))
    return outside, 1 - outside


def _right(voxels: np.ndarray, probabilities: np.ndarray, shift: float) -> float:
    """Share of voxels that are right where the log odds of being wrong are those believed and a shift."""
    wrong = (1 - probabilities) * np.exp(shift)
    return float((voxels * probabilities / np.maximum(probabilities + wrong, 1e-12)).sum() / voxels.sum())


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _three(row: Sequence[Any]) -> tuple[float, float, float]:
    value, low, high = (_number(one) for one in row)
    return value, low, high


def interval_level(level: object) -> float:
    """How often an interval is to hold. Raises PredictionError."""
    value = number("level", level, error=PredictionError)
    if not 0 < value < 1:
        raise PredictionError(f"level={value:g} is not between 0 and 1; 0.9 means that nine of ten intervals hold")
    return value
