"""Points drawn from a prediction in strata, and the IoU that their true classes give. Knows no files and no people.

Strata: what is predicted as each foreground class, background within six voxels of it in the plane, and all other
background; each again by how sure the model is. Half of the points are shared out as two fifths, three tenths and three
tenths, the other half, and all within these, by size and by how unlike voxels are expected to be (Neyman 1934).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from scipy.ndimage import maximum_filter1d

from voxloop.errors import PredictionError
from voxloop.geometry import Box
from voxloop.model import ClassInfo
from voxloop.review.population import Piece, Population
from voxloop.review.score import Score, foreground, iou_of, less_sure, summarise, tails

#: background within so many voxels of foreground, in the plane, is near it
NEAR = 6
#: share of half of the points for predicted foreground, for background near it, for all other background
SHARES = (0.4, 0.3, 0.3)
#: probabilities of the predicted class that part a stratum into less and more sure
CUTS = (0.65, 0.8, 0.9, 0.97)
_BANDS = len(CUTS) + 1
#: share of voxels expected to be right in each zone where the prediction kept no probabilities
_USUAL = (0.85, 0.92, 0.995)
#: least probability that a voxel is expected to be of any other class, when points are shared out
_DOUBT = 0.01
#: points of a stratum at least
_LEAST = 2
#: what is expected of a stratum counts as so many points of it
_PRIOR = 1.0
#: log odds by which a model may be less sure than it should be, or surer, and how far they lie from 0 as a rule
_SHIFTS, _SPREAD = np.linspace(-4, 6, 41), 1.0
_DRAWS = 1000
#: as wide as the bootstrap of so many units would have to be
_UNITS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Points of a design, in the order in which they are asked.

    Attributes
    ----------
    places : (n, 3) zyx voxels.
    strata : (n,) which stratum each is of.
    sizes : voxels of each stratum.
    predicted : position of the class predicted in each stratum.
    expected : (strata, classes) mean probabilities.
    """

    places: np.ndarray
    strata: np.ndarray
    sizes: np.ndarray
    predicted: np.ndarray
    expected: np.ndarray

    def to_json(self) -> dict[str, Any]:
        return {
            "places": self.places.tolist(),
            "strata": self.strata.tolist(),
            "sizes": self.sizes.tolist(),
            "predicted": self.predicted.tolist(),
            "expected": np.round(self.expected, 6).tolist(),
        }

    def check(self, box: Box, classes: int) -> None:
        """Raise ValueError where this is no design of a prediction of ``box`` with so many classes."""
        strata = len(self.sizes)
        shapes = (self.places.shape, self.strata.shape, self.sizes.shape, self.predicted.shape, self.expected.shape)
        if shapes != ((len(self.places), 3), (len(self.places),), (strata,), (strata,), (strata, classes)):
            raise ValueError("its tables do not fit each other")
        inside = (self.places >= box.start) & (self.places < box.stop)
        if not (inside.all() and _below(self.strata, strata) and _below(self.predicted, classes)):
            raise ValueError("its points lie outside of the prediction")
        if not (np.isfinite(self.sizes).all() and (self.sizes > 0).all() and np.isfinite(self.expected).all()):
            raise ValueError("its strata have no sizes")

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(
            np.array(data["places"], np.int64),
            np.array(data["strata"], np.int64),
            np.array(data["sizes"], float),
            np.array(data["predicted"], np.int64),
            np.array(data["expected"], float),
        )


def _below(numbers: np.ndarray, count: int) -> bool:
    return bool(((numbers >= 0) & (numbers < count)).all())


def draw_points(population: Population, n: int, seed: int) -> Points:
    """Draw ``n`` points; the same seed draws the same. Raises PredictionError where nothing is predicted yet."""
    rng = np.random.default_rng(seed)
    background = [position for position, info in enumerate(population.classes) if info.background]
    pool = _Pool(len(population.classes), n)
    boxes, scale = population.blocks(seed)
    for piece in population.pieces(boxes, NEAR):
        pool.add(piece, _zones(piece, background), rng)
    if not pool.sizes.any():
        raise PredictionError("nothing is predicted yet, so there is nothing to check")
    strata = np.flatnonzero(pool.sizes)
    predicted, zones = strata // (3 * _BANDS), strata // _BANDS % 3
    expected = pool.expected(strata, predicted, zones)
    sizes = pool.sizes[strata]
    shares = _allocate(n, sizes, predicted, zones, expected, population.classes)
    places, owners, order = [], [], []
    for number, (stratum, count) in enumerate(zip(strata, shares, strict=True)):
        drawn = pool.draw(int(stratum), int(count))
        places.append(drawn)
        owners.append(np.full(len(drawn), number))
        # strata take turns, so that those who leave off early have asked of all
        order.append((np.arange(len(drawn)) + rng.random(len(drawn))) / max(1, len(drawn)))
    turn = np.argsort(np.concatenate(order), kind="stable")
    return Points(np.concatenate(places)[turn], np.concatenate(owners)[turn], sizes * scale, predicted, expected)


def score_points(points: Points, truth: np.ndarray, classes: Sequence[ClassInfo], level: float, seed: int = 0) -> Score:
    """The IoU that answers give.

    Parameters
    ----------
    truth
        (n,) position of the true class of each point; -1 where nobody has said.

    Notes
    -----
    Shares of the true classes in a stratum have a Dirichlet distribution: what was answered, and a few points of what
    is to be expected there, so that a stratum without any error is not taken for one that cannot have any. Expected is
    what the model believes, less sure or surer by what all answers together say of it: one shift of the log odds where
    it predicts foreground, and one elsewhere (empirical Bayes).
    """
    counts = np.zeros(points.expected.shape)
    said = truth >= 0
    np.add.at(counts, (points.strata[said], truth[said]), 1)
    rng = np.random.default_rng(seed)
    inside = np.isin(points.predicted, foreground(classes))
    sides = [(side, _shifts(points, counts, side)) for side in (inside, ~inside) if side.any()]
    usual = points.expected.copy()
    drawn = np.zeros((_DRAWS, *counts.shape))
    for side, chances in sides:
        rows, predicted = points.expected[side], points.predicted[side]
        usual[side] = sum(c * less_sure(rows, predicted, s) for s, c in zip(_SHIFTS, chances, strict=True))
        table = np.array([less_sure(rows, predicted, shift) for shift in _SHIFTS])
        drawn[:, side] = table[rng.choice(len(_SHIFTS), _DRAWS, p=chances)]
    whole = _shifts(points, counts, np.ones(len(points.predicted), bool))
    shares = rng.gamma(counts + _PRIOR * np.maximum(drawn, 1e-6))
    shares /= np.maximum(shares.sum(axis=2, keepdims=True), 1e-300)
    best = counts + _PRIOR * usual
    best /= best.sum(axis=1, keepdims=True)
    score = summarise(
        iou_of(_joint(points, best[None]))[0],
        iou_of(_joint(points, shares)),
        classes,
        # few points a stratum: a Dirichlet with a prior is a little too sure of itself
        tails(level, _UNITS),
        basis="audit",
        n=int(said.sum()),
        level=level,
        source=f"{int(said.sum())} points checked",
    )
    return replace(score, shift=_interval_of(whole, level))


def _interval_of(chances: np.ndarray, level: float) -> tuple[float, float, float]:
    """The mean shift, and between what it lies."""
    below = np.cumsum(chances)
    low, high = np.searchsorted(below, ((1 - level) / 2, (1 + level) / 2))
    mean = float(chances @ _SHIFTS)
    last = len(_SHIFTS) - 1
    return mean, min(mean, float(_SHIFTS[min(low, last)])), max(mean, float(_SHIFTS[min(high, last)]))


def _shifts(points: Points, counts: np.ndarray, side: np.ndarray) -> np.ndarray:
    """How likely each of the shifts is by the answers in some of the strata."""
    rows, predicted = points.expected[side], points.predicted[side]
    likely = np.array([(counts[side] * np.log(less_sure(rows, predicted, shift))).sum() for shift in _SHIFTS])
    likely -= 0.5 * (_SHIFTS / _SPREAD) ** 2
    chances = np.exp(likely - likely.max())
    return np.asarray(chances / chances.sum())


def _joint(points: Points, shares: np.ndarray) -> np.ndarray:
    """Voxels (draws, true class, predicted class) from shares (draws, stratum, true class)."""
    draws, _, classes = shares.shape
    joint = np.zeros((draws, classes, classes))
    for number, position in enumerate(points.predicted):
        joint[:, :, position] += points.sizes[number] * shares[:, number]
    return joint


class _Pool:
    """Sizes of the strata, what is believed in them, and the voxels with the smallest random keys of each."""

    def __init__(self, classes: int, most: int) -> None:
        strata = classes * 3 * _BANDS
        self.sizes = np.zeros(strata)
        self._most = most
        self._sums = np.zeros((strata, classes))
        self._keys: list[np.ndarray] = [np.empty(0)] * strata
        self._places: list[np.ndarray] = [np.empty((0, 3), np.int64)] * strata

    def add(self, piece: Piece, zones: np.ndarray, rng: np.random.Generator) -> None:
        there = piece.predicted >= 0
        bands: Any = 0
        if piece.beliefs is not None:
            own = np.take_along_axis(piece.beliefs, np.maximum(piece.predicted, 0)[None].astype(np.int64), axis=0)[0]
            bands = np.digitize(own, CUTS)
        strata = (piece.predicted.astype(np.int64) * 3 + zones) * _BANDS + bands
        keys = rng.random(strata.shape)
        for stratum in np.unique(strata[there]):
            inside = there & (strata == stratum)
            self.sizes[stratum] += np.count_nonzero(inside)
            if piece.beliefs is not None:
                self._sums[stratum] += piece.beliefs[:, inside].sum(axis=1)
            self._keep(int(stratum), np.flatnonzero(inside), keys[inside], piece)

    def _keep(self, stratum: int, at: np.ndarray, keys: np.ndarray, piece: Piece) -> None:
        if len(keys) > self._most:
            picks = np.argpartition(keys, self._most)[: self._most]
            at, keys = at[picks], keys[picks]
        places = np.stack(np.unravel_index(at, piece.predicted.shape), axis=1) + np.array(piece.box.start)
        keys = np.concatenate([self._keys[stratum], keys])
        places = np.concatenate([self._places[stratum], places])
        first = np.argsort(keys, kind="stable")[: self._most]
        self._keys[stratum], self._places[stratum] = keys[first], places[first]

    def draw(self, stratum: int, count: int) -> np.ndarray:
        """``count`` voxels (n, 3) of a stratum, without replacement."""
        return self._places[stratum][:count]

    def expected(self, strata: np.ndarray, predicted: np.ndarray, zones: np.ndarray) -> np.ndarray:
        """Mean probabilities (strata, classes); where none were kept, what is usual."""
        sums = self._sums[strata]
        if sums.any():
            return np.asarray(sums / sums.sum(axis=1, keepdims=True))
        classes = sums.shape[1]
        right = np.array(_USUAL)[zones]
        expected = np.repeat(((1 - right) / (classes - 1))[:, None], classes, axis=1)
        expected[np.arange(len(strata)), predicted] = right
        return expected


def _zones(piece: Piece, background: Sequence[int]) -> np.ndarray:
    """0 predicted foreground, 1 background near it, 2 other background (z, y, x)."""
    wide = ~np.isin(piece.around, background) & (piece.around >= 0)
    near = wide
    for axis in (1, 2):
        near = maximum_filter1d(near.astype(np.uint8), 2 * NEAR + 1, axis=axis, mode="constant")
    inner = piece.inner.slices
    return np.asarray(np.where(wide[inner], 0, np.where(near[inner] > 0, 1, 2)))


def _allocate(
    n: int,
    sizes: np.ndarray,
    predicted: np.ndarray,
    zones: np.ndarray,
    expected: np.ndarray,
    classes: Sequence[ClassInfo],
) -> np.ndarray:
    """Points of each stratum."""
    weights = sizes * _spread(sizes, predicted, expected, classes)
    fixed = np.array([share if (zones == zone).any() else 0.0 for zone, share in enumerate(SHARES)])
    needed = np.bincount(zones, weights, minlength=3) / weights.sum()
    of_zone = (fixed / fixed.sum() + needed) / 2
    within = np.bincount(zones, weights, minlength=3)
    points = n * of_zone[zones] * weights / within[zones]
    shares = np.maximum(np.round(points), _LEAST).astype(int)
    shares = np.minimum(shares, sizes.astype(int))
    while shares.sum() > max(n, len(shares)):
        shares[shares.argmax()] -= 1
    while shares.sum() < min(n, int(sizes.sum())):
        room = np.where(shares < sizes, points - shares, -np.inf)
        shares[room.argmax()] += 1
    return np.asarray(shares)


def _spread(sizes: np.ndarray, predicted: np.ndarray, expected: np.ndarray, classes: Sequence[ClassInfo]) -> np.ndarray:
    """How far a voxel of each stratum is expected to move the mean IoU: the deviation of its linear part."""
    tempered = np.maximum(expected, _DOUBT)
    tempered = tempered / tempered.sum(axis=1, keepdims=True)
    joint = np.zeros((len(classes), len(classes)))
    for size, position, shares in zip(sizes, predicted, expected, strict=True):
        joint[:, position] += size * shares
    iou = np.nan_to_num(iou_of(joint), nan=0.5)
    moves = np.zeros_like(expected)
    for position in foreground(classes):
        own = predicted == position
        union = max(1.0, joint[position].sum() + joint[:, position].sum() - joint[position, position])
        moves[:, position] += np.where(own, 1.0, -iou[position]) / union
    mean = (tempered * moves).sum(axis=1, keepdims=True)
    return np.asarray(np.sqrt((tempered * (moves - mean) ** 2).sum(axis=1)))
