"""What one volume taught goes to the next: samples, classifiers, channels and settings of other workspaces."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from tests.in_process import in_process

import voxloop as vl
from voxloop.errors import ConfigError, LabelError, ModelError, VolumeError, WorkspaceError
from voxloop.shallow import kept
from voxloop.shallow.model import ChannelNormalisation

#: few features: what is tried is where samples go
SMALL = vl.ShallowConfig(
    scales=2, log=False, dog=False, hessian=False, structure=False, dimensions="2d", context=0, choose="fixed"
)


def volume(seed: int, *, bright: bool = False, spacing: float = 0.02):
    """Left half rough, right half even, and where ``bright`` a square that no other volume has."""
    rng = np.random.default_rng(seed)
    picture = np.full((4, 60, 80), 120.0)
    picture[:, :, :40] += rng.normal(0, 40, (4, 60, 40))
    if bright:
        picture[:, 20:40, 55:75] = 230
    picture = picture.clip(0, 255).astype(np.uint8)
    return vl.open_volume(picture, axes="zyx", spacing=(0.04, spacing, spacing))


def paint(ws, *strokes):
    for value, y, x in strokes:
        ws.labels().paint(axis="z", index=1, points=[(y - 8, x), (y + 8, x)], radius=3, value=value)


@pytest.fixture(scope="module", autouse=True)
def no_processes():
    """What runs make is tried, not that they have processes."""
    with in_process():
        yield


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A workspace whose classifier learnt rough from even beside a channel, and kept its samples."""
    path = tmp_path_factory.mktemp("first") / "first"
    with vl.Workspace.create(path, image=volume(0), classes=["rough", "even"]) as ws:
        ws.channels.add("spread", "local_deviation", radius_um=0.08)
        paint(ws, (1, 30, 15), (1, 15, 28), (2, 30, 60), (2, 45, 70))
        assert ws.train(SMALL.changed(channels=("spread",), keep_samples=True), name="teacher").result
    return path


@pytest.fixture
def ws(tmp_path):
    with vl.Workspace.create(
        tmp_path / "next", image=volume(1, bright=True), classes=["even", "bright", "rough"]
    ) as made:
        yield made


def test_the_next_volume_starts_from_samples_and_adds_its_own(first, ws):
    teacher = first / "runs" / "teacher" / "model"
    assert (teacher / "samples.npz").stat().st_size < 1_000_000
    paint(ws, (1, 10, 50), (2, 30, 62))  # rough is painted nowhere here: samples alone know it
    run = ws.train(SMALL.changed(start_from=str(teacher), keep_samples=True), name="more")
    model = run.result
    assert [info.name for info in model.spec.classes] == ["even", "bright", "rough"]
    assert model.spec.extra["beside"]["names"] == ["spread"]  # which this workspace does not have
    found = ws.predict(run).result.labels.to_numpy()
    assert (found[:, 8:-8, 8:32] == 3).mean() > 0.9
    assert (found[:, 24:36, 60:70] == 2).mean() > 0.9
    old, both = kept.load(teacher), kept.load(run.path / "model")
    assert len(both.values) > len(old.values)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ("nothing kept", ModelError, "keep_samples=True"),
        ("other channels", ConfigError, "made otherwise"),
        ("no such run", ConfigError, "neither a run with a model"),
        ("objects", ModelError, "samples.npz is damaged"),
        ("other features", ModelError, "not those of the model"),
    ],
)
def test_what_cannot_be_started_from_is_a_sentence_before_a_run_is_made(first, ws, tmp_path, change, error, words):
    model = shutil.copytree(first / "runs" / "teacher" / "model", tmp_path / "model")
    paint(ws, (1, 10, 50), (2, 30, 62))
    config = SMALL.changed(start_from=str(model))
    if change == "nothing kept":
        (model / "samples.npz").unlink()
    elif change == "other channels":
        ws.channels.add("spread", "local_deviation", radius_um=0.2)
        config = config.changed(channels=("spread",))
    elif change == "no such run":
        config = config.changed(start_from="tacher")
    elif change == "objects":
        np.savez(model / "samples.npz", features=np.array([{}], object), values=np.zeros(1, np.int32))
    else:
        np.savez(model / "samples.npz", features=np.zeros((4, 3), np.float32), values=np.ones(4, np.int32))
    with pytest.raises(error, match=words):
        ws.train(config)
    assert not list(ws.runs)


def test_another_voxel_size_other_intensities_and_unknown_classes_are_sentences(first, tmp_path):
    samples = kept.load(first / "runs" / "teacher" / "model")
    with pytest.raises(VolumeError, match="train afresh"):
        samples.bank_on(2, (0.04, 0.05, 0.05), "other")
    with pytest.raises(VolumeError, match="learnt from: spread"):
        samples.bank_on(1, (0.04, 0.02, 0.02), "other")
    known = samples.normalisation
    with pytest.raises(VolumeError, match="one scale"):
        samples.check_intensities(ChannelNormalisation((known.offset[0] + 1000, known.offset[1]), known.scale))
    with pytest.raises(LabelError, match="know class 'rough'"):
        samples._values_among([vl.LabelClass(value=1, name="even")])


def test_another_workspace_is_a_source_of_models_channels_and_settings(first, ws, tmp_path):
    assert ws.reuse.add(first) == first
    ws.reuse.add(first)  # twice is once
    assert ws.reuse.paths == [first]
    assert ws.reuse.models == {"first: teacher": first / "runs" / "teacher" / "model"}
    assert ws.reuse.settings["first: teacher"].channels == ("spread",)
    assert ws.reuse.recipes == {"first": first}
    assert ws.channels.load(ws.reuse.recipes["first"]) == ["spread"]
    ws.close()
    with vl.Workspace.open(ws.path) as again:
        assert again.reuse.paths == [first]
        again.reuse.remove(first)
        assert not again.reuse.models
        shelf = tmp_path / "shelf"
        shutil.copytree(first / "runs" / "teacher" / "model", shelf / "classifier")
        again.channels.save(shelf / "filters.json")
        again.reuse.add(shelf)
        assert list(again.reuse.models) == ["shelf: classifier"]
        assert list(again.reuse.recipes) == ["shelf: filters"]
        for path, words in ((tmp_path / "gone", "no folder"), (again.path, "itself"), (tmp_path, "no model")):
            with pytest.raises(WorkspaceError, match=words):
                again.reuse.add(path)
        with pytest.raises(WorkspaceError, match="is not reused"):
            again.reuse.remove(first)


def test_a_source_of_somebody_else_is_listed_and_harms_nothing(first, ws, tmp_path):
    """Links, pipes, nonsense: listed where it is a model, passed over where it is not; nothing is called or written."""
    import os

    shelf = tmp_path / "shelf"
    shutil.copytree(first, shelf)
    broken = shelf / "runs" / "broken"
    (broken / "model").mkdir(parents=True)
    os.mkfifo(broken / "model" / "spec.json")
    os.mkfifo(broken / "config.json")
    for name, text in (("deep", "[" * 5000), ("odd", json.dumps({"learner": ["x"], "settings": {"scales": "many"}}))):
        (shelf / "runs" / name).mkdir()
        (shelf / "runs" / name / "config.json").write_text(text)
    (shelf / "runs" / "out").symlink_to(first / "runs" / "teacher")
    before = {path: path.lstat().st_mtime_ns for path in shelf.rglob("*")}
    ws.reuse.add(shelf)
    assert list(ws.reuse.models) == ["shelf: teacher"]
    assert list(ws.reuse.settings) == ["shelf: teacher"]
    assert {path: path.lstat().st_mtime_ns for path in shelf.rglob("*")} == before
    document = json.loads((ws.path / "workspace.json").read_text())
    ws.close()
    document["reuse"] = ["/dev", "relative", str(shelf / "workspace.json"), str(tmp_path / "gone")]
    (ws.path / "workspace.json").write_text(json.dumps(document))
    with vl.Workspace.open(ws.path) as again:
        assert again.reuse.models == {}
        assert again.reuse.settings == {}
