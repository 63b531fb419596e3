"""The verbs that choose between models: which of several is better, and which prediction to offer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from voxloop.errors import LabelError, PredictionError, WorkspaceError, unknown
from voxloop.review.score import interval_level
from voxloop.runs import Run
from voxloop.store.values import text
from voxloop.workspace.choices import prediction_named, predictions_with
from voxloop.workspace.project import Project

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.review import Comparison, PredictionOffer


def compare(
    project: Project,
    models: Sequence[Prediction | Run | str],
    *,
    image: str | None = None,
    on: str | None = None,
    level: float = 0.9,
) -> Comparison:
    """Which of several models is better, on voxels from which none of them has learned.

    Judged by the answers of all audits of predictions of that image, whichever they are of; where there are none by
    the strokes made after all of them had learned. ``comparison.words`` says it, ``.best`` is the one that is better
    than each of the others (None where that is not known), ``.table()`` has a row for every two.

    Parameters
    ----------
    models
        Predictions, or trainings: of each its newest prediction of the image.
    image
        Which image; None: the newest that all of them have predicted.
    on
        Name of a set whose labels judge instead. All of the trainings must have kept it apart (``validation_set``).
    level
        How often an interval is to hold the true difference, 0 to 1.

    Raises
    ------
    PredictionError
        They are fewer than two, of different classes, or there is no image that all of them have predicted.
    WorkspaceError
        There is no such set, or one of the models has learned from it.

    Examples
    --------
    >>> ws.predict("shallow-1", name="again").result
    <Prediction 'again': cell, background; 100% of image 'stack'; made in one piece, without cuts between tiles>
    >>> ws.compare(["predict-1", "again"]).words
    'predict-1 and again say the same everywhere'
    """
    level = interval_level(level)
    if isinstance(models, str) or not isinstance(models, Sequence) or len(models) < 2:
        raise PredictionError("comparing takes two models at least, as in ws.compare(['shallow-2', 'deep-1'])")
    predictions = _on_one_image(project, [_predictions_of(project, one) for one in models], models, image)
    names = [one.name for one in predictions]
    if len(set(names)) < len(names):
        raise PredictionError(f"{', '.join(names)}: two of the models mean the same prediction; name others")
    if on is None:
        return project.offers.compare(predictions, level)
    from voxloop.review.evidence import units_of_set

    chosen, first = project.sets[on], predictions[0]
    for one in predictions:
        _check_apart(project, one, chosen.name)
    labels = project.labels(str(first.level), str(first.image))
    evidence = units_of_set(chosen, str(first.image), str(first.level), labels)
    return project.offers.compare(predictions, level, evidence)


def offer(project: Project, image: str | None = None, level: str | None = None) -> PredictionOffer:
    """Which prediction of an image to offer, and why: ``.name``, ``.words``, ``.reasons``; ``.clear`` for the best.

    From the oldest prediction on, a later one takes the place of an earlier one only for a reason:

    - it is better beyond doubt on places that neither had learned (:meth:`compare`); or nothing is known of that, and
    - it covers more of the image, or its score lies above the other's, interval by interval; or
    - it is of the same learner and has learned more labels, unless strokes that both held out say it is worse; or
    - it is a network that its run says is ahead of the pixel classifier of the same strokes, and that classifier had
      learned no more.

    A network that is behind its classifier never does. ``clear`` is true only where comparison says that it is better
    than each of the others.

    Parameters
    ----------
    image, level
        Which; None: those of the newest prediction.

    Raises
    ------
    PredictionError
        Nothing is predicted of it yet.

    Examples
    --------
    >>> ws.offer().name, ws.offer().words
    ('predict-1', 'predict-1 is the only prediction')
    """
    if image is not None and image not in project.images:
        raise WorkspaceError(unknown("image", image, project.images.names))
    if level is not None:
        level = text("level", level, error=WorkspaceError)
    heads = project.scores.heads()
    fitting = [head for head in heads if image in (None, head.image) and level in (None, head.level)]
    if not fitting:
        raise PredictionError("nothing is predicted yet; ws.predict(run) does")
    return project.offers.compute(fitting[-1].image, fitting[-1].level)


def best(project: Project, image: str | None = None, level: str | None = None) -> Prediction:
    """The prediction to offer of an image: that of :meth:`offer`, which also says why and how sure that is.

    Parameters
    ----------
    image, level
        Which; None: those of the newest prediction.

    Raises
    ------
    PredictionError
        Nothing is predicted of it yet.

    Examples
    --------
    >>> ws.best().name
    'predict-1'
    """
    return project.predictions[offer(project, image, level).name]


def _predictions_of(project: Project, model: Prediction | Run | str) -> list[Prediction]:
    """What is meant by a model: a prediction, or all that were made with a training, the newest last."""
    name = model.name if isinstance(model, Run) else model
    if isinstance(name, str) and name in project.runs and project.runs[name].kind == "train":
        return predictions_with(project, name)
    if isinstance(name, str) and name not in project.predictions:
        made = [head.name for head in project.scores.heads() if head.run == name]
        if made:
            return [project.predictions[one] for one in made]
    return [prediction_named(project.predictions, model)]


def _on_one_image(
    project: Project, meant: Sequence[Sequence[Prediction]], models: Sequence[object], image: str | None
) -> list[Prediction]:
    """Of each model its newest prediction of the image, or of the newest that all have predicted."""
    common = [one.image for one in meant[0]]
    for predictions in meant[1:]:
        there = {one.image for one in predictions}
        common = [name for name in common if name in there]
    if image is not None:
        if image not in project.images:
            raise WorkspaceError(unknown("image", image, project.images.names))
        common = [name for name in common if name == image]
    if not common:
        which = f"image {image!r}" if image else "the same image"
        listed = ", ".join(str(getattr(one, "name", one)) for one in models)
        raise PredictionError(f"{listed} have not all predicted {which}; predict it with each of them first")
    return [[one for one in predictions if one.image == common[-1]][-1] for predictions in meant]


def _check_apart(project: Project, prediction: Prediction, name: str) -> None:
    """Raise WorkspaceError where the model of a prediction may have learned from a set."""
    run = project.runs.get(prediction.lineage.get("trained_by"))
    kept_apart = None
    with suppress(AttributeError, LabelError):
        kept_apart = run.config.get("validation_set", {}).get("name") if run is not None else None
    if kept_apart != name:
        raise WorkspaceError(
            f"the model of {prediction.name!r} may have learned from the set {name!r}; train with "
            f"validation_set={name!r} to keep it apart, or compare without on="
        )
