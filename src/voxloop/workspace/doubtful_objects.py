"""The verb ``doubtful_objects``: which objects of a level are most likely wrong, by a prediction of their image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from voxloop.errors import LabelError, PredictionError
from voxloop.runs import Run
from voxloop.store import Labels
from voxloop.workspace.choices import prediction_named
from voxloop.workspace.label_objects import image_of, made_objects
from voxloop.workspace.project import Project

if TYPE_CHECKING:
    from pandas import DataFrame

    from voxloop.objects import Objects
    from voxloop.prediction import Prediction


def doubtful_objects(
    project: Project,
    level: Labels | Objects | Run | str | None = None,
    prediction: Prediction | Run | str | None = None,
    *,
    image: str | None = None,
) -> DataFrame:
    """Objects, those that a prediction is least sure of first.

    Parameters
    ----------
    level
        A level of instances, its name or ``ws.labels(...)``; None: the only one. Or what :meth:`Workspace.objects`
        made, its run or the run's name.
    prediction
        Whose uncertainty counts; None: the newest of the image, of objects the one that they were made of.

    Returns
    -------
    DataFrame
        Index ``object``; ``error``: mean uncertainty of the prediction on the object, 0 to 1; ``voxels``; ``locked``.

    Raises
    ------
    LabelError
        The level holds classes, or no object.
    PredictionError
        The image has no prediction, or that one keeps no uncertainty.

    Examples
    --------
    >>> ws.doubtful_objects("objects-1").columns.tolist()
    ['error', 'voxels', 'locked']
    """
    from voxloop.objects import Objects, measure_objects

    runs = {name for name, run in project.runs.items() if run.kind == "objects"}
    if isinstance(level, Objects | Run) or (isinstance(level, str) and level in runs - set(project.levels.names)):
        made = made_objects(project, level)
        own = Path(str(made.facts.get("prediction") or "")).stem
        chosen = _prediction(
            project, prediction or (own if own in project.predictions else None), image_of(project, made)
        )
        return _sorted(measure_objects(made.labels, chosen.uncertainty), chosen, [])
    labels = level if isinstance(level, Labels) else project.labels(level, image)
    labels.next_object()  # says so where there are no objects
    if not labels.counts():
        raise LabelError(f"level {labels.level.name!r} of image {labels.image!r} holds no object yet")
    chosen = _prediction(project, prediction, labels.image)
    return _sorted(measure_objects(labels.as_volume(), chosen.uncertainty), chosen, labels.locked_objects)


def _prediction(project: Project, prediction: Prediction | Run | str | None, image: str | None) -> Prediction:
    """The prediction that is named, or the newest of an image. Raises PredictionError."""
    if prediction is None:
        names = [name for name, made in project.predictions.items() if made.image == image and made.done == 1]
        if not names:
            raise PredictionError(f"image {image!r} has no prediction yet; ws.predict makes one")
        prediction = names[-1]
    chosen = prediction_named(project.predictions, prediction)
    if chosen.image != image:
        raise PredictionError(f"prediction {chosen.name!r} is of image {chosen.image!r}, not of {image!r}")
    return chosen


def _sorted(measured: DataFrame, prediction: Prediction, locked: Sequence[int]) -> DataFrame:
    table = measured[["voxels"]].assign(
        error=measured["mean"] * float(prediction.uncertainty.attrs.get("scale", 1.0)),
        locked=measured.index.isin(list(locked)),
    )
    return table[["error", "voxels", "locked"]].sort_values("error", ascending=False)
