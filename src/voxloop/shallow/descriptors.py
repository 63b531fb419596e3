"""What a supervoxel is like, from the features of its voxels. Knows no images, no classifier.

Means and histograms are those of Lucchi et al. (2012) and Luengo et al. (2017); covariances are region covariances
(Tuzel et al. 2006), and sigma sets their square roots beside the mean (Hong et al. 2009); textons are the nearest of a
few typical feature vectors (Leung and Malik 2001).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

Kind = Literal["mean", "mean and deviation", "quantised", "textons", "covariance", "sigma set"]
#: added to variances of a sigma set, in squared units of normalised intensity, so that roots exist
_TINY = 1e-4
#: rows that typical values are found from
_LEARNT_FROM = 5000
#: supervoxels whose covariances are taken apart at once
_AT_ONCE = 4096


@dataclass(frozen=True)
class Descriptor:
    """One kind of summary of ``features`` features.

    Attributes
    ----------
    vocabulary : of the quantised one, lowest and highest value of every feature (2, features); of textons, typical
        feature vectors (bins, features); None of the others.
    """

    kind: Kind
    features: int
    bins: int = 10
    vocabulary: tuple[tuple[float, ...], ...] | None = None

    @cached_property
    def count(self) -> int:
        """Numbers that describe one supervoxel."""
        pairs = self.features * (self.features + 1) // 2
        return {
            "mean": self.features,
            "mean and deviation": 2 * self.features,
            "quantised": self.features * self.bins,
            "textons": self.bins,
            "covariance": pairs,
            "sigma set": self.features + pairs,
        }[self.kind]

    @property
    def sums(self) -> int:
        """Numbers that are added up over the voxels of one supervoxel."""
        pairs = self.features * (self.features + 1) // 2
        return {
            "mean": self.features,
            "mean and deviation": 2 * self.features,
            "quantised": self.features * self.bins,
            "textons": self.bins,
            "covariance": self.features + pairs,
            "sigma set": self.features + pairs,
        }[self.kind]

    def add_up(self, rows: np.ndarray, owners: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sums over rows of one owner.

        Parameters
        ----------
        rows
            Features of voxels (n, features) float32.
        owners
            The supervoxel of each (n,).

        Returns
        -------
        The owners (m,), how many rows each has (m,), and its sums (m, sums) float64.
        """
        order = np.argsort(owners, kind="stable")
        ranked = owners[order]
        starts = np.flatnonzero(np.diff(ranked, prepend=-1))
        return ranked[starts], np.diff(starts, append=len(ranked)), _SUMS[self.kind](self, rows[order], starts)

    def of(self, counts: np.ndarray, sums: np.ndarray) -> np.ndarray:
        """Descriptors (m, count) float32 from row counts (m,) and sums (m, sums); zeros where there is no row."""
        means: np.ndarray = sums / np.maximum(counts, 1)[:, None]
        if self.kind == "mean and deviation":
            mean, square = np.split(means, 2, axis=1)
            means = np.concatenate([mean, np.sqrt(np.maximum(square - mean**2, 0))], axis=1)
        elif self.kind in ("covariance", "sigma set"):
            parts = np.array_split(means, -(-len(means) // _AT_ONCE))
            means = np.concatenate([self._second_order(part) for part in parts])
        return means.astype(np.float32)

    def _second_order(self, means: np.ndarray) -> np.ndarray:
        size = self.features
        mean, square = means[:, :size], means[:, size:]
        upper = np.triu_indices(size)
        packed: np.ndarray = square - mean[:, upper[0]] * mean[:, upper[1]]
        if self.kind == "covariance":
            return packed
        full = np.zeros((len(means), size, size))
        full[:, upper[0], upper[1]] = full[:, upper[1], upper[0]] = packed
        full[:, range(size), range(size)] += _TINY
        roots = np.sqrt(size) * np.linalg.cholesky(full)
        return np.concatenate([mean, roots[:, upper[1], upper[0]]], axis=1)


def fit_descriptor(kind: Kind, rows: np.ndarray, bins: int, seed: int) -> Descriptor:
    """The descriptor of a kind; its vocabulary, where it has one, from features (n, features) of some voxels."""
    vocabulary = None
    if kind == "quantised":
        vocabulary = np.percentile(rows, (1, 99), axis=0)
    elif kind == "textons":
        from sklearn.cluster import KMeans

        rng = np.random.default_rng(seed)
        rows = rows if len(rows) <= _LEARNT_FROM else rows[rng.choice(len(rows), _LEARNT_FROM, replace=False)]
        words = min(bins, len(np.unique(rows, axis=0)))
        vocabulary, bins = KMeans(words, n_init=1, random_state=seed).fit(rows).cluster_centers_, words
    frozen = None if vocabulary is None else tuple(tuple(map(float, row)) for row in vocabulary)
    return Descriptor(kind, rows.shape[1], bins, frozen)


def needs_vocabulary(kind: Kind) -> bool:
    """Whether features of some voxels must be seen before supervoxels can be described."""
    return kind in ("quantised", "textons")


def _of_values(_: Descriptor, rows: np.ndarray, starts: np.ndarray) -> np.ndarray:
    from scipy.sparse import csr_array  # the live overlay loads this module, and never needs that one

    # a sparse product does what np.add.reduceat does, in a sixth of the time
    ends = np.array([*starts, len(rows)])
    ones = np.ones(len(rows), dtype=rows.dtype)
    return np.asarray(csr_array((ones, np.arange(len(rows)), ends)) @ rows, dtype=np.float64)


def _of_squares(descriptor: Descriptor, rows: np.ndarray, starts: np.ndarray) -> np.ndarray:
    rows = rows.astype(np.float64)  # a small variance is the difference of two large sums
    return np.concatenate([_of_values(descriptor, part, starts) for part in (rows, rows**2)], axis=1)


def _of_products(descriptor: Descriptor, rows: np.ndarray, starts: np.ndarray) -> np.ndarray:
    upper = np.triu_indices(descriptor.features)
    products = np.empty((len(starts), upper[0].size))
    for number, own in enumerate(np.split(rows.astype(np.float64), starts[1:])):
        products[number] = (own.T @ own)[upper]
    return np.concatenate([_of_values(descriptor, rows, starts), products], axis=1)


def _of_bins(descriptor: Descriptor, rows: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Histograms; a value counts for the two nearest bins, so that none hangs on the last digit of a feature."""
    bins = descriptor.bins
    low, high = np.array(descriptor.vocabulary)
    place = np.clip((rows - low) / np.maximum(high - low, 1e-9) * bins - 0.5, 0, bins - 1)
    first = np.minimum(place.astype(np.intp), bins - 2)
    part = place - first
    owner = np.repeat(np.arange(len(starts)), np.diff([*starts, len(rows)])) * bins
    size = len(starts) * bins
    out = np.empty((len(starts), descriptor.features, bins))
    for number in range(descriptor.features):
        at = owner + first[:, number]
        lower = np.bincount(at, 1 - part[:, number], minlength=size)
        upper = np.bincount(at + 1, part[:, number], minlength=size)
        out[:, number] = (lower + upper).reshape(-1, bins)
    return out.reshape(len(starts), -1)


def _of_textons(descriptor: Descriptor, rows: np.ndarray, starts: np.ndarray) -> np.ndarray:
    words = np.array(descriptor.vocabulary, dtype=np.float32)
    # the nearest word has the smallest |word|² - 2 row . word
    nearest = ((words**2).sum(axis=1) - 2 * rows @ words.T).argmin(axis=1)
    owner = np.repeat(np.arange(len(starts)), np.diff([*starts, len(rows)]))
    size = len(starts) * descriptor.bins
    return np.bincount(owner * descriptor.bins + nearest, minlength=size).reshape(-1, descriptor.bins).astype(float)


_SUMS: dict[str, Callable[[Descriptor, np.ndarray, np.ndarray], np.ndarray]] = {
    "mean": _of_values, "mean and deviation": _of_squares, "quantised": _of_bins, "textons": _of_textons,
    "covariance": _of_products, "sigma set": _of_products,
}  # fmt: skip
