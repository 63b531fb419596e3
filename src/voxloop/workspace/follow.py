"""What follows a training: the prediction that was asked for at its start. Called by name, in the run's own process."""

from __future__ import annotations

from pathlib import Path

from voxloop.runs.context import RunFacts
from voxloop.runs.runner import read_config
from voxloop.workspace.workspace import Workspace


def predict(path: Path) -> str:
    """Start a prediction with the model of the run in ``path``, on the device that it was trained on; its name."""
    facts = RunFacts(path, read_config(path))
    # who writes the labels goes on writing them
    with Workspace.open(facts.workspace, read_only=True) as ws:
        on = {"device": facts.settings["device"]} if facts.settings.get("device") else {}
        return ws.predict(path.name, image=facts.config["then_predict"], wait=False, **on).name
