"""What follows a training: the prediction that was asked for at its start. Called by name, in the run's own process."""

from __future__ import annotations

from pathlib import Path

from voxloop.runs.context import RunFacts
from voxloop.runs.runner import read_config
from voxloop.store import Store
from voxloop.workspace import predict as verb
from voxloop.workspace.project import Project


def predict(path: Path) -> str:
    """Start a prediction with the model of the run in ``path``, on the device that it was trained on; its name."""
    facts = RunFacts(path, read_config(path))
    device = facts.settings.get("device")
    # who writes the labels goes on writing them
    with Project(Store.open(facts.workspace, read_only=True)) as project:
        settings = {"device": device} if device else {}
        return verb.predict(project, path.name, image=facts.config["then_predict"], **settings).name
