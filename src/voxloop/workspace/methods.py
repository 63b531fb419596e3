"""The verb ``methods``: a paragraph for a paper on how a prediction came about. Gathers what is on record."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from voxloop.errors import PredictionError, VoxloopError
from voxloop.runs import Run
from voxloop.workspace.choices import prediction_named
from voxloop.workspace.project import Project

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.review import Report
    from voxloop.review.lineage import Making


def methods(project: Project, prediction: Prediction | Run | str | None = None, report: Report | None = None) -> str:
    """A paragraph for the methods section of a paper: data, strokes, minutes, learner, score with its basis, versions.

    Parameters
    ----------
    prediction
        The one that the paper shows; the newest where None.
    report
        What :meth:`evaluate` said, where there is a reference to compare with.

    Raises
    ------
    PredictionError
        There is no prediction (of this name).

    Examples
    --------
    >>> print(ws.methods("predict-1"))
    The image 'stack' (6 x 64 x 64 voxels of 40 x 10 x 10 nm, z y x) was segmented into cell, background with a
    pixel classifier on multi-scale filter responses (run 'shallow-1'). 3 strokes were painted by hand in 1 round, ...
    """
    from voxloop.review import Report, methods_paragraph

    if report is not None and not isinstance(report, Report):
        raise PredictionError("report= takes what ws.evaluate(prediction, truth) gives")
    if prediction is None:
        names = list(project.predictions)
        if not names:
            raise PredictionError("nothing was predicted yet, so there is nothing to describe; ws.predict(run) does")
        prediction = names[-1]
    chosen = prediction_named(project.predictions, prediction)
    score = None
    with suppress(VoxloopError):
        score = project.scores.compute(chosen.name)
    return methods_paragraph(chosen, report, making=_making(project, chosen), score=score)


def _making(project: Project, prediction: Prediction) -> Making:
    from voxloop.review.lineage import Making

    facts: dict[str, Any] = {}
    with suppress(VoxloopError):
        info = project.images.info(str(prediction.image))
        facts |= {"shape": info.shape, "spacing_um": info.spacing_um}
    name = str(prediction.lineage.get("trained_by") or "")
    rounds = []
    for one in project.rounds.read(prediction.level, compute=False):
        rounds.append(one)
        if one.run == name:
            break
    if rounds and rounds[-1].run == name:
        facts |= {
            "rounds": len(rounds),
            "strokes": sum(one.work.strokes for one in rounds),
            "seconds": sum(one.work.seconds for one in rounds),
            "simulated": any(one.work.simulated for one in rounds),
            "labelled": rounds[-1].labelled if len(rounds[-1].labels) == 1 else None,
            "choice": rounds[-1].choice,
        }
    run = project.runs.get(name)
    return Making(**facts, settings={} if run is None else _differing(run))


def _differing(run: Run) -> dict[str, Any]:
    """The settings of a training that are not what they are by themselves, by their names."""
    from voxloop.config.learners import LEARNERS

    own = dict(run.config.get("settings") or {})
    family = LEARNERS.get(str(run.learner))
    usual = family.config().to_json() if family is not None else {}
    return {key: value for key, value in own.items() if usual.get(key) != value and key != "level"}
