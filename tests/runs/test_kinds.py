"""What a run says of itself: its kind and who trains; folders that were made before runs said so are read as well."""

from __future__ import annotations

import json

import pytest

from voxloop.runs import Run, Runs

TASKS = {
    "voxloop.shallow.learner:train": ("train", "shallow"),
    "voxloop.deep.learner:train": ("train", "deep"),
    "voxloop.prediction.task:run": ("predict", None),
    "voxloop.prediction.batch:run": ("batch", None),
    "voxloop.objects.task:run": ("objects", None),
}


@pytest.mark.parametrize("task", TASKS)
def test_a_folder_that_does_not_say_so_is_told_by_its_task(tmp_path, task):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "config.json").write_text(json.dumps({"v": 1, "name": "old", "task": task}))
    run = Run(tmp_path / "old")
    assert (run.kind, run.learner) == TASKS[task]


def test_what_a_run_is_stands_in_its_config(tmp_path):
    runs = Runs(tmp_path)
    made = runs.create("a", "voxloop.deep.learner:train", {}, kind="train", learner="somebody")
    assert (made.kind, made.learner) == ("train", "somebody")
    assert (made.config["kind"], made.config["learner"]) == ("train", "somebody")
    assert Run(made.path).learner == "somebody"
    assert {row["name"]: (row["kind"], row["learner"]) for row in runs.table()} == {"a": ("train", "somebody")}


def test_a_kind_that_nobody_knows_is_told_by_the_task(tmp_path):
    (tmp_path / "new").mkdir()
    config = {"v": 1, "name": "new", "task": "voxloop.objects.task:run", "kind": "surprise"}
    (tmp_path / "new" / "config.json").write_text(json.dumps(config))
    assert Run(tmp_path / "new").kind == "objects"
