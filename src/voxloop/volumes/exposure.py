"""How dark and how bright a picture is, and the picture as if it had been exposed as others were. Knows no models.

Measured as the 1st and the 99.8th percentile, so that neither a few hot pixels nor how much of a picture is background
decides. A picture is measured as a whole and never tile by tile: tiles must agree with each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from xarray import DataArray

from voxloop.geometry import Box
from voxloop.volumes.view import SourceView, Viewed, behind, dask_over
from voxloop.volumes.volume import channels_of, read_block, read_lazy, shape_zyx

#: percentiles that stand for the darkest and the brightest that is no outlier
_PERCENTILES = (1.0, 99.8)
#: planes of a stack that are looked at, and the side of what is looked at of each, voxels
_PLANES, _SIDE = 5, 1024
#: pictures of one stack that are measured one by one; of more, the stack is measured as a whole
_MOST_FRAMES = 512
#: pictures whose range differs so many times, or whose middle by so much of the range, differ in exposure
_TIMES, _SHIFT = 1.5, 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Exposure:
    """Darkest and brightest of each channel: ``low`` and ``high``, (c, 1), or (c, z) where planes are pictures."""

    low: np.ndarray
    high: np.ndarray

    @property
    def flat(self) -> np.ndarray:
        """Where there is one intensity alone, which cannot be scaled: bool, as ``low``."""
        return np.asarray(~(self.high > self.low))

    def to_json(self) -> dict[str, Any]:
        """What :meth:`from_json` takes."""
        return {"low": self.low.tolist(), "high": self.high.tolist()}

    @classmethod
    def from_json(cls, noted: Mapping[str, Any]) -> Exposure:
        """As noted. Raises ValueError, TypeError or KeyError where that is damaged."""
        low, high = (np.array(noted[name], float) for name in ("low", "high"))
        if low.ndim != 2 or low.shape != high.shape:
            raise ValueError("an exposure of another shape")
        return cls(low, high)


def measure_exposure(volume: DataArray) -> Exposure:
    """The exposure of an image, or of each picture of a stack of them. Reads a few planes, or what is noted of them."""
    noted = getattr(behind(volume.data), "exposure", None)
    if isinstance(noted, Exposure):  # of an image of which only parts are here
        return noted
    depth = shape_zyx(volume)[0]
    if volume.attrs.get("z_kind") == "frame" and depth <= _MOST_FRAMES:
        pairs = [percentiles(_plane(volume, z)) for z in range(depth)]
    else:
        planes = np.unique(np.linspace(0, depth - 1, min(depth, _PLANES)).round().astype(int))
        pairs = [percentiles(np.concatenate([_plane(volume, int(z)) for z in planes], axis=1))]
    low, high = np.stack(pairs, axis=-1)
    return Exposure(low, high)


def common_exposure(exposures: Sequence[Exposure]) -> dict[str, list[float]]:
    """What all pictures together are like, as a model keeps it: the median over pictures that are not flat."""
    low = np.concatenate([one.low for one in exposures], axis=1)
    high = np.concatenate([one.high for one in exposures], axis=1)
    flat = ~(high > low)
    reference = []
    for values in (low, high):
        shown = np.where(flat & ~flat.all(axis=1, keepdims=True), np.nan, values)
        reference.append([float(value) for value in np.nanmedian(shown, axis=1)])
    return {"low": reference[0], "high": reference[1]}


def differ(exposures: Sequence[Exposure]) -> float:
    """How many times the range of some pictures is that of others, 1 where they are alike; darker ones count too.

    Of many pictures the most extreme tenths are left out.
    """
    most = 1.0
    low = np.concatenate([one.low for one in exposures], axis=1)
    high = np.concatenate([one.high for one in exposures], axis=1)
    for dark, bright in zip(low, high, strict=True):
        ranges = (bright - dark)[bright > dark]
        if len(ranges) < 2:
            continue
        small, large = np.quantile(ranges, (0.1, 0.9)) if len(ranges) >= 10 else (ranges.min(), ranges.max())
        times = float(large / small)
        shift = float(np.ptp(((dark + bright) / 2)[bright > dark]) / np.median(ranges))
        most = max(most, times, _TIMES if shift > _SHIFT else 1.0)
    return most


def are_alike(exposures: Sequence[Exposure]) -> bool:
    """Whether pictures are exposed alike enough for one scale."""
    return differ(exposures) < _TIMES


def as_exposed(volume: DataArray, reference: Mapping[str, Sequence[float]], exposure: Exposure | None = None) -> Any:
    """The volume, lazily, as if it had been exposed like the reference: float32. Flat pictures stay as they are.

    Parameters
    ----------
    reference
        ``low`` and ``high`` of each channel (:func:`common_exposure`).
    exposure
        Of the volume, where that is known.
    """
    exposure = exposure or measure_exposure(volume)
    low, high = (np.array(reference[name], float)[:, None] for name in ("low", "high"))
    spread = np.where(exposure.flat, 1.0, exposure.high - exposure.low)
    gain = np.where(exposure.flat, 1.0, (high - low) / spread)
    offset = np.where(exposure.flat, 0.0, low - gain * exposure.low)
    shape = (*gain.shape, 1, 1)
    gain, offset = gain.reshape(shape).astype(np.float32), offset.reshape(shape).astype(np.float32)
    if volume.ndim == 3:
        gain, offset = gain[0], offset[0]
    attrs = {**volume.attrs, "open_arguments": ""}
    chunks = tuple(max(sizes) for sizes in volume.data.chunks)
    letters, channel = ("czyx", "c") if volume.ndim == 4 else ("zyx", None)
    view = SourceView(letters, {}, "z", channel, tuple(range(channels_of(volume))))
    shown = Viewed(_Exposed(volume.data, gain, offset), view, str(volume.name))
    return volume.copy(data=dask_over(shown, chunks)).assign_attrs(attrs)


class _Exposed:
    """An array at another exposure, computed for what is read of it and nothing beside."""

    def __init__(self, array: Any, gain: np.ndarray, offset: np.ndarray) -> None:
        self._array = array
        self._gain, self._offset = gain, offset
        self.shape, self.ndim, self.dtype = array.shape, array.ndim, np.dtype(np.float32)

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        block = read_lazy(self._array, key)
        gain, offset = (
            one[tuple(part if size > 1 else slice(None) for part, size in zip(key, one.shape, strict=True))]
            for one in (self._gain, self._offset)
        )
        return np.asarray(block.astype(np.float32) * gain + offset)


def _plane(volume: DataArray, z: int) -> np.ndarray:
    """Finite or not, intensities (c, n) of the middle of a plane."""
    _, height, width = shape_zyx(volume)
    top, left = max(0, (height - _SIDE) // 2), max(0, (width - _SIDE) // 2)
    box = Box((z, top, left), (z + 1, min(height, top + _SIDE), min(width, left + _SIDE)))
    return read_block(volume, box).reshape(channels_of(volume), -1)


def percentiles(values: np.ndarray) -> np.ndarray:
    """Darkest and brightest (2, c) of intensities (c, n); 0 and 0 for a channel without a number."""
    found = np.zeros((2, len(values)))
    for channel, row in enumerate(values):
        finite = row[np.isfinite(row)]
        if len(finite):
            found[:, channel] = np.percentile(finite, _PERCENTILES)
    return found
