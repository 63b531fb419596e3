"""Turns, ensembles, masks, first looks and device budgets: what they change, and what they must not."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from tests.prediction.conftest import SHAPE
from tests.prediction.fakes import FakeModel, make_spec

from voxloop.config import PredictConfig
from voxloop.errors import PredictionError
from voxloop.geometry import Box
from voxloop.model import Output
from voxloop.prediction import predict, task
from voxloop.prediction.averaged import Averaged, combine_models, price, settle_turns, turns
from voxloop.prediction.budget import forecast
from voxloop.prediction.decode import semantic
from voxloop.prediction.memory import Cost
from voxloop.prediction.plan import order_tiles, whole
from voxloop.prediction.planning import Limits, make_plan
from voxloop.prediction.reading import read_outer
from voxloop.prediction.resampled import fit_open_model
from voxloop.store import Store
from voxloop.volumes import open_volume


class Slope:
    """Says how bright the voxel before each is along x: what no turn of the picture leaves alone."""

    spec = make_spec(radius=1, stride=1)

    def open(self, **_):
        raise NotImplementedError

    def __call__(self, batch):
        before = np.roll(batch[:, 0].astype(np.float32), 1, axis=-1) / 255
        return np.stack([before, 1 - before], axis=1)


@pytest.mark.parametrize(
    ("kind", "dimensions", "count"),
    [
        ("none", 2, 1),
        ("flips", 2, 4),
        ("all", 2, 8),
        ("none", 3, 1),
        ("flips", 3, 8),
        ("all", 3, 16),
    ],
)
def test_turns_are_all_different_and_come_back(kind, dimensions, count):
    batch = np.random.default_rng(0).normal(size=(1, 1, 4, 6, 6)).astype(np.float32)
    found = turns(kind, dimensions)
    assert len(found) == count == price(make_spec(planar=dimensions == 2), kind)
    assert len({turn.there(batch).tobytes() for turn in found}) == count
    for turn in found:
        assert np.array_equal(turn.back(turn.there(batch)), batch)


def test_the_mean_over_flips_does_not_know_left_from_right():
    from voxloop.prediction.averaged import _Mean

    batch = np.random.default_rng(0).integers(0, 255, (1, 1, 1, 8, 8)).astype(np.uint8)
    mean = _Mean([Slope()], turns("flips", 2))
    assert np.allclose(mean(batch)[..., ::-1], mean(batch[..., ::-1]), atol=1e-6)
    assert not np.allclose(Slope()(batch)[..., ::-1], Slope()(batch[..., ::-1]), atol=1e-2)


def expected(bench, model):
    block = whole(SHAPE, model.spec.stride)
    p = model.predict(read_outer(open_volume(bench.picture), block.outer))[:, *block.core.slices]
    return semantic(p, np.arange(1, len(p) + 1, dtype=np.uint8))


class Planes:
    """Says how bright the voxel before each is along the rows of its plane; knows nothing of other planes."""

    spec = make_spec(radius=1, stride=1)

    def __call__(self, batch):
        assert batch.shape[2] <= 2**18 // (batch.shape[3] * batch.shape[4]) + 1
        before = np.roll(batch[:, 0].astype(np.float32), 1, axis=-2) / 255
        return np.stack([before, 1 - before], axis=1)


@pytest.mark.parametrize(("axes", "turned"), [("zyx", False), ("zyx", True), ("y", False), ("x", False)])
def test_votes_are_means_over_planes_along_the_axes_asked(axes, turned):
    from voxloop.prediction.voted import _Votes

    batch = np.random.default_rng(0).integers(0, 255, (1, 1, 6, 7, 8)).astype(np.uint8)
    found = _Votes(Planes(), Planes.spec, axes, turned)(batch)[:, 0]
    value = batch[:, 0].astype(np.float32) / 255
    if len(axes) == 1:  # rows of planes across y and x lie along z
        wanted = np.roll(value, 1, 1)
    elif not turned:  # rows of planes across z, y and x lie along y, z and z
        wanted = (np.roll(value, 1, 2) + 2 * np.roll(value, 1, 1)) / 3
    else:  # turned by quarters, the row before is each of the four neighbours in turn
        near = {axis: np.roll(value, 1, axis) + np.roll(value, -1, axis) for axis in (1, 2, 3)}
        wanted = 2 * (near[1] + near[2] + near[3]) / 12
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_tiled_equals_untiled_with_votes(bench):
    from voxloop.prediction.voted import Voted, votes_of

    model = FakeModel(make_spec(radius=3))
    run = bench.create(spec=model.spec, votes="3")
    assert task.run(bench.context(run)) == "finished"
    assert run.result.plan.stride == (4, 4, 4)
    assert np.array_equal(run.result.probabilities.values, expected(bench, Voted(model, "3")).probabilities)
    assert price(model.spec, "flips", 1, "3") == 24
    assert (votes_of(model.spec, "auto"), votes_of(make_spec(planar=False), "auto")) == (1, 1)
    with pytest.raises(PredictionError, match="looks at blocks"):
        Voted(FakeModel(make_spec(planar=False)), "3")


def test_tiled_equals_untiled_with_turns_and_an_ensemble(bench):
    models = [FakeModel(make_spec(radius=3, classes=3)), FakeModel(make_spec(radius=5, stride=8, classes=3))]
    run = bench.create(spec=models[0].spec, turns="flips")
    models[1].save(bench.path / "models" / "other")
    change(run, models=["models/other"])
    assert task.run(bench.context(run)) == "finished"
    found, wanted = run.result, expected(bench, Averaged(models, "flips"))
    assert found.plan.halo == (0, 12, 12)
    assert found.plan.stride == (1, 8, 8)
    assert np.array_equal(found.probabilities.values, wanted.probabilities)
    assert np.array_equal(found.labels.values, wanted.labels)
    assert not np.array_equal(found.probabilities.values, expected(bench, models[0]).probabilities)
    assert found.lineage["models"] == ["models/other"]
    assert len(found.model.models) == 2


def test_arrows_of_a_small_image_are_asked_of_it_mirrored_as_well(bench):
    outputs = (Output(name="objects", kind="flow", channels=4),)
    model = FakeModel(replace(make_spec(classes=4), outputs=outputs))
    run = bench.create(spec=model.spec)
    assert task.run(bench.context(run)) == "finished"
    assert run.result.lineage["settings"]["turns"] == run.result.model.kind == "flips"
    assert any("turns='none': once" in event["text"] for event in bench.events(run, "log"))
    volume, asked = open_volume(bench.picture), PredictConfig()
    wanted = predict(model, volume, turns="flips").values
    assert np.array_equal(predict(model, volume).values, wanted)
    assert not np.array_equal(predict(model, volume, turns="none").values, wanted)
    shown, _, settled = fit_open_model(volume, model, model.predict, asked)  # as one of many images
    assert (settled.turns, shown.kind, price(shown.spec, settled.turns)) == ("flips", "flips", 4)
    assert settle_turns(asked, model.spec, (1, 1025, 1024)).turns == "none"
    assert settle_turns(asked, make_spec(), (1, 8, 8)).turns == "none"  # classes


class Uphill:
    """Arrows to where it is brighter, which turn with the picture; of planes none along z."""

    def __init__(self, dimensions: int) -> None:
        outputs = (Output(name="classes", kind="semantic", channels=1), Output(name="a", kind="flow", channels=4))
        self.spec = replace(make_spec(planar=dimensions == 2, stride=1), outputs=outputs)

    @contextmanager
    def open(self, **_):
        yield self

    def __call__(self, batch):
        value = batch[:, 0].astype(np.float32) / 255
        slopes = list(np.gradient(value, axis=(1, 2, 3)))
        slopes[0] *= self.spec.dimensions == 3
        return np.stack([value, value, *(slope / 2 + 0.5 for slope in slopes)], axis=1)


@pytest.mark.parametrize(("kind", "dimensions"), [("flips", 2), ("all", 2), ("all", 3)])
def test_arrows_are_turned_back_with_the_picture(kind, dimensions):
    batch = np.random.default_rng(0).integers(0, 255, (2, 1, 4, 6, 6)).astype(np.uint8)
    model = Uphill(dimensions)
    with Averaged([model], kind).open() as opened:
        np.testing.assert_allclose(opened(batch), model(batch), atol=1e-6)


def test_models_that_do_not_fit_each_other_are_refused():
    with pytest.raises(PredictionError, match=r"same classes: \['class 1', 'class 2'\] and .* differ"):
        Averaged([FakeModel(make_spec()), FakeModel(make_spec(classes=3))])
    with pytest.raises(PredictionError, match="same channels: 1 and 2 differ"):
        Averaged([FakeModel(make_spec()), FakeModel(make_spec(channels=2))])
    alone = FakeModel(make_spec())
    assert combine_models([alone]) is alone


def test_tiles_outside_of_the_class_are_skipped_and_stay_empty(bench):
    with Store.open(bench.path) as store:
        labels = store.labels()
        patch = np.zeros((2, 20, 20), np.uint8)
        patch[:, 5:9, 5:9] = 2
        labels.write((slice(4, 6), slice(0, 20), slice(0, 20)), patch)
        labels.write((slice(9, 10), slice(0, 20), slice(0, 20)), np.ones((1, 20, 20), np.uint8))
        at = labels.sequence
    run = bench.create()
    change(run, constrain={"level": "labels", "class": "mito", "value": 2, "labels": {"image": at}})
    assert task.run(bench.context(run)) == "finished"
    found = run.result
    assert found.done == 1.0
    labels, wanted = found.labels.values, expected(bench, FakeModel(make_spec())).labels
    inside = np.s_[4:6, 5:9, 5:9]
    assert np.array_equal(labels[inside], wanted[inside])
    labels[inside] = 0
    assert not labels.any()
    assert "hold nothing to predict" in bench.events(run, "log")[-1]["text"]


def test_tiles_without_foreground_are_skipped(bench):
    from voxloop.prediction.skipping import dark

    picture = np.zeros((4, 40, 40), np.uint8)
    picture[1] = 200
    picture[2, ::2, ::2] = 255  # noise: no 4 x 4 voxels are bright
    picture[3, 8:16, 8:16] = 150
    empty = dark(open_volume(picture), (120, 255))
    assert [empty(Box((z, 0, 0), (z + 1, 40, 40))) for z in range(4)] == [True, False, True, False]
    assert empty(Box((3, 20, 0), (4, 40, 40)))
    # the numbers are those of the image, also where the model is shown it at another exposure
    spec = replace(make_spec(), normalisation={"exposure": {"low": [5000.0], "high": [9000.0]}})
    run = bench.create(spec=spec, foreground=(0.0, 255.0), region=[[5, 6], [0, 64], [0, 64]])
    assert task.run(bench.context(run)) == "finished"
    assert run.result.labels[5, :64, :64].values.all()


def test_every_other_plane_is_predicted_and_the_others_stay_empty(bench):
    run = bench.create(every=4, region=[[1, 12], [0, 150], [0, 170]])
    assert task.run(bench.context(run)) == "finished"
    found = run.result
    labels = found.labels.values
    wanted = expected(bench, FakeModel(make_spec())).labels
    assert [z for z in range(SHAPE[0]) if labels[z].any()] == [1, 5, 9]
    assert np.array_equal(labels[[1, 5, 9]], wanted[[1, 5, 9]])
    assert found.done == 1.0
    assert found.plan.count == len(list(found.plan.tiles())) == len(list(order_tiles(found.plan, (5, 0, 0))))
    with pytest.raises(PredictionError, match="Choose a region of 4 planes"):
        make_plan((16, 64, 64), (4, 4, 4), (3, 3, 3), Limits(max_voxels=10**7), every=2)


def test_the_budget_of_a_gpu_is_kept():
    cost = Cost(
        seconds_per_voxel=1e-8, bytes_per_voxel=20, base_bytes=0, device_bytes_per_voxel=1000, device_free=10**9
    )
    spec = make_spec(radius=200, stride=32)
    found = forecast(spec, (8, 4096, 4096), PredictConfig(memory_gb=8.0), cost)
    assert found.device_bytes <= 0.8e9
    small = forecast(spec, (8, 4096, 4096), PredictConfig(memory_gb=8.0, device_gb=0.5), cost)
    assert small.device_bytes <= 0.5e9 < found.device_bytes
    with pytest.raises(PredictionError, match=r"0.01 GB of GPU memory.*raise device_gb"):
        forecast(spec, (8, 4096, 4096), PredictConfig(memory_gb=8.0, device_gb=0.01), cost)


def change(run, **facts):
    path = run.path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def test_a_model_that_learnt_across_y_is_asked_across_y(bench):
    from voxloop.prediction.voted import Voted, axes_of, votes_of

    spec = replace(make_spec(radius=3), extra={**make_spec(radius=3).extra, "axes": "y"})
    assert (axes_of(spec, "auto"), votes_of(spec, "auto"), axes_of(spec, "1")) == ("y", 1, "z")
    model = FakeModel(spec)
    run = bench.create(spec=spec)
    assert task.run(bench.context(run)) == "finished"
    assert np.array_equal(run.result.probabilities.values, expected(bench, Voted(model, "y")).probabilities)
    assert not np.array_equal(run.result.probabilities.values, expected(bench, model).probabilities)
