"""Many images in one run: the model is opened once and measured once, and a table says what came out of each."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.config import PredictConfig
from voxloop.errors import DiskFullError, PredictionError, VoxloopError
from voxloop.geometry import Box
from voxloop.prediction.averaged import combine_models, turns_words
from voxloop.prediction.decode import learnt_objects
from voxloop.prediction.job import Costs, PredictionJob, Prepared, check_fit, check_output, make_job
from voxloop.prediction.output import PredictionOutput
from voxloop.prediction.prediction_loop import PredictionLoop, last_order
from voxloop.prediction.resampled import Resampled, fit_open_model, shown_to
from voxloop.prediction.result import Prediction
from voxloop.runs.context import RunFacts
from voxloop.runs.runner import read_config
from voxloop.spreadsheets import cell_of, text_of
from voxloop.store.layout import Layout
from voxloop.volumes.metadata import first_line

if TYPE_CHECKING:
    from pandas import DataFrame

    from voxloop.model import Model, Predictor
    from voxloop.runs.context import TaskContext
    from voxloop.store import Store

TABLE = "results.csv"
#: columns of words, of those that may be there
_WORDS = ("image", "state", "prediction", "error")


@dataclass(frozen=True, slots=True)
class Batch:
    """What a run over many images made: ``predictions`` by image, and ``table``, a row an image."""

    path: Path

    @property
    def predictions(self) -> dict[str, Prediction]:
        """Those that are there by now; opening one computes nothing."""
        paths = _targets(self.path)
        return {image: Prediction(path) for image, path in paths.items() if path.exists()}

    @property
    def table(self) -> DataFrame:
        """A row an image that is done: state, seconds, voxels, share and volume of each class, mean uncertainty, error.

        Raises PredictionError where none is done yet, or the table is damaged.
        """
        import pandas as pd

        path = self.path / TABLE
        if not path.exists():
            raise PredictionError(f"run {self.path.name!r} has finished no image yet")
        try:
            table = pd.read_csv(path, dtype=dict.fromkeys(_WORDS, "str"))
        except (OSError, ValueError) as error:  # pandas' own are ValueErrors
            raise PredictionError(f"{path} is damaged ({first_line(error)}); predict again") from error
        return table.rename(columns=text_of).map(text_of)

    @property
    def failed(self) -> dict[str, str]:
        """Images that could not be predicted, and why."""
        return {row["image"]: row.get("error", "") for row in _read(self.path / TABLE) if row["state"] == "failed"}

    def __repr__(self) -> str:
        return f"<Batch {self.path.name!r}: {len(self.predictions)} images>"


def open_result(run_path: str | Path) -> Batch:
    """What a run over many images has made so far."""
    return Batch(Path(run_path).resolve())


def discard(run_path: str | Path, keep: Collection[str] = ()) -> None:
    """Remove what a run has predicted, and the models that were saved for it except those in ``keep``."""
    from voxloop.prediction.task import discard_models, remove

    path = Path(run_path)
    for target in _targets(path).values():
        remove(target)
    discard_models(Layout.of_run(path), path, keep)


def run(context: TaskContext) -> str:
    """Predict ``images`` one after the other into ``predictions/<run>.<image>.zarr``.

    An image that cannot be predicted is a row of the table with its reason, and the next one is predicted; a disk that
    is full ends the run, for the next one would fare no better. A run that is started again goes on where it was.
    """
    from voxloop.prediction.task import load_models, say_which_model
    from voxloop.store import Store

    config = PredictConfig.from_json(context.settings)
    if config.engine != "local":
        raise PredictionError(
            "several images in one run are predicted on this machine only; use engine='local', or a run for each"
        )
    context.emit("log", text="opening the model")
    model = combine_models(load_models(context), config.turns, config.votes)
    check_output(model.spec, config)
    say_which_model(context)
    images = list(context.config["images"])
    rows = _read(context.path / TABLE)
    with (
        Store.open(context.workspace, read_only=True) as store,
        model.open(device=config.device, precision=config.precision, threads=config.threads) as predictor,
    ):
        opened = _Opened(store, model, predictor, config, Costs())
        for number, image in enumerate(images):
            if any(row["image"] == image and row["state"] == "finished" for row in rows):
                continue
            began = time.monotonic()
            target = context.layout.prediction(context.name, image)
            try:
                word = _predict_image(_ImageContext(context, number, len(images)), opened, image, target)
            except DiskFullError:
                raise
            except VoxloopError as error:
                context.emit("warning", text=f"{image}: {error}")
                row: dict[str, Any] = {"image": image, "state": "failed", "error": str(error)}
            else:
                if word != "finished":
                    return word
                row = _row(image, target, time.monotonic() - began)
            rows = [*(other for other in rows if other["image"] != image), row]
            _write(context.path / TABLE, rows)
            context.emit("progress", done=number + 1, total=len(images), unit="images")
    if all(row["state"] == "failed" for row in rows):
        raise PredictionError(f"none of {len(images)} images could be predicted; the first: {rows[0]['error']}")
    return "finished"


@dataclass(frozen=True, slots=True)
class _Opened:
    """What all images of a run share."""

    store: Store
    model: Model
    predictor: Predictor
    config: PredictConfig
    costs: Costs

    def rehearse(self, job: PredictionJob) -> Prepared:
        """Plan for an image, by what was measured on one before it."""
        return Prepared(*job.rehearse(self.costs.of(job)), None)


class _ImageContext(RunFacts):
    """The context of one image of many: its progress is a part of the whole."""

    def __init__(self, context: TaskContext, number: int, count: int) -> None:
        super().__init__(context.path, context.config)
        self.history, self.orders, self.peek = context.history, context.orders, context.peek
        self._emit, self._number, self._count = context.emit, number, count

    def emit(self, kind: str, **fields: Any) -> None:
        if kind == "progress":
            share = fields["done"] / max(1, fields["total"])
            fields = {"done": round(self._number + share, 3), "total": self._count, "unit": "images"}
        self._emit(kind, **fields)


def _predict_image(context: _ImageContext, opened: _Opened, image: str, target: Path) -> str:
    """Predict one image, and decode its objects where the network learnt them; the last word."""
    from voxloop.prediction.task import area_of, begin, check_free, decode_objects, prepare_heard, reopen

    picture, config = opened.store.images.open(image), opened.config
    shown, predictor, config = fit_open_model(picture, opened.model, opened.predictor, config)
    if words := turns_words(opened.config, config):
        context.emit("log", text=f"{image}: {words}")
    volume = shown_to(shown.spec, picture)
    for text in check_fit(shown.spec, volume, look=True):
        context.emit("warning", text=f"{image}: {text}")
    if isinstance(shown, Resampled):
        context.emit("log", text=f"{image}: {shown.words}")
    job = make_job(shown.spec, predictor, volume, config, picture=picture)
    output = reopen(target, context, shown)
    if output is None:
        check_free(target, config)
        prepared = prepare_heard(context, job, opened.rehearse, f"{image}: ")
        if prepared is None:
            return last_order(context)
        output = begin(target, context, job, shown, opened.store, prepared, image)
    word = PredictionLoop(context, job, output, area_of(context, image)).run()
    if word == "finished" and learnt_objects(opened.model.spec):
        word = decode_objects(context, target)
    return word


def _targets(run_path: Path) -> dict[str, Path]:
    """Where the predictions of a run lie, by image."""
    layout = Layout.of_run(run_path)
    return {image: layout.prediction(run_path.name, image) for image in read_config(run_path).get("images", ())}


def _row(image: str, target: Path, seconds: float) -> dict[str, Any]:
    """What came out of an image; reads the labels once, block by block."""
    output = PredictionOutput(target)
    labels = output.group[f"labels/{output.facts['level']}/0"]
    unsure = output.group["uncertainty/0"] if output.facts["uncertainty"] else None
    counts, doubt = np.zeros(65536, np.int64), 0.0
    shape = output.plan.shape
    for box in Box.whole(shape).blocks([max(1, c) for c in output.plan.tile]):
        block_labels = np.asarray(labels[box.slices])  # type: ignore[index]
        counts += np.bincount(block_labels.ravel(), minlength=65536)
        if unsure is not None:
            doubt += float(np.asarray(unsure[box.slices]).sum())  # type: ignore[index]
    voxels = int(np.prod(shape))
    row: dict[str, Any] = {
        "image": image,
        "state": "finished",
        "seconds": round(seconds, 2),
        "voxels": voxels,
        "prediction": target.stem,
    }
    if unsure is not None:
        row["mean uncertainty"] = round(doubt / 255 / voxels, 5)
    voxel_um3 = float(np.prod(output.facts["spacing_um"]))
    for info in output.facts["classes"]:
        count = int(counts[info["value"]])
        row[f"{info['name']} share"] = round(count / voxels, 6)
        row[f"{info['name']} um3"] = float(f"{count * voxel_um3:.6g}")
    return row


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    with path.open(newline="", errors="replace") as stream:
        rows = [{text_of(name): text_of(cell) for name, cell in row.items()} for row in csv.DictReader(stream)]
    return [row for row in rows if row.get("image") and row.get("state")]


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    """The table, whole or not at all."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(map(cell_of, names))
        writer.writerows([cell_of(row.get(name, "")) for name in names] for row in rows)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
