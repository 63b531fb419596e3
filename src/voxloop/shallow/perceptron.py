"""A small perceptron: fitted, and applied to rows or to the levels of a pyramid. Pure: numpy alone.

Written out because the loop waits for it: scikit-learn's ``MLPClassifier`` reaches the same IoU, but takes three to
four times as long for the 150 steps between two strokes (260 ms against 60 to 90), and 2.5 s and 120 MB to import
before the first overlay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import numpy as np

from voxloop.shallow.features import FeatureBank

#: rows of one optimiser step; fewer cost more Python, more learn less a pass
BATCH = 256
#: rows that a pass shows at least, some again and again: few strokes would otherwise teach in a handful of steps
LEAST = 4096
#: features are of intensities around one; what varies by less than this is noise of rounding, and is not blown up
NOISE = 1e-4
#: decay rates of Adam's two moments, and what keeps it from dividing by nothing (Kingma and Ba 2015)
_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class Perceptron:
    """Dense layers with rectifiers between them and a softmax at the end; standardisation is part of the first.

    ``weights`` are (inputs, outputs) and ``biases`` (outputs,) float32, one pair a layer.
    """

    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]

    @property
    def classes(self) -> int:
        return self.biases[-1].size

    def rows(self, features: np.ndarray) -> np.ndarray:
        """(n, features) float32 to probabilities (n, classes) float32."""
        return self._above_first(features @ self.weights[0] + self.biases[0], axis=1)

    def levels(self, bank: FeatureBank, levels: list[np.ndarray]) -> np.ndarray:
        """What :meth:`FeatureBank.pyramid` made to probabilities (classes, z, y, x) float32.

        Interpolation is linear and so is the first layer: it is applied on every level at its own resolution, and its
        few outputs are interpolated instead of all the features.
        """
        first = self.weights[0]
        stop = first.shape[0]
        total: np.ndarray | None = None
        for level in range(len(levels) - 1, -1, -1):
            values = levels[level]
            start = stop - values.shape[0]
            cells = values.shape[1:]  # a level without a scale has cells and no features
            part = (first[start:stop].T @ values.reshape(len(values), prod(cells))).reshape(-1, *cells)
            # a constant passes through interpolation unchanged, and is cheapest to add where there are fewest cells
            part += total if total is not None else self.biases[0][:, None, None, None]
            total, stop = part, start
            if level:
                total = bank.refine(total, level)
        assert total is not None  # a bank has at least one level
        return self._above_first(total.reshape(total.shape[0], -1), axis=0).reshape(-1, *total.shape[1:])

    def _above_first(self, hidden: np.ndarray, axis: int) -> np.ndarray:
        for weights, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            np.maximum(hidden, 0, out=hidden)
            hidden = hidden @ weights if axis == 1 else weights.T @ hidden
            hidden += bias if axis == 1 else bias[:, None]
        return _softmax(hidden, axis)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a perceptron is fitted: widths of its hidden layers, passes over the rows, Adam's step, L2 penalty, seed."""

    hidden: tuple[int, ...]
    passes: int
    rate: float
    decay: float
    balanced: bool
    seed: int


def fit_perceptron(
    features: np.ndarray,
    targets: np.ndarray,
    recipe: Recipe,
    after_pass: Callable[[int, Perceptron], bool] = lambda number, network: True,
) -> Perceptron:
    """Fit to (n, features) float32 rows by Adam on the cross entropy.

    ``targets`` are classes (n,) 0, 1, ... or, where they are not known for sure, their probabilities (n, classes);
    of these none is balanced. ``after_pass(number, network)`` follows every pass and ends the fit by returning False.
    The same arguments give the same network bit for bit, on one machine and with one BLAS thread.
    """
    rng = np.random.default_rng(recipe.seed)
    mean, gain = features.mean(axis=0), _gain(features.std(axis=0))
    rows = ((features - mean) * gain).astype(np.float32)
    soft = targets if targets.ndim == 2 else np.eye(int(targets.max()) + 1, dtype=np.float32)[targets]
    layers = _Layers([features.shape[1], *recipe.hidden, soft.shape[1]], rng)
    network = layers.network(mean, gain)
    for number in range(1, recipe.passes + 1):
        for picks in _batches(targets, recipe.balanced and targets.ndim == 1, rng):
            layers.step(rows[picks], soft[picks], recipe.rate, recipe.decay)
        network = layers.network(mean, gain)
        if not after_pass(number, network):
            break
    return network


class _Layers:
    """Weights under way, as views of one vector: Adam then costs five operations a step, not five a layer."""

    def __init__(self, widths: list[int], rng: np.random.Generator) -> None:
        shapes = list(pairwise(widths))
        size = sum((inputs + 1) * outputs for inputs, outputs in shapes)
        self._values, self._slope, self._first, self._second = (np.zeros(size, dtype=np.float32) for _ in range(4))
        self._weights, self._biases = _views(self._values, shapes)
        self._weight_slopes, self._bias_slopes = _views(self._slope, shapes)
        for weights in self._weights:
            limit = np.sqrt(6 / sum(weights.shape))  # Glorot and Bengio 2010
            weights[:] = rng.uniform(-limit, limit, weights.shape)
        self._steps = 0

    def step(self, rows: np.ndarray, targets: np.ndarray, rate: float, decay: float) -> None:
        """One step of Adam down the cross entropy of a batch, penalised by ``decay / 2n`` times the squared weights."""
        seen = [rows]
        for weights, bias in zip(self._weights[:-1], self._biases[:-1], strict=True):
            hidden = seen[-1] @ weights
            hidden += bias
            seen.append(np.maximum(hidden, 0, out=hidden))
        error = _softmax(seen[-1] @ self._weights[-1] + self._biases[-1], axis=1)
        error -= targets
        error /= len(targets)
        for layer in range(len(self._weights) - 1, -1, -1):
            weights, slope = self._weights[layer], self._weight_slopes[layer]
            np.matmul(seen[layer].T, error, out=slope)
            slope += np.float32(decay / len(targets)) * weights
            error.sum(axis=0, out=self._bias_slopes[layer])
            if layer:
                error = error @ weights.T
                error *= seen[layer] > 0
        self._descend(rate)

    def network(self, mean: np.ndarray, gain: np.ndarray) -> Perceptron:
        """The layers so far, with the standardisation folded into the first."""
        first = self._weights[0] * gain[:, None]
        bias = self._biases[0] - mean @ first
        weights = [first, *self._weights[1:]]
        biases = [bias, *self._biases[1:]]
        return Perceptron(tuple(w.astype(np.float32) for w in weights), tuple(b.astype(np.float32) for b in biases))

    def _descend(self, rate: float) -> None:
        self._steps += 1
        self._first += np.float32(1 - _FIRST) * (self._slope - self._first)
        self._second += np.float32(1 - _SECOND) * (self._slope**2 - self._second)
        corrected = rate * np.sqrt(1 - _SECOND**self._steps) / (1 - _FIRST**self._steps)
        self._values -= np.float32(corrected) * self._first / (np.sqrt(self._second) + np.float32(_TINY))


def _views(vector: np.ndarray, shapes: list[tuple[int, int]]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    weights, biases, at = [], [], 0
    for inputs, outputs in shapes:
        weights.append(vector[at : at + inputs * outputs].reshape(inputs, outputs))
        at += inputs * outputs
        biases.append(vector[at : at + outputs])
        at += outputs
    return weights, biases


def _gain(spread: np.ndarray) -> np.ndarray:
    """What standardises features of this spread; towards nothing where it is noise: a constant one has no say."""
    return np.asarray(spread / (spread**2 + NOISE**2))


def _batches(targets: np.ndarray, balanced: bool, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Indices of one pass in random order; balanced: every class as often as the most frequent one."""
    order = rng.permutation(len(targets))
    if balanced:
        own = [order[targets[order] == value] for value in range(int(targets.max()) + 1)]
        most = max(map(len, own))
        order = rng.permutation(np.concatenate([np.resize(one, most) for one in own if len(one)]))
    if len(order) < LEAST:
        order = rng.permutation(np.resize(order, LEAST))
    for start in range(0, order.size, BATCH):
        yield order[start : start + BATCH]


def _softmax(scores: np.ndarray, axis: int) -> np.ndarray:
    """In place."""
    scores -= scores.max(axis=axis, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=axis, keepdims=True)
    return scores
