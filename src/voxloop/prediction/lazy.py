"""``predict``: a volume's class probabilities that are computed where they are sliced. Writes no files."""

from __future__ import annotations

import math
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from voxloop.config import PredictConfig
from voxloop.errors import PredictionError
from voxloop.geometry import Box, Shape
from voxloop.given import shown
from voxloop.machine import available_memory
from voxloop.model import Model, RowPredictor, hasten
from voxloop.prediction.averaged import Turns
from voxloop.prediction.budget import FED_BYTES, exact_halo, is_planar
from voxloop.prediction.haste import WORTH_SECONDS
from voxloop.prediction.job import PredictionJob, check_fit
from voxloop.prediction.plan import Plan
from voxloop.prediction.planning import Limits, make_plan
from voxloop.prediction.resampled import prepare_model, shown_to
from voxloop.volumes import as_volume, shape_zyx
from voxloop.volumes.graphs import blocks_over

if TYPE_CHECKING:
    from xarray import DataArray

#: voxels the model sees at once, and bytes of results kept, where nothing is said
MAX_VOXELS = 2**23
#: fewer where half of the free memory holds fewer at what the hungriest network here takes for a voxel (DynUNet)
VOXEL_BYTES = 400
CACHE_BYTES = 256 * 2**20
#: float32 copies of what a network says of a voxel that is fed
_COPIES = 3


def predict(
    model: Model | Sequence[Model],
    volume: Any,
    *,
    turns: Turns = "auto",
    votes: Literal["auto", "1", "y", "x", "3", "12"] = "auto",
    match_spacing: bool = True,
    inside: Any = None,
    device: str = "auto",
    precision: str = "float32",
    threads: int | None = None,
    backend: Literal["auto", "torch", "openvino"] = "auto",
    halo: Shape | None = None,
    max_voxels: int | None = None,
    cache_bytes: int = CACHE_BYTES,
) -> DataArray:
    """Class probabilities of a volume, lazy: slice it, and just that is computed.

    Parameters
    ----------
    model
        Any :class:`Model`, or several, whose mean is taken; opened on first use, once.
    volume
        A volume, or anything :func:`open_volume` takes.
    turns, votes
        As for ``Workspace.predict``: the picture turned, and a model of planes asked along three axes.
    match_spacing
        Show the model the volume at the voxel size that it knows.
    inside
        Say something only where this is not 0: (z, y, x), a volume, a label array or an array; elsewhere every
        probability is 0.
    device, precision, threads
        Of the model.
    backend
        What computes it, as for ``Workspace.predict``; ``"auto"`` tries OpenVINO once a few seconds have been spent.
    halo
        Voxels zyx that a slice sees beyond its faces. None: the model's field, so that a slice equals the same part of
        the whole to float rounding.
    max_voxels
        The model sees at most so many voxels at once. None: 8 million, fewer where little memory is free. Planes of a
        network of plain convolutions may be larger where a processor computes them row by row, in less memory.
    cache_bytes
        Results kept for the next slice.

    Returns
    -------
    DataArray
        dims ("class", "z", "y", "x"), float32, dask-backed, coordinates in micrometres.

    Raises
    ------
    PredictionError
        Models, volume and ``inside`` do not fit each other, or a slice needs blocks larger than ``max_voxels``.

    Examples
    --------
    >>> model = ws.runs["shallow-1"].result
    >>> probabilities = vl.predict(model, volume)
    >>> probabilities.dims, probabilities.shape
    (('class', 'z', 'y', 'x'), (2, 6, 64, 64))
    >>> float(probabilities[0, 3, 16, 16]) > 0.5
    True
    """
    from xarray import DataArray

    volume = as_volume(volume)
    models = list(model) if isinstance(model, Sequence) else [model]
    if not models:
        raise PredictionError("an empty list holds no model; name one at least")
    for one in models:
        if not hasattr(one, "spec"):
            raise PredictionError(f"{shown(one)} is no model; vl.load_model(folder) and run.model() are")
    model = prepare_model(models, PredictConfig(turns=turns, votes=votes, match_spacing=match_spacing), volume)
    volume = shown_to(model.spec, volume)
    check_fit(model.spec, volume)
    names = [info.name for info in model.spec.classes]
    shape = shape_zyx(volume)
    mask = None if inside is None else getattr(inside, "as_volume", lambda: inside)()
    if mask is not None and tuple(mask.shape) != shape:
        raise PredictionError(f"inside has {tuple(mask.shape)} voxels (z, y, x), the volume {shape}")
    options = {"device": device, "precision": precision, "threads": threads}
    if max_voxels is None:
        max_voxels = min(MAX_VOXELS, available_memory() // 2 // VOXEL_BYTES)
    source = LazyProbabilities(model, volume, options, halo, max_voxels, cache_bytes, mask, backend)
    # a slice of a chunk is computed alone, and one of several chunks piece by piece, each with its halo
    side = max(1024, math.isqrt(CACHE_BYTES // (4 * len(names))))
    chunk = (1, side, side) if is_planar(model.spec) else (64, 512, 512)
    chunks = ((len(names),), *(_chunks(n, c) for n, c in zip(shape, chunk, strict=True)))
    return DataArray(
        blocks_over(source, chunks, asarray=False, meta=np.empty((0,) * 4, np.float32)),
        dims=("class", "z", "y", "x"),
        coords={"class": names, **{axis: volume.coords[axis] for axis in "zyx"}},
        name=f"{volume.name} predicted",
        attrs={**volume.attrs, "open_arguments": "", "channel_names": []},
    )


def _chunks(size: int, chunk: int) -> tuple[int, ...]:
    return tuple(min(chunk, size - start) for start in range(0, size, chunk))


#: of a source that is pickled
_NOT_KEPT = {"_lock", "_cache", "_job", "_seconds", "_tried"}


class LazyProbabilities:
    """An array (class, z, y, x) of float32 that is computed by slices; what dask holds. Picklable, closed."""

    dtype = np.dtype(np.float32)
    ndim = 4

    def __init__(
        self,
        model: Model,
        volume: DataArray,
        options: dict[str, Any],
        halo: Shape | None,
        max_voxels: int,
        cache_bytes: int,
        inside: Any = None,
        backend: str = "auto",
    ) -> None:
        self.backend = backend
        self.model, self.volume, self.options, self.inside = model, volume, options, inside
        self.halo, self.max_voxels, self.cache_bytes = halo, max_voxels, cache_bytes
        self.shape = (len(model.spec.classes), *shape_zyx(volume))
        self._forget()

    def _forget(self) -> None:
        self._lock = threading.Lock()  # one slice at a time: the model's own threads use the processor
        self._cache: OrderedDict[Box, np.ndarray] = OrderedDict()
        self._job: PredictionJob | None = None
        self._seconds = 0.0
        self._tried = False

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in _NOT_KEPT}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def __getitem__(self, key: Any) -> np.ndarray:
        key = key if isinstance(key, tuple) else (key,)
        parts = [*key, *[slice(None)] * (4 - len(key))]
        classes, space = parts[0], parts[1:]
        slices = [_forward(part, n) for part, n in zip(space, self.shape[1:], strict=True)]
        with self._lock:
            whole = self._read(Box.of(slices, self.shape[1:]))
        inside = [_within(part, n) for part, n in zip(space, self.shape[1:], strict=True)]
        return np.asarray(whole[(classes, *inside)])

    def _read(self, box: Box) -> np.ndarray:
        for larger, probabilities in self._cache.items():
            if larger.covers(box):
                self._cache.move_to_end(larger)
                return probabilities[:, *box.within(larger).slices]
        probabilities = self._compute(box)
        self._cache[box] = probabilities
        while sum(cached.nbytes for cached in self._cache.values()) > self.cache_bytes:
            self._cache.popitem(last=False)
        return probabilities

    def _compute(self, box: Box) -> np.ndarray:
        mask = None if self.inside is None else np.asarray(self.inside[box.slices]) != 0
        if mask is not None and not mask.any():
            return np.zeros((self.shape[0], *box.shape), np.float32)
        job = self._open_job()
        self._hasten(job, box)
        plan = self._plan(box)
        out = np.empty((self.shape[0], *box.shape), np.float32)
        for tile in plan.tiles():
            for block in plan.blocks(tile):
                began = time.perf_counter()
                out[:, *block.core.within(box).slices] = job.core(block)
                self._seconds += time.perf_counter() - began
        if mask is not None:
            out *= mask
        return out

    def _hasten(self, job: PredictionJob, box: Box) -> None:
        """Try another program once: at the start where it is asked for, else once it seems that much is wanted."""
        if self._tried or (self.backend == "auto" and self._seconds < WORTH_SECONDS / 2):
            return
        self._tried = True
        hasten(job.predictor, self.backend, job.read(self._plan(box).first.outer)[None])

    def _plan(self, box: Box) -> Plan:
        spec = self.model.spec
        halo = self.halo or exact_halo(spec)
        shape: Shape = self.shape[1:]
        plan = partial(make_plan, shape, spec.stride, halo, region=box, planar=is_planar(spec))
        try:
            in_blocks = plan(Limits(max_voxels=self.max_voxels))
        except PredictionError as error:
            by_rows = self._plan_by_rows(plan)
            if by_rows is not None:
                return by_rows
            raise PredictionError(
                f"{error}; raise max_voxels where there is memory, or give a smaller halo=(z, y, x)"
            ) from None
        if in_blocks.work <= self.max_voxels:  # one block, and no graph to be read for it
            return in_blocks
        by_rows = self._plan_by_rows(plan)
        return in_blocks if by_rows is None or by_rows.work >= in_blocks.work else by_rows

    def _plan_by_rows(self, plan: Callable[[Limits], Plan]) -> Plan | None:
        """The plan of a planar network that is fed with rows, of which memory holds more at once; None for another."""
        predictor, spec = self._open_job().predictor, self.model.spec
        if not is_planar(spec) or not isinstance(predictor, RowPredictor):
            return None
        column = predictor.bytes_per_column()
        if column is None:
            return None
        room = available_memory() // 4
        each = FED_BYTES * spec.channels + 4 * _COPIES * spec.out_channels
        try:
            by_rows = plan(Limits(max_voxels=room // each, max_column=int(room / column)))
        except PredictionError:
            return None
        return by_rows if predictor.in_rows(by_rows.first.outer.shape) else None

    def _open_job(self) -> PredictionJob:
        if self._job is None:
            stack = ExitStack()
            predictor = stack.enter_context(self.model.open(**self.options))
            weakref.finalize(self, stack.close)
            shape: Shape = self.shape[1:]
            self._job = PredictionJob(self.model.spec, predictor, self.volume, PredictConfig(), Box.whole(shape))
        return self._job


def _forward(part: Any, size: int) -> Any:
    """The smallest slice of step one that holds what ``part`` asks for."""
    if not isinstance(part, slice):
        return part
    indices = range(size)[part]
    return slice(min(indices[0], indices[-1]), max(indices[0], indices[-1]) + 1) if indices else slice(0, 1)


def _within(part: Any, size: int) -> Any:
    """What ``part`` asks for, within that slice; an index loses its axis."""
    if not isinstance(part, slice):
        return 0
    indices = range(size)[part]
    return slice(None, None, indices.step) if indices else slice(0, 0)
