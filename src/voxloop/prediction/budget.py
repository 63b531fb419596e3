"""What a prediction will take, and the plan that fits: time, memory, disk. Pure arithmetic on measured costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import prod

from voxloop.config import PredictConfig
from voxloop.errors import PredictionError
from voxloop.geometry import Shape
from voxloop.model import ModelSpec
from voxloop.prediction.decode import label_dtype, semantic_channels
from voxloop.prediction.executor import AHEAD
from voxloop.prediction.memory import Cost, allowed_bytes, device_bytes
from voxloop.prediction.plan import BATCH_VOXELS, Halo, Plan
from voxloop.prediction.planning import COMFORTABLE, Limits, make_plan

#: share of the budget that the model's own arrays may take; the rest is for tiles being read, decoded and written
MODEL_SHARE = 0.7
#: bytes on disk to bytes in memory: labels are long runs of one value, probabilities mostly 0 or 255
LABELS_PACKED, IMAGES_PACKED = 0.05, 0.35
#: a tile may take this many times the seconds wished for, where the halo is dear
LIVELY_TILES = 5
#: some waste is taken for blocks that hold no more than this
LIGHT_BYTES = 192 * 2**20
#: blocks larger than this bring nothing where halos cost nothing, so many classes take smaller ones, not more memory
HANDY_BYTES = 32 * 2**20
#: bytes of all tiles on their way together, where tiles may be smaller
STAGED_BYTES = 40 * 2**20
#: no block is smaller for that
SMALL = 2**14
#: feeding a network with rows takes this many times as long as blocks of which nothing is computed twice; by
#: dimensions, in processor time: 1.13 to 1.16 in 2-D, 1.1 to 1.15 in 3-D
FEEDING = {2: 1.15, 3: 1.15}
#: float32 of an input voxel as it is and normalised, where a network is fed with rows: what does not shrink with them
FED_BYTES = 8
#: a voxel that is only looked at takes this share of the seconds of one that is kept, where the model leaves it out
LOOKED_AT = 0.028
#: blocks of such a model take no more than this where memory is left to us, unless that takes so many times as long
PARTS_BYTES, PARTS_LONGER = 224 * 2**20, 3.0
#: blocks go through a GPU together up to so many voxels
BUSY = 2**22
#: a pyramid adds at most a third in the plane
PYRAMID = 4 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedForecast:
    """What to expect, before the start."""

    plan: Plan
    seconds: float
    memory_bytes: int
    disk_bytes: int
    allowed_bytes: int
    device_bytes: int = 0
    device_allowed_bytes: int = 0
    by_parts: bool = False

    @property
    def work(self) -> int:
        """Voxels that the model computes in all."""
        return self.plan.voxels if self.by_parts else self.plan.work

    @property
    def waste(self) -> float:
        """Voxels the model computes for each voxel that is kept."""
        return self.work / self.plan.voxels


def is_planar(spec: ModelSpec) -> bool:
    """The model looks at one plane at a time."""
    return spec.dimensions == 2 and spec.stride[0] == 1 and exact_halo(spec)[0] == 0


def exact_halo(spec: ModelSpec) -> Halo:
    """The halo that makes tiled equal whole; None on the axes where only the whole axis will do."""
    if spec.halo is not None:
        return spec.halo
    # what sees planes is given those next to each as channels, and nothing further along z
    return (int(spec.extra.get("slices", 1)) // 2 if spec.dimensions == 2 else None, None, None)


def forecast(
    spec: ModelSpec,
    shape: Shape,
    config: PredictConfig,
    cost: Cost,
    *,
    region: object = None,
    halo: Halo | None = None,
    channel_bytes: int = 1,
    column_bytes: float | None = None,
    longer: float = 1.0,
) -> PlannedForecast:
    """Plan a prediction within the memory allowed, and say what it takes.

    Parameters
    ----------
    shape, region
        Of the volume, and what of it is wanted; voxels, zyx.
    cost
        Measured on this model and machine (:func:`voxloop.prediction.memory.measure`).
    halo
        Measured one, for fast mode; None: the exact one.
    channel_bytes
        Bytes of all channels of one input voxel.
    column_bytes
        Plan for a model that is fed with rows, of which it holds so many bytes a voxel; None: for one that is given
        blocks.
    longer
        So many times as long as in blocks that takes, beyond :data:`FEEDING`.

    Raises
    ------
    PredictionError
        No block fits; names the setting that would make it.
    """
    allowed = allowed_bytes(config.memory_gb, cost.base_bytes)
    free = allowed if config.memory_gb == "auto" else max(0, allowed - cost.base_bytes)
    device = device_bytes(config.device_gb, cost.device_free)
    output = _output_bytes(spec, config)
    blend = config.blend and config.mode == "fast" and column_bytes is None
    room = _Room(
        free=free,
        device=device,
        staged=(AHEAD + 1) * channel_bytes + 2 * AHEAD * sum(output.values()) + (cost.kept_bytes or 0),
        blended=4 * (len(spec.classes) + 1) * blend,  # sums and weights, float32
        column_bytes=column_bytes,
    )
    if column_bytes is not None:
        cost = _cost_by_rows(cost, longer * FEEDING[spec.dimensions], FED_BYTES * spec.channels + sum(output.values()))
    make = partial(
        make_plan,
        shape,
        spec.stride,
        halo or exact_halo(spec),
        region=region,
        planar=is_planar(spec),
        every=config.every,
        blend=blend,
    )
    limits = room.limits(config, cost)
    if cost.by_parts:
        limits = replace(limits, looked_at=LOOKED_AT)
        if config.memory_gb == "auto":
            limits = _frugal(limits, make, cost.bytes_per_voxel + AHEAD * channel_bytes)
    tight = limits.max_voxels == room.device_voxels(cost)
    try:
        plan = make(limits)
        if is_planar(spec):
            planes = int(config.tile_seconds / max(1e-9, _plane_seconds(plan, cost)))
            plan = make(replace(limits, planes_per_tile=planes))
        while (memory := room.taken(plan, cost)) > room.free:
            column = None if column_bytes is None else plan.column - 1
            limits = replace(limits, max_voxels=limits.max_voxels * 3 // 4, max_column=column)
            plan = make(limits)
    except PredictionError as error:
        raise PredictionError(_refusal(error, device if tight else allowed, config, tight)) from None
    disk = plan.voxels * (output["labels"] * LABELS_PACKED + output["images"] * IMAGES_PACKED)
    if config.scales:
        disk *= PYRAMID
    return PlannedForecast(
        plan=plan,
        seconds=(plan.voxels if cost.by_parts else plan.work) * cost.seconds_per_voxel,
        memory_bytes=cost.base_bytes + memory,
        disk_bytes=int(disk),
        allowed_bytes=allowed,
        device_bytes=int(max(plan.largest, plan.batch) * cost.device_bytes_per_voxel),
        device_allowed_bytes=device,
        by_parts=cost.by_parts,
    )


def _frugal(limits: Limits, make: Callable[[Limits], Plan], each: float) -> Limits:
    """Small blocks, where any fit: a model that leaves out what it only looks at loses little by them."""
    small = replace(limits, max_voxels=min(limits.max_voxels, int(PARTS_BYTES / each)))
    try:
        longer = _parts_work(make(small)) / _parts_work(make(limits))
    except PredictionError:
        return limits
    return small if longer <= PARTS_LONGER else limits


def _parts_work(plan: Plan) -> float:
    return plan.voxels + LOOKED_AT * (plan.work - plan.voxels)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Room:
    """Bytes that a prediction may take, and what a voxel takes of them besides the model.

    ``staged``: read, decoded and written; ``blended``: 0 where blocks are cut; ``column_bytes``: of a voxel of a row,
    where the model is fed with rows.
    """

    free: int
    device: int
    staged: float
    blended: int
    column_bytes: float | None

    def device_voxels(self, cost: Cost) -> int | None:
        """Voxels that the GPU holds at once; None without one."""
        return int(self.device / cost.device_bytes_per_voxel) if cost.device_bytes_per_voxel else None

    def limits(self, config: PredictConfig, cost: Cost) -> Limits:
        """How much the model and a tile may hold at once."""
        each = cost.bytes_per_voxel + self.staged
        staging = min(self.free * (1 - MODEL_SHARE), self.free if self.blended else STAGED_BYTES)
        lively = min(LIVELY_TILES * config.tile_seconds / cost.seconds_per_voxel, LIGHT_BYTES / each)
        handy = min(COMFORTABLE, max(SMALL, int(HANDY_BYTES / each)))
        most, batch = int(self.free * MODEL_SHARE / cost.bytes_per_voxel), min(BATCH_VOXELS, handy)
        on_device = self.device_voxels(cost)
        if on_device is not None:  # a GPU is kept busy by much at once
            most, handy, batch = min(most, on_device), COMFORTABLE, BUSY
        column = None
        if self.column_bytes is not None:
            bytes_for_rows = min(self.free, self.device) if cost.device_free else self.free
            column = int(bytes_for_rows / self.column_bytes)
        return Limits(
            max_voxels=most,
            max_tile_voxels=int(staging / (self.staged + self.blended)),
            lively_voxels=int(lively),
            handy_voxels=handy,
            batch_voxels=batch,
            max_column=column,
        )

    def taken(self, plan: Plan, cost: Cost) -> int:
        """Bytes that a plan takes: tiles on their way, the model at work, and rows where it is fed with them."""
        tile = prod(min(size, part) for size, part in zip(plan.tile, plan.box.shape, strict=True))
        at_once = plan.largest if cost.by_parts else max(plan.largest, plan.batch)
        blocks = int(at_once * cost.bytes_per_voxel + tile * (self.staged + self.blended))
        return blocks + int(plan.column * (self.column_bytes or 0))


def _cost_by_rows(cost: Cost, longer: float, each: int) -> Cost:
    """The cost where a network is fed with rows: ``each`` is what a voxel takes beyond what the rows hold."""
    device = each if cost.device_bytes_per_voxel else 0.0
    seconds = cost.seconds_per_voxel * longer
    return replace(cost, seconds_per_voxel=seconds, bytes_per_voxel=each, device_bytes_per_voxel=device)


def _plane_seconds(plan: Plan, cost: Cost) -> float:
    planes = plan.box.shape[0]
    return (plan.voxels if cost.by_parts else plan.work) / max(1, planes) * cost.seconds_per_voxel


def _output_bytes(spec: ModelSpec, config: PredictConfig) -> dict[str, int]:
    """Bytes of one voxel of the output."""
    semantic_channels(spec)
    classes = len(spec.classes) if config.probabilities else 0
    return {"labels": label_dtype(spec.classes).itemsize, "images": classes + config.uncertainty}


def less_allowed(allowed: int, config: PredictConfig) -> str:
    """That less memory is there than the settings allow, in a sentence; empty where all of it is."""
    if config.memory_gb == "auto" or allowed >= int(config.memory_gb * 1e9):
        return ""
    return f"memory_gb={config.memory_gb:g} is more than is free: {allowed / 1e9:.2g} GB are used"


def halo_warning(config: PredictConfig) -> str:
    """What it means that fast mode's halo does not keep the tolerance."""
    return f"tiles may differ from the whole by more than tolerance={config.tolerance:g}: a larger halo does not fit"


def _refusal(error: PredictionError, allowed: int, config: PredictConfig, device: bool) -> str:
    setting, where = ("device_gb", "of GPU memory") if device else ("memory_gb", "of memory")
    raised = f"raise {setting}" if device or not less_allowed(allowed, config) else "close what else takes memory here"
    way = f"{raised} or use mode='fast'" if config.mode == "exact" else raised
    return f"this prediction does not fit {allowed / 1e9:.2g} GB {where}: {error}; {way}"


def duration(seconds: float) -> str:
    """A time in words: ``40 s``, ``5 min``, ``2.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
