"""The task of a prediction run: from the run's config to a prediction on disk, obeying orders between tiles."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.config import PredictConfig
from voxloop.errors import ConfigError, PredictionError
from voxloop.model import Model, load_model
from voxloop.prediction.budget import Forecast
from voxloop.prediction.decode import Decoded, learnt_objects, within
from voxloop.prediction.job import Job, check_fit, make_job
from voxloop.prediction.output import Output, create
from voxloop.prediction.plan import Tile, order
from voxloop.volumes import spacing_of
from voxloop.volumes.volume import origin_of

if TYPE_CHECKING:
    from voxloop.runs.context import RunContext
    from voxloop.store import Store
    from voxloop.store.confined import Area

#: seconds between two progress events, at least
PROGRESS_EVERY = 0.5
PACKAGES = ("voxloop", "numpy", "zarr", "torch", "scikit-learn")


def run(context: RunContext) -> str:
    """Predict the image named in the run's config into ``predictions/<run>.zarr``.

    ``config``: ``model`` (folder, relative to the workspace), ``image``, ``region`` ([start, stop] for z, y, x),
    ``parent`` (the run that made the model); ``settings`` is a :class:`PredictConfig`. A run that is started again goes
    on where it was. Stop keeps what is done, cancel removes the prediction.
    """
    from voxloop.store import Store

    config = PredictConfig.from_json(context.settings)
    model = load_model(_below(context.workspace, context.config["model"]))
    with Store.open(context.workspace, read_only=True) as store:
        volume = store.images.open(context.config["image"])
        for text in check_fit(model.spec, volume):
            context.emit("warning", text=text)
        with model.open(device=config.device, precision=config.precision, threads=config.threads) as predictor:
            region = [slice(*part) for part in context.config.get("region") or []] or None
            job = make_job(model.spec, predictor, volume, config, region)
            target = prediction_path(context.path, context.config)
            output = _reopened(target, context, model) or _begin(target, context, job, model, store)
            word = _Going(context, job, output, _area(context)).run()
    if word == "finished" and learnt_objects(model.spec) and config.probabilities:
        _decode(context, target)
    return word


def _area(context: RunContext) -> Area | None:
    """Where the prediction may say anything; None for everywhere."""
    from voxloop.store.confined import Area
    from voxloop.store.teaching import area_inside

    constrain = context.config.get("constrain")
    area = area_inside(context.workspace, constrain, context.config["image"]) if constrain else Area()
    return None if area.everything else area


def _decode(context: RunContext, prediction: Path) -> None:
    """Objects of a network that learnt them, with the settings that settings have by themselves."""
    from voxloop.objects import find_objects
    from voxloop.objects.task import source_of

    name = prediction.stem
    found = find_objects(
        source_of(prediction, None), context.workspace / "objects" / f"{name}.zarr", instances=True, overwrite=True,
        facts={"run": name, "prediction": f"predictions/{name}.zarr", "of": None},
    )  # fmt: skip
    context.emit("log", text=f"{found.count} objects")


def prediction_path(run_path: Path, config: dict[str, Any]) -> Path:
    """Where a run's prediction lies."""
    return Path(run_path, config.get("workspace", "../.."), "predictions", f"{config['name']}.zarr").resolve()


def discard(run_path: str | Path) -> None:
    """Remove what a cancelled run has written."""
    config = json.loads(Path(run_path, "config.json").read_text())
    shutil.rmtree(prediction_path(Path(run_path), config), ignore_errors=True)


def _below(workspace: Path, path: str) -> Path:
    return workspace / path  # an absolute path stays as it is


def _reopened(target: Path, context: RunContext, model: Model) -> Output | None:
    """The output of an earlier process of this run, where there is one."""
    if not target.exists():
        return None
    output = Output(target)
    lineage = output.facts["lineage"]
    if (lineage["run"], lineage["created"]) != (context.config["name"], context.config.get("created")):
        return None
    if lineage["model_hash"] != model.spec.hash:
        raise PredictionError(f"the model of {target.stem!r} has changed since it was begun; predict under a new name")
    context.emit("resumed", step=int(output.done.sum()))
    return output


def _begin(target: Path, context: RunContext, job: Job, model: Model, store: Store) -> Output:
    """Measure, plan, check that it fits, and make the empty prediction."""
    if target.exists() and not job.config.overwrite:
        raise PredictionError(f"there is a prediction {target.stem!r} already; choose another name or overwrite=True")
    cost = job.measure()
    halo = None
    if job.config.mode == "fast":
        halo, kept = job.fast_halo(cost)
        if not kept:
            context.emit("warning", text=f"no halo that fits keeps the tolerance of {job.config.tolerance:g}")
    found = job.forecast(cost, halo)
    context.emit("log", text=in_words(found), forecast=_numbers(found))
    _check_disk(target.parent.parent, found)
    seam = job.seam(found.plan, cost)
    facts = {
        "image": context.config["image"],
        "level": _level(context, store),
        "classes": [{"value": c.value, "name": c.name, "color": c.color, "background": c.background}
                    for c in model.spec.classes],
        "spacing_um": list(spacing_of(job.volume)),
        "origin_um": list(origin_of(job.volume)),
        "frames": job.volume.attrs.get("z_kind") == "frame",
        "probabilities": job.config.probabilities,
        "uncertainty": job.config.measure if job.config.uncertainty else None,
        "lineage": _lineage(context, model),
        "seam": seam.to_json() if seam else None,
        "target": "instances" if learnt_objects(model.spec) else "semantic",
    }  # fmt: skip
    return create(target, facts, found.plan, overwrite=job.config.overwrite)


def _numbers(found: Forecast) -> dict[str, float]:
    return {"seconds": found.seconds, "memory_bytes": found.memory_bytes, "disk_bytes": found.disk_bytes}


def in_words(found: Forecast) -> str:
    """The forecast in one line."""
    plan = found.plan
    return (
        f"blocks of {' x '.join(map(str, plan.block))} voxels with a halo of {' x '.join(map(str, plan.halo))}, "
        f"{found.waste:.2f} voxels computed for each kept; about {_duration(found.seconds)}, "
        f"{found.memory_bytes / 1e9:.1f} GB of memory, {found.disk_bytes / 1e9:.2g} GB on disk"
    )


def _duration(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 100
        else f"{seconds / 60:.0f} min"
        if seconds < 6000
        else f"{seconds / 3600:.1f} h"
    )


def _check_disk(folder: Path, found: Forecast) -> None:
    free = shutil.disk_usage(folder).free
    if found.disk_bytes > free:
        raise PredictionError(
            f"about {found.disk_bytes / 1e9:.2g} GB are needed in {folder}, {free / 1e9:.2g} GB are free; "
            "free some space, choose a region, or leave out probabilities"
        )


def _parent(context: RunContext) -> dict[str, Any]:
    """The config of the run that trained the model, where it is still there."""
    name = context.config.get("parent")
    path = context.workspace / "runs" / str(name) / "config.json"
    return dict(json.loads(path.read_text())) if name and path.exists() else {}


def _level(context: RunContext, store: Store) -> str:
    """The label level that the model was trained on; else the workspace's first."""
    known = context.config.get("level") or _parent(context).get("level")
    names = list(store.levels.names)
    return str(known or (names[0] if names else "labels"))


def _lineage(context: RunContext, model: Model) -> dict[str, Any]:
    parent = _parent(context)
    return {
        "run": context.config["name"],
        "created": context.config.get("created"),
        "model": context.config["model"],
        "model_hash": model.spec.hash,
        "learner": model.spec.learner,
        "trained_by": context.config.get("parent"),
        "labels": parent.get("labels", {}),
        "settings": context.settings,
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


class _Going:
    """The run while it goes: which tile is next, what was ordered, how far it is."""

    def __init__(self, context: RunContext, job: Job, output: Output, area: Area | None = None) -> None:
        self.context, self.job, self.output, self.area = context, job, output, area
        if area is not None:  # tiles in which nothing may be said need no model
            for tile in output.remaining():
                if not area.touches(tile.core):
                    output.skip(tile)
        self.word = ""
        self._spacing = spacing_of(job.volume)
        self._left = order(output.remaining(), job.focus, self._spacing)[::-1]
        self._total = sum(1 for _ in output.plan.tiles())
        self._began, self._first, self._said = time.monotonic(), len(self._left), 0.0

    def run(self) -> str:
        written = self._total - len(self._left)
        broken = 0
        self._progress(written, force=True)
        for done in self.job.run(self.output.plan, self._next(), self._write, self._halted):
            written += 1
            broken += done.broken
            self._progress(written, force=written == self._total)
        if broken:
            self.context.emit(
                "warning", text=f"the model gave no finite number at {broken} voxels; they stay unlabelled"
            )
        if self.word == "cancelled":
            shutil.rmtree(self.output.path, ignore_errors=True)
        if self.word:
            return self.word
        if self.job.config.scales:
            self.output.write_scales()
        return "finished"

    def _write(self, tile: Tile, decoded: Decoded) -> None:
        self.output.write(tile, decoded if self.area is None else within(decoded, self.area.mask(tile.core)))

    def _next(self) -> Iterator[Tile]:
        while self._left:
            yield self._left.pop()

    def _halted(self) -> bool:
        for given in self.context.orders():
            if given.kind == "update":
                self._update(given.name, given.values)
            elif self.word != "cancelled":
                self.word = {"stop": "stopped", "cancel": "cancelled", "pause": "paused"}[given.kind]
        return bool(self.word)

    def _update(self, name: str, values: dict[str, Any]) -> None:
        """Only the focus may be changed on the way: the rest of the tiles is put in a new order."""
        focus = values.get("focus")
        try:
            if set(values) != {"focus"} or focus is None:
                raise ConfigError("only focus can be changed while a prediction runs")
            config = self.job.config.changed(focus=focus)
        except ConfigError as error:
            self.context.emit("warning", text=str(error), order=name)
            return
        self._left = order(self._left, config.focus or self.job.focus, self._spacing)[::-1]
        self.context.emit("updated", what="focus", old=self.job.focus, new=focus, order=name)

    def _progress(self, written: int, force: bool = False) -> None:
        now = time.monotonic()
        if not force and now - self._said < PROGRESS_EVERY:
            return
        self._said = now
        here = written - (self._total - self._first)
        fields: dict[str, Any] = {"done": written, "total": self._total, "unit": "tiles"}
        if here > 0:
            fields["eta_s"] = (now - self._began) / here * (self._total - written)
        self.context.emit("progress", **fields)
