"""A classifier of objects that is kept: examples of each class and their measures, from which a forest is grown anew.

Its file is JSON and holds numbers and names alone: whoever opens one that came from elsewhere runs nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from voxloop.errors import PredictionError, unknown
from voxloop.given import path_of, shown
from voxloop.objects.sorting import PLACES, grow_forest
from voxloop.plain_files import read_plain
from voxloop.store.atomic import replace_json
from voxloop.store.values import as_list, whole

if TYPE_CHECKING:
    from pandas import DataFrame

#: examples of a class are left out in this many turns, where there are as many
_FOLDS = 5
#: a mistake as large as this is expected in one of ten cases: both sides of the interval together
_Z = 1.645
_MOST_BYTES = 2**26


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleAgreement:
    """How many examples get their class by a forest that did not see them.

    Attributes
    ----------
    right, n : examples that get it, and examples.
    interval : of the share, 90 % (Wilson); nan where not known.
    per_class : class -> (right, n).
    """

    right: int = 0
    n: int = 0
    interval: tuple[float, float] = (math.nan, math.nan)
    per_class: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether every class has two examples, so that one can be left out."""
        return self.n > 0

    @property
    def words(self) -> str:
        """One sentence; what it takes to know where it is not known."""
        if not self.known:
            return "not known how good it is: every class needs two examples, so that one can be left out"
        low, high = self.interval
        each = ", ".join(f"{name} {right} of {n}" for name, (right, n) in self.per_class.items())
        return (
            f"{self.right} of {self.n} examples get their class when left out ({low:.0%}-{high:.0%}; {each}). "
            "You chose them: among all objects it may be less"
        )


@dataclass(frozen=True, eq=False)
class ObjectClassifier:
    """Classes of objects, learnt from a few of each; :meth:`learn` makes one, :meth:`load` opens one that was kept.

    Attributes
    ----------
    measures
        Columns that count.
    values
        Measures of the examples (n, measures); nan where one has none.
    names
        The class of each example.
    seed
        Of the forest.
    """

    measures: tuple[str, ...]
    values: np.ndarray
    names: tuple[str, ...]
    seed: int = 0

    @classmethod
    def learn(
        cls,
        table: DataFrame,
        examples: Mapping[str, Sequence[int]],
        measures: Sequence[str] | None = None,
        seed: int = 0,
    ) -> Self:
        """Learn from examples, class -> numbers of objects, such as ``{"round": [3, 8], "long": [5, 12]}``.

        Raises
        ------
        PredictionError
            Fewer than two classes, an object that is not there or is in two of them, no such measure.
        """
        given = _checked(table, examples)
        names = [name for name in table if name not in PLACES] if measures is None else list(measures)
        for name in names:
            if name not in table:
                raise PredictionError(unknown("measure", shown(name), list(table)))
        values = table.loc[list(given), names].to_numpy(np.float64)
        told = [bool((np.isfinite(column).any()) and np.nanmax(column) > np.nanmin(column)) for column in values.T]
        if not any(told):
            raise PredictionError("no measure tells the examples apart; name other ones with measures=")
        kept = tuple(name for name, tells in zip(names, told, strict=True) if tells)
        return cls(kept, values[:, told], tuple(given.values()), whole("seed", seed, 0, error=PredictionError))

    @property
    def classes(self) -> list[str]:
        """Names of the classes, by the alphabet."""
        return sorted(set(self.names))

    @cached_property
    def _forest(self) -> Any:
        return grow_forest(self._filled(self.values), self.names, self.seed)

    def classify(self, table: DataFrame) -> DataFrame:
        """``class`` and ``probability`` (the share of trees that say so) of every row of a table with its measures."""
        import pandas as pd

        for name in self.measures:
            if name not in table:
                raise PredictionError(unknown("measure", name, list(table)))
        values = self._filled(table[list(self.measures)].to_numpy(np.float64))
        classes = np.asarray(self._forest.classes_)
        shares = self._forest.predict_proba(values) if len(values) else np.zeros((0, len(classes)))
        best = shares.argmax(axis=1) if len(values) else np.zeros(0, int)
        return pd.DataFrame({"class": classes[best], "probability": shares.max(axis=1, initial=0)}, index=table.index)

    @cached_property
    def agreement(self) -> ExampleAgreement:
        """How many examples get their class when they are left out in turn: honest as far as examples can be."""
        names, counts = np.unique(self.names, return_counts=True)
        folds = min(_FOLDS, int(counts.min()))
        if folds < 2:
            return ExampleAgreement()
        truth = np.asarray(self.names)
        turn = np.zeros(len(truth), int)
        rng = np.random.default_rng(self.seed)
        for name in names:  # of each class as many in every turn
            own = rng.permutation(np.flatnonzero(truth == name))
            turn[own] = np.arange(len(own)) % folds
        values, found = self._filled(self.values), truth.copy()
        for fold in range(folds):
            out = turn == fold
            found[out] = grow_forest(values[~out], truth[~out], self.seed).predict(values[out])
        right = found == truth
        per_class = {str(name): (int(right[truth == name].sum()), int((truth == name).sum())) for name in names}
        return ExampleAgreement(
            right=int(right.sum()),
            n=len(truth),
            interval=wilson(int(right.sum()), len(truth)),
            per_class=per_class,
        )

    def _filled(self, values: np.ndarray) -> np.ndarray:
        """What is missing is as usual among the examples."""
        finite = np.where(np.isfinite(self.values), self.values, np.nan)
        usual = np.array([np.nanmedian(column) if np.isfinite(column).any() else 0.0 for column in finite.T])
        return np.where(np.isfinite(values), values, usual)

    def save(self, path: str | Path) -> Path:
        """Keep it as ``.json``. Raises PredictionError."""
        target = path_of(path, error=PredictionError)
        if target.suffix.lower() != ".json":
            raise PredictionError(f"{target} must end in .json")
        target.parent.mkdir(parents=True, exist_ok=True)
        values = [[None if not math.isfinite(one) else one for one in row] for row in self.values.tolist()]
        about = {"v": 1, "kind": "object classifier", "seed": self.seed, "measures": list(self.measures)}
        replace_json(target, about | {"names": list(self.names), "values": values})
        return target

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Open one that was kept. Raises PredictionError where it is none."""
        source = path_of(path, error=PredictionError)
        try:
            if source.stat().st_size > _MOST_BYTES:
                raise PredictionError(f"{source} is too large to be a classifier of objects")
            found = json.loads(read_plain(source))
            if found["kind"] != "object classifier" or found["v"] != 1:
                raise ValueError("it says that it is something else")
            measures, names = tuple(map(str, found["measures"])), tuple(map(str, found["names"]))
            values = np.array([[np.nan if one is None else float(one) for one in row] for row in found["values"]])
            if not measures or len(set(names)) < 2 or values.shape != (len(names), len(measures)):
                raise ValueError("its examples are not whole")
            return cls(measures, values, names, int(found["seed"]))
        except FileNotFoundError:
            raise PredictionError(f"there is no classifier of objects at {source}") from None
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            if isinstance(error, PredictionError):
                raise
            raise PredictionError(f"{source} is no classifier of objects, or is damaged: {error}") from error

    def __repr__(self) -> str:
        classes = ", ".join(f"{name} ({self.names.count(name)})" for name in self.classes)
        return (
            f"<ObjectClassifier {classes} by {', '.join(self.measures[:4])}{', …' if len(self.measures) > 4 else ''}>"
        )


def wilson(right: int, n: int) -> tuple[float, float]:
    """The 90 % interval of a share (Wilson 1927)."""
    share, z2 = right / n, _Z**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def _checked(table: DataFrame, examples: Mapping[str, Sequence[int]]) -> dict[int, str]:
    """Object -> class of every example. Raises PredictionError."""
    if not isinstance(examples, Mapping) or len(examples) < 2:
        raise PredictionError('examples= names two classes or more: {"round": [3, 8], "long": [5, 12]}')
    given: dict[int, str] = {}
    for name, ids in examples.items():
        listed = [whole("object", one, error=PredictionError) for one in as_list(str(name), ids, error=PredictionError)]
        if not listed:
            raise PredictionError(f"class {name!r} has no example; click a few objects of it")
        for number in listed:
            if number not in table.index:
                raise PredictionError(f"there is no object {number}, an example of {name!r}")
            if given.get(number, str(name)) != str(name):
                raise PredictionError(f"object {number} is an example of {given[number]!r} and of {name!r}")
            given[number] = str(name)
    return given
