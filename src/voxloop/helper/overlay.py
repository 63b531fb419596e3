"""Any saved model on what is on screen, tile by tile. Knows models by their protocol alone; loads them late."""

from __future__ import annotations

import time
from collections import OrderedDict
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import ModelError
from voxloop.geometry import AXES, Box, Shape
from voxloop.helper.handlers import Job, View, focus_order
from voxloop.machine import machine
from voxloop.model import ModelSpec, Predictor, load_model, predict_part

if TYPE_CHECKING:
    import xarray as xr

#: voxels of a tile along the axes of the plane; of the halo at most, since an overlay is a preview: the field of a deep
#: network is hundreds of voxels and what lies that far changes little
TILE, HALO = 256, 96
#: planes that a model of planes is given at once in views across them
THROUGH = 16
#: bytes of finished tiles kept, and models kept open
KEPT_BYTES, KEPT_MODELS = 64 << 20, 2


@dataclass
class _Open:
    """An opened model; closing the stack closes it."""

    spec: ModelSpec
    predictor: Predictor
    stack: ExitStack


@dataclass(frozen=True)
class _Tile:
    values: np.ndarray
    confidence: np.ndarray


def answer(job: Job) -> dict[str, Any]:
    """Predict ``view`` of ``image`` with the model in the folder ``model`` (within the workspace, or absolute).

    Returns seconds ``first_s`` and ``total_s``, the tiles ``computed`` and those that were ``kept`` from before.
    """
    from voxloop.volumes import shape_zyx, spacing_of

    began = time.perf_counter()
    model = _open_model(job)
    volume = _volume(job)
    view = View.from_json(job.fields["view"], shape_zyx(volume))
    volume = _as_shown(job, model.spec, volume)
    _check(model.spec, volume, str(job.fields["image"]))
    grid = tile_shape(model.spec, AXES.index(view.axis))
    first, computed, cached = 0.0, 0, 0
    cache: OrderedDict[Any, _Tile] = job.state.setdefault("overlay tiles", OrderedDict())
    # whole cells of the grid, so that a tile is the same wherever the view begins
    cells = [part.aligned(grid).clip(shape_zyx(volume)) for part in view.box.blocks(grid)]
    for cell in focus_order(cells, view.centre, spacing_of(volume)):
        job.check()
        key = (model.spec.hash, job.fields["image"], view.axis, cell)
        tile = cache.pop(key, None)
        if tile is None:
            tile = _predict(model, volume, cell)
            computed += 1
        else:
            cached += 1
        cache[key] = tile
        shown = cell.meet(view.box)
        assert shown is not None  # cells come from the view
        inside = shown.within(cell).slices
        job.part(view, shown, tile.values[inside], tile.confidence[inside])
        first = first or time.perf_counter() - began
    while sum(2 * tile.values.size for tile in cache.values()) > KEPT_BYTES:
        cache.popitem(last=False)
    return {"first_s": first, "total_s": time.perf_counter() - began, "computed": computed, "kept": cached}


def tile_shape(spec: ModelSpec, across: int) -> Shape:
    """Tiles of a plane across an axis: as thin across as the stride allows, whole windows of the model along z."""
    sizes = [TILE, TILE, TILE]
    sizes[0] = THROUGH
    sizes[across] = 1
    z, y, x = (-(-size // step) * step for size, step in zip(sizes, spec.stride, strict=True))
    return z, y, x


def outer_of(cell: Box, spec: ModelSpec, shape: Shape) -> Box:
    """The cell with its halo, at multiples of the stride; it may reach past the far faces of the volume up to one."""
    halo = spec.halo or (HALO if spec.dimensions == 3 else 0, HALO, HALO)
    by = [min(size, -(-HALO // step) * step) for size, step in zip(halo, spec.stride, strict=True)]
    padded = Box.whole(shape).aligned(spec.stride)
    return cell.grow(by).aligned(spec.stride).clip(padded.shape)


def _predict(model: _Open, volume: xr.DataArray, cell: Box) -> _Tile:
    from voxloop.prediction.reading import read_outer
    from voxloop.volumes import shape_zyx

    outer = outer_of(cell, model.spec, shape_zyx(volume))
    block = read_outer(volume, outer)
    inner = cell.within(outer)
    shown = predict_part(model.predictor, block, inner)
    values = np.array([info.value for info in model.spec.classes], dtype=np.uint8)
    confidence = np.clip(shown.max(axis=0) * 255 + 0.5, 0, 255).astype(np.uint8)
    return _Tile(values[shown.argmax(axis=0)], confidence)


def _open_model(job: Job) -> _Open:
    folder = Path(job.workspace, str(job.fields["model"])).resolve()
    stamp = (folder / "spec.json").stat().st_mtime_ns if (folder / "spec.json").exists() else 0
    models: dict[Any, _Open] = job.state.setdefault("overlay models", {})
    key = (str(folder), stamp)
    opened = models.pop(key, None)
    if opened is None:
        from voxloop.prediction.averaged import combine_models

        model = load_model(folder)
        if model.spec.extra.get("axes") in ("y", "x"):  # planes across z are not what it learnt from
            model = combine_models([model], votes="auto")
        if len(model.spec.outputs) != 1 or model.spec.outputs[0].kind != "semantic":
            raise ModelError(f"the model in {folder.name} has no class probabilities to show; predict with it instead")
        stack = ExitStack()
        opened = _Open(model.spec, stack.enter_context(model.open(threads=machine().cores)), stack)
    models[key] = opened
    while len(models) > KEPT_MODELS:
        models.pop(next(iter(models))).stack.close()
    return opened


def _volume(job: Job) -> xr.DataArray:
    from voxloop.store import Store

    image = str(job.fields["image"])
    volumes: dict[str, xr.DataArray] = job.state.setdefault("volumes", {})
    if image not in volumes:
        volumes[image] = Store.open(job.workspace, read_only=True).images.open(image)
    return volumes[image]


def _as_shown(job: Job, spec: ModelSpec, volume: xr.DataArray) -> xr.DataArray:
    """The volume at the exposure and with the channels that a model knows, measured once."""
    from voxloop.prediction.resampled import shown_to

    if not spec.normalisation.get("exposure") and not spec.extra.get("beside"):
        return volume
    shown: dict[Any, xr.DataArray] = job.state.setdefault("volumes as shown", {})
    key = (str(job.fields["image"]), str(spec.normalisation.get("exposure")), str(spec.extra.get("beside")))
    if key not in shown:
        shown[key] = shown_to(spec, volume)
    return shown[key]


def _check(spec: ModelSpec, volume: xr.DataArray, image: str) -> None:
    from voxloop.volumes import channels_of

    if spec.channels != channels_of(volume):
        raise ModelError(
            f"the model takes {spec.channels} channels and image {image!r} has {channels_of(volume)}; "
            "train on this image, or open it with channels="
        )
