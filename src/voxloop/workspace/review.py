"""The verbs that look at predictions and labels: how good, where wrong. The work is done by review/."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from voxloop.errors import LabelError, RunError
from voxloop.review.score import interval_level
from voxloop.runs import Run
from voxloop.workspace import places
from voxloop.workspace.choices import prediction_named, predictions_with, region_in
from voxloop.workspace.people import labels_by
from voxloop.workspace.project import Project
from voxloop.workspace.track import accept_tracks, tracks_of

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.prediction.found import FoundPlaces
    from voxloop.review import Doubt, FieldAudit, PointAudit, Report, Score
    from voxloop.tracks import Tracks

#: how often intervals hold the true value, where nobody asks for another share
LEVEL = 0.9


def accept(
    project: Project,
    prediction: Prediction | FoundPlaces | Tracks | Run | str,
    region: object = None,
    classes: Sequence[str | int] | None = None,
    above: float | None = None,
    frames: object = None,
    level: str | None = None,
) -> Any:
    """Turn confident voxels of a prediction into labels: one edit that undo takes back.

    Voxels that are labelled already stay as they are. ``above`` is a probability, 0.9 where not given; ``classes``
    names or values, None for all. None where no voxel was confident enough.

    Of animals, points or boxes that were found: predicted instances of their level, in ``frames`` (None: all that
    were looked at; frames that a person labelled stay as they are), those whose score is at least ``above`` (0 where
    not given). Gives the numbers of the instances.

    Of tracks: instances of their level get them; what was found comes as predicted instances with tracks; objects of
    masks become a new level of instances, ``level``, with one number a track.

    Examples
    --------
    >>> edit = ws.accept("predict-1", above=0.95)
    >>> edit.tool, edit.voxels > 10_000
    ('accept', True)
    >>> ws.labels().undo().tool
    'undo'
    """
    from voxloop import review

    tracks = tracks_of(project, prediction)
    if tracks is not None:
        return accept_tracks(project, tracks, level)
    if level is not None:
        raise LabelError("level= is of tracks; everything else knows its level")

    found = places.found_of(project, prediction)
    if found is not None:
        return places.accept_places(project, found, frames, 0.0 if above is None else above)
    above = 0.9 if above is None else above
    chosen = prediction_named(project.predictions, prediction)  # type: ignore[arg-type]  # places were told apart
    labels = project.labels(chosen.level, chosen.image)
    box = region_in(project.store, region, labels.image)
    return review.accept(labels, chosen, region=box, classes=classes, above=above)


def evaluate(project: Project, prediction: Prediction | Run | str, truth: Any, **settings: Any) -> Report:
    """Score a prediction against the truth; streams over chunks.

    The truth is an array, a volume, the name of a level, ``"cells by Ada"`` (what one author said), or Labels. Classes
    of it that the model did not learn are missed, which ``report.missed`` says.

    Examples
    --------
    >>> report = ws.evaluate("predict-1", np.where(truth > 0, 1, 2))
    >>> round(report.iou, 1), round(report.iou_per_class["cell"], 1)
    (0.8, 0.8)
    """
    from voxloop import review

    chosen = prediction_named(project.predictions, prediction)
    if isinstance(truth, str) and truth in project.levels.names:
        truth = project.labels(truth, chosen.image)
    elif isinstance(truth, str) and (said := labels_by(project, truth, str(chosen.image))) is not None:
        truth = said
    if chosen.level in project.levels.names:
        settings = {"named": project.levels[chosen.level].classes, **settings}
    return review.evaluate(chosen, truth, **settings)


def score(project: Project, prediction: Prediction | Run | str, level: float = LEVEL) -> Score:
    """How good a prediction is, as an interval: mean IoU of its foreground classes on the whole of its image.

    From an audit of it where there is one, else from what was corrected since its model learned, else from how sure the
    model is, held to the strokes that its training held out. ``score.words`` says which, or what it takes to know.

    Parameters
    ----------
    prediction
        A prediction, its name, or a run: the one that predicted, or one that trained, for the newest prediction by it.
    level
        How often the interval is to hold the true value, 0 to 1.

    Raises
    ------
    PredictionError
        Nothing was predicted with this run yet.

    Examples
    --------
    >>> ws.score("predict-1").words
    'not known yet: correct 10 more places, or check 100 points'
    """
    from voxloop import review

    level = interval_level(level)
    chosen = _predicted_by(project, prediction)
    if level == LEVEL and chosen.path == project.layout.prediction(chosen.name):
        return project.scores.compute(chosen.name)
    labels = None
    with suppress(LabelError):
        labels = project.labels(chosen.level, chosen.image)
    return review.score_prediction(project.layout, chosen, labels, level)


def audit(
    project: Project,
    prediction: Prediction | Run | str,
    how: Literal["points", "fields"] = "points",
    n: int | None = None,
    seed: int = 0,
) -> PointAudit | FieldAudit:
    """Places drawn by chance for a person to judge: what :meth:`score` then says holds for the whole image.

    Kept in the workspace answer by answer; the same call opens it again. What is said there teaches no model.

    Parameters
    ----------
    how
        ``"points"``: single voxels, which class each truly is; ``"fields"``: small squares of planes, right or
        corrected, which tell volume fractions and counts too.
    n
        How many; 100 points or 12 fields where None.
    seed
        The same seed draws the same places.

    Examples
    --------
    >>> audit = ws.audit("predict-1", n=40)
    >>> for i, place in enumerate(audit.points):
    ...     audit.answer(i, "cell" if truth[place] else "background")
    >>> audit.score().basis
    'audit'
    >>> print(audit.score().words)
    IoU ...-..., from 40 points checked
    """
    from voxloop import review

    return review.open_audit(project.layout.audits, _predicted_by(project, prediction), how, n, seed)


def doctor(project: Project, n: int = 20, run: Run | str | None = None) -> list[Doubt]:
    """Strokes that may be on the wrong thing: models that had not learned from them say another class.

    Parameters
    ----------
    n
        How many at most, the surest contradiction first.
    run
        The training of a pixel classifier whose held-out strokes are looked at; the newest where None.

    Raises
    ------
    RunError
        There is no such training yet.

    Examples
    --------
    >>> ws.doctor()
    []
    """
    from voxloop import review

    return review.doubts_of(project.store, _judging_run(project, run), n)


def _predicted_by(project: Project, prediction: Prediction | Run | str) -> Prediction:
    """The prediction that is meant; of a training the newest that was made with it. Raises PredictionError."""
    name = prediction.name if isinstance(prediction, Run) else prediction
    if isinstance(name, str) and name not in project.predictions and name in project.runs:
        return predictions_with(project, name)[-1]
    return prediction_named(project.predictions, prediction)


def _judging_run(project: Project, run: Run | str | None) -> Run:
    if run is not None:
        return run if isinstance(run, Run) else project.runs[run]
    trained = [one for one in project.runs.values() if one.learner == "shallow" and one.state == "finished"]
    if not trained:
        raise RunError("no pixel classifier was trained yet, so no stroke was held out; train one with ws.train()")
    return trained[-1]
