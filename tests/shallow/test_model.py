"""A model predicts the same however it is cut, and a damaged one is refused."""

from __future__ import annotations

import copy
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from texture import CLASSES, SPACING, accuracy, strokes, textured

from voxloop.config import ShallowConfig
from voxloop.errors import LabelError, ModelError, VolumeError
from voxloop.geometry import Box
from voxloop.model import Model, load_model
from voxloop.prediction import predict
from voxloop.shallow import storage
from voxloop.shallow.classifier import Estimated
from voxloop.shallow.fitting import fit, fit_examples
from voxloop.shallow.perceptron import Perceptron
from voxloop.shallow.samples import in_block
from voxloop.shallow.table import Example
from voxloop.volumes import open_volume

QUICK = {"scales": 3, "samples": 2000, "passes": 6, "context": 2, "dimensions": "2d"}


@pytest.fixture(scope="module", params=["perceptron", "forest", "3d"])
def model(request):
    config = {**QUICK, "dimensions": "3d", "scales": 2} if request.param == "3d" else QUICK
    kind = "perceptron" if request.param == "3d" else request.param
    image, truth = textured()
    return fit(ShallowConfig(**config, classifier=kind, trees=8), [(image, strokes(truth))], SPACING, CLASSES)


def test_it_learns_what_strokes_say(model):
    image, truth = textured(seed=5)
    found = model.predict(image[None])
    assert found.shape == (2, *image.shape)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-4)
    assert accuracy(found, truth) > 0.9


@pytest.mark.parametrize("settings", [{}, {"unit": "supervoxels"}, {"refine": "potts"}], ids=["", "pieces", "potts"])
def test_a_prediction_past_the_faces_sees_what_the_strokes_were_taught_on(settings):
    image, truth = textured((5, 93, 101))
    image[-1] = 255 - image[-1]  # what lies beyond the last plane is unlike what lies before it
    config = ShallowConfig(**{**QUICK, **settings, "dimensions": "3d", "scales": 3}, classifier="perceptron")
    model = fit(config, [(image, strokes(truth))], (0.1, 0.1, 0.1), CLASSES)
    assert any(size % step for size, step in zip(image.shape, model.spec.stride, strict=True))
    volume = open_volume(image, spacing=(0.1, 0.1, 0.1))
    np.testing.assert_allclose(predict(model, volume), model.predict(image[None]), atol=1e-3)


def test_blocks_with_the_halo_equal_the_whole(model):
    image, _ = textured((14, 190, 170))
    whole = model.predict(image[None])
    stride = model.spec.stride
    corner = [size // 2 // step * step for size, step in zip(image.shape, stride, strict=True)]
    core = Box.at(corner, [2 * step for step in stride])
    outer = core.grow(model.spec.halo).clip(image.shape)
    assert any(outer.start)
    inner = core.within(outer)
    with model.open(threads=1) as predictor:
        part = predictor(image[outer.slices][None, None])[0][:, *inner.slices]
        region = predictor.region(image[outer.slices][None], inner)
    np.testing.assert_allclose(part, whole[:, *core.slices], atol=1e-4)
    np.testing.assert_allclose(region, whole[:, *core.slices], atol=1e-4)


def test_voxels_that_are_not_finite_stay_local(model):
    image, _ = textured((3, 64, 64))
    broken = image.astype(np.float32)
    broken[1, 30, 30], broken[1, 40, 40] = np.nan, np.inf
    assert np.isfinite(model.predict(broken[None])).all()


def test_a_block_of_other_channels_is_refused(model):
    with pytest.raises(ModelError, match=r"takes \(n, 1, z, y, x\)"):
        model.predict(np.zeros((2, 4, 8, 8)))


def test_saved_and_loaded_it_is_the_same(model, tmp_path):
    model.save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert isinstance(loaded, Model)
    assert loaded.spec.hash == model.spec.hash
    image, _ = textured((2, 40, 40))
    np.testing.assert_array_equal(loaded.predict(image[None]), model.predict(image[None]))


def test_truncated_or_missing_files_are_refused(model, tmp_path):
    folder = model.save(tmp_path / "model")
    file = next(path for path in folder.iterdir() if path.name != "spec.json")
    content = file.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 0xFF
    for part in (content[: len(content) // 2], b"", b"PK not a zip", bytes(flipped)):
        file.write_bytes(part)
        with pytest.raises(ModelError, match="train again"):
            load_model(folder)
    file.unlink()
    with pytest.raises(ModelError, match="train again"):
        load_model(folder)


def test_a_changed_classifier_or_spec_is_refused(model, tmp_path):
    folder = model.save(tmp_path / "model")
    spec = json.loads((folder / "spec.json").read_text())
    changes = {
        "normalisation": {"offset": [0.0], "scale": [1.0]},
        "extra": {**spec["extra"], "bank": {**spec["extra"]["bank"], "kinds": ["gaussian"]}},
        "classes": [*spec["classes"][:1], {**spec["classes"][1], "value": 9}],
    }
    for name, value in changes.items():
        (folder / "spec.json").write_text(json.dumps({**spec, name: value}))
        with pytest.raises(ModelError):
            load_model(folder)


@pytest.fixture(scope="module")
def forest():
    image, truth = textured()
    return fit(ShallowConfig(**QUICK, classifier="forest", trees=2), [(image, strokes(truth))], SPACING)


def test_a_forest_that_wants_to_build_something_else_builds_nothing(tmp_path, forest):
    folder = forest.save(tmp_path / "model")
    with zipfile.ZipFile(folder / storage.ESTIMATOR) as archive:
        names = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(names["schema.json"])
    touched = tmp_path / "touched"
    schema["content"] = {
        "__class__": "system",
        "__module__": "os",
        "__loader__": "ObjectNode",
        "__id__": 7,
        "content": {
            "__class__": "str",
            "__module__": "builtins",
            "__loader__": "JsonNode",
            "__id__": 8,
            "content": json.dumps(f"touch {touched}"),
            "is_json": True,
        },
    }
    with zipfile.ZipFile(folder / storage.ESTIMATOR, "w") as archive:
        for name, data in {**names, "schema.json": json.dumps(schema).encode()}.items():
            archive.writestr(name, data)
    with pytest.raises(ModelError, match="was not loaded"):
        load_model(folder)
    assert not touched.exists()


def test_arrays_that_hold_objects_are_not_unpacked(tmp_path):
    image, truth = textured()
    folder = fit(ShallowConfig(**QUICK), [(image, strokes(truth))], SPACING).save(tmp_path / "model")
    np.savez(folder / storage.PERCEPTRON, weights_0=np.array([print], dtype=object), biases_0=np.zeros(2, np.float32))
    with pytest.raises(ModelError, match="damaged"):
        load_model(folder)


def test_another_estimator_is_no_classifier_of_ours(tmp_path, forest):
    import skops.io
    from sklearn.dummy import DummyClassifier

    folder = forest.save(tmp_path / "model")
    skops.io.dump(DummyClassifier().fit([[0.0], [1.0]], [0, 1]), folder / storage.ESTIMATOR)
    with pytest.raises(ModelError, match="no classifier of voxloop"):
        load_model(folder)


def test_trees_whose_indices_point_outside_are_refused(tmp_path, forest):
    model = replace(forest, classifier=Estimated(copy.deepcopy(forest.classifier.estimator)))
    tree = model.classifier.estimator.estimators_[0].tree_
    state = tree.__getstate__()
    nodes = state["nodes"].copy()
    nodes["left_child"][0] = 0  # a walk that never ends
    tree.__setstate__({**state, "nodes": nodes})
    replace(model, spec=storage.add_hash(model.spec, model.classifier)).save(tmp_path / "model")
    with pytest.raises(ModelError, match="do not fit"):
        load_model(tmp_path / "model")


@pytest.mark.parametrize("model", ["perceptron", "3d"], indirect=True)
def test_the_perceptron_folded_into_the_pyramid_equals_itself_on_rows(model):
    assert isinstance(model.classifier, Perceptron)
    image, _ = textured((8, 48, 48))
    block = model.normalisation(image[None])
    features = model.bank.full(block)
    rows = model.classifier.rows(features.reshape(model.bank.count, -1).T)
    whole = Box.whole(image.shape)
    folded = model.classifier.levels(model.bank, model.bank.pyramid(model.bank.reduce(block), whole))
    np.testing.assert_allclose(folded.reshape(2, -1), rows.T, atol=1e-4)


def test_the_same_seed_gives_the_same_model_and_another_seed_another():
    image, truth = textured()
    hashes = [
        fit(ShallowConfig(**QUICK, seed=seed), [(image, strokes(truth))], SPACING).spec.hash for seed in (0, 0, 1)
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_one_class_or_none_is_not_enough():
    image, truth = textured()
    for labels in (np.zeros_like(truth), (strokes(truth) == 1).astype(np.uint8)):
        with pytest.raises(LabelError, match="at least two classes"):
            fit(ShallowConfig(**QUICK), [(image, labels)], SPACING)


def test_images_of_another_voxel_size_are_not_learnt_together():
    image, truth = textured()
    example = Example(
        name="a",
        read=lambda box: image[box.slices][None],
        shape=image.shape,
        channels=1,
        spacing_um=SPACING,
        labelled=in_block(strokes(truth), Box.whole(image.shape)),
    )
    with pytest.raises(VolumeError, match=r"'a'.*'b'.*images="):
        fit_examples(ShallowConfig(**QUICK), [example, replace(example, name="b", spacing_um=(1, 1, 1))])


def test_several_images_are_learnt_from_at_their_own_places():
    """Each image shows one class alone: mixing up which voxel is whose would make them alike."""
    image, truth = textured()
    labels = strokes(truth)
    pairs = [(image, np.where(labels == value, labels, 0)) for value in (1, 2)]
    model = fit(ShallowConfig(**QUICK), pairs, SPACING, CLASSES)
    assert accuracy(model.predict(image[None]), truth) > 0.9
