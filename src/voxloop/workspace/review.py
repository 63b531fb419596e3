"""The verbs that look at a prediction: ``accept``, ``suggest``, ``evaluate``. The work is done by review/."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from voxloop.errors import LabelError
from voxloop.runs import Run
from voxloop.workspace.choices import prediction_named, region_in
from voxloop.workspace.project import Project

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.review import Report, Suggestion
    from voxloop.store import Edit


def accept(
    project: Project,
    prediction: Prediction | Run | str,
    region: object = None,
    classes: Sequence[str | int] | None = None,
    above: float = 0.9,
) -> Edit | None:
    """Turn confident voxels of a prediction into labels: one edit that undo takes back.

    Voxels that are labelled already stay as they are. ``above`` is a probability; ``classes`` names or values,
    None for all. None where no voxel was confident enough.
    """
    from voxloop import review

    chosen = prediction_named(project.predictions, prediction)
    labels = project.labels(chosen.level, chosen.image)
    box = region_in(project.store, region, labels.image)
    return review.accept(labels, chosen, region=box, classes=classes, above=above)


def suggest(project: Project, prediction: Prediction | Run | str, n: int = 8, **settings: Any) -> list[Suggestion]:
    """Where to correct next, best first, each with its reason."""
    from voxloop import review

    chosen = prediction_named(project.predictions, prediction)
    with suppress(LabelError):
        settings.setdefault("labels", project.labels(chosen.level, chosen.image))
    return review.suggest(chosen, n, **settings)


def evaluate(project: Project, prediction: Prediction | Run | str, truth: Any, **settings: Any) -> Report:
    """Score a prediction against the truth: an array, a volume, a level's name, or Labels; streams over chunks."""
    from voxloop import review

    chosen = prediction_named(project.predictions, prediction)
    if isinstance(truth, str) and truth in project.levels.names:
        truth = project.labels(truth, chosen.image)
    return review.evaluate(chosen, truth, **settings)
