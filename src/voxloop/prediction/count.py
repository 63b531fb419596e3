"""How many there are, from how many were found and what the model got wrong on pictures that were held out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class CountEstimate:
    """How many things an image holds.

    Attributes
    ----------
    found
        How many the model found.
    estimate
        Corrected by what it missed and made up on held-out pictures; ``found`` where none was held out.
    interval
        Low and high; None where fewer than two pictures were held out.
    level
        Share of cases in which the interval should hold the true number.
    pictures
        How many were held out.
    """

    found: int
    estimate: float
    interval: tuple[float, float] | None
    level: float
    pictures: int
    basis: str

    @property
    def words(self) -> str:
        """All of it in a sentence."""
        if self.interval is None:
            return f"{self.found:,} found; {self.basis}"
        low, high = self.interval
        return (
            f"{self.found:,} found; about {self.estimate:,.0f} ({low:,.0f} to {high:,.0f}, {self.level:.0%}), "
            f"{self.basis}"
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.words}>"


def estimate_count(
    found: int, counted: Sequence[Sequence[int]] | None, level: float, *, as_held: bool
) -> CountEstimate:
    """Correct a number by true and found numbers of held-out pictures.

    The ratio of true to found is that of all held-out pictures together; its uncertainty is that of drawing these
    pictures again, to which comes how much single pictures stray from it, which grows with the root of the number.

    Parameters
    ----------
    counted
        (true, found) of each held-out picture.
    as_held
        Whether this was found as it was there, at the model's own threshold.
    """
    pairs = np.asarray(counted if counted else np.zeros((0, 2)), float).reshape(-1, 2)
    unknown = _unknown(pairs, as_held=as_held)
    if unknown is not None:
        return CountEstimate(found, found, None, level, len(pairs), unknown)
    ratio = pairs[:, 0].sum() / pairs[:, 1].sum()
    stray = (pairs[:, 0] - ratio * pairs[:, 1]) ** 2 / np.maximum(1.0, pairs[:, 1])
    spread = float(stray.sum() / (len(pairs) - 1))
    rng = np.random.default_rng(0)
    drawn = pairs[rng.integers(len(pairs), size=(_DRAWS, len(pairs)))].sum(1)
    ratios = drawn[:, 0] / np.maximum(1.0, drawn[:, 1])
    values = ratios * found + rng.normal(0, 1, _DRAWS) * np.sqrt(spread * max(1, found))
    low, high = np.percentile(values, [50 * (1 - level), 50 * (1 + level)])
    basis = (
        f"by {len(pairs)} held-out pictures, {pairs[:, 1].sum():,.0f} found there for {pairs[:, 0].sum():,.0f}; holds "
        "for pictures like these, which also chose the epoch that is kept"
    )
    return CountEstimate(found, float(ratio * found), (max(0.0, float(low)), float(high)), level, len(pairs), basis)


def _unknown(pairs: np.ndarray, *, as_held: bool) -> str | None:
    """Why nothing is known of how far a number is off; None where something is."""
    if not as_held:
        return "at another threshold than the model's own, of which nothing is known"
    if len(pairs) < 2:
        return f"{'one picture' if len(pairs) else 'nothing'} was held out, so nobody knows how far that is off"
    if pairs[:, 1].sum() == 0:
        return "nothing was found in the pictures that were held out, so nobody knows how far that is off"
    return None
