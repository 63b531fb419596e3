"""Fit a classifier to rows of features, and apply it to them. Knows scikit-learn; no images, no files, no runs.

Which classifier: measured on FIB-SEM mitochondria (strokes on 5 of 32 slices, IoU on slices far from them, 40 planar
features, two draws of strokes), with seconds of one core for 4.5 Mvoxels of prediction:

    extra trees 20 x depth 8     0.39 0.40    6.5 s
    extra trees 32 x depth 14    0.48 0.45   12   s
    perceptron 32-16             0.58 0.46    2.2 s, 1 s with the first layer folded into the pyramid (below)

and the perceptron draws level with the deep trees on features through the stack (0.62 0.59 both). Distilling the
forest into the perceptron would cost a second fit for what the direct fit reaches already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from voxloop.config.shallow import ShallowConfig
from voxloop.shallow.features import FeatureBank

BATCH = 256


class Classifier(Protocol):
    """Probabilities of classes from features, in the order of the classes fitted."""

    @property
    def classes(self) -> int: ...

    def rows(self, features: np.ndarray) -> np.ndarray:
        """(n, features) float32 to (n, classes) float32."""
        ...

    def levels(self, bank: FeatureBank, levels: list[np.ndarray]) -> np.ndarray:
        """What :meth:`FeatureBank.pyramid` made to (classes, z, y, x) float32."""
        ...


@dataclass(frozen=True)
class Perceptron:
    """Dense layers with rectifiers between them and a softmax at the end; standardisation is part of the first."""

    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]

    @property
    def classes(self) -> int:
        return self.biases[-1].size

    def rows(self, features: np.ndarray) -> np.ndarray:
        return self._above_first(features @ self.weights[0] + self.biases[0], axis=1)

    def levels(self, bank: FeatureBank, levels: list[np.ndarray]) -> np.ndarray:
        """Interpolation is linear and so is the first layer: it is applied on every level at its own resolution, and
        its few outputs are interpolated instead of all the features."""
        first = self.weights[0]
        stop = first.shape[0]
        total: np.ndarray | None = None
        for level in range(len(levels) - 1, -1, -1):
            values = levels[level]
            start = stop - values.shape[0]
            part = (first[start:stop].T @ values.reshape(values.shape[0], -1)).reshape(-1, *values.shape[1:])
            # a constant passes through interpolation unchanged, and is cheapest to add where there are fewest cells
            part += total if total is not None else self.biases[0][:, None, None, None]
            total, stop = part, start
            if level:
                total = bank.refine(total, level)
        assert total is not None
        return self._above_first(total.reshape(total.shape[0], -1), axis=0).reshape(-1, *total.shape[1:])

    def _above_first(self, hidden: np.ndarray, axis: int) -> np.ndarray:
        for weights, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            np.maximum(hidden, 0, out=hidden)
            hidden = hidden @ weights if axis == 1 else weights.T @ hidden
            hidden += bias if axis == 1 else bias[:, None]
        hidden -= hidden.max(axis=axis, keepdims=True)
        np.exp(hidden, out=hidden)
        hidden /= hidden.sum(axis=axis, keepdims=True)
        return hidden


@dataclass(frozen=True)
class Forest:
    """A fitted scikit-learn tree ensemble."""

    estimator: Any

    @property
    def classes(self) -> int:
        return len(self.estimator.classes_)

    def rows(self, features: np.ndarray) -> np.ndarray:
        return np.asarray(self.estimator.predict_proba(features), dtype=np.float32)

    def levels(self, bank: FeatureBank, levels: list[np.ndarray]) -> np.ndarray:
        features = bank.merge(levels)
        rows = self.rows(np.ascontiguousarray(features.reshape(features.shape[0], -1).T))
        return np.ascontiguousarray(rows.T).reshape(-1, *features.shape[1:])


#: called after every pass over the samples with its number (from 1) and the classifier so far; False ends the fit
AfterPass = Callable[[int, "Classifier"], bool]


def prepare() -> None:
    """Import what fitting needs, which takes longer than fitting: for a thread that has time before it is asked."""
    import sklearn.neural_network  # noqa: F401


def fit_classifier(
    features: np.ndarray,
    targets: np.ndarray,
    config: ShallowConfig,
    threads: int = 1,
    after_pass: AfterPass = lambda number, classifier: True,
) -> Classifier:
    """Fit ``config.classifier`` to (n, features) float32 rows with ``targets`` 0, 1, ... (every one present)."""
    if config.classifier == "forest":
        forest = _fit_forest(features, targets, config, threads)
        after_pass(1, forest)
        return forest
    return _fit_perceptron(features, targets, config, after_pass)


def _fit_forest(features: np.ndarray, targets: np.ndarray, config: ShallowConfig, threads: int) -> Forest:
    from sklearn.ensemble import ExtraTreesClassifier

    estimator = ExtraTreesClassifier(
        n_estimators=config.trees,
        max_depth=config.depth,
        min_samples_leaf=config.leaf,
        class_weight="balanced" if config.class_weights == "balanced" else None,
        random_state=config.seed,
        n_jobs=threads,
    ).fit(features, targets)
    # trees must not start threads of their own where a predictor runs several tiles at once
    return Forest(estimator.set_params(n_jobs=1))


def _fit_perceptron(
    features: np.ndarray, targets: np.ndarray, config: ShallowConfig, after_pass: AfterPass
) -> Perceptron:
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(config.seed)
    mean, spread = features.mean(axis=0), features.std(axis=0)
    spread[spread < 1e-6] = 1  # a constant feature tells nothing
    rows = ((features - mean) / spread).astype(np.float32)
    balanced = config.class_weights == "balanced"
    estimator = MLPClassifier(
        hidden_layer_sizes=config.hidden,
        alpha=config.decay,
        batch_size=min(BATCH, targets.size),
        learning_rate_init=config.learning_rate,
        random_state=config.seed,
    )
    classes = np.arange(targets.max() + 1)
    for number in range(1, config.passes + 1):
        order = _balanced(targets, rng) if balanced else rng.permutation(targets.size)
        estimator.partial_fit(rows[order], targets[order], classes=classes)
        if not after_pass(number, fitted := _perceptron(estimator, mean, spread)):
            break
    return fitted


def _balanced(targets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Indices in random order in which every class is as frequent as the most frequent one."""
    counts = np.bincount(targets)
    picks = []
    for value, count in enumerate(counts):
        own = rng.permutation(np.flatnonzero(targets == value))
        picks.append(np.resize(own, counts.max()) if count else own)
    return rng.permutation(np.concatenate(picks))


def _perceptron(estimator: Any, mean: np.ndarray, spread: np.ndarray) -> Perceptron:
    weights = [np.asarray(w, dtype=np.float64) for w in estimator.coefs_]
    biases = [np.asarray(b, dtype=np.float64) for b in estimator.intercepts_]
    biases[0] = biases[0] - (mean / spread) @ weights[0]
    weights[0] = weights[0] / spread[:, None]
    if estimator.out_activation_ == "logistic":  # two classes share one output there; the softmax needs both
        weights[-1] = np.concatenate([np.zeros_like(weights[-1]), weights[-1]], axis=1)
        biases[-1] = np.concatenate([np.zeros_like(biases[-1]), biases[-1]])
    as_float32 = [tuple(np.ascontiguousarray(a, dtype=np.float32) for a in arrays) for arrays in (weights, biases)]
    return Perceptron(as_float32[0], as_float32[1])
