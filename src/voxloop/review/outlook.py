"""When to stop: what the scores of several rounds say of the next ten strokes. Pure; knows no file and no learner.

A score rises with strokes s as a power law, y = a - b s^-c (learning curves: Hestness et al. 2017, arXiv:1712.00409).
Each score has an interval, so a and b are a distribution: a Gaussian one for each of a few exponents, weighed by how
well they explain the scores. What is known beforehand is weak: from 24 to 84 strokes a loop gains 0.08 with a deviation
of 0.12. Scores that rest on what models believe err in the same direction from round to round; that part changes no
gain. Audits err each by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from voxloop.review.score import Score, tails

Trend = Literal["better", "flat", "worse", "unknown"]
#: strokes that the forecast looks ahead
AHEAD = 10
#: a gain of less than this is none that anybody would paint for
NOTHING = 0.01
EXPONENTS = (0.25, 0.5, 1.0)
#: strokes between which the gain known beforehand is stated; mean and deviation of it, and of the score at the first
_FROM, _TO = 24.0, 84.0
_GAIN, _START = (0.08, 0.12), (0.6, 0.3)
#: share of the variance of scores without an audit that they have in common
_SHARED = 0.5
#: rounds below which nothing is called flat
_ROUNDS = 3
#: deviation of a round from the curve, beside what its interval says
_SCATTER = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A prediction on the curve.

    Attributes
    ----------
    prediction : its name.
    round : number of the round that it belongs to; None where its model was trained elsewhere.
    strokes, seconds : of annotation up to then, all rounds of the level together; None where not known.
    score : as it is known now.
    """

    prediction: str
    round: int | None = None
    strokes: int | None = None
    seconds: float | None = None
    score: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What the next ten strokes are expected to gain, in IoU, with the 90 % interval of it; and what that means.

    ``trend`` is ``"flat"`` or ``"better"`` only where the whole interval says so.
    """

    trend: Trend
    words: str
    gain: float = math.nan
    interval: tuple[float, float] = (math.nan, math.nan)

    @property
    def known(self) -> bool:
        """Whether there is a forecast at all."""
        return math.isfinite(self.gain)


def outlook(points: Sequence[Reached]) -> Outlook:
    """The forecast from all rounds whose score is known, oldest first."""
    known = [one for one in points if one.score.known and one.strokes]
    if not known:
        return Outlook(trend="unknown", words=_lacking(points))
    if len({one.strokes for one in known}) < 2:
        words = f"Not known yet whether it gets better: {_it_is(known[-1].score)}; another round shows a trend."
        return Outlook(trend="unknown", words=words)
    gain, low, high = _forecast(known)
    trend, words = _in_words(low, high, known[-1].score, len({one.strokes for one in known}) >= _ROUNDS)
    return Outlook(trend=trend, words=words, gain=gain, interval=(low, high))


def _in_words(low: float, high: float, last: Score, enough: bool) -> tuple[Trend, str]:
    """What a gain between two ends means; ``enough``: there were rounds enough to see that nothing comes any more."""
    change = f"ten more strokes add {_between(low, high)} IoU"
    if high <= NOTHING and low < -2 * NOTHING:
        return "worse", f"Not getting better, rather worse: {change}. Look at doubtful strokes in Check."
    if high <= NOTHING and enough:
        return "flat", f"Flat: {change}. Check it once more, or stop here."
    if low > 0:
        return "better", f"Getting better: {change}. Another round is worth it."
    more = "check 100 points" if last.basis != "audit" else "paint another round"
    return "unknown", f"Not known yet whether it gets better: {change}; to know, {more}."


def _forecast(known: Sequence[Reached]) -> tuple[float, float, float]:
    """Gain of the next ten strokes: mean, and the ends of its 90 % interval."""
    strokes = np.array([float(one.strokes or 0) for one in known])
    values = np.array([one.score.iou for one in known])
    spreads = np.array([_deviation(one.score) for one in known])
    believed = spreads * [one.score.basis != "audit" for one in known]
    noise = np.diag(spreads**2 - _SHARED * believed**2 + _SCATTER**2) + _SHARED * np.outer(believed, believed)
    prior_mean, prior = np.array([_START[0], _GAIN[0]]), np.diag([_START[1] ** 2, _GAIN[1] ** 2])
    means, variances, evidence = [], [], []
    for exponent in EXPONENTS:
        design = np.column_stack([np.ones(len(strokes)), _rise(strokes, exponent)])
        spread = design @ prior @ design.T + noise
        gap = values - design @ prior_mean
        weigh = prior @ design.T @ np.linalg.inv(spread)
        posterior_mean, posterior = prior_mean + weigh @ gap, prior - weigh @ design @ prior
        ahead = float(_rise(strokes[-1:] + AHEAD, exponent)[0] - _rise(strokes[-1:], exponent)[0])
        means.append(ahead * posterior_mean[1])
        variances.append(ahead**2 * posterior[1, 1])
        _, size = np.linalg.slogdet(spread)
        evidence.append(-0.5 * (size + gap @ np.linalg.solve(spread, gap)))
    weights = np.exp(np.array(evidence) - max(evidence))
    weights /= weights.sum()
    return _mixed(np.array(means), np.sqrt(variances), weights)


def _rise(strokes: np.ndarray, exponent: float) -> np.ndarray:
    """0 at the first number of strokes, 1 at the second, on a power law."""
    first, second = _FROM**-exponent, _TO**-exponent
    return np.asarray((first - strokes**-exponent) / (first - second))


def _mixed(means: np.ndarray, deviations: np.ndarray, weights: np.ndarray) -> tuple[float, float, float]:
    """Mean and 90 % interval of a mixture of normal distributions."""
    from scipy.stats import norm

    grid = np.linspace((means - 5 * deviations).min(), (means + 5 * deviations).max(), 2001)
    shares = (weights[:, None] * norm.cdf((grid - means[:, None]) / deviations[:, None])).sum(axis=0)
    low, high = np.interp(tails(0.9), shares, grid)
    return float(weights @ means), float(low), float(high)


def _deviation(score: Score) -> float:
    """The standard deviation that an interval stands for."""
    from scipy.stats import norm

    low, high = score.interval
    return max(0.01, (high - low) / (2 * float(norm.ppf((1 + score.level) / 2))))


def _between(low: float, high: float) -> str:
    if round(low, 2) == round(high, 2):
        return f"about {_signed(high)}"
    return f"{_signed(low)} to {_signed(high)}"


def _signed(gain: float) -> str:
    return f"{round(gain, 2) + 0.0:+.2f}"  # + 0.0: no "-0.00"


def _it_is(score: Score) -> str:
    return f"it is {score.words}"


def _lacking(points: Sequence[Reached]) -> str:
    """Why there is no forecast, and what it takes."""
    if not points:
        return "Not known yet: train and predict, and the first round is a point on the curve."
    last = points[-1].score
    if last.known:
        return f"Not known yet whether it gets better: {_it_is(last)}; how many strokes it took is not on record."
    return f"How good it is, is {last.words}."
