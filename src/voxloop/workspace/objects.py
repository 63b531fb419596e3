"""The verb ``objects``: from a prediction, labels or a mask to separate objects. The work is done by the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from voxloop.config import ObjectsConfig
from voxloop.errors import PredictionError, unknown
from voxloop.geometry import Box
from voxloop.runs import Run
from voxloop.workspace import label_objects
from voxloop.workspace.choices import part_of, prediction_named, run_name
from voxloop.workspace.project import Project

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.review import ObjectFit
    from voxloop.store import Labels


def objects(
    project: Project,
    prediction: Any,
    config: ObjectsConfig | None = None,
    *,
    of: str | int | None = None,
    region: object = None,
    name: str | None = None,
    image: str | None = None,
    kind: str | None = None,
    on_finished: Callable[[Run], object] | None = None,
    **settings: Any,
) -> Run:
    """Make objects of a prediction, a label level or a mask, in a process of its own.

    Parameters
    ----------
    prediction
        A prediction, its name or its run; a level's name, or ``ws.labels(...)``: of a class its connected voxels, of a
        level of instances the objects as they are; or a mask: a file's path or an array of whole numbers (z, y, x).
    config, **settings
        An :class:`ObjectsConfig`, or its fields by name. Where neither is given, settings are fitted to the objects
        that are labelled on the image (:func:`fit_objects`); the run's log says so.
    of
        Name or value of the class; the only one that is not background where not given. Networks that learnt
        objects have none.
    region
        Slices (z, y, x) in voxels, a region of ``ws.regions`` or its name. None: the box of the active region, what was
        predicted where none is.
    name
        Name of the run; ``objects-1``, ... where not given.
    image
        The image on which a level or a mask lies; the only one where not given.
    kind
        Of a mask: ``"semantic"`` (its connected voxels) or ``"instances"`` (its numbers stay); ``None``: the first
        where it holds one value, the second where it holds several and ``of`` names none.
    on_finished
        Called with the run once it has ended, however (``run.state`` says so), while this process lives: the place for
        an e-mail or a message to a channel.

    Returns
    -------
    Run
        At once. ``run.result`` waits and is the :class:`Objects`: label image, table in micrometres, meshes.

    Examples
    --------
    >>> run = ws.objects("predict-1", of="cell", min_size=0.0001)
    >>> run.result.count
    4
    >>> run.result.table()["volume_um3"].round(3).tolist()
    [0.004, 0.004, 0.004, 0.004]
    """
    from voxloop.objects.task import class_value

    if label_objects.is_labelled(project, prediction):
        given = ObjectsConfig.of(config, **settings) if config is not None or settings else None
        return _started(
            label_objects.create_run(project, prediction, given, of, region, name, image, kind), on_finished
        )
    if image is not None or kind is not None:
        raise PredictionError("image= and kind= are of levels and masks; a prediction knows its image")
    if isinstance(prediction, str) and prediction not in project.predictions:
        raise PredictionError(unknown("prediction or level", prediction, [*project.predictions, *project.levels.names]))
    chosen = prediction_named(project.predictions, prediction)
    fitted_to = None
    if config is None and not settings:
        fitted_to = labelled_objects(project, chosen)
    config = ObjectsConfig.of(config, **settings)
    if chosen.done < 1:
        raise PredictionError(f"prediction {chosen.name!r} is {chosen.done:.0%} done; make objects when it is whole")
    if chosen.path.resolve() != project.layout.prediction(chosen.name).resolve():
        raise PredictionError(f"prediction {chosen.name!r} lies in another workspace: {chosen.path}; open that one")
    box = part_of(project.store, chosen, _active_part(project, chosen) if region is None else region)
    bounds = None if box is None else box.to_json()
    project.store.check_open_to_runs()
    run = project.runs.create(
        run_name(project, name, "objects"),
        "voxloop.objects.task:run",
        config.to_json(),
        kind="objects",
        result="voxloop.objects.task:open_result",
        discard="voxloop.objects.task:discard",
        parent=chosen.name,
        image=chosen.image,
        prediction=project.layout.relative(chosen.path),
        of=class_value(chosen.path, of),
        region=bounds,
        fit=None if fitted_to is None else {"level": fitted_to.level.name, "sequence": fitted_to.sequence},
    )
    return _started(run, on_finished)


def _started(run: Run, on_finished: Callable[[Run], object] | None) -> Run:
    run.launch()
    if on_finished is not None:
        run.on_finished(on_finished)
    return run


def _active_part(project: Project, prediction: Prediction) -> Box | None:
    """Of what was predicted, the box that the active region holds; None where none is. Raises PredictionError."""
    active = project.regions.active_on(str(prediction.image))
    if active is None:
        return None
    box = active.box.meet(prediction.box)
    if box is None:
        raise PredictionError(
            f"prediction {prediction.name!r} has nothing inside of region {active.name!r}, which is active; "
            "ws.regions.deactivate() works on all of the image again"
        )
    return box


def fit_objects(
    project: Project, prediction: Prediction | Run | str, of: str | int | None = None, level: str | None = None
) -> ObjectFit:
    """Settings of objects by which those that are labelled are found again: smallest size, smoothing, where to cut.

    Parameters
    ----------
    of
        As of :func:`objects`.
    level
        A level of instances; the prediction's own, or the one with most labels, where not given.

    Returns
    -------
    ObjectFit
        ``fit.config``, ``fit.ap`` and ``fit.words``. Takes seconds.

    Raises
    ------
    PredictionError
        No level of instances has labels on the image of the prediction.

    Examples
    --------
    >>> nuclei.counts()
    {1: 893, 2: 893, 3: 893, 4: 893}
    >>> ws.fit_objects("predict-1", level="nuclei").words
    'fitted to 4 labelled objects: AP 1.00 on them, 1.00 with the settings as they are'
    """
    from voxloop import review

    chosen = prediction_named(project.predictions, prediction)
    labels = labelled_objects(project, chosen) if level is None else project.labels(level, chosen.image)
    if labels is None:
        raise PredictionError(
            f"no objects are labelled on image {chosen.image!r}; make a level of instances, "
            'ws.levels.add("objects", kind="instances"), and label a few whole ones'
        )
    if labels.level.kind != "instances":
        instances = [name for name in project.levels.names if project.levels[name].kind == "instances"]
        raise PredictionError(unknown("level of instances", level, instances))
    return review.fit_objects(chosen.path, labels, of)


def labelled_objects(project: Project, prediction: Prediction) -> Labels | None:
    """Labels of objects on the image of a prediction; None where there are none."""
    from voxloop.review.object_fit import labelled_level

    if prediction.image not in project.images.names:
        return None
    names = [name for name in project.levels.names if project.levels[name].kind == "instances"]
    return labelled_level([project.labels(name, prediction.image) for name in names], prediction.level)
