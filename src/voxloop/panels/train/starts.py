"""What a training can start from: runs of this workspace, models of others. Opens no model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from voxloop.errors import ModelError
from voxloop.model import read_spec
from voxloop.panels.train.learners import LearnerName
from voxloop.store.layout import RunPlace

if TYPE_CHECKING:
    from voxloop.runs import Run
    from voxloop.workspace.workspace import Workspace

#: where a classifier keeps what it learnt from
_SAMPLES = "samples.npz"


def starts(ws: Workspace, runs: Sequence[Run]) -> dict[LearnerName, list[str]]:
    """By learner: names of runs, then folders. Networks start from weights, classifiers from samples that were kept."""
    own = [(run.name, RunPlace(run.path).model) for run in runs]
    others = [(str(folder), folder) for folder in ws.reuse.models.values()]
    with_samples = [name for name, folder in (*own, *others) if (folder / _SAMPLES).is_file()]
    networks = [run.name for run in runs if RunPlace(run.path).model.is_dir()]
    networks += [name for name, folder in others if _is_network(folder)]
    return {"shallow": with_samples, "deep": networks}


def _is_network(folder: Path) -> bool:
    try:
        return read_spec(folder).learner == "deep"
    except ModelError:
        return False
