"""Descriptors say what numpy says of all the rows at once, however the rows come in parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxloop.shallow.descriptors import fit_descriptor

KINDS = ["mean", "mean and deviation", "quantised", "textons", "covariance", "sigma set"]


def rows(count=200, features=4, seed=0):
    return np.random.default_rng(seed).normal(size=(count, features)).astype(np.float32)


def described(descriptor, features, owners, cuts=()):
    counts, sums = np.zeros(owners.max() + 1), np.zeros((owners.max() + 1, descriptor.sums))
    for part in np.split(np.arange(len(owners)), cuts):
        if part.size:
            found, many, total = descriptor.add_up(features[part], owners[part])
            counts[found] += many
            sums[found] += total
    return descriptor.of(counts, sums)


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 100), cuts=st.lists(st.integers(1, 199), max_size=4))
@settings(max_examples=10, deadline=None)
def test_parts_add_up_to_the_whole(kind, seed, cuts):
    features, owners = rows(seed=seed), np.random.default_rng(seed).integers(0, 6, 200)
    descriptor = fit_descriptor(kind, features, 5, 0)
    whole = described(descriptor, features, owners)
    assert whole.shape == (owners.max() + 1, descriptor.count)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(described(descriptor, features, owners, sorted(cuts)), whole, atol=2e-5)
    alone = described(descriptor, features[owners == 3], np.zeros((owners == 3).sum(), int))
    np.testing.assert_allclose(alone[0], whole[3], atol=2e-5)


def test_each_says_what_it_is_named_after():
    features, owner = rows(), np.zeros(200, int)
    upper = np.triu_indices(4)
    mean, spread, together = features.mean(axis=0), features.std(axis=0), np.cov(features.T, bias=True)

    def of(kind, bins=5):
        return described(fit_descriptor(kind, features, bins, 0), features, owner)[0]

    np.testing.assert_allclose(of("mean"), mean, atol=1e-5)
    np.testing.assert_allclose(of("mean and deviation"), [*mean, *spread], atol=1e-5)
    np.testing.assert_allclose(of("covariance"), together[upper], atol=1e-5)
    sigma = of("sigma set")
    np.testing.assert_allclose(sigma[:4], mean, atol=1e-5)
    root = np.zeros((4, 4))
    root[upper] = sigma[4:]
    np.testing.assert_allclose(root.T @ root / 4, together, atol=1e-3)
    for kind in ("quantised", "textons"):
        shares = of(kind).reshape(-1, 5)
        np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
        assert (shares >= 0).all()


def test_a_histogram_tells_two_peaks_from_one_where_means_cannot():
    two = np.repeat([[-1.0], [1.0]], 50, axis=0).astype(np.float32)
    one = np.zeros((100, 1), np.float32)
    descriptor = fit_descriptor("quantised", two, 4, 0)
    found = described(descriptor, np.concatenate([two, one]), np.repeat([0, 1], 100))
    np.testing.assert_allclose(found[0], [0.5, 0, 0, 0.5], atol=1e-5)
    np.testing.assert_allclose(found[1], [0, 0.5, 0.5, 0], atol=1e-5)


def test_textons_are_the_typical_vectors_and_no_more_than_there_are():
    corners = np.array([[0, 0], [9, 0], [0, 9]], np.float32)
    features = np.repeat(corners, [10, 20, 70], axis=0) + 0.01 * rows(100, 2)
    found = described(fit_descriptor("textons", features, 3, 0), features, np.zeros(100, int))[0]
    np.testing.assert_allclose(np.sort(found), [0.1, 0.2, 0.7], atol=1e-5)
    assert fit_descriptor("textons", np.repeat(corners, 4, axis=0), 10, 0).bins == 3
