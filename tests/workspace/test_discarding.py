"""Deleting takes along what a run made, frees its name, and touches nothing outside of the workspace."""

from __future__ import annotations

import json

import pytest
from tests.prediction.fakes import FakeModel, make_spec, picture

from voxloop import model
from voxloop.errors import PredictionError, VoxloopError
from voxloop.runs import Run, runner
from voxloop.workspace.workspace import Workspace


@pytest.fixture
def ws(tmp_path, monkeypatch):
    """A workspace whose runs run in this process, at once."""

    def launch(run, queue=True):
        runner.run(run.path, queue)
        return run

    monkeypatch.setitem(model.LEARNERS, "fake", "tests.prediction.fakes:load")
    monkeypatch.setattr(Run, "launch", launch)
    with Workspace.create(tmp_path / "ws", image=picture((4, 40, 40)), classes=["background", "mito"]) as made:
        yield made


@pytest.fixture
def docs(tmp_path):
    """A folder of yours beside the workspace."""
    (tmp_path / "docs" / "thesis.zarr").mkdir(parents=True)
    return tmp_path / "docs"


def folders(ws):
    return {path for part in (ws.layout.models, ws.layout.predictions, ws.layout.objects) for path in part.glob("*")}


def hostile(ws, name, **config):
    """A run that came with a workspace, with a config that somebody wrote by hand."""
    path = ws.layout.runs / name
    (path / "control").mkdir(parents=True)
    (path / "config.json").write_text(json.dumps({"v": 1, "name": name, "settings": {}, **config}))
    return ws.runs[name]


def test_a_deleted_run_takes_its_prediction_and_its_model_along(ws):
    ws.predict(FakeModel(make_spec()), name="p")
    assert "p" in ws.predictions
    assert ws.layout.model("p").is_dir()
    ws.runs["p"].delete()
    assert "p" not in ws.predictions
    assert "p" not in ws.runs
    assert not folders(ws)
    assert ws.predict(FakeModel(make_spec()), name="p").state == "finished"


def test_a_deleted_prediction_takes_its_run_along(ws):
    ws.predict(FakeModel(make_spec()), name="p")
    ws.predictions["p"].delete()
    assert "p" not in ws.runs
    assert not folders(ws)
    with pytest.raises(PredictionError, match="unknown prediction"):
        ws.predictions["p"]


def test_one_of_many_predictions_goes_alone(ws):
    ws.images.add("two", picture((4, 40, 40), seed=1), copy=True)
    run = ws.predict(FakeModel(make_spec()), image="*", name="all")
    ws.predictions["all.two"].delete()
    assert list(ws.predictions) == ["all.image"]
    assert list(run.result.predictions) == ["image"]
    run.delete()
    assert not folders(ws)


def test_objects_and_their_run_go_together(ws):
    ws.predict(FakeModel(make_spec()), name="p")
    for delete in (lambda run: run.delete(), lambda run: run.result.delete()):
        run = ws.objects("p", name="cells")
        assert ws.layout.objects_of("cells").is_dir()
        delete(run)
        assert "cells" not in ws.runs
        assert not ws.layout.objects_of("cells").exists()
    assert "p" in ws.predictions


def test_objects_are_made_of_predictions_of_the_same_workspace(ws, tmp_path):
    prediction = ws.predict(FakeModel(make_spec()), name="p").result
    with Workspace.create(tmp_path / "other", image=picture((4, 40, 40)), classes=["a", "b"]) as other:
        with pytest.raises(PredictionError, match="'p' lies in another workspace"):
            other.objects(prediction)
        assert not other.runs


def test_a_model_that_another_run_uses_stays(ws):
    ws.predict(FakeModel(make_spec()), name="p")
    ws.predict(ws.layout.model("p"), name="q")
    ws.runs["p"].delete()
    assert ws.predictions["q"].model.spec.learner == "fake"


@pytest.mark.parametrize("end", ["cancel", "delete"])
@pytest.mark.parametrize("saved", ["{docs}", "../docs", "../docs/thesis.zarr", "models/../../docs", "journal", "."])
def test_models_that_a_foreign_config_names_are_left_alone(ws, docs, end, saved):
    ws.labels().paint(axis="z", index=0, points=[(5, 5)], radius=3, value=2)
    task = "voxloop.prediction.task:run"
    run = hostile(ws, "r1", task=task, discard="voxloop.prediction.task:discard", saved=[saved.format(docs=docs)])
    getattr(run, end)()
    assert (docs / "thesis.zarr").is_dir()
    assert (ws.path / "journal").is_dir()


@pytest.mark.parametrize("of", ["prediction", "objects"])
@pytest.mark.parametrize("name", ["../../docs/thesis", "{docs}/thesis"])
def test_the_name_that_a_foreign_config_gives_is_not_believed(ws, docs, of, name):
    module = f"voxloop.{of}.task"
    run = hostile(ws, "r1", task=f"{module}:run", discard=f"{module}:discard")
    config = {**run.config, "name": name.format(docs=docs)}
    (run.path / "config.json").write_text(json.dumps(config))
    ws.runs["r1"].cancel()
    ws.runs["r1"].delete()
    assert (docs / "thesis.zarr").is_dir()
    assert "r1" not in ws.runs


def test_images_that_a_foreign_config_names_are_not_paths(ws, docs):
    module = "voxloop.prediction.batch"
    run = hostile(ws, "r1", task=f"{module}:run", discard=f"{module}:discard", images=["/../../../docs/thesis"])
    with pytest.raises(VoxloopError, match="no name"):
        run.delete()
    assert (docs / "thesis.zarr").is_dir()


def test_folders_that_are_links_out_of_the_workspace_are_left_alone(ws, docs):
    module = "voxloop.prediction.task"
    ws.layout.predictions.symlink_to(docs)
    run = hostile(ws, "thesis", task=f"{module}:run", discard=f"{module}:discard")
    with pytest.raises(VoxloopError, match="outside of the workspace"):
        run.delete()
    assert (docs / "thesis.zarr").is_dir()


@pytest.mark.parametrize("value", [5, None, "x", [[1]]])
@pytest.mark.parametrize("name", ["saved", "models", "settings", "parent", "created", "images", "discard"])
@pytest.mark.parametrize("module", ["task", "batch"])
def test_what_a_foreign_config_gives_as_another_type_is_not_stated(ws, module, name, value):
    task = f"voxloop.prediction.{module}"
    stated = {"task": f"{task}:run", "discard": f"{task}:discard", "saved": [], name: value}
    hostile(ws, "r1", **stated)
    mine = hostile(
        ws, "mine", task=f"{task}:run", discard=f"{task}:discard", saved=["models/m"], settings={"threads": 1}
    )
    assert [row["name"] for row in ws.runs.table()] == ["r1", "mine"]
    ws.runs.compare()
    for end in ("cancel", "delete"):
        if (name, value) != ("discard", "x"):  # names no function, which is refused in a sentence
            getattr(ws.runs["r1"], end)()
    mine.delete()
    assert "mine" not in ws.runs


@pytest.mark.parametrize("text", ["5", "null", "[]", "{", '{"name": "r1"}', "[" * 100_000])
def test_a_config_that_is_none_is_refused_in_a_sentence(ws, text):
    path = hostile(ws, "r1", task="voxloop.prediction.task:run").path
    (path / "config.json").write_text(text)
    with pytest.raises(VoxloopError, match="damaged"):
        ws.runs["r1"]
