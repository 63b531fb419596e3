"""The verb ``objects``: from a prediction to separate objects. The work is done by the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voxloop.config import ObjectsConfig
from voxloop.errors import PredictionError
from voxloop.runs import Run
from voxloop.workspace.choices import part_of, prediction_named, run_name
from voxloop.workspace.project import Project

if TYPE_CHECKING:
    from voxloop.prediction import Prediction


def objects(
    project: Project,
    prediction: Prediction | Run | str,
    config: ObjectsConfig | None = None,
    *,
    of: str | int | None = None,
    region: object = None,
    name: str | None = None,
    **settings: Any,
) -> Run:
    """Make objects of a prediction, in a process of its own.

    Parameters
    ----------
    config, **settings
        An :class:`ObjectsConfig`, or its fields by name.
    of
        Name or value of the class; the only one that is not background where not given. Networks that learnt
        objects have none.
    region
        Slices (z, y, x) in voxels, a region of ``ws.regions`` or its name; what was predicted where not given.
    name
        Name of the run; ``objects-1``, ... where not given.

    Returns
    -------
    Run
        At once. ``run.result`` waits and is the :class:`Objects`: label image, table in micrometres, meshes.
    """
    from voxloop.objects.task import class_value

    config = ObjectsConfig() if config is None else config
    config = config.changed(**settings) if settings else config
    chosen = prediction_named(project.predictions, prediction)
    if chosen.done < 1:
        raise PredictionError(f"prediction {chosen.name!r} is {chosen.done:.0%} done; make objects when it is whole")
    if chosen.path.resolve() != project.layout.prediction(chosen.name).resolve():
        raise PredictionError(f"prediction {chosen.name!r} lies in another workspace: {chosen.path}; open that one")
    box = part_of(project.store, chosen, region)
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
    )
    return run.launch()
