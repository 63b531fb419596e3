"""A network that learns objects: from numbered labels to a label image of separate ones."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.in_process import in_process

from voxloop.config import DeepConfig, ObjectsConfig
from voxloop.deep.begin.material import gather_now
from voxloop.deep.data.labelled_image import LabelledImage
from voxloop.deep.data.training_data import assemble
from voxloop.errors import ConfigError, LabelError
from voxloop.geometry import Box
from voxloop.model import ClassInfo, load_model
from voxloop.volumes import open_volume
from voxloop.workspace.workspace import Workspace


def picture(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Bright discs, some touching, and their numbers."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((128, 128), np.uint32)
    y, x = np.mgrid[:128, :128]
    for number, (cy, cx) in enumerate(rng.uniform(8, 120, (14, 2)), start=1):
        inside = (y - cy) ** 2 + (x - cx) ** 2 < 81
        truth[inside & (truth == 0)] = number
    noisy = np.where(truth > 0, 140, 60) + rng.normal(0, 12, truth.shape)
    return noisy.clip(0, 255).astype(np.uint8), truth


@pytest.fixture(autouse=True)
def no_processes():
    """What is learnt is tried, not that it has a process."""
    with in_process():
        yield


@pytest.fixture
def ws(tmp_path):
    image, truth = picture()
    classes = [{"name": "background", "background": True}]
    with Workspace.create(tmp_path / "ws", image=image, classes=classes, kind="instances") as made:
        made.labels().load(truth, zero="background")
        made.labels().flush()
        yield made


def test_training_to_separate_objects(ws) -> None:
    config = DeepConfig(
        target="instances",
        window="1,64,64",
        scale=1,
        epochs=2,
        steps_per_epoch=8,
        batch_size=2,
        encoder="tu-test_efficientnet",
        decoder_width=0.25,
        validation_share=0.2,
        threads=1,
        split="block",
        workers=0,
    )
    run = ws.train(config)
    run.wait()
    assert run.state == "finished"
    spec = run.model().spec
    assert spec.extra["target"] == "instances"
    assert [info.name for info in spec.classes] == ["foreground", "boundary", "distance"]
    assert set(run.history.epochs[-1]["train"]["iou"]) == {"background", "objects"}
    judged = run.history.epochs[-1]["val"]
    assert 0 <= judged["ap50"] <= 1
    assert 0 <= judged["pq"] <= 1
    objects = run.history.test["objects"]
    assert 0 <= objects["ap50"] <= 1
    page = run.report().read_text()
    assert "AP@0.5 of separate objects" in page
    assert f"{objects['pq']:.3f}" in page
    outputs = load_model(run.path / "model").predict(picture()[0][None, None].astype(np.float32))
    assert outputs.shape == (3, 1, 128, 128)
    assert 0 <= outputs.min() <= outputs.max() <= 1
    prediction = ws.predict(run).result
    facts = json.loads((prediction.path / "zarr.json").read_text())["attributes"]["voxloop"]
    assert facts["target"] == "instances"
    assert set(np.unique(prediction.labels)) <= {0, 1}
    again = ws.objects(prediction, ObjectsConfig()).result
    np.testing.assert_array_equal(np.asarray(again.labels), np.asarray(prediction.objects.labels))
    begun = gather_now(ws.path, DeepConfig(threads=1, encoder_weights=run.name))
    assert begun.config.encoder == "tu-test_efficientnet"  # that of the run whose weights it begins with


def test_the_target_follows_from_the_shape_of_the_objects(ws, tmp_path) -> None:
    as_it_comes = DeepConfig(threads=1)
    material = gather_now(ws.path, as_it_comes)
    assert material.config.target == "flow"
    assert material.config.encoder_weights == "imagenet"  # pictures, whose encoder is installed
    assert "arrows give back 100%" in material.chosen
    named = as_it_comes.changed(target="instances")
    assert gather_now(ws.path, named).config == named
    y, x = np.mgrid[:160, :160]
    offset = (y - 10 * np.sin(x / 8)) % 38  # long fibres that wind
    bent = np.where((offset > 15) & (offset < 22) & (x > 8) & (x < 152), 1 + (y - 10 * np.sin(x / 8)) // 38, 0)
    bent = bent.clip(0).astype(np.uint32)
    classes = [{"name": "background", "background": True}]
    with Workspace.create(tmp_path / "bent", image=bent * 20, classes=classes, kind="instances") as other:
        other.labels().load(bent, zero="background")
        other.labels().flush()
        assert gather_now(other.path, as_it_comes).config.target == "instances"
    image, truth = (np.stack([array] * 6) for array in picture())
    with Workspace.create(tmp_path / "stack", image=image, classes=classes, kind="instances") as stack:
        stack.labels().load(truth, zero="background")
        stack.labels().flush()
        chosen = gather_now(stack.path, as_it_comes).config
        assert (chosen.target, chosen.slices, chosen.encoder) == ("flow", 5, as_it_comes.encoder)
    with pytest.raises(ConfigError, match="focal"):
        gather_now(ws.path, as_it_comes.changed(focal=1))


def test_training_arrows(ws, tmp_path) -> None:
    from types import SimpleNamespace

    from voxloop.deep.learner import train
    from voxloop.errors import PredictionError
    from voxloop.objects import decode_instances
    from voxloop.prediction.averaged import combine_models
    from voxloop.prediction.decode import learnt_objects, semantic_channels

    config = DeepConfig(
        target="flow",
        window="1,64,64",
        scale=1,
        epochs=1,
        steps_per_epoch=3,
        batch_size=2,
        threads=1,
        device="cpu",
        encoder="tu-test_efficientnet",
        decoder_width=0.25,
        workers=0,
    )
    labels = ws.labels()
    run = ws.path / "runs" / "flow"
    run.mkdir(parents=True)
    facts = {"labels": {f"{labels.level.name}/{labels.image}": labels.sequence}}
    context = SimpleNamespace(
        path=run,
        workspace=ws.path,
        settings=config.to_json(),
        config=facts,
        orders=list,
        peek=list,
        began=0.0,
        emit=lambda *_, **__: None,
    )
    assert train(context) == "finished"
    model = load_model(run / "model")
    assert (model.spec.outputs[0].kind, model.spec.activation) == ("flow", "sigmoid")
    assert learnt_objects(model.spec)
    assert semantic_channels(model.spec) == slice(0, 4)
    outputs = model.predict(picture()[0][None, None].astype(np.float32))
    assert outputs.shape == (4, 1, 128, 128)
    assert 0 <= outputs.min() <= outputs.max() <= 1
    assert decode_instances(outputs).shape == (1, 128, 128)
    with pytest.raises(PredictionError, match="across others; use votes=1, or turns"):
        combine_models([model], "flips", "3")
    turned = combine_models([model], "flips").predict(picture()[0][None, None].astype(np.float32))
    assert turned.shape == outputs.shape
    assert decode_instances(turned).shape == (1, 128, 128)


class Numbered:
    """A label array of one chunk."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.shape = values, values.shape

    def read(self, region):
        return self.values[region.slices]

    def touched(self):
        from types import SimpleNamespace

        numbers, counts = np.unique(self.values, return_counts=True)
        box = Box.whole(self.shape)
        return [SimpleNamespace(box=box, counts=dict(zip(numbers.tolist(), counts.tolist(), strict=True)))]


BACKGROUND = ClassInfo(value=1, name="background", background=True)


def data_of(values: np.ndarray, classes=(BACKGROUND,)):
    source = LabelledImage(name="a", volume=open_volume(np.zeros(values.shape, np.uint8)), labels=Numbered(values))
    return assemble([source], classes, DeepConfig(target="instances", validation_share=0))


def test_windows_hold_codes_and_counts_are_of_background_and_objects() -> None:
    values = np.ones((1, 40, 40), np.uint32)
    values[0, :4] = 0
    values[0, 10:20, 10:20], values[0, 20:30, 10:20] = 5, 70_000
    data = data_of(values)
    assert data.instances
    assert [info.name for info in data.classes] == ["background", "objects"]
    assert data.counts == (36 * 40 - 200, 200)
    coded = data.images[0].labels(Box.whole((1, 40, 40)))
    assert coded.dtype == np.uint8
    assert np.unique(coded).tolist() == sorted({0, 1, 5 + 2, 70_000 % 254 + 2})


def test_what_is_missing_is_said(ws, tmp_path) -> None:
    objects = np.full((1, 8, 8), 3, np.uint32)
    with pytest.raises(LabelError, match="no background is labelled"):
        data_of(objects)
    with pytest.raises(LabelError, match="no background is labelled"):
        data_of(objects, ())
    with pytest.raises(LabelError, match="no object is labelled"):
        data_of(np.ones((1, 8, 8), np.uint32))


def test_a_level_of_classes_has_no_objects(tmp_path) -> None:
    from types import SimpleNamespace

    from voxloop.deep.data.training_data import open_data

    with Workspace.create(tmp_path / "ws", image=picture()[0], classes=["background", "disc"]) as ws:
        ws.labels().paint(index=0, points=[(20, 20), (20, 60)], radius=4, value=2)
        context = SimpleNamespace(config={"labels": {"labels/image": ws.labels().sequence}}, workspace=ws.path)
        ws.labels().flush()
        with pytest.raises(ConfigError, match="choose a level of instances"):
            open_data(context, DeepConfig(target="instances"), None)
