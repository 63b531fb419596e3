"""The end of a training: the network is judged on what was held out, and the run keeps what predicts better."""

from __future__ import annotations

from typing import Any

from voxloop.deep.begin.material import Material
from voxloop.deep.objective.instances import Criterion
from voxloop.deep.training.classifier import PixelClassifier
from voxloop.deep.training.deciding import Effort, decide, without_comparison
from voxloop.deep.training.final_test import examine
from voxloop.deep.training.judging import HeldOutStrokes, Judgement, compare, predict_held_out
from voxloop.deep.training.model_folder import load_kept_network
from voxloop.runs.context import TaskContext
from voxloop.runs.outcome import Outcome


def settle(
    context: TaskContext, material: Material, criterion: Criterion, classifier: PixelClassifier | None, effort: Effort
) -> None:
    """Judge the network that is kept, and write which model predicts.

    Parameters
    ----------
    classifier
        What it is put beside; None: a method that knows nothing.
    """
    network = load_kept_network(context.path, material.device)
    judged = classifier.judged() if classifier else None
    if judged is None:
        verdict = examine(network, material, criterion)
        if verdict:
            context.emit("test", **verdict)
        if material.config.compare_with == "classifier":
            reason = classifier.failure if classifier else "objects are learnt, or images of several voxel sizes"
            without_comparison(reason, effort).write(context.path)
        return
    held_out = predict_held_out(network, judged, material)
    strokes, voxels = len(held_out.truth), int(held_out.voxels.sum())
    if not strokes and not material.config.validation_share:
        without_comparison("nothing was held out (validation_share is 0)", effort).write(context.path)
        return
    comparison = compare(held_out, material.data.classes, material.config.seed)
    outcome = decide(comparison, strokes, voxels, held_out.on, effort)
    outcome.write(context.path)
    context.emit("log", text=outcome.words)
    if comparison.network is not None:
        context.emit("test", **_facts(held_out, comparison, outcome))


def _facts(held_out: HeldOutStrokes, comparison: Judgement, outcome: Outcome) -> dict[str, Any]:
    """Fields of a ``test`` event."""
    return {
        "on": held_out.on,
        "windows": held_out.windows,
        "voxels": outcome.voxels,
        "strokes": outcome.strokes,
        **(comparison.network or {}),
        "baseline": {"name": "pixel classifier", **(comparison.classifier or {})},
        "kept": outcome.kept,
        "words": outcome.words,
    }
