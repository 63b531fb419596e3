"""A supervoxel is told the same however a volume is cut, and learns the class of most of its strokes."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texture import CLASSES, SPACING, accuracy, strokes, textured

from voxloop.config import ShallowConfig
from voxloop.config.base import settings_of
from voxloop.errors import ConfigError, LabelError, ModelError
from voxloop.geometry import Box
from voxloop.model import load_model
from voxloop.shallow.descriptors import Descriptor
from voxloop.shallow.features import FeatureBank
from voxloop.shallow.fitting import fit, fit_examples
from voxloop.shallow.gathering import BlockSource
from voxloop.shallow.perceptron import Perceptron
from voxloop.shallow.pieces import gather_supervoxels
from voxloop.shallow.samples import in_block
from voxloop.shallow.supervoxels import Supervoxels, from_json, to_json
from voxloop.shallow.table import Example

QUICK = {
    "scales": 2,
    "samples": 2000,
    "context": 0,
    "dimensions": "2d",
    "trees": 8,
    "validation": 0,
    "unit": "supervoxels",
    "supervoxel_size": 6,
}
DESCRIPTORS = ["mean", "mean and deviation", "quantised", "textons", "covariance", "sigma set"]


def made(planar, thick=1.0, scales=1, size=3, **known):
    """Supervoxels small enough that tests may hold a volume several halos wide."""
    bank = FeatureBank(
        1, (thick, 1.0, 1.0), (0.5, 2.0, 4.0)[:scales], 2 if planar else 3, kinds=("gaussian", "gradient")
    )
    return Supervoxels(bank, size, 15.0, Descriptor("mean", bank.count), **known)


def outer_of(core, unit, shape):
    """The block that a planner reads for a core: with the halo, out to multiples of the stride."""
    return core.grow(unit.halo).clip(shape).aligned(unit.stride)


@cache
def everything(planar, thick, neighbours, scales):
    """A unit, a block several halos wide, and all of it described at once."""
    unit = made(planar, thick, scales, neighbours=neighbours)
    shape = [2 if planar else 2 * unit.halo[0] + 8, *(2 * reach + 8 for reach in unit.halo[1:])]
    shape = tuple(-(-size // step) * step for size, step in zip(shape, unit.stride, strict=True))
    block = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    return unit, block, unit.describe(block, Box.whole(shape))


@given(
    planar=st.booleans(),
    thick=st.sampled_from([1.0, 4.0]),
    neighbours=st.integers(0, 1),
    scales=st.integers(1, 2),
    data=st.data(),
)
@settings(max_examples=10, deadline=None)
def test_tiled_equals_whole(planar, thick, neighbours, scales, data):
    unit, block, whole = everything(planar, thick, neighbours if planar else 0, scales)
    shape = block.shape[1:]
    core = []
    for size in shape:
        start = data.draw(st.integers(0, size - 1))
        core.append((start, data.draw(st.integers(start + 1, min(size, start + 12)))))
    core = Box.from_json(core)
    outer = outer_of(core, unit, shape)
    part = unit.describe(block[:, *outer.slices], core.within(outer))
    labels = part.labels[core.within(outer).within(part.box).slices]
    wanted = whole.labels[core.slices]
    places = unit.place(labels.ravel(), part.box) + outer.start
    np.testing.assert_array_equal(places, unit.place(wanted.ravel(), whole.box))
    np.testing.assert_allclose(part.rows[labels], whole.rows[wanted], atol=1e-4)


@pytest.fixture(scope="module")
def large():
    """A volume wider than two halos, and a model of it."""
    image, truth = textured((3, 290, 250))
    labels = strokes(truth, planes=(1,))
    return image, fit(ShallowConfig(**{**QUICK, "supervoxel_size": 4}), [(image, labels)], SPACING)


@given(data=st.data())
@settings(max_examples=5, deadline=None)
def test_a_model_predicts_of_a_tile_what_it_predicts_of_the_whole(large, data):
    image, model = large
    whole = model.predict(image[None])
    core = []
    for size in image.shape:
        start = data.draw(st.integers(0, size - 1))
        core.append((start, data.draw(st.integers(start + 1, size))))
    core = Box.from_json(core)
    outer = outer_of(core, model.spec, image.shape).clip(image.shape)
    inner = core.within(outer)
    with model.open(threads=1) as predictor:
        part = predictor(image[outer.slices][None, None])[0][:, *inner.slices]
        region = predictor.region(image[outer.slices][None], inner)
    np.testing.assert_allclose(part, whole[:, *core.slices], atol=1e-4)
    np.testing.assert_allclose(region, whole[:, *core.slices], atol=1e-4)


@pytest.mark.parametrize("descriptor", DESCRIPTORS)
@pytest.mark.parametrize("classifier", ["perceptron", "forest"])
def test_strokes_teach_whole_supervoxels(descriptor, classifier, tmp_path):
    image, truth = textured()
    config = ShallowConfig(**QUICK, descriptor=descriptor, classifier=classifier, neighbours=1)
    model = fit(config, [(image, strokes(truth))], SPACING, CLASSES)
    fresh, wanted = textured((3, 96, 96), seed=5)
    found = model.predict(fresh[None])
    assert found.shape == (2, 3, 96, 96)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-4)
    assert accuracy(found, wanted) > 0.85
    assert model.inputs == 2 * model.supervoxels.descriptor.count
    loaded = load_model(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict(fresh[None]), found)


def test_unsmoothed_a_supervoxel_is_of_one_class_throughout():
    image, truth = textured()
    model = fit(ShallowConfig(**QUICK, smoothing=0), [(image, strokes(truth))], SPACING)
    found = model.predict(image[None])
    unit = model.supervoxels
    up = tuple(-(-size // step) * step for size, step in zip(image.shape, unit.stride, strict=True))
    block = np.pad(image, [(0, n - size) for n, size in zip(up, image.shape, strict=True)], mode="symmetric")
    labels = unit.describe(model.normalisation(block[None]), Box.whole(up)).labels[Box.whole(image.shape).slices]
    for label in np.unique(labels)[::7]:
        assert np.ptp(found[:, labels == label], axis=1).max() == 0


def test_the_class_of_a_supervoxel_is_that_of_most_of_its_labels_and_none_where_two_have_most():
    unit = made(planar=True, size=6)
    shape = (2, 48, 48)
    block = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    whole = unit.describe(block, Box.whole(shape))
    rng = np.random.default_rng(1)
    labels = np.where(rng.random(shape) < 0.1, rng.integers(1, 4, shape), 0)
    labels[:, 20:30] = 0
    labelled = in_block(labels, Box.whole(shape))
    chosen = labelled.at[::3]
    source = BlockSource(lambda box: block[:, *box.slices], shape)
    pieces = gather_supervoxels(source, unit, chosen, labelled)
    rows, found = pieces.rows, pieces.seats
    given = {tuple(at): (value, row) for at, value, row in zip(found.at, found.values, rows, strict=True)}
    left_out = 0
    for cell in np.unique(whole.labels[tuple(chosen.T)]):
        votes = np.bincount(labels[whole.labels == cell], minlength=4)[1:]
        at = tuple(unit.place(np.array([cell]), whole.box)[0])
        if (votes == votes.max()).sum() > 1:
            left_out += 1
            assert at not in given
        else:
            value, row = given.pop(at)
            assert value == votes.argmax() + 1
            np.testing.assert_allclose(row, whole.rows[cell], atol=1e-4)
    assert left_out
    assert not given


def test_strokes_of_two_images_teach_together_and_one_that_judges_does_not():
    image, truth = textured()
    labels = strokes(truth)

    def example(name, values, judges=False):
        kept = np.where(np.isin(labels, values), labels, 0)
        return Example(
            name=name,
            read=lambda box: image[box.slices][None],
            shape=image.shape,
            channels=1,
            spacing_um=SPACING,
            labelled=in_block(kept, Box.whole(image.shape)),
            judges=judges,
        )

    pair = [example("a", [1]), example("b", [2])]
    alone = fit_examples(ShallowConfig(**QUICK), pair)
    assert accuracy(alone.model.predict(image[None]), truth) > 0.85
    judged = fit_examples(ShallowConfig(**QUICK), [*pair, example("c", [1, 2], judges=True)])
    assert judged.validation["iou"]["class 1"] > 0.7
    assert judged.model.spec.extra["samples"] < 1.2 * alone.model.spec.extra["samples"]


def test_a_class_that_is_nowhere_the_most_is_named():
    image, truth = textured()
    labels = strokes(truth)
    labels[1, 10, 10] = 3
    labels[1, 9:12, 8:13][labels[1, 9:12, 8:13] != 3] = 1
    with pytest.raises(LabelError, match="no supervoxel is labelled mostly 'class 3'; choose a smaller"):
        fit(ShallowConfig(**QUICK), [(image, labels)], SPACING)


def test_a_changed_spec_is_refused_and_what_decides_the_output_is_in_the_hash(tmp_path):
    image, truth = textured()
    hashes = set()
    for change in ({}, {"compactness": 40.0}, {"supervoxel_size": 8}, {"neighbours": 1}, {"descriptor": "covariance"}):
        hashes.add(fit(ShallowConfig(**{**QUICK, **change}), [(image, strokes(truth))], SPACING).spec.hash)
    assert len(hashes) == 5
    unit = made(planar=True)
    known = to_json(unit)
    assert from_json(known, unit.bank) == unit
    with pytest.raises(ModelError, match="which supervoxels"):
        from_json({**known, "shape": 3}, unit.bank)
    with pytest.raises(ModelError, match="which supervoxels"):
        from_json({**known, "descriptor": None}, unit.bank)


def test_planes_that_are_filtered_alone_stay_planar_for_the_planner():
    image, truth = textured()
    spec = fit(ShallowConfig(**QUICK), [(image, strokes(truth))], SPACING).spec
    assert (spec.dimensions, spec.stride[0], spec.halo[0]) == (2, 1, 0)


def test_thick_slices_have_supervoxels_as_wide_in_micrometres():
    sizes = [axis.size for axis in made(planar=False, thick=2.5, size=10).grid.axes]
    np.testing.assert_allclose(sizes, [4, 10, 10], rtol=0.1)


def test_settings_of_supervoxels_are_shown_with_them_alone():
    def shown(**known):
        config = ShallowConfig(**known)
        return {s.name for s in settings_of(ShallowConfig) if s.group == "Voxels or supervoxels" and s.matters(config)}

    assert shown() == {"unit"}
    several = {"unit", "supervoxel_size", "compactness", "descriptor", "neighbours"}
    assert shown(unit="supervoxels") == several
    assert shown(unit="supervoxels", descriptor="quantised") == {*several, "bins"}
    assert shown(descriptor="quantised") == {"unit"}
    with pytest.raises(ConfigError, match="supervoxel_size=2"):
        ShallowConfig(supervoxel_size=2)


def test_the_live_overlay_stays_with_voxels():
    from voxloop.shallow.live import LiveShallow, Picture

    image, truth = textured()
    picture = Picture(read=lambda box: image[box.slices][None], shape=image.shape, channels=1, spacing_um=SPACING)
    live = LiveShallow(picture, ShallowConfig(**QUICK, classifier="svm"), CLASSES)
    labels = strokes(truth)

    class Labels:
        def read(self, region=None):
            return labels[region.slices]

        def touched(self):
            return [SimpleNamespace(box=Box.whole(labels.shape))]

    try:
        assert live.learn(Labels(), seconds=600)
        assert isinstance(live._classifier, Perceptron)
    finally:
        live.close()
