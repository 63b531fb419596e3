"""The verb ``g_ratio``: axons and their myelin, of labels or of a prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxloop.errors import PredictionError, unknown
from voxloop.given import shown
from voxloop.runs import Run
from voxloop.store import Labels
from voxloop.store.values import number
from voxloop.workspace.choices import prediction_named
from voxloop.workspace.project import Project

if TYPE_CHECKING:
    from pandas import DataFrame

    from voxloop.prediction import Prediction


def g_ratio(
    project: Project,
    source: Prediction | Labels | Run | str,
    axon: str | int = "axon",
    myelin: str | int = "myelin",
    *,
    image: str | None = None,
    min_axon_um2: float = 0.0,
) -> DataFrame:
    """Every axon with the myelin around it, and the ratio of their diameters, plane by plane.

    Parameters
    ----------
    source
        A level of classes, ``ws.labels(...)``, a prediction, its name or its run.
    axon, myelin
        Names or values of the two classes.
    image
        Of a level: the image; None: the only one.
    min_axon_um2
        Smaller axons are left out.

    Returns
    -------
    DataFrame
        See :func:`voxloop.objects.measure_fibres`: ``g_ratio``, ``axon_um``, ``fibre_um``, ``myelin_um``, ...

    Raises
    ------
    PredictionError
        There is no such prediction, level or class.

    Examples
    --------
    >>> level = ws.levels.add("fibres", classes=["axon", "myelin"])
    >>> fibres = ws.labels("fibres")
    >>> for value, low, high in (("myelin", 10, 50), ("axon", 20, 40)):
    ...     edit = fibres.ellipse(index=2, points=[(low, low), (high, high)], value=value)
    >>> ws.g_ratio("fibres")["g_ratio"].round(2).tolist()
    [0.52]
    """
    from voxloop.objects import measure_fibres

    least = number("min_axon_um2", min_axon_um2, 0.0, error=PredictionError)
    if isinstance(source, str) and source in project.levels.names and source not in project.predictions:
        source = project.labels(source, image)
    if isinstance(source, Labels):
        classes, voxels = {item.name: item.value for item in source.level.classes}, source.as_volume()
    else:
        if isinstance(source, str) and source not in project.predictions:
            names = [*project.predictions, *project.levels.names]
            raise PredictionError(unknown("prediction or level", source, names))
        chosen = prediction_named(project.predictions, source)
        classes, voxels = {item.name: item.value for item in chosen.classes}, chosen.labels
    if not classes:
        raise PredictionError("axons and myelin are two classes of a level, and this one holds single objects")
    values = []
    for given in (axon, myelin):
        if isinstance(given, str | int) and not isinstance(given, bool) and given in (*classes, *classes.values()):
            values.append(classes[given] if isinstance(given, str) else given)
        else:
            raise PredictionError(unknown("class", shown(given), classes))
    if values[0] == values[1]:
        raise PredictionError("axon= and myelin= name the same class; name two")
    return measure_fibres(voxels, values[0], values[1], min_axon_um2=least)
