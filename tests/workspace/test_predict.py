"""Predicting from a workspace: any torch module, several images, several models; what is refused, and what it says."""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import nullcontext
from typing import ClassVar

import numpy as np
import pytest
import torch
from tests.in_process import in_process
from torch import nn

import voxloop as vl
from voxloop.errors import ModelError, PredictionError, VoxloopError, WorkspaceError
from voxloop.model import ClassInfo, ModelSpec, Output
from voxloop.runs.outcome import Outcome
from voxloop.store.layout import RunPlace
from voxloop.workspace.models import gather_models


class Bright(nn.Module):
    """Somebody's network: the mean over 3 x 3 pixels against a threshold."""

    def __init__(self, threshold=0.0, channels=1):
        super().__init__()
        self.layer = nn.Conv2d(channels, 2, 3, padding=1)
        with torch.no_grad():
            self.layer.weight.copy_(torch.stack([-torch.ones(channels, 3, 3), torch.ones(channels, 3, 3)]))
            self.layer.bias.copy_(torch.tensor([2 * threshold, 0.0]))

    def forward(self, x):
        return self.layer(x)


class SavedOnce(vl.TorchModel):
    """Written as any torch module the first time, which takes seconds; after that the same files are copied."""

    written: ClassVar[dict[tuple[float, ...], tempfile.TemporaryDirectory]] = {}

    def save(self, folder):
        layer = self.module().layer
        key = (layer.in_channels, *layer.bias.tolist())
        if key in self.written:
            shutil.copytree(self.written[key].name, folder, dirs_exist_ok=True)
            return
        super().save(folder)
        self.written[key] = tempfile.TemporaryDirectory()
        shutil.copytree(folder, self.written[key].name, dirs_exist_ok=True)


def model_of(threshold=0.0, channels=1):
    spec = ModelSpec(
        learner="deep",
        channels=channels,
        halo=(0, 1, 1),
        outputs=(Output(name="classes", kind="semantic", channels=2),),
        classes=(ClassInfo(value=1, name="dark", background=True), ClassInfo(value=2, name="bright")),
        normalisation={"mean": channels * [128.0], "deviation": channels * [40.0]},
    )
    return SavedOnce(Bright(threshold, channels), spec)


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    pytest.importorskip("onnxscript")
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (3, 60, 70)).astype(np.uint8)
    path = tmp_path_factory.mktemp("predicting") / "ws"
    with vl.Workspace.create(path, image=picture, classes=["dark", "bright"], image_name="one") as made:
        made.images.add("two", picture[:2], copy=True)
        yield made


@pytest.fixture(autouse=True)
def few_processes(request):
    """Runs have one where it is what is looked at."""
    with nullcontext() if "process" in request.node.name else in_process():
        yield


def files(folder):
    """Every file with its time of change, but for the lock, which shows that its holder lives."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


def expected(picture, *thresholds):
    x = (torch.from_numpy(np.asarray(picture, np.float32))[:, None] - 128) / 40
    with torch.inference_mode():
        return torch.stack([Bright(t)(x).softmax(1) for t in thresholds]).mean(0).argmax(1).numpy() + 1


def test_any_torch_module_predicts_in_a_process_of_its_own(ws):
    found = ws.predict(model_of(), image="one", name="module").result
    assert np.array_equal(found.labels.values, expected(ws.images.open("one").values, 0.0))
    assert found.model.spec.learner == "onnx"
    assert [c.name for c in found.classes] == ["dark", "bright"]


def test_several_models_are_their_mean_and_several_images_one_table(ws):
    run = ws.predict([model_of(), model_of(3.0)], image="*", name="all")
    table = run.result.table
    assert list(table["image"]) == ["one", "two"]
    assert list(ws.predictions) >= ["all.one", "all.two"]
    picture = ws.images.open("one").values
    wanted = expected(picture, 0.0, 3.0)
    assert np.mean(ws.predictions["all.one"].labels.values == wanted) > 0.999  # ties of a mean
    assert not np.array_equal(wanted, expected(picture, 0.0))
    assert table["bright share"][0] == pytest.approx((wanted == 2).mean(), abs=0.001)


def test_what_is_there_is_not_overwritten_unasked(ws):
    before = ws.predictions["module"].labels.values
    with pytest.raises(PredictionError, match="'module' already; choose another name or overwrite=True"):
        ws.predict(model_of(5.0), image="one", name="module")
    with pytest.raises(PredictionError, match=r"'all\.one' already"):
        ws.predict(model_of(), image=["one"], name="all")
    assert np.array_equal(ws.predictions["module"].labels.values, before)


def test_what_is_to_be_overwritten_goes_with_its_model_and_its_run(ws):
    before = ws.predict(model_of(), image="one", name="again").result
    model, labels, made = before.model.spec.hash, before.labels.values, before.lineage["created"]
    with pytest.raises(PredictionError, match="'again' already; choose another name or overwrite=True"):
        ws.predict(model_of(90.0), image="one", name="again")
    assert ws.predictions["again"].model.spec.hash == before.lineage["model_hash"] == model
    assert np.array_equal(ws.predictions["again"].labels.values, labels)
    second = ws.predict(model_of(90.0), image="one", name="again", overwrite=True).result
    assert second.lineage["created"] != made
    assert second.model.spec.hash == second.lineage["model_hash"] != model
    assert np.array_equal(second.labels.values, expected(ws.images.open("one").values, 90.0))
    folders = [path.name for path in (ws.path / "models").iterdir() if path.name.startswith("again")]
    assert len(folders) == 1  # the first one's went with it
    third = ws.predict(ws.path / "models" / folders[0], image="one", name="again", overwrite=True).result
    assert np.array_equal(third.labels.values, second.labels.values)


def test_a_run_at_work_and_a_run_that_is_no_prediction_are_not_overwritten(ws):
    held = ws.predict(model_of(), image="one", name="held")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vl.Run, "state", "running")
        with pytest.raises(PredictionError, match="'held' is running; cancel it before it is overwritten"):
            ws.predict(model_of(), image="one", name="held", overwrite=True)
    held.wait()
    ws.runs.create("trained", "voxloop.shallow.learner:train", {})
    with pytest.raises(PredictionError, match="'trained' already, and it is no prediction"):
        ws.predict(model_of(), image="one", name="trained", overwrite=True)
    assert ws.predictions["held"].done == 1


def test_a_batch_is_overwritten_whole(ws):
    ws.predict(model_of(), image=["one", "two"], name="many").wait()
    labels = ws.predictions["many.one"].labels.values
    with pytest.raises(PredictionError, match=r"'many\.two' already"):
        ws.predict(model_of(90.0), image=["two"], name="many")
    ws.predict(model_of(90.0), image=["two"], name="many", overwrite=True).wait()
    assert "many.one" not in ws.predictions
    assert np.array_equal(ws.predictions["many.two"].labels.values, expected(ws.images.open("two").values, 90.0))
    assert not np.array_equal(labels[:2], ws.predictions["many.two"].labels.values)


def test_a_prediction_whose_run_is_gone_keeps_its_name(ws):
    first = ws.predict(model_of(), image="one")
    first.wait()
    shutil.rmtree(first.path)  # by hand
    assert first.name in ws.predictions
    second = ws.predict(model_of(), image="one")
    second.wait()
    assert second.name not in (first.name, "")
    assert {first.name, second.name} <= set(ws.predictions)


def test_a_named_region_is_predicted_on_its_own_image_and_on_no_other(ws):
    box = (slice(0, 2), slice(10, 30), slice(20, 50))
    ws.regions.add("corner", box, image="two")
    runs = set(ws.runs)
    with pytest.raises(WorkspaceError, match="'corner' is of image 'two', not of 'one'; use image='two'"):
        ws.predict(model_of(), image="one", region="corner")
    with pytest.raises(WorkspaceError, match="'corner' is of image 'two'"):
        ws.accept("module", region=ws.regions["corner"])
    assert set(ws.runs) == runs
    for region in ("corner", ws.regions["corner"]):
        found = ws.predict(model_of(), region=region, name="cornered", overwrite=True).result
        assert (found.image, found.region) == ("two", box)


def test_a_forecast_says_what_predicting_would_take_and_writes_nothing(ws):
    before = files(ws.path)
    whole = ws.forecast(model_of(), image="one")
    part = ws.forecast(model_of(), image="one", region=(slice(0, 1), slice(0, 30), slice(None)), probabilities=False)
    every = ws.forecast([model_of(), model_of(3.0)], image="*", turns="flips")
    assert files(ws.path) == before
    assert whole.memory_bytes < whole.allowed_bytes
    assert 0 < part.disk_bytes < whole.disk_bytes
    assert (whole.price, whole.images, every.price, every.images) == (1, 1, 8, 2)
    assert every.disk_bytes == pytest.approx(5 / 3 * whole.disk_bytes, rel=0.01)  # 3 planes and 2
    assert "GB on disk" in repr(whole)
    assert re.match(r"<Estimate: 2 images, about \d+ s, ", repr(every))
    with pytest.raises(PredictionError, match="raise memory_gb"):
        ws.forecast(model_of(), image="one", memory_gb=0.001)
    with pytest.raises(PredictionError, match="takes 3 channels"):
        ws.forecast(model_of(channels=3), image="one")
    with pytest.raises(PredictionError, match="a region is of one image"):
        ws.forecast(model_of(), image="*", region=(slice(0, 1),))


def test_bad_input_is_one_sentence_before_anything_is_written(ws, tmp_path):
    runs, models = set(ws.runs), set((ws.path / "models").iterdir())
    with pytest.raises(VoxloopError, match="empty"):
        ws.predict(model_of(), image="one", region=(slice(2, 2), slice(None), slice(None)))
    with pytest.raises(WorkspaceError, match="unknown image 'three'; there are 'one', 'two'"):
        ws.predict(model_of(), image=["one", "three"])
    with pytest.raises(WorkspaceError, match="say which image"):
        ws.predict(model_of())
    with pytest.raises(PredictionError, match="a region is of one image"):
        ws.predict(model_of(), image="*", region=(slice(0, 1), slice(None), slice(None)))
    with pytest.raises(PredictionError, match="takes 3 channels, the volume has 1"):
        ws.predict(model_of(channels=3), image="one", name="module", overwrite=True)
    with pytest.raises(PredictionError, match="takes 3 channels, the volume has 1"):
        ws.predict(model_of(channels=3), image="*")
    with pytest.raises(PredictionError, match="channels"):
        ws.predict([model_of(), model_of(channels=3)], image="one")
    assert ws.predictions["module"].done == 1
    with pytest.raises(PredictionError, match=r"engine='tcp://a:1': several images .* use engine='local'"):
        ws.predict(model_of(), image="*", engine="tcp://a:1")
    with pytest.raises(ModelError, match="an empty list holds no model"):
        ws.predict([], image="one")
    (tmp_path / "not.zip").write_bytes(b"no")
    with pytest.raises(ModelError, match="no bioimage"):
        ws.predict(tmp_path / "not.zip", image="one")
    with pytest.raises(ModelError, match="cannot be saved"):
        ws.predict([model_of(), object()], image="one")
    assert set(ws.runs) == runs
    assert set((ws.path / "models").iterdir()) == models


def test_a_run_with_two_models_predicts_with_the_one_that_it_kept(ws):
    """Which was better is on record; the other one is there for those who ask for it."""
    run = ws.runs.create("two-models", "voxloop.deep.learner:train", vl.DeepConfig(), level="labels")
    place = RunPlace(run.path)
    model_of(0.0).save(place.model)
    model_of(4.0).save(place.classifier)
    words = "the network is behind the pixel classifier it learned from, so the classifier is what predicts"
    assert run.outcome is None
    with gather_models(ws, "two-models", ws.path / "models" / "none") as models:
        assert models.folders == ("runs/two-models/model",)
    Outcome(kept="classifier", words=words).write(run.path)
    for which, folder in (("better", "classifier"), ("classifier", "classifier"), ("network", "model")):
        with gather_models(ws, run, ws.path / "models" / "none", which=which) as models:
            assert models.folders == (f"runs/two-models/{folder}",)
            assert models.parent == "two-models"
    kept = ws.predict(run, image="one", name="kept").result
    picture = np.asarray(ws.images.open("one"))
    agreed = [float((kept.labels.values == expected(picture, threshold)).mean()) for threshold in (4.0, 0.0)]
    assert agreed[0] > 0.9 > agreed[1]
    assert kept.lineage["model_words"] == words
    assert any(event.get("text") == words for event in ws.runs["kept"].history.log)
    forced = ws.predict(run, image="one", name="forced", which="network").result
    assert np.array_equal(forced.labels.values, expected(picture, 0.0))
    assert "as asked for" in forced.lineage["model_words"]
    Outcome(kept="network", words="the network is ahead").write(run.path)
    with gather_models(ws, run, ws.path / "models" / "none") as models:
        assert models.folders == ("runs/two-models/model",)
