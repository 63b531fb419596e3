"""Filters that look at one voxel, or at all of a plane: thresholds, scales, two channels together. Pure."""

from __future__ import annotations

import numpy as np

from voxloop.channels.grid import FilterGrid
from voxloop.config.channels import (
    ChannelSettings,
    EqualiseSettings,
    MeasuredSettings,
    RectifySettings,
    ThresholdSettings,
    settled,
)
from voxloop.geometry import Shape

#: of intensities, in standard deviations to either side of the mean, that contrast is evened out over
_SPAN = 4.0


def nowhere(grid: FilterGrid, settings: ChannelSettings) -> Shape:
    """The reach of what looks at one voxel."""
    return 0, 0, 0


def within(block: np.ndarray, settings: ThresholdSettings) -> np.ndarray:
    """Which voxels lie in the range, or out of it."""
    inside = np.ones(block.shape, bool)
    if settings.low is not None:
        inside &= block >= settings.low
    if settings.high is not None:
        inside &= block <= settings.high
    return ~inside if settings.outside else inside


def threshold(block: np.ndarray, grid: FilterGrid, settings: ThresholdSettings) -> np.ndarray:
    """1 in the range, 0 out of it."""
    return within(block, settings).astype(np.float32)


def invert(block: np.ndarray, grid: FilterGrid, settings: MeasuredSettings) -> np.ndarray:
    """Dark for bright, around the mean of the source."""
    return np.float32(2 * settled(settings.mean)) - block


def standardise(block: np.ndarray, grid: FilterGrid, settings: MeasuredSettings) -> np.ndarray:
    """Intensity less the mean of the source, in its standard deviations."""
    return (block - np.float32(settled(settings.mean))) / np.float32(settled(settings.deviation))


def rectify(block: np.ndarray, grid: FilterGrid, settings: RectifySettings) -> np.ndarray:
    """What is above zero, and a part of what is below."""
    return np.where(block > 0, block, np.float32(settings.slope) * block)


def equalise(block: np.ndarray, grid: FilterGrid, settings: EqualiseSettings) -> np.ndarray:
    """Contrast evened out within each plane (CLAHE), 0 to 1; needs whole planes."""
    from skimage.exposure import equalize_adapthist

    low = settled(settings.mean) - _SPAN * settled(settings.deviation)
    scaled = np.clip((block - low) / (2 * _SPAN * settled(settings.deviation)), 0, 1)
    planes = []
    for plane in scaled:
        tile = tuple(max(1, -(-size // settings.tiles)) for size in plane.shape)
        planes.append(equalize_adapthist(plane, kernel_size=tile, clip_limit=settings.clip))
    return np.asarray(np.stack(planes), np.float32)


def ratio(block: np.ndarray, other: np.ndarray, settings: ChannelSettings) -> np.ndarray:
    """One channel divided by another; 0 where that is 0."""
    return np.asarray(np.divide(block, other, out=np.zeros_like(block), where=other != 0))


def less(block: np.ndarray, other: np.ndarray, settings: ChannelSettings) -> np.ndarray:
    """One channel less another."""
    return np.asarray(block - other)
