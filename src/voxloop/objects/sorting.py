"""Objects put into kinds by their measures: clusters that nobody named, and forests for classes that were shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import PredictionError, unknown
from voxloop.given import shown
from voxloop.store.values import whole

if TYPE_CHECKING:
    from pandas import DataFrame, Series

METHODS = ("kmeans", "hdbscan")
#: columns that say where an object lies, not what it is like
PLACES = (
    "z_um", "y_um", "x_um", "z_from", "z_to", "y_from", "y_to", "x_from", "x_to", "touches_edge", "axis_1_z",
    "axis_1_y", "axis_1_x",
)  # fmt: skip
_TREES = 200


def cluster(
    table: DataFrame, n: int = 2, method: str = "kmeans", measures: Sequence[str] | None = None, seed: int = 0
) -> Series:
    """Kinds of objects, from 1, the one with most objects first; 0: of none (HDBSCAN alone).

    Parameters
    ----------
    table
        Measures, one row an object.
    n
        Kinds of k-means; of HDBSCAN the fewest objects of a kind.
    measures
        Columns that count, each as much as another; None: all but places.

    Raises
    ------
    PredictionError
        Too few objects, no such method or measure.
    """
    import pandas as pd

    if not isinstance(method, str) or method not in METHODS:
        raise PredictionError(unknown("method", shown(method), METHODS))
    n = whole("n", n, 2, error=PredictionError)
    values = standardised(table, measures)
    if len(values) < n:
        raise PredictionError(f"{len(values)} objects are too few for n={n}")
    if method == "kmeans":
        from sklearn.cluster import KMeans

        found = KMeans(n, n_init=4, random_state=whole("seed", seed, 0, error=PredictionError)).fit_predict(values)
    else:
        from sklearn.cluster import HDBSCAN

        found = HDBSCAN(min_cluster_size=n, copy=True).fit_predict(values)
    kinds, counts = np.unique(found[found >= 0], return_counts=True)
    names = np.zeros(int(found.max(initial=0)) + 2, np.int64)
    names[kinds[np.argsort(-counts, kind="stable")]] = np.arange(1, len(kinds) + 1)
    return pd.Series(np.where(found < 0, 0, names[found]), index=table.index, name="kind")


def grow_forest(values: np.ndarray, names: Sequence[str], seed: int) -> Any:
    """A forest that tells names apart by measures: the same one for the same examples and seed."""
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(_TREES, class_weight="balanced", random_state=seed, n_jobs=1)
    return forest.fit(values, list(names))


def standardised(table: DataFrame, measures: Sequence[str] | None = None) -> np.ndarray:
    """Measures with mean 0 and spread 1; what is missing is as usual; columns that tell nothing are left out."""
    names = [name for name in table if name not in PLACES] if measures is None else list(measures)
    for name in names:
        if name not in table:
            raise PredictionError(unknown("measure", shown(name), list(table)))
    values = table[names].to_numpy(np.float64)
    values = np.where(np.isfinite(values), values, np.nan)
    with np.errstate(all="ignore"):
        usual = np.array([np.nanmedian(column) if np.isfinite(column).any() else 0.0 for column in values.T])
    values = np.where(np.isnan(values), usual, values)
    spread = values.std(axis=0)
    tells = spread > 1e-12 * np.maximum(1.0, np.abs(values).max(axis=0, initial=0))
    if not tells.any():
        raise PredictionError("no measure tells the objects apart; name other ones with measures=")
    # rounded, so that clusters are not looked for in the last bits of equal objects
    return np.asarray(np.round((values[:, tells] - values[:, tells].mean(axis=0)) / spread[tells], 9))
