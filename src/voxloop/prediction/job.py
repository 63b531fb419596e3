"""One prediction made ready: model and volume checked against each other, costs measured, halo and plan chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.config import PredictConfig
from voxloop.errors import PredictionError
from voxloop.geometry import Box, Shape
from voxloop.machine import machine
from voxloop.model import (
    DecodingPredictor,
    ModelSpec,
    PartPredictor,
    Predictor,
    RowPredictor,
    device_memory,
    predict_part,
)
from voxloop.prediction import seams
from voxloop.prediction.budget import PlannedForecast, exact_halo, forecast, is_planar
from voxloop.prediction.decode import Decoded, foreground, label_dtype, learnt_objects, semantic, semantic_channels
from voxloop.prediction.executor import Done, run_tiles
from voxloop.prediction.haste import hastened
from voxloop.prediction.intensities import compare_intensities
from voxloop.prediction.memory import Cost, measure, measure_parts
from voxloop.prediction.plan import Block, Plan, Tile
from voxloop.prediction.reading import read_outer
from voxloop.volumes import channels_of, shape_zyx, spacing_of

if TYPE_CHECKING:
    from xarray import DataArray

#: spacing of model and volume may differ by this factor before a warning
SPACING_RATIO = 1.5
#: voxels computed for each kept from which it is worth asking whether the network can be fed with rows instead
WASTE = 1.1
#: voxels to either side of a face that are compared with the untiled; fewer where the model is exact by its making
BAND, BAND_BY_PARTS = 64, 8


def check_fit(spec: ModelSpec, volume: DataArray, *, look: bool = False, region: object = None) -> list[str]:
    """Whether a model can see a volume at all; warnings about what it may not like.

    Parameters
    ----------
    look
        Whether to read a few voxels of ``region`` (None: of all) and compare them with those the model learnt from.

    Raises
    ------
    PredictionError
        Channels differ, the model has no semantic output, or it looks across planes that are separate pictures.
    """
    semantic_channels(spec)
    channels = channels_of(volume)
    if channels != spec.channels:
        many = "s" * (spec.channels > 1)
        raise PredictionError(f"this model takes {spec.channels} channel{many}, the volume has {channels}")
    if volume.attrs.get("z_kind") == "frame" and not is_planar(spec):
        raise PredictionError("this model looks across planes, but these planes are separate pictures; use a 2-D model")
    warnings = compare_intensities(spec, volume, Box.of(region, shape_zyx(volume))) if look else []
    if spec.spacing_um is None:
        return warnings
    axes = slice(1, 3) if is_planar(spec) else slice(0, 3)
    pairs = list(zip("zyx", spec.spacing_um, spacing_of(volume), strict=True))[axes]
    off = [
        f"{axis} {size:g} instead of {trained:g}"
        for axis, trained, size in pairs
        if max(size / trained, trained / size) > SPACING_RATIO
    ]
    if off:
        warnings.append(f"voxels differ in size from those the model was trained on (micrometres: {', '.join(off)})")
    return warnings


def check_output(spec: ModelSpec, config: PredictConfig) -> None:
    """Whether what is kept is what the network learnt. Raises PredictionError."""
    if learnt_objects(spec) and not config.probabilities:
        raise PredictionError(
            "this network learnt objects, and they are decoded from its probabilities: probabilities=False would leave "
            "none; predict with probabilities=True"
        )


@dataclass(frozen=True, slots=True)
class PredictionJob:
    """A volume and an opened model, with the settings of the prediction.

    ``before`` is told in words what comes whenever the model is about to be tried; what it raises ends that.
    ``picture`` is the image with its own intensities, where ``volume`` is one brought to the exposure of a model.
    """

    spec: ModelSpec
    predictor: Predictor
    volume: DataArray
    config: PredictConfig
    box: Box
    before: Callable[[str], None] = lambda words: None
    picture: DataArray | None = None

    @property
    def as_it_is(self) -> DataArray:
        """The image with its own intensities, as a user sees it."""
        return self.volume if self.picture is None else self.picture

    @property
    def shape(self) -> Shape:
        return shape_zyx(self.volume)

    @property
    def focus(self) -> Shape:
        """The voxel to begin at: as set, else the middle of the box."""
        return self.box.centre if self.config.focus is None else self.config.focus

    @property
    def by_parts(self) -> bool:
        """The model leaves out what it only looks at."""
        return isinstance(self.predictor, PartPredictor) and not learnt_objects(self.spec) and not self._blends

    @property
    def _blends(self) -> bool:
        return self.config.blend and self.config.mode == "fast"

    def predict(self, outer: Box) -> np.ndarray:
        """Class probabilities (class, z, y, x) of a box; it may reach past the volume's far faces."""
        block = self.read(outer)[None]
        return np.asarray(self.predictor(block)[0, semantic_channels(self.spec)])

    def _announce(self, words: str) -> Callable[[Box], np.ndarray]:
        """:meth:`predict`, said beforehand."""

        def predict(outer: Box) -> np.ndarray:
            self.before(words)
            return self.predict(outer)

        return predict

    def measure(self) -> Cost:
        """Time and memory, on the middle of the box; the model is hastened before where that is worth it."""
        if self.by_parts:
            return self._measure_parts()
        shapes = [self._probe_shape(*sides) for sides in ((64, 16), (128, 24), (256, 40), (512, 64))]

        def sample(shape: Shape) -> np.ndarray:
            self.before("measuring how long the model takes, and how much memory")
            return read_outer(self.volume, seams.box_around(self.focus, shape, self.shape, self.spec.stride))

        def cost() -> Cost:
            return measure(self.forward, sample, shapes, device=device_memory(self.predictor))

        found = cost()
        hasty = hastened(self, found.seconds_per_voxel * self.box.size, lambda: sample(shapes[2]))
        return cost() if hasty else found

    def _measure_parts(self) -> Cost:
        halo = exact_halo(self.spec)
        reach = tuple(0 if part is None else part for part in halo)

        def sample(shape: Shape) -> tuple[np.ndarray, Box]:
            self.before("measuring how long the model takes, and how much memory")
            core = seams.box_around(self.focus, shape, self.shape, self.spec.stride)
            padded = tuple(-(-n // step) * step for n, step in zip(self.shape, self.spec.stride, strict=True))
            outer = core.grow(reach).aligned(self.spec.stride).clip(padded)
            return self.read(outer), core.within(outer)

        threads = self.config.threads or machine().cores
        return measure_parts(self.part, sample, [self._probe_shape(*s) for s in ((64, 16), (256, 40))], threads)

    def part(self, block: np.ndarray, core: Box) -> np.ndarray:
        """Class probabilities (class, z, y, x) of the core of a raw block (c, z, y, x)."""
        return np.asarray(predict_part(self.predictor, block, core)[semantic_channels(self.spec)])

    def core(self, block: Block) -> np.ndarray:
        """:meth:`predict` of the core of a block alone."""
        return self.part(self.read(block.outer), block.cut)

    def _core(self, block: Block) -> np.ndarray:
        """:meth:`core`, said beforehand."""
        self.before("measuring what the faces of tiles change")
        return self.core(block)

    def _probe_shape(self, plane: int, cube: int) -> Shape:
        target = (1, plane, plane) if is_planar(self.spec) else (cube, cube, cube)
        z, y, x = (
            min(-(-n // step), -(-full // step)) * step
            for n, full, step in zip(target, self.shape, self.spec.stride, strict=True)
        )
        return z, y, x

    def fast_halo(self, cost: Cost) -> tuple[Shape, bool]:
        """The halo that matters on this image, and whether it keeps the tolerance.

        Where none that was measured does, the exact one is taken if it is known and fits.
        """
        axes = [axis for axis, part in enumerate(exact_halo(self.spec)) if part != 0]
        parts = list(zip(self.box.start, self.box.shape, strict=True))
        places: list[Shape] = []
        for share in (0.5, 0.25, 0.75):
            z, y, x = (int(start + length * share) for start, length in parts)
            places.append((z, y, x))
        halo, within_tolerance = seams.measure_halo(
            self._announce("measuring how far around a voxel the model looks"),
            self.shape,
            self.spec.stride,
            axes,
            tolerance=self.config.tolerance,
            max_voxels=self._max_voxels(cost),
            places=places,
        )
        if self.spec.halo is not None:
            if not within_tolerance and self._fits(self.spec.halo, cost):
                return self.spec.halo, True
            z, y, x = (min(a, b) for a, b in zip(halo, self.spec.halo, strict=True))
            halo = z, y, x
        return halo, within_tolerance

    def _fits(self, halo: Shape, cost: Cost) -> bool:
        try:
            self.forecast(cost, halo)
        except PredictionError:
            return False
        return True

    def forecast(self, cost: Cost, halo: Shape | None = None) -> PlannedForecast:
        """The plan and what it takes: in blocks, or fed with rows where blocks would compute much twice, or not fit.

        Raises PredictionError where nothing fits.
        """
        plan = partial(
            forecast,
            self.spec,
            self.shape,
            self.config,
            cost,
            region=self.box,
            channel_bytes=channels_of(self.volume) * self.volume.dtype.itemsize,
        )
        try:
            in_blocks = plan(halo=halo)
        except PredictionError:
            by_rows = self._forecast_by_rows(plan)
            if by_rows is None:
                raise
            return by_rows
        if in_blocks.waste <= WASTE:
            return in_blocks
        by_rows = self._forecast_by_rows(plan)
        if by_rows is None or by_rows.seconds >= in_blocks.seconds:
            return in_blocks
        return by_rows

    def _forecast_by_rows(self, plan: Callable[..., PlannedForecast]) -> PlannedForecast | None:
        """The forecast for a network that is fed with rows; None where it cannot be, or not even that fits."""
        if learnt_objects(self.spec) or not isinstance(self.predictor, RowPredictor):
            return None
        column = self.predictor.bytes_per_column()
        if column is None:
            return None
        try:
            return plan(column_bytes=column, longer=getattr(self.predictor, "rows_longer", 1.0))
        except PredictionError:
            return None

    def prepare(self) -> Prepared:
        """Measure and plan. Raises PredictionError where nothing fits."""
        cost = self.measure()
        planned, within_tolerance = self.rehearse(cost)
        return Prepared(planned, within_tolerance, self.seam(planned.plan, cost))

    def rehearse(self, cost: Cost | None = None) -> tuple[PlannedForecast, bool]:
        """The forecast, and whether fast mode's halo keeps the tolerance. Raises PredictionError where nothing fits."""
        cost = self.measure() if cost is None else cost
        halo, within_tolerance = self.fast_halo(cost) if self.config.mode == "fast" else (None, True)
        return self.forecast(cost, halo), within_tolerance

    def seam(self, plan: Plan, cost: Cost) -> seams.Seam | None:
        """What the tiles' faces change, measured about the focus."""
        field = exact_halo(self.spec)
        z, y, x = (2 * h if part is None else part for part, h in zip(field, plan.halo, strict=True))
        return seams.measure_seam(
            self._announce("measuring what the faces of tiles change"),
            plan,
            (z, y, x),
            focus=self.focus,
            max_voxels=max(plan.largest, self._max_voxels(cost)),
            band=BAND_BY_PARTS if self.by_parts else BAND,
            predict_core=self._core if self.by_parts else None,
        )

    def _max_voxels(self, cost: Cost) -> int:
        return self.forecast(cost, (0, 0, 0)).allowed_bytes // 2 // max(1, int(cost.bytes_per_voxel))

    def run(
        self,
        plan: Plan,
        tiles: Iterator[Tile],
        write: Callable[[Tile, Decoded], None],
        halted: Callable[[], bool] = lambda: False,
        empty: Callable[[Box], bool] | None = None,
    ) -> Iterator[Done]:
        """Predict tiles and write them; yields each once written, or found empty."""
        return run_tiles(
            plan,
            tiles,
            read=self.read,
            forward=self.caller(plan, halted),
            decode=self.decode,
            write=write,
            batch_voxels=max(plan.largest, plan.batch),
            forward_part=self.forward_part,
            halted=halted,
            empty=empty,
        )

    @property
    def forward_part(self) -> Callable[[np.ndarray, Box], np.ndarray] | None:
        """What the cores of blocks go through alone; None where whole blocks have to."""
        return self.part if self.by_parts else None

    def read(self, outer: Box) -> np.ndarray:
        """Raw intensities (c, z, y, x) of a box; it may reach past the volume's far faces."""
        return read_outer(self.volume, outer)

    def caller(self, plan: Plan, halted: Callable[[], bool]) -> Callable[[np.ndarray], list[Any]]:
        """What a plan's blocks go through; raises :class:`voxloop.model.Halted` where it is halted within one."""
        if plan.blend:
            return self._whole
        return partial(self.forward, halted=halted) if plan.by_rows else self.forward

    def forward(self, batch: np.ndarray, halted: Callable[[], bool] | None = None) -> list[Any]:
        """Raw intensities (n, c, z, y, x) to what :meth:`decode` takes, one a block.

        That is class probabilities, or labels and uint8 images already, where the predictor can make them itself.
        ``halted``: feed the model with rows, and ask this between them.
        """
        if learnt_objects(self.spec) or not isinstance(self.predictor, DecodingPredictor):
            return list(self.predictor(batch)[:, semantic_channels(self.spec)])
        decoded = self.predictor.reduce(batch, **self._decoding, by_rows=halted is not None, halted=halted)
        return [Decoded(*parts) for parts in decoded]

    def _whole(self, batch: np.ndarray) -> list[np.ndarray]:
        """Class probabilities (class, z, y, x) of each block, all of what it sees."""
        return list(np.asarray(self.predictor(batch))[:, semantic_channels(self.spec)])

    def decode(self, output: Any, core: Box) -> Decoded:
        """One output of :meth:`forward`, cut to ``core``, as it is kept."""
        if isinstance(output, Decoded):
            return output.cut(core)
        decode = foreground if learnt_objects(self.spec) else semantic
        return decode(output[:, *core.slices], **self._decoding)

    @property
    def _decoding(self) -> dict[str, Any]:
        return {
            "values": np.array([info.value for info in self.spec.classes], label_dtype(self.spec.classes)),
            "measure": self.config.measure if self.config.uncertainty else None,
            "keep": self.config.probabilities,
        }


class Costs:
    """What models take: measured once for each number of channels, and each way in which a model is asked."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], Cost] = {}

    def of(self, job: PredictionJob) -> Cost:
        key = channels_of(job.volume), job.spec.hash
        if key not in self._known:
            self._known[key] = job.measure()
        return self._known[key]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is known before the first tile; ``within_tolerance``: whether fast mode's halo keeps the tolerance."""

    forecast: PlannedForecast
    within_tolerance: bool
    seam: seams.Seam | None


def make_job(
    spec: ModelSpec,
    predictor: Predictor,
    volume: DataArray,
    config: PredictConfig,
    region: object = None,
    picture: DataArray | None = None,
) -> PredictionJob:
    return PredictionJob(spec, predictor, volume, config, Box.of(region, shape_zyx(volume)), picture=picture)
