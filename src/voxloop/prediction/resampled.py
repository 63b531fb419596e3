"""A model shown an image of other voxels at the voxel size it knows. Arrays in, arrays out; knows no learner, no files.

What goes in is resampled to the model's spacing, what comes out back to the image's. Sizes are ratios of small whole
numbers, so that blocks which begin and end at multiples of the stride are whole on both sides, and tiled equals whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from math import ceil, gcd, log
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.channels.beside import with_channels
from voxloop.config import PredictConfig
from voxloop.errors import ConfigError, ModelError
from voxloop.geometry import Shape
from voxloop.model import Model, ModelSpec, Predictor, device_memory, hasten
from voxloop.prediction.averaged import Averaged, combine_models, settle_turns
from voxloop.prediction.budget import is_planar
from voxloop.volumes import channels_of, shape_zyx, spacing_of
from voxloop.volumes.exposure import as_exposed

if TYPE_CHECKING:
    from xarray import DataArray

#: voxels whose sizes differ by less than this are taken for the same, and by more for a mistake in the metadata
SAME, FARTHEST = 1.1, 8.0
#: a ratio of sizes is taken as a fraction that is off by less than this; of whole numbers up to so many
CLOSE, WHOLE = 0.03, 16

Factors = tuple[Fraction, Fraction, Fraction]


def shown_to(spec: ModelSpec, volume: DataArray) -> DataArray:
    """The volume as a model is to be shown it. Lazy.

    With channels beside it that the model was taught on, and brought to the exposure it knows, where it asks for that.
    """
    volume = beside(spec, volume)
    reference = spec.normalisation.get("exposure")
    if not reference or spec.channels != channels_of(volume):
        return volume
    try:
        shown: DataArray = as_exposed(volume, reference)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelError(f"spec.json of this model says no exposure that can be used ({error})") from error
    return shown


def beside(spec: ModelSpec, volume: DataArray) -> DataArray:
    """The volume with the channels that a model was taught on beside the image. Lazy. Raises ModelError."""
    try:
        return with_channels(volume, spec.extra.get("beside"))
    except ConfigError as error:
        raise ModelError(f"spec.json of this model says no channels that can be used: {error}") from error


def exposure_words(spec: ModelSpec) -> str:
    """What is done about exposure, in one line; empty where nothing is."""
    if not spec.normalisation.get("exposure"):
        return ""
    return "the picture is brought to the exposure that the model knows, by its own intensities"


def fit_model(model: Model, volume: DataArray, config: PredictConfig) -> Model:
    """The model itself, or :class:`Resampled` where the volume's voxels are not of the size it knows, and it may."""
    factors = factors_of(model.spec, volume) if config.match_spacing else None
    return model if factors is None else Resampled(model, factors)


def fit_open_model(
    volume: DataArray, model: Model, predictor: Predictor, config: PredictConfig
) -> tuple[Model, Predictor, PredictConfig]:
    """A model that is open already, what it is called by, as a volume is shown to it, and settings settled for that.

    Turns that are named the model has already.
    """
    settled = settle_turns(config, model.spec, shape_zyx(volume))
    if config.turns == "auto" and settled.turns != "none":
        model = turned = Averaged([model], settled.turns)
        predictor = turned.over([predictor])
    shown = fit_model(model, volume, config)
    return shown, shown.over(predictor) if isinstance(shown, Resampled) else predictor, settled


def prepare_model(models: Sequence[Model], config: PredictConfig, volume: DataArray) -> Model:
    """One model of several, turned and voting as settings say, at the voxel size of a volume."""
    settled = settle_turns(config, models[0].spec, shape_zyx(volume))
    return fit_model(combine_models(models, settled.turns, config.votes), volume, config)


def factors_of(spec: ModelSpec, volume: DataArray) -> Factors | None:
    """Voxels of the model for one voxel of the volume, zyx; None where nothing is to be resampled.

    That is where sizes are about the same, not known, or so different that one of them must be wrong.
    """
    if spec.spacing_um is None:
        return None
    ratios = [size / trained for size, trained in zip(spacing_of(volume), spec.spacing_um, strict=True)]
    if is_planar(spec) or volume.attrs.get("z_kind") == "frame":
        ratios[0] = 1.0
    apart = [max(ratio, 1 / ratio) for ratio in ratios]
    if max(apart) < SAME or max(apart) > FARTHEST:
        return None
    z, y, x = (Fraction(1) if far < SAME else _fraction(ratio) for ratio, far in zip(ratios, apart, strict=True))
    return z, y, x


def _fraction(ratio: float) -> Fraction:
    """The simplest fraction close to a ratio."""
    best = Fraction(1)
    for whole in range(1, WHOLE + 1):
        for candidate in (Fraction(max(1, round(ratio * whole)), whole), Fraction(whole, max(1, round(whole / ratio)))):
            if abs(log(ratio / candidate)) < abs(log(ratio / best)):
                best = candidate
        if abs(log(ratio / best)) < CLOSE:
            break
    return best


class Resampled(Model):
    """A model of another voxel size as one of the image's: same channels, same outputs.

    Parameters
    ----------
    factors
        Voxels of the model for one voxel of the image, zyx.
    """

    def __init__(self, model: Model, factors: Factors) -> None:
        self.model, self.factors = model, factors
        spec = model.spec
        halo = None if spec.halo is None else _each(_halo, spec.halo, factors)
        window = None if spec.window is None else _each(_window, spec.window, factors)
        spacing = spec.spacing_um
        if spacing is not None:
            z, y, x = (size * float(factor) for size, factor in zip(spacing, factors, strict=True))
            spacing = z, y, x
        self.spec = replace(
            spec,
            stride=_each(_stride, spec.stride, factors),
            halo=halo,
            window=window,
            spacing_um=spacing,
            hash=hashlib.sha256(f"{spec.hash} {' '.join(map(str, factors))}".encode()).hexdigest(),
        )

    @contextmanager
    def open(self, device: str = "auto", precision: str = "float32", threads: int | None = None) -> Iterator[Predictor]:
        """The model on a device."""
        with self.model.open(device=device, precision=precision, threads=threads) as predictor:
            yield self.over(predictor)

    def over(self, predictor: Predictor) -> _Resampling:
        """What :meth:`open` gives, over the model opened already."""
        return _Resampling(predictor, self.factors)

    @property
    def words(self) -> str:
        """What is done, in one line."""
        sizes = " x ".join(f"{float(factor):.3g}" for factor in self.factors)
        return f"voxels are not of the size that the model knows: it sees the image at {sizes} of its size (z, y, x)"

    def __repr__(self) -> str:
        return f"<Resampled: {self.model!r} at {' x '.join(map(str, self.factors))} of the voxels>"


class _Resampling:
    def __init__(self, predictor: Any, factors: Factors) -> None:
        self._predictor, self._factors = predictor, factors
        self.device_memory = device_memory(predictor)

    def hasten(self, backend: str, sample: np.ndarray) -> str:
        return hasten(self._predictor, backend, sample)

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        size = batch.shape[2:]
        seen = [max(1, round(n * factor)) for n, factor in zip(size, self._factors, strict=True)]
        shown = np.stack([_resize(channels, seen) for channels in batch])
        return np.stack([_resize(output, size) for output in self._predictor(shown)])


def _resize(images: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Images (n, z, y, x) at another size, float32: linear, smoothed first along axes that shrink."""
    from skimage.transform import resize

    return np.stack(
        [
            resize(image.astype(np.float32), tuple(size), order=1, mode="edge", anti_aliasing=True, preserve_range=True)
            for image in images
        ]
    )


def _each(function: Any, shape: Shape, factors: Factors) -> Shape:
    z, y, x = (function(size, factor) for size, factor in zip(shape, factors, strict=True))
    return z, y, x


def _stride(step: int, factor: Fraction) -> int:
    """The fewest voxels of the image that are whole strides of the model."""
    return step * factor.denominator // gcd(step * factor.denominator, factor.numerator)


def _window(size: int, factor: Fraction) -> int:
    return max(1, round(size / factor))


def _halo(reach: int, factor: Fraction) -> int:
    """What the model sees, in voxels of the image, and what resampling there and back looks at beyond it."""
    if factor == 1:
        return reach
    shrink = max(factor, 1 / factor)
    smoothing = ceil(4 * (shrink - 1) / 2) + 1  # four sigmas of the filter before voxels are left out, and one to mix
    there, back = (smoothing, 1) if factor < 1 else (1, smoothing)
    return ceil((reach + back) / factor) + there
