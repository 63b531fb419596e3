"""What a prediction will say about what is on screen, before its run gets there. Writes nothing.

Model, halo and decoding are those of the run, so the answer is the run's to rounding; what would take long, or more
memory than an answer is worth, is left to the run.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.config import PredictConfig
from voxloop.errors import PredictionError
from voxloop.geometry import AXES, Box, Shape
from voxloop.helper.handlers import Job, View, focus_order
from voxloop.machine import machine
from voxloop.model import Model, ModelSpec, Predictor, load_model

if TYPE_CHECKING:
    import xarray as xr

    from voxloop.prediction.decode import Decoded
    from voxloop.prediction.job import PredictionJob

#: voxels of a cell along the axes of the plane; more where a cell has to see far, for that is computed for each anew
CELL, WIDE_CELL = 256, 512
#: voxels that a cell may see: of a model that computes all of it, and of one that only looks
MOST_COMPUTED, MOST_SEEN = 2**23, 2**27


@dataclass
class _Ready:
    """A model opened for an image; closing the stack closes it."""

    model: Model
    predictor: Predictor
    volume: xr.DataArray
    stack: ExitStack


def answer(job: Job) -> dict[str, Any]:
    """Predict ``view`` of ``image`` as a run with these ``models`` (folders) and ``settings`` does.

    Parts hold label values, and 255 less the uncertainty that is kept. Without a ``view`` the model is made ready and
    nothing is predicted. The answer holds ``total_s`` and ``classes``, each with value, name, color and background.
    Raises PredictionError where that would take more memory than there should be for a first answer.
    """
    from voxloop.prediction.decode import label_dtype
    from voxloop.prediction.job import check_fit, make_job
    from voxloop.prediction.plan import up
    from voxloop.volumes import shape_zyx, spacing_of

    began = time.perf_counter()
    config = PredictConfig.from_json(job.fields["settings"])
    ready = _ready(job, config)
    spec, volume = ready.model.spec, ready.volume
    classes = [{"value": c.value, "name": c.name, "color": c.color, "background": c.background} for c in spec.classes]
    if not job.fields.get("view"):
        return {"total_s": time.perf_counter() - began, "classes": classes}
    check_fit(spec, volume)
    if label_dtype(spec.classes) != np.uint8:
        raise PredictionError("labels beyond 255 are left to the run")
    shape = shape_zyx(volume)
    view = View.from_json(job.fields["view"], shape)
    work = make_job(spec, ready.predictor, volume, config, view.box)
    reach = _reach(work, shape)
    edge = CELL if max(reach) <= CELL // 2 else WIDE_CELL
    sides = [1 if axis == view.axis else edge for axis in AXES]
    z, y, x = (up(side, step) for side, step in zip(sides, spec.stride, strict=True))
    cells = list(view.box.blocks((z, y, x)))
    _check_size(work, [_outer(cell, reach, spec, shape) for cell in cells])
    for cell in focus_order(cells, view.centre, spacing_of(volume)):
        job.check()
        decoded = _predict(work, cell, _outer(cell, reach, spec, shape))
        unsure = decoded.uncertainty
        sure = np.full(cell.shape, 255, np.uint8) if unsure is None else 255 - unsure
        job.part(view, cell, decoded.labels.astype(np.uint8), sure)
    return {"total_s": time.perf_counter() - began, "classes": classes}


def _reach(work: PredictionJob, shape: Shape) -> Shape:
    """How far a voxel sees; along an axis without a bound, all of it."""
    from voxloop.prediction.budget import exact_halo

    z, y, x = (size if part is None else part for part, size in zip(exact_halo(work.spec), shape, strict=True))
    return z, y, x


def _outer(cell: Box, reach: Shape, spec: ModelSpec, shape: Shape) -> Box:
    padded = Box.whole(shape).aligned(spec.stride)
    return cell.grow(reach).aligned(spec.stride).clip(padded.shape)


def _check_size(work: PredictionJob, outers: list[Box]) -> None:
    most = MOST_SEEN if work.by_parts else MOST_COMPUTED
    largest = max(outer.size for outer in outers)
    if largest > most:
        raise PredictionError(f"this model sees {largest:,} voxels at a time; the run gets there")


def _predict(work: PredictionJob, cell: Box, outer: Box) -> Decoded:
    from voxloop.prediction.decode import learnt_objects

    cut = cell.within(outer)
    if learnt_objects(work.spec):
        return work.decode(work.predict(outer), cut)
    return work.decode(work.part(work.read(outer), cut), Box.whole(cell.shape))


def _ready(job: Job, config: PredictConfig) -> _Ready:
    """The model at hand for this image; the one before it is closed."""
    from voxloop.prediction.resampled import prepare_model, shown_to
    from voxloop.store import Store

    folders = [Path(job.workspace, str(folder)).resolve() for folder in job.fields["models"]]
    stamps = [(folder / "spec.json").stat().st_mtime_ns for folder in folders if (folder / "spec.json").exists()]
    settings = config.changed(focus=None).to_json()
    key = repr((folders, stamps, job.fields["image"], settings))
    known: tuple[str, _Ready] | None = job.state.get("first answers")
    if known is not None and known[0] == key:
        return known[1]
    if known is not None:
        del job.state["first answers"]
        known[1].stack.close()
    volume = Store.open(job.workspace, read_only=True).images.open(str(job.fields["image"]))
    model = prepare_model([load_model(folder) for folder in folders], config, volume)
    if model.spec.extra.get("constrain") or config.constrain not in ("", "auto", "none"):
        raise PredictionError("what may be said only inside another class is left to the run")
    stack = ExitStack()
    threads = config.threads or machine().cores
    predictor = stack.enter_context(model.open(device=config.device, precision=config.precision, threads=threads))
    ready = _Ready(model, predictor, shown_to(model.spec, volume), stack)
    job.state["first answers"] = key, ready
    return ready
