"""The verb ``doubtful_objects``: which objects of a level are most likely wrong, by a prediction of their image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxloop.errors import LabelError, PredictionError
from voxloop.runs import Run
from voxloop.store import Labels
from voxloop.workspace.choices import prediction_named
from voxloop.workspace.project import Project

if TYPE_CHECKING:
    from pandas import DataFrame

    from voxloop.prediction import Prediction


def doubtful_objects(
    project: Project,
    level: Labels | str | None = None,
    prediction: Prediction | Run | str | None = None,
    *,
    image: str | None = None,
) -> DataFrame:
    """Objects of a level of instances, those that a prediction is least sure of first.

    Parameters
    ----------
    level
        A level's name, or ``ws.labels(...)``; None: the only one.
    prediction
        Whose uncertainty counts; None: the newest of the image.

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
    """
    from voxloop.objects import measure_objects

    labels = level if isinstance(level, Labels) else project.labels(level, image)
    labels.next_object()  # says so where there are no objects
    if not labels.counts():
        raise LabelError(f"level {labels.level.name!r} of image {labels.image!r} holds no object yet")
    if prediction is None:
        names = [name for name, made in project.predictions.items() if made.image == labels.image and made.done == 1]
        if not names:
            raise PredictionError(f"image {labels.image!r} has no prediction yet; ws.predict makes one")
        prediction = names[-1]
    chosen = prediction_named(project.predictions, prediction)
    if chosen.image != labels.image:
        raise PredictionError(f"prediction {chosen.name!r} is of image {chosen.image!r}, not of {labels.image!r}")
    sure = chosen.uncertainty
    measured = measure_objects(labels.as_volume(), sure)
    table = measured[["voxels"]].assign(
        error=measured["mean"] * float(sure.attrs.get("scale", 1.0)),
        locked=measured.index.isin(labels.locked_objects),
    )
    return table[["error", "voxels", "locked"]].sort_values("error", ascending=False)
