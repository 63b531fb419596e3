"""Neighbours agree where they are alike, each kind in its own way, and the same however a volume is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from texture import CLASSES, SPACING, accuracy, strokes, textured

from voxloop.config import ShallowConfig
from voxloop.config.base import settings_of
from voxloop.errors import ModelError
from voxloop.geometry import Box
from voxloop.model import load_model
from voxloop.shallow.features import FeatureBank
from voxloop.shallow.fitting import fit
from voxloop.shallow.lattice import Lattice, choose_compared
from voxloop.shallow.neighbours import contacts
from voxloop.shallow.refinement import Refinement, mean_field
from voxloop.shallow.supervoxels import grid_for
from voxloop.supervoxels.slic import slic

QUICK = {
    "scales": 2,
    "samples": 1500,
    "context": 0,
    "dimensions": "2d",
    "trees": 8,
    "validation": 0,
    "smoothing": 0,
    "supervoxel_size": 4,
    "classifier": "forest",
}
KINDS = ["potts", "appearance", "edge"]


@given(strength=st.floats(0, 4), classes=st.integers(2, 4), seed=st.integers(0, 99))
def test_unanimous_neighbours_multiply_the_odds_as_the_help_says(strength, classes, seed):
    own = np.random.default_rng(seed).dirichlet(np.ones(classes)).astype(np.float32)[:, None]
    agreed = np.eye(classes, dtype=np.float32)[:, :1]
    found = mean_field(own, lambda values: agreed, strength, 1)
    wanted = np.maximum(own, 1e-6) * np.exp(strength * agreed)
    np.testing.assert_allclose(found, wanted / wanted.sum(), atol=1e-5)


def test_nothing_changes_without_strength_and_probabilities_stay_some():
    own = np.random.default_rng(0).dirichlet(np.ones(3), 50).T.astype(np.float32)
    found = mean_field(own, lambda values: np.roll(values, 1, axis=1), 0.0, 5)
    np.testing.assert_allclose(found, own, atol=1e-5)
    found = mean_field(own, lambda values: np.roll(values, 1, axis=1), 9.0, 5)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)


def lattice(kind, strength=3.0, planar=True, contrast=0.05):
    bank = FeatureBank(1, (1.0, 1.0, 1.0), (1.0,), 2 if planar else 3, kinds=("gaussian", "gradient"))
    usual = () if kind == "potts" else (contrast,) * choose_compared(bank, kind).count
    return Lattice(bank, Refinement(kind, strength, usual))


def doubtful(shape=(1, 40, 40), seed=0):
    """A bright half and a dark one, and probabilities that are mostly right, with a tenth of the voxels astray."""
    rng = np.random.default_rng(seed)
    truth = np.broadcast_to(np.arange(shape[2]) < 17, shape)
    astray = rng.random(shape) < 0.1
    first = np.where(truth ^ astray, 0.8, 0.2).astype(np.float32)
    block = np.where(truth, 1.0, -1.0).astype(np.float32)[None] + 0.05 * rng.normal(size=shape).astype(np.float32)
    return truth, np.stack([first, 1 - first]), block


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("planar", [True, False])
def test_voxels_astray_are_set_right(kind, planar):
    truth, given_, block = doubtful((1, 40, 40) if planar else (12, 24, 28))
    found = lattice(kind, planar=planar).refine(given_, block, Box.whole(truth.shape))
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)
    assert ((given_[0] > 0.5) == truth).mean() < 0.92
    assert ((found[0] > 0.5) == truth).mean() > 0.98


def thin():
    """A bright line one voxel wide in dark ground; probabilities lean the right way, but little."""
    truth = np.zeros((1, 40, 40), bool)
    truth[0, :, 20] = True
    block = np.where(truth, 1.0, -1.0).astype(np.float32)[None]
    first = np.where(truth, 0.6, 0.1).astype(np.float32)
    return truth, np.stack([first, 1 - first]), block


def test_an_edge_protects_what_all_neighbours_alike_would_wipe_out():
    """Edges are looked at in the image: the two must not come to the same."""
    truth, given_, block = thin()
    alike = lattice("potts").refine(given_, block, Box.whole(truth.shape))[0] > 0.5
    edges = lattice("edge", contrast=0.01).refine(given_, block, Box.whole(truth.shape))[0] > 0.5
    looks = lattice("appearance", contrast=0.01).refine(given_, block, Box.whole(truth.shape))[0] > 0.5
    assert not alike[truth].any()
    assert edges[truth].all()
    assert looks[truth].mean() > 0.9


def test_neighbours_across_thick_slices_count_less():
    given_ = np.full((2, 3, 1, 1), 0.5, np.float32)
    given_[:, 0, 0, 0] = 1, 0
    given_[:, 2, 0, 0] = 1, 0
    near, far = (
        Lattice(FeatureBank(1, (thick, 1.0, 1.0), (1.0,), 3), Refinement("potts", 1.0)).refine(
            np.repeat(np.repeat(given_, 5, axis=2), 5, axis=3),
            np.zeros((1, 3, 5, 5), np.float32),
            Box.whole((3, 5, 5)),
        )
        for thick in (1.0, 10.0)
    )
    assert 0.5 < far[0, 1, 2, 2] < near[0, 1, 2, 2]


def cut_in_two(kind, contrast=0.3):
    """A graph of supervoxels across an edge, each sure of its half but for some astray."""
    grid = grid_for(4, (1.0, 1.0, 1.0), (1, 1, 1), planar=True)
    truth, _, block = doubtful((1, 64, 64))
    labels = slic(block, grid, 10.0)
    size = int(np.prod(grid.shape(labels.shape)))
    share = np.bincount(labels.ravel(), truth.ravel(), size) / np.maximum(
        np.bincount(labels.ravel(), minlength=size), 1
    )
    side = share > 0.5
    rows = np.where(side, 1.0, -1.0)[:, None].astype(np.float32)
    touching = contacts(block, labels, grid)
    return side, rows, touching, Refinement(kind, 3.0, () if kind == "potts" else (contrast,))


@pytest.mark.parametrize("kind", KINDS)
def test_supervoxels_astray_are_set_right(kind):
    side, rows, touching, refinement = cut_in_two(kind)
    astray = np.random.default_rng(0).random(side.size) < 0.1
    first = np.where(side ^ astray, 0.8, 0.2).astype(np.float32)
    found = refinement.of_supervoxels(np.stack([first, 1 - first], axis=1), touching, rows)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert astray.mean() > 0.08
    assert ((found[:, 0] > 0.5) == side).mean() > 0.96


def test_weights_of_supervoxels_fall_across_the_edge_and_only_where_they_should():
    _, rows, touching, potts = cut_in_two("potts")
    across = {"potts": [], "appearance": [], "edge": []}
    within = {"potts": [], "appearance": [], "edge": []}
    for kind in KINDS:
        weights = cut_in_two(kind)[3].between(touching, rows)
        for number, there, theirs in touching.neighbours(rows):
            other = theirs[:, 0] != rows[:, 0]
            across[kind] += list(weights[number, there & other])
            within[kind] += list(weights[number, there & ~other])
    assert set(across["potts"]) == set(within["potts"]) == {1.0}
    for kind in ("appearance", "edge"):
        assert np.mean(across[kind]) < 0.1 < 0.9 < np.mean(within[kind])
    assert potts.contrast == ()


@pytest.mark.parametrize("unit", ["voxels", "supervoxels"])
@pytest.mark.parametrize("kind", KINDS)
def test_tiled_equals_whole_and_a_model_on_disk_is_the_same(kind, unit, tmp_path):
    image, truth = textured((2, 288, 240))
    config = ShallowConfig(**QUICK, unit=unit, refine=kind, refine_strength=1.5)
    model = fit(config, [(image, strokes(truth, planes=(1,)))], SPACING, CLASSES)
    whole = model.predict(image[None])
    np.testing.assert_allclose(whole.sum(axis=0), 1, atol=1e-4)
    core = Box((1, 130, 109), (2, 161, 134))
    outer = core.grow(model.spec.halo).aligned(model.spec.stride).clip(image.shape)
    assert outer.start[1] > 0
    inner = core.within(outer)
    with model.open(threads=1) as predictor:
        part = predictor(image[outer.slices][None, None])[0][:, *inner.slices]
        region = predictor.region(image[outer.slices][None], inner)
    np.testing.assert_allclose(part, whole[:, *core.slices], atol=1e-3)
    np.testing.assert_allclose(region, whole[:, *core.slices], atol=1e-3)
    loaded = load_model(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict(image[outer.slices][None]), model.predict(image[outer.slices][None]))


@pytest.mark.parametrize("unit", ["voxels", "supervoxels"])
def test_refined_it_is_no_worse_and_kinds_and_strength_are_in_the_hash(unit):
    image, truth = textured()
    fresh, wanted = textured((2, 96, 96), seed=5)
    hashes, right = set(), {}
    for kind, strength in (("none", 2.0), ("potts", 2.0), ("potts", 1.0), ("appearance", 2.0), ("edge", 2.0)):
        config = ShallowConfig(**QUICK, unit=unit, refine=kind, refine_strength=strength)
        model = fit(config, [(image, strokes(truth))], SPACING, CLASSES)
        hashes.add(model.spec.hash)
        right[kind, strength] = accuracy(model.predict(fresh[None]), wanted)
    assert len(hashes) == 5
    assert min(right.values()) > right["none", 2.0] - 0.01


def test_a_spec_that_says_nothing_of_use_is_refused():
    image, truth = textured()
    model = fit(ShallowConfig(**QUICK, refine="potts"), [(image, strokes(truth))], SPACING)
    model.spec.extra["refine"] = {"kind": "potts"}
    with pytest.raises(ModelError, match="how it refines"):
        _ = model.refinement


def test_the_strength_is_shown_where_something_is_refined():
    found = {s.name: s for s in settings_of(ShallowConfig)}["refine_strength"]
    assert not found.matters(ShallowConfig())
    assert found.matters(ShallowConfig(refine="edge"))
