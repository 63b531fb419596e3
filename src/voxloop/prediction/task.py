"""The task of a prediction run: from the run's config to a prediction on disk, obeying orders between tiles."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.config import ObjectsConfig, PredictConfig
from voxloop.errors import DiskFullError, PredictionError, RunError, WorkspaceError
from voxloop.geometry import Box
from voxloop.model import Halted, Model, Predictor, load_model
from voxloop.prediction.averaged import settle_turns, turns_words
from voxloop.prediction.budget import PlannedForecast, duration, halo_warning, less_allowed
from voxloop.prediction.decode import learnt_objects
from voxloop.prediction.job import PredictionJob, Prepared, check_fit, check_output, make_job
from voxloop.prediction.output import PredictionOutput, create
from voxloop.prediction.prediction_loop import PredictionLoop, last_order
from voxloop.prediction.resampled import Resampled, exposure_words, prepare_model, shown_to
from voxloop.runs.runner import read_config
from voxloop.store.layout import Layout
from voxloop.volumes import shape_zyx, spacing_of
from voxloop.volumes.volume import origin_of

if TYPE_CHECKING:
    from voxloop.prediction.cluster import Cluster
    from voxloop.runs.context import TaskContext
    from voxloop.store import Store
    from voxloop.store.confined import Area

PACKAGES = ("voxloop", "numpy", "zarr", "torch", "scikit-learn")


def run(context: TaskContext) -> str:
    """Predict the image named in the run's config into ``predictions/<run>.zarr``.

    ``config``: ``model`` (folder, relative to the workspace; of an ensemble the others are ``models``), ``image``,
    ``region`` ([start, stop] for z, y, x), ``parent`` (the run that made the model), ``within`` (by
    image the region outside of which nothing is said), ``constrain`` (the class inside
    which something may be said); ``settings`` is a :class:`PredictConfig`. A run that is started again goes on where it
    was. Stop keeps what is done, cancel removes the prediction.
    """
    from voxloop.store import Store

    asked = PredictConfig.from_json(context.settings)
    context.emit("log", text="opening the model and the image")
    models = load_models(context)
    say_which_model(context)
    with Store.open(context.workspace, read_only=True) as store:
        picture = volume = store.images.open(context.config["image"])
        config = settle_turns(asked, models[0].spec, shape_zyx(volume))
        if words := turns_words(asked, config):
            context.emit("log", text=words)
        model = prepare_model(models, config, volume)
        volume = shown_to(model.spec, volume)
        if words := exposure_words(model.spec):
            context.emit("log", text=words)
        check_output(model.spec, config)
        bounds = context.config.get("region")
        region = Box.from_json(bounds) if bounds else None
        for text in check_fit(model.spec, volume, look=True, region=region):
            context.emit("warning", text=text)
        if isinstance(model, Resampled):
            context.emit("log", text=model.words)
        target = context.layout.prediction(context.name)
        with _engine(context, config, model) as (predictor, cluster):
            job = make_job(model.spec, predictor, volume, config, region, picture)
            loop = partial(PredictionLoop, context, job, area=area_of(context), cluster=cluster)
            output = reopen(target, context, model)
            if output is None:
                check_free(target, config)
                if cluster is None:
                    prepared = prepare_heard(context, job, PredictionJob.prepare)
                else:
                    prepared = cluster.prepare(lambda: bool(last_order(context)))
                if prepared is None:
                    return last_order(context)
                output = begin(target, context, job, model, store, prepared)
            word = loop(output=output).run()
    return decode_objects(context, target) if word == "finished" and learnt_objects(model.spec) else word


def prepare_heard(
    context: TaskContext, job: PredictionJob, prepare: Callable[[PredictionJob], Prepared], about: str = ""
) -> Prepared | None:
    """Measure and plan, and say what is being measured (``about``: of what); None where an order came meanwhile."""
    phases: set[str] = set()

    def before(words: str) -> None:
        if last_order(context):
            raise Halted
        if words not in phases:
            phases.add(words)
            context.emit("log", text=f"{about}{words}")

    try:
        return prepare(replace(job, before=before))
    except Halted:
        return None


@contextmanager
def _engine(context: TaskContext, config: PredictConfig, model: Model) -> Iterator[tuple[Predictor, Cluster | None]]:
    """The opened model, or the cluster whose workers open it."""
    if config.engine == "local":
        with model.open(device=config.device, precision=config.precision, threads=config.threads) as predictor:
            yield predictor, None
        return
    from voxloop.prediction.cluster import Cluster, Ticket

    ticket = Ticket(
        workspace=str(context.workspace),
        image=context.config["image"],
        settings=context.settings,
        region=context.config.get("region"),
        constrain=context.config.get("constrain"),
        within=context.config.get("within", {}).get(context.config["image"]),
        crowd=1,
    )
    folders = model_folders(context.layout, context.config)
    with Cluster(config.engine, folders, ticket) as cluster:
        if not cluster.workers():
            context.emit("log", text=f"{config.engine} has no worker yet; waiting for one", dashboard=cluster.dashboard)
        cluster.wait(lambda: bool(last_order(context)))
        count = len(cluster.workers())
        context.emit("log", text=f"{count} workers at {config.engine}", dashboard=cluster.dashboard)
        yield _elsewhere, cluster


def _elsewhere(batch: np.ndarray) -> np.ndarray:
    raise PredictionError("the model is on the workers, not here")


def check_free(target: Path, config: PredictConfig) -> None:
    if target.exists() and not config.overwrite:
        raise PredictionError(f"there is a prediction {target.stem!r} already; choose another name or overwrite=True")


def area_of(context: TaskContext, image: str | None = None) -> Area | None:
    """Where the prediction may say anything; None for everywhere."""
    from voxloop.store.teaching import area_inside

    image = image or context.config["image"]
    within = context.config.get("within", {}).get(image)
    area = area_inside(context.workspace, context.config.get("constrain"), image, within)
    return None if area.everything else area


def decode_objects(context: TaskContext, prediction: Path) -> str:
    """Objects of a network that learnt them, with settings as they are by themselves; the last word of the run."""
    from voxloop.objects.task import make_objects

    plan, began = PredictionOutput(prediction).plan, time.monotonic()
    region = None if plan.box == Box.whole(plan.shape) else plan.box.to_json()

    def tell(done: int, total: int) -> None:
        left = (time.monotonic() - began) / done * (total - done)
        context.emit("progress", done=plan.count, total=plan.count, unit="tiles", objects=[done, total], eta_s=left)

    outcome = make_objects(
        context, prediction, None, context.layout.objects_of(prediction.stem), ObjectsConfig(), region, tell
    )
    return outcome if isinstance(outcome, str) else "finished"


def discard(run_path: str | Path, keep: Collection[str] = ()) -> None:
    """Remove what a run has predicted, and the models that were saved for it except those in ``keep``."""
    path = Path(run_path)
    layout = Layout.of_run(path)
    remove(layout.prediction(path.name))
    discard_models(layout, path, keep)


def remove(prediction: Path) -> None:
    """Remove a prediction, and the objects that were decoded from it."""
    from voxloop.objects import task

    layout = Layout.of_made(prediction)
    with suppress(PredictionError):
        if task.learnt_objects(prediction):
            task.remove(layout.objects_of(prediction.stem))
    layout.remove(prediction)


def discard_models(layout: Layout, run_path: Path, keep: Collection[str] = ()) -> None:
    """Remove the models that were saved for a run, except those in ``keep`` and those that other runs name.

    Only what lies in ``models/`` was ever saved for a run; whatever else its config names is left alone.
    """
    saved = {*read_config(run_path).get("saved", ())} - {*keep}
    if not saved:
        return
    for path in layout.runs.glob("*/config.json"):
        if path.parent.name != run_path.name:
            saved -= {*_models_named(path.parent)}
    for folder in saved:
        with suppress(WorkspaceError):
            if layout.inside(folder).parent == layout.inside(layout.models):
                layout.remove(folder)


def _models_named(run_path: Path) -> tuple[str, ...]:
    """Folders of the models of a run, from its ``config.json``."""
    try:
        config = read_config(run_path)
    except RunError:
        return ()
    return (config.get("model") or "", *config.get("models", ()))


def model_folders(layout: Layout, config: Mapping[str, Any]) -> list[Path]:
    """The models that a run's config, or the lineage of a prediction, names. Raises RunError where it names none."""
    if not isinstance(config.get("model"), str):
        raise RunError("its config.json does not say which model predicts; start a new prediction")
    return [layout.named(path) for path in (config["model"], *config.get("models", ()))]


def load_models(context: TaskContext) -> list[Model]:
    """The models of a run."""
    return [load_model(folder) for folder in model_folders(context.layout, context.config)]


def say_which_model(context: TaskContext) -> None:
    """Say which of two models of a run predicts, and why; nothing where it has one."""
    if words := context.config.get("model_words"):
        context.emit("log", text=str(words))


def reopen(target: Path, context: TaskContext, model: Model) -> PredictionOutput | None:
    """The output of an earlier process of this run, where there is one."""
    if not target.exists():
        return None
    output = PredictionOutput(target)
    lineage = output.facts["lineage"]
    if (lineage["run"], lineage["created"]) != (context.name, context.config.get("created")):
        return None
    if lineage["model_hash"] != model.spec.hash:
        raise PredictionError(f"the model of {target.stem!r} has changed since it was begun; predict under a new name")
    context.emit("resumed", step=int(output.done.sum()))
    return output


def begin(
    target: Path,
    context: TaskContext,
    job: PredictionJob,
    model: Model,
    store: Store,
    prepared: Prepared,
    image: str | None = None,
) -> PredictionOutput:
    """Say what it will take, check that it fits the disk, and make the empty prediction."""
    forecast, seam = prepared.forecast, prepared.seam
    if not prepared.within_tolerance:
        context.emit("warning", text=halo_warning(job.config))
    if less := less_allowed(forecast.allowed_bytes, job.config):
        context.emit("warning", text=less)
    context.emit("log", text=describe(forecast), forecast=_numbers(forecast))
    _check_disk(context.workspace, forecast)
    facts = {
        "image": image or context.config["image"],
        "level": _level(context, store),
        "classes": [
            {"value": c.value, "name": c.name, "color": c.color, "background": c.background} for c in model.spec.classes
        ],
        "spacing_um": list(spacing_of(job.volume)),
        "origin_um": list(origin_of(job.volume)),
        "frames": job.volume.attrs.get("z_kind") == "frame",
        "probabilities": job.config.probabilities,
        "uncertainty": job.config.measure if job.config.uncertainty else None,
        "lineage": _lineage(context, model, job.config),
        "seam": seam.to_json() if seam else None,
        "target": "instances" if learnt_objects(model.spec) else "semantic",
    }
    return create(target, facts, forecast.plan, overwrite=job.config.overwrite)


def _numbers(forecast: PlannedForecast) -> dict[str, float]:
    return {"seconds": forecast.seconds, "memory_bytes": forecast.memory_bytes, "disk_bytes": forecast.disk_bytes}


def describe(forecast: PlannedForecast) -> str:
    """The forecast in one line."""
    plan = forecast.plan
    fed = ", fed with rows" if plan.by_rows else f" with a halo of {' x '.join(map(str, plan.halo))}"
    return (
        f"blocks of {' x '.join(map(str, plan.block))} voxels{fed}, "
        f"{forecast.waste:.2f} voxels computed for each one that is kept; about {duration(forecast.seconds)}, "
        f"{forecast.memory_bytes / 1e9:.1f} GB of memory, {forecast.disk_bytes / 1e9:.2g} GB on disk"
    )


def _check_disk(folder: Path, forecast: PlannedForecast) -> None:
    free = shutil.disk_usage(folder).free
    if forecast.disk_bytes > free:
        raise DiskFullError(
            f"about {forecast.disk_bytes / 1e9:.2g} GB are needed in {folder}, {free / 1e9:.2g} GB are free; "
            "free some space, choose a region, or leave out probabilities"
        )


def _parent(context: TaskContext) -> dict[str, Any]:
    """The config of the run that trained the model, where it is still there."""
    name = context.config.get("parent")
    if not name:
        return {}
    with suppress(RunError, WorkspaceError):
        return read_config(context.layout.run(str(name)))
    return {}


def _level(context: TaskContext, store: Store) -> str:
    """The label level that the model was trained on; else the workspace's first."""
    trained_level = context.config.get("level") or _parent(context).get("level")
    names = list(store.levels.painted)
    return str(trained_level or (names[0] if names else "labels"))


def _lineage(context: TaskContext, model: Model, config: PredictConfig) -> dict[str, Any]:
    parent = _parent(context)
    return {
        "run": context.name,
        "created": context.config.get("created"),
        "model": context.config["model"],
        "models": context.config.get("models", []),
        "model_hash": model.spec.hash,
        "learner": model.spec.learner,
        "model_words": context.config.get("model_words"),
        "trained_by": context.config.get("parent"),
        "labels": parent.get("labels", {}),
        "settings": {**context.settings, **({} if config.turns == "none" else {"turns": config.turns})},
        "region": context.config.get("region"),
        "constrain": context.config.get("constrain"),
        "versions": {"python": platform.python_version(), **_versions()},
        "time": time.time(),
    }


def _versions() -> dict[str, str]:
    installed = {dist.lower() for dist in PACKAGES}
    return {name: importlib.metadata.version(name) for name in sorted(installed) if _has(name)}


def _has(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
