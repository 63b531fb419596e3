"""What intensities are scaled by: measured once around the labels, kept in the model. Knows no loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from voxloop.config.deep import DeepConfig
from voxloop.deep.data.training_data import TrainingData
from voxloop.deep.data.windows import Geometry, Place, read_pixels, spread_places
from voxloop.errors import VolumeError

#: windows that intensities are measured on
_MEASURED = 24
#: side of such a window in voxels, at most
_SIDE = 256
#: mean and standard deviation of the pictures of ImageNet, by channel, from 0 to 1
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
#: percentiles that stand for the darkest and the brightest that is no outlier
_PERCENTILES = (1.0, 99.0)


def measure_intensities(data: TrainingData, geometry: Geometry, config: DeepConfig) -> dict[str, Any]:
    """What each channel is scaled by, as a spec holds it, from windows spread over the images that are trained on.

    Returns
    -------
    dict
        ``mean`` is subtracted and what is left divided by ``deviation``, one number a channel, whatever ``kind`` they
        are of; ``low`` and ``high`` cut intensities off before, where asked. ``measured`` holds mean and standard
        deviation of the intensities themselves, where the others are not these; ``exposure`` ``low`` and ``high`` of
        each channel, which every picture is brought to first, where each is scaled by itself.

    Raises
    ------
    VolumeError
        A channel holds no number.
    """
    channels = _values(data, geometry, config.seed)
    mean = np.array([values.mean(dtype=np.float64) for values in channels])
    deviation = np.array([values.std(dtype=np.float64) for values in channels])
    flat = deviation < 1e-6 * np.maximum(np.abs(mean), 1e-12)  # a flat channel tells nothing; leave it at 0
    deviation[flat] = 1.0
    found: dict[str, Any] = {"kind": "mean_deviation", "mean": mean.tolist(), "deviation": deviation.tolist()}
    if config.intensities != "deviation":
        offset, scale = _scaled(config.intensities, channels)
        scale[flat] = 1.0
        measured = {"mean": found["mean"], "deviation": found["deviation"]}
        found = {
            "kind": config.intensities,
            "mean": offset.tolist(),
            "deviation": scale.tolist(),
            "measured": measured,
        }
    if config.clip_deviations:
        reach = config.clip_deviations * deviation
        found |= {"low": (mean - reach).tolist(), "high": (mean + reach).tolist()}
    if data.exposure:
        found["exposure"] = data.exposure
    return found


def measured_places(data: TrainingData, geometry: Geometry, seed: int) -> Iterator[tuple[Place, Geometry]]:
    """The windows that intensities are measured on, and their size."""
    single = Geometry(height=min(geometry.height, _SIDE), width=min(geometry.width, _SIDE))
    for place in spread_places(data.training_images, single, _MEASURED, seed):
        yield place, single


def _values(data: TrainingData, geometry: Geometry, seed: int) -> list[np.ndarray]:
    """Finite intensities of each channel."""
    windows = [
        read_pixels(data.images[place.image], place, single).reshape(data.channels, -1)
        for place, single in measured_places(data, geometry, seed)
    ]
    channels = [values[np.isfinite(values)] for values in np.concatenate(windows, axis=1)]
    if not all(len(values) for values in channels):
        empty = ", ".join(str(i) for i, values in enumerate(channels) if not len(values))
        raise VolumeError(f"channel {empty} holds no numbers (NaN or infinite) around the labels; look at the image")
    return channels


def _scaled(kind: str, channels: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """What is subtracted from each channel, and what it is divided by."""
    percentiles = _PERCENTILES if kind == "percentiles" else (0.0, 100.0)
    low, high = np.array([np.percentile(values, percentiles) for values in channels], float).T
    extent = np.maximum(high - low, 1e-12)
    if kind == "percentiles":  # the middle at 0, and about as wide as standard deviations are
        return (low + high) / 2, extent / 4
    if kind == "range":
        return low, extent
    # of one channel, or more than three, as gray: the mean of the three
    mean, deviation = (np.array(part if len(channels) == 3 else [np.mean(part)] * len(channels)) for part in _IMAGENET)
    return low + mean * extent, deviation * extent
