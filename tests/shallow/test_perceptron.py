"""The perceptron descends along its true gradient, learns what is not linear, and is the same each time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from voxloop.shallow.perceptron import Recipe, _Layers, fit_perceptron

RECIPE = Recipe(hidden=(16, 8), passes=60, rate=1e-2, decay=1e-3, balanced=True, seed=0)


def rings(count=1500, seed=0):
    """Three classes by distance from the origin, with a constant and a scaled feature beside."""
    points = np.random.default_rng(seed).normal(size=(count, 2))
    radius = np.linalg.norm(points, axis=1)
    features = np.column_stack([points * [1, 1000], np.full(count, 7.0)]).astype(np.float32)
    return features, np.digitize(radius, [0.8, 1.6])


def test_the_slopes_are_those_of_the_penalised_cross_entropy():
    rng = np.random.default_rng(0)
    layers = _Layers([3, 5, 4], rng)
    rows, targets = rng.normal(size=(20, 3)).astype(np.float32), rng.integers(0, 4, 20)

    def cost(values):
        kept = layers._values.copy()
        layers._values[:] = values
        network = layers.network(np.zeros(3), np.ones(3))
        layers._values[:] = kept
        fit = -np.log(network.rows(rows)[np.arange(20), targets]).mean()
        return fit + 0.5 * 2.0 / 20 * sum((w.astype(float) ** 2).sum() for w in network.weights)

    start = layers._values.copy()
    layers.step(rows, np.eye(4, dtype=np.float32)[targets], 0.0, 2.0)
    for index in range(0, start.size, 3):
        nudge = np.zeros_like(start)
        nudge[index] = 3e-3
        slope = (cost(start + nudge) - cost(start - nudge)) / 6e-3
        assert layers._slope[index] == pytest.approx(slope, abs=5e-3)


def test_it_learns_rings_whatever_the_scale_of_its_features():
    network = fit_perceptron(*rings(), RECIPE)
    features, targets = rings(seed=1)
    found = network.rows(features)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert (found.argmax(axis=1) == targets).mean() > 0.93


def test_balanced_it_does_not_overlook_a_rare_class():
    features, targets = rings(4000)
    keep = (targets != 1) | (np.arange(4000) % 60 == 0)
    test, truth = rings(seed=1)
    rare = truth == 1
    found = {
        balanced: fit_perceptron(features[keep], targets[keep], replace(RECIPE, balanced=balanced, passes=20))
        .rows(test)
        .argmax(axis=1)
        for balanced in (True, False)
    }
    assert (found[True][rare] == 1).mean() > (found[False][rare] == 1).mean() + 0.2


def test_it_ends_when_told_and_repeats_itself():
    seen = []
    network = fit_perceptron(*rings(), RECIPE, lambda number, _: seen.append(number) or number < 3)
    assert seen == [1, 2, 3]
    again = fit_perceptron(*rings(), replace(RECIPE, passes=3))
    for one, other in zip(network.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one, other)
