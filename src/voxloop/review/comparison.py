"""What is known of which prediction is better, as values with the words for it. Judges nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from voxloop.errors import PredictionError

Interval = tuple[float, float, float]

#: a difference of IoU that is none
NONE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two predictions beside each other.

    Attributes
    ----------
    one, other : their names.
    difference : IoU of ``one`` less that of ``other``: value, low and high; nan where nothing is known.
    per_class : the same of every foreground class.
    differ : share of the voxels where they say another class.
    n : places that judged them.
    source : these in words.
    lacking : what it takes to know, where nothing is known.
    """

    one: str
    other: str
    difference: Interval = (np.nan, np.nan, np.nan)
    per_class: Mapping[str, Interval] = field(default_factory=dict)
    differ: float = np.nan
    n: int = 0
    source: str = ""
    lacking: str = ""

    @property
    def better(self) -> str | None:
        """The one that is better beyond doubt; None where that is not known."""
        _, low, high = self.difference
        if low > 0:
            return self.one
        return self.other if high < 0 else None

    @property
    def equal(self) -> bool:
        """Whether they are known to be as good as each other."""
        _, low, high = self.difference
        return self.differ == 0 or (low > -NONE and high < NONE)

    def not_worse(self, name: str, than_by: float = 0.0) -> bool:
        """Whether one of the two is known to be no worse than the other, up to a margin."""
        _, low, high = self.difference
        return low >= -than_by if name == self.one else high <= than_by

    @property
    def words(self) -> str:
        """Which is better, by how much, from what; or what it takes to know."""
        if self.differ == 0:
            return f"{self.one} and {self.other} say the same everywhere"
        _, low, high = self.difference
        if not self.n:
            return f"not known which of {self.one} and {self.other} is better: {self.lacking}"
        if self.equal:
            most = max(abs(low), abs(high))
            return f"{self.one} and {self.other} are as good: they differ by {most:.3f} at most, from {self.source}"
        if self.better == self.one:
            return f"{self.one} is better than {self.other} by {low:.2f}-{high:.2f}, from {self.source}"
        if self.better == self.other:
            return f"{self.other} is better than {self.one} by {-high:.2f}-{-low:.2f}, from {self.source}"
        return (
            f"not known which is better: {self.one} is between {max(0.0, -low):.2f} worse and {max(0.0, high):.2f} "
            f"better than {self.other}, from {self.source}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Several predictions on the same places. ``pairs`` holds every two of them, in the order in which they were named.

    ``best`` is the one that is better than each of the others beyond doubt; None where none is.
    """

    names: tuple[str, ...]
    pairs: tuple[Pair, ...]

    @property
    def best(self) -> str | None:
        for name in self.names:
            if all(pair.better == name for pair in self.pairs if name in (pair.one, pair.other)):
                return name
        return None

    @property
    def words(self) -> str:
        """What is known, a sentence for every two."""
        if len(self.pairs) > 1 and not any(pair.n or pair.differ == 0 for pair in self.pairs):
            return f"not known which of {', '.join(self.names)} is better: {self.pairs[0].lacking}"
        return "; ".join(pair.words for pair in self.pairs)

    def table(self) -> list[dict[str, Any]]:
        """One row for every two: names, difference with its interval, of every class too, places and their source."""
        return [_row(pair) for pair in self.pairs]

    def pair(self, one: str, other: str) -> Pair:
        """Two of them. Raises PredictionError where they are not among those compared."""
        for pair in self.pairs:
            if {pair.one, pair.other} == {one, other}:
                return pair
        raise PredictionError(f"{one!r} and {other!r} were not compared; compared were {', '.join(self.names)}")

    def __repr__(self) -> str:
        return f"<Comparison: {self.words}>"


def _row(pair: Pair) -> dict[str, Any]:
    value, low, high = pair.difference
    row = {"one": pair.one, "other": pair.other, "better": pair.better, "difference": value, "low": low, "high": high}
    row |= {f"difference of {name}": values[0] for name, values in pair.per_class.items()}
    return row | {"differ": pair.differ, "n": pair.n, "words": pair.words}
