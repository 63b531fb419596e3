"""The task of a run that makes objects of a prediction, of labels or of a mask, and the opening of what came out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.config.objects import ObjectsConfig
from voxloop.errors import PredictionError, unknown
from voxloop.geometry import Box
from voxloop.model import resolve
from voxloop.objects.fields import VoxelField, field_of, map_field
from voxloop.objects.finding import find_objects
from voxloop.objects.labelled import objects_of_labels
from voxloop.objects.result import Objects
from voxloop.objects.segmenting import CHANNELS
from voxloop.plain_files import read_plain
from voxloop.runs.orders import Ordered, obey
from voxloop.store.layout import Layout
from voxloop.volumes import open_volume

if TYPE_CHECKING:
    from voxloop.runs.context import TaskContext

#: judging is a room above this one, so it is found by name
_FIT = "voxloop.review.object_fit:fit_objects"
#: name, in the folder of a run, of a mask that was given as an array
GIVEN = "mask.zarr"
#: seconds between two progress events, at least
PROGRESS_EVERY = 0.5


def run(context: TaskContext) -> str:
    """Make objects of what the run's config names, into ``objects/<run>.zarr``.

    ``config``: ``labelled`` (:func:`label_source`), or ``prediction`` (its folder, relative to the workspace), ``of``
    (value of a class, None: the network learnt objects), ``region`` ([start, stop] for z, y, x; None: all), and ``fit``
    (level and journal number of the labelled objects that settings are fitted to; None: they are not); ``settings`` is
    an :class:`ObjectsConfig`.
    Stop and pause keep what is done, and a run that is started again goes on; cancel removes it.
    """

    def tell(done: int, total: int) -> None:
        context.emit("progress", done=done, total=total, unit="blocks")

    target = context.layout.objects_of(context.name)
    config, of = ObjectsConfig.from_json(context.settings), context.config["of"]
    if context.config.get("labelled"):
        outcome = _of_labels(context, target, config, tell)
    else:
        prediction = context.layout.prediction(Path(context.config["prediction"]).stem)
        if context.config.get("fit"):
            config = _fitted(context, prediction, of)
        outcome = make_objects(context, prediction, of, target, config, context.config.get("region"), tell)
    if isinstance(outcome, str):
        if outcome == "cancelled":
            discard(context.path)
        return outcome
    outcome.table()
    return "finished"


def _fitted(context: TaskContext, prediction: Path, of: int | None) -> ObjectsConfig:
    """Settings fitted to objects as they were labelled when the run was made: the same again when it goes on."""
    from voxloop.store import open_labels

    facts = _facts(prediction)
    labels = open_labels(
        context.workspace, context.config["fit"]["level"], facts["image"], context.config["fit"]["sequence"]
    )
    fit = resolve(_FIT)(prediction, labels, of)
    context.emit("log", text=fit.words)
    return ObjectsConfig.from_json(fit.config.to_json())


def make_objects(
    context: TaskContext,
    prediction: Path,
    of: int | None,
    target: Path,
    config: ObjectsConfig,
    region: Sequence[Sequence[int]] | None,
    tell: Callable[[int, int], None],
) -> Objects | str:
    """The objects of a prediction, or the last word of a run that was ordered to end before they were made.

    ``tell`` hears of blocks done, and in all, from time to time. Started again, it goes on where it was.
    """
    box = None if region is None else Box.from_json(region)
    try:
        objects = find_objects(
            source_of(prediction, of),
            target,
            config,
            instances=of is None,
            progress=_watched(context, tell),
            overwrite=True,
            region=box,
            facts={
                "run": context.name,
                "prediction": context.layout.relative(prediction),
                "of": of,
                "region": region,
                "shape": shape_of(prediction),
            },
        )
    except Ordered as order:
        return str(order)
    if objects.unsure:
        context.emit(
            "warning",
            text=f"{objects.unsure} of {objects.count} objects lie in clumps longer than the reach, so they may be cut "
            "in other places than in the whole volume; a larger reach avoids this",
        )
    context.emit("log", text=f"{objects.count} objects")
    return objects


def _of_labels(
    context: TaskContext, target: Path, config: ObjectsConfig, tell: Callable[[int, int], None]
) -> Objects | str:
    """Objects of a level or a mask, or the last word of a run that was ordered to end."""
    about = context.config["labelled"]
    region = context.config.get("region")
    settings = None if about.get("numbered") and config == ObjectsConfig() else config
    try:
        objects = objects_of_labels(
            label_source(context.workspace, context.path, about),
            target,
            settings,
            of=context.config["of"],
            numbered=about.get("numbered"),
            region=None if region is None else Box.from_json(region),
            overwrite=True,
            progress=_watched(context, tell),
            facts={
                "run": context.name,
                "labelled": about,
                "of": context.config["of"],
                "region": region,
                "shape": about["shape"],
            },
        )
    except Ordered as order:
        return str(order)
    context.emit("log", text=f"{objects.count} objects")
    return objects


def label_source(workspace: Path, run: Path, about: dict[str, Any]) -> Any:
    """The labels that objects are made of, as the run's config names them.

    ``about``: ``level``, ``image`` and ``sequence`` of labels of the workspace, or ``mask``: a file, None for the
    array that lies in the run's folder.
    """
    from voxloop.store import open_labels

    if about.get("level"):
        return open_labels(workspace, about["level"], about["image"], about["sequence"]).as_volume()
    return open_volume(about["mask"] or run / GIVEN)


def _watched(context: TaskContext, tell: Callable[[int, int], None]) -> Callable[[int, int], None]:
    """Progress that is told from time to time, and obeys orders."""
    reported = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal reported
        obey(context.orders())
        if done == total or time.monotonic() - reported > PROGRESS_EVERY:
            reported = time.monotonic()
            tell(done, total)

    return progress


def open_result(run_path: str | Path) -> Objects:
    """The objects that a run made. Raises PredictionError where it is not done."""
    run = Path(run_path).resolve()
    path = Layout.of_run(run).objects_of(run.name)
    if not path.exists():
        raise PredictionError(f"run {run.name!r} has made no objects yet")
    return Objects(path)


def discard(run_path: str | Path) -> None:
    """Remove what a run has made."""
    path = Path(run_path).resolve()
    remove(Layout.of_run(path).objects_of(path.name))


def remove(path: Path) -> None:
    """Remove objects of a workspace, and what there is of them by now."""
    for folder in (path, path.with_name(f".{path.name}.partial")):
        Layout.of_made(path).remove(folder)


def class_value(prediction: Path, of: str | int | None) -> int | None:
    """The value of the class that objects are to be made of; None where the network learnt objects.

    ``of``: name or value; None: the only class that is not background. Raises PredictionError.
    """
    classes = _facts(prediction)["classes"]
    if learnt_objects(prediction):
        if of is not None:
            raise PredictionError(f"of={of!r}: the network of this prediction learnt objects; leave it out")
        return None
    if of is not None:
        for info in classes:
            if isinstance(of, str | int) and of in (info["name"], info["value"]):
                return int(info["value"])
        raise PredictionError(unknown("class", of, [info["name"] for info in classes]))
    front = [info for info in classes if not info.get("background")]
    if len(front) != 1:
        listed = ", ".join(repr(info["name"]) for info in front) or "none"
        raise PredictionError(f"name the class to make objects of, with of=: there are {listed}")
    return int(front[0]["value"])


def learnt_objects(prediction: Path) -> bool:
    """Whether the channels of a prediction are foreground and what tells objects apart."""
    return bool(_facts(prediction).get("target") == "instances")


def source_of(prediction: Path, of: int | None) -> Any:
    """What objects are made of: the probability of class ``of``, its labels where none are kept, or all channels."""
    facts = _facts(prediction)
    folder = prediction / "probabilities"
    if of is None:
        if not folder.is_dir():
            raise PredictionError(f"objects are decoded from {', '.join(CHANNELS)}; predict with probabilities=True")
        return open_volume(folder)
    if folder.is_dir():
        values = [int(info["value"]) for info in facts["classes"]]
        names = open_volume(folder).attrs["channel_names"]
        channel = values.index(of)
        distinct = len(set(names)) == len(names)
        return open_volume(folder, channels=names[channel] if distinct else channel)
    labels = field_of(open_volume(prediction / "labels" / str(facts["level"])))
    return _is(labels, of)


def shape_of(prediction: Path) -> list[int]:
    """Voxels of the image that a prediction is of."""
    return list(_facts(prediction)["plan"]["shape"])


def _is(labels: VoxelField, value: int) -> VoxelField:
    """1 where a label image has a value."""
    return map_field(labels, lambda block: (block == value).astype("float32"))


def _facts(prediction: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(read_plain(prediction / "zarr.json"))["attributes"]["voxloop"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise PredictionError(f"{prediction} is no prediction of voxloop: {error!r}") from error
