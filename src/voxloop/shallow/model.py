"""A trained pixel classifier as a :class:`voxloop.model.Model`: intensities in, probabilities out. Knows no labels."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from voxloop.channels.banded import correlate, kernel, radius_of
from voxloop.errors import ModelError
from voxloop.geometry import Box, Spacing
from voxloop.given import path_of
from voxloop.machine import machine
from voxloop.model import ClassInfo, Model, ModelSpec, Output
from voxloop.shallow import storage
from voxloop.shallow.calibration import tempered
from voxloop.shallow.classifier import Classifier
from voxloop.shallow.features import FeatureBank, Reduced, to_stride
from voxloop.shallow.lattice import Lattice
from voxloop.shallow.refinement import Refinement
from voxloop.shallow.supervoxels import Supervoxels, from_json, to_json
from voxloop.shallow.tiles import tile_shape
from voxloop.store.values import whole

if TYPE_CHECKING:
    from voxloop.shallow.onnx_package import ClassifierPackage


@dataclass(frozen=True)
class ChannelNormalisation:
    """Offset and scale of every channel, fixed when the model was trained."""

    offset: tuple[float, ...]
    scale: tuple[float, ...]

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """(c, z, y, x) of any real dtype to float32 around 0; what is not finite becomes the offset."""
        block = np.asarray(block)
        offset, scale = (np.array(v, dtype=np.float32)[:, None, None, None] for v in (self.offset, self.scale))
        out = block.astype(np.float32)
        out -= offset
        out /= scale
        if block.dtype.kind == "f" and not np.isfinite(out.sum()):
            out[~np.isfinite(out)] = 0
        return out


@dataclass(frozen=True)
class ShallowModel(Model):
    """A feature bank, a classifier and what they were trained on.

    ``spec`` is made by :func:`describe`; the bank and the normalisation are read from it, so that what is saved and
    what computes cannot differ.
    """

    spec: ModelSpec
    classifier: Classifier

    def __repr__(self) -> str:
        classes = ", ".join(info.name for info in self.spec.classes)
        return f"<ShallowModel {self.spec.extra.get('classifier', 'classifier')}: {classes}>"

    @property
    def bank(self) -> FeatureBank:
        return bank_of(self.spec)

    @property
    def supervoxels(self) -> Supervoxels | None:
        """The supervoxels that are classified; None where single voxels are."""
        known = self.spec.extra.get("supervoxels")
        return None if known is None else from_json(known, self.bank)

    @property
    def refinement(self) -> Refinement | None:
        """How neighbours are made to agree; None where each is decided alone."""
        known = self.spec.extra.get("refine")
        if known is None:
            return None
        try:
            return Refinement(known["kind"], float(known["strength"]), tuple(map(float, known["contrast"])))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"spec.json of this model does not say how it refines ({error})") from error

    @property
    def temperature(self) -> float:
        """What makes the probabilities as sure as they may be; 1 leaves them as the classifier says."""
        known = self.spec.extra.get("temperature", 1.0)
        if not isinstance(known, int | float) or not 0.01 <= known <= 100:
            raise ModelError(f"spec.json of this model says temperature {known!r}, which is no number from 0.01 to 100")
        return float(known)

    def taught_beside(self, channels: Mapping[str, Any] | None) -> ShallowModel:
        """The model with a note of the channels that it is to be shown beside the image."""
        if not channels:
            return self
        return replace(self, spec=replace(self.spec, extra={**self.spec.extra, "beside": dict(channels)}))

    @property
    def inputs(self) -> int:
        """Numbers that the classifier is shown at a time."""
        return (self.supervoxels or self.bank).count

    @property
    def normalisation(self) -> ChannelNormalisation:
        return ChannelNormalisation(tuple(self.spec.normalisation["offset"]), tuple(self.spec.normalisation["scale"]))

    @contextlib.contextmanager
    def open(
        self, device: str = "auto", precision: str = "float32", threads: int | None = None
    ) -> Iterator[ShallowPredictor]:
        """A predictor of ``threads`` threads (None: all cores); on the CPU and in float32, whatever is asked."""
        cores = machine().cores if threads is None else whole("threads", threads, least=0, error=ModelError)
        with ThreadPoolExecutor(max(1, cores)) as pool:
            yield ShallowPredictor(self, pool)

    def save(self, folder: str | Path) -> Path:
        """Write ``spec.json`` and the classifier into a new folder."""
        return storage.save(self.spec, self.classifier, path_of(folder, error=ModelError))

    def export(self, path: str | Path, **settings: Any) -> ClassifierPackage:
        """Write it for other programs; see :func:`voxloop.shallow.onnx_package.export_classifier`."""
        from voxloop.shallow.onnx_package import export_classifier  # needs what only packages do

        return export_classifier(self, path_of(path, error=ModelError), **settings)


class ShallowPredictor:
    """An opened :class:`ShallowModel`."""

    def __init__(self, model: ShallowModel, pool: ThreadPoolExecutor) -> None:
        self._model = model
        self._bank = model.bank
        self._supervoxels = model.supervoxels
        self._refinement = model.refinement
        self._pool = pool
        self._temperature = model.temperature
        self._smooth = smoothing_kernels(model.spec.extra.get("smoothing_sigma", (0, 0, 0)))

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Raw intensities (n, c, z, y, x) to probabilities (n, classes, z, y, x) float32.

        Faces of a block are mirrored; the caller cuts ``spec.halo`` where a face is not the volume's own. Raises
        ModelError where the channels are not those of the spec.
        """
        batch = np.asarray(batch)
        wanted = self._model.spec.channels
        if batch.ndim != 5 or batch.shape[1] != wanted:
            raise ModelError(f"a batch of shape {batch.shape} does not fit; this model takes (n, {wanted}, z, y, x)")
        # one BLAS thread a tile: the products are small, and the pool already uses every core it may
        with threadpool_limits(1, user_api="blas"):
            return np.stack([self._block(block) for block in batch])

    def _block(self, block: np.ndarray) -> np.ndarray:
        shape = block.shape[1:]
        return tempered(smooth(self._part(block, Box.whole(shape)), self._smooth), self._temperature)

    def region(self, block: np.ndarray, inner: Box) -> np.ndarray:
        """Probabilities (classes, z, y, x) of ``inner`` within a raw block (c, z, y, x); the rest is only looked at."""
        reach = [0 if k is None else k.size // 2 for k in self._smooth]
        with threadpool_limits(1, user_api="blas"):
            wider = inner.grow(reach).clip(block.shape[1:])
            part = smooth(self._part(block, wider), self._smooth)
        return tempered(part[:, *inner.within(wider).slices], self._temperature)

    def _part(self, block: np.ndarray, wanted: Box) -> np.ndarray:
        """Unsmoothed probabilities of a part of a block."""
        if not self._supervoxels and not self._refinement:
            return self._by_voxels(self._bank.reduce(block, normalise=self._model.normalisation), wanted)
        block = self._model.normalisation(block)
        block = to_stride(block, self._model.spec.stride)
        if self._supervoxels:
            return self._by_supervoxels(self._supervoxels, block, wanted)
        assert self._refinement is not None
        lattice = Lattice(self._bank, self._refinement)
        wider = wanted.grow(lattice.rounds).clip(block.shape[1:])
        found = lattice.refine(self._by_voxels(self._bank.reduce(block), wider), block, wider, self._pool.map)
        return found[:, *wanted.within(wider).slices]

    def _by_voxels(self, reduced: Reduced, wanted: Box) -> np.ndarray:
        """Of a block as the bank has reduced it: the block itself need not be held meanwhile."""
        whole = wanted.aligned(self._bank.stride)
        out = np.empty((self._model.spec.out_channels, *whole.shape), dtype=np.float32)

        def predict(core: Box) -> None:
            levels = self._bank.pyramid(reduced, core)
            out[:, *core.within(whole).slices] = self._model.classifier.levels(self._bank, levels)

        list(self._pool.map(predict, whole.blocks(tile_shape(self._bank))))
        return out[:, *wanted.within(whole).slices]

    def _by_supervoxels(self, unit: Supervoxels, block: np.ndarray, wanted: Box) -> np.ndarray:
        found = unit.describe(block, wanted, self._pool.map)
        rows = self._model.classifier.rows(found.rows)
        if self._refinement and found.contacts:
            rows = self._refinement.of_supervoxels(rows, found.contacts, found.rows)
        labels = found.labels[wanted.within(found.box).slices]
        return np.ascontiguousarray(np.moveaxis(rows[labels], -1, 0))


def describe(
    bank: FeatureBank,
    normalisation: ChannelNormalisation,
    classes: tuple[ClassInfo, ...],
    smoothing: float,
    supervoxels: Supervoxels | None = None,
    refinement: Refinement | None = None,
    **extra: Any,
) -> ModelSpec:
    """The spec of a model, all but its hash. ``smoothing`` is in voxels of the finest in-plane axis."""
    unit = supervoxels or (Lattice(bank, refinement) if refinement else bank)
    sigma = smoothing_sigma(bank, smoothing)
    reach = [h + (radius_of(s) if s else 0) for h, s in zip(unit.halo, sigma, strict=True)]
    halo = tuple(-(-size // step) * step for size, step in zip(reach, unit.stride, strict=True))
    if supervoxels:
        extra["supervoxels"] = to_json(supervoxels)
    if refinement:
        extra["refine"] = asdict(refinement)
    return ModelSpec(
        learner="shallow",
        channels=bank.channels,
        classes=classes,
        outputs=(Output(name="classes", kind="semantic", channels=len(classes)),),
        spacing_um=bank.spacing_um,
        dimensions=bank.dimensions,
        stride=unit.stride,
        halo=(halo[0], halo[1], halo[2]),
        normalisation=asdict(normalisation),
        extra={**extra, "bank": asdict(bank), "smoothing_sigma": sigma},
    )


def bank_of(spec: ModelSpec) -> FeatureBank:
    """The features that a spec names. Raises ModelError where it names none."""
    try:
        given: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in spec.extra["bank"].items()}
        return FeatureBank(**given)
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"spec.json of this model does not say which features it uses ({error})") from error


def smoothing_sigma(bank: FeatureBank, smoothing: float) -> Spacing:
    """Sigma in voxels per axis; planes that were filtered alone are smoothed alone."""
    sigma = [smoothing * min(bank.spacing_um[1:]) / step for step in bank.spacing_um]
    return (sigma[0] if bank.dimensions == 3 else 0.0, sigma[1], sigma[2])


def smoothing_kernels(sigma: Sequence[float]) -> list[np.ndarray | None]:
    """One kernel an axis of these sigmas in voxels; None where probabilities are not smoothed."""
    return [kernel(float(width), 0) if width else None for width in sigma]


def smooth(probabilities: np.ndarray, kernels: Sequence[np.ndarray | None]) -> np.ndarray:
    """Smooth (classes, z, y, x) along its axes, mirrored at the faces."""
    for axis, weights in enumerate(kernels, start=1):
        if weights is not None:
            width = [(0, 0)] * 4
            width[axis] = (weights.size // 2,) * 2
            probabilities = correlate(np.pad(probabilities, width, mode="symmetric"), weights, axis)
    return np.ascontiguousarray(probabilities)


def load(folder: str | Path) -> ShallowModel:
    """Open a model folder that :meth:`ShallowModel.save` wrote. Raises ModelError where it is damaged."""
    model = ShallowModel(*storage.read(Path(folder)))
    storage.check(model.spec, model.classifier, model.inputs, Path(folder))
    return model
