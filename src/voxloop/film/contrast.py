"""What intensities and label values look like: limits that suit a plane, 8 bits, palette indices. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Limits = tuple[float, float]

#: percentiles of a plane that the automatic contrast shows as black and white
AUTO_PERCENTILES = (0.5, 99.5)
#: bright voxels side by side that are this share of a plane, and lie this many times the window's width above it, are
#: signal and belong into the window
AUTO_SIGNAL, FAR_ABOVE = 0.0005, 4.0
HISTOGRAM_BINS = 96
#: share of the control that each of its ends takes where intensities reach far beyond the window (plane_controls.js)
COARSE_END = 0.1


@dataclass(frozen=True, slots=True)
class Statistics:
    """Intensities of one channel: range of the control, automatic limits, histogram (counts along the control).

    The control reaches from the darkest voxel to the brightest; ``fine`` is the part that most of it is for, so that a
    few hot pixels neither hide what is beside them nor are out of reach.
    """

    low: float
    high: float
    auto: Limits
    histogram: tuple[int, ...]
    fine: Limits


def statistics(voxels: np.ndarray) -> list[Statistics]:
    """Statistics per channel of ``voxels`` (c, ...); not-a-number and infinities are left out."""
    return [_channel_statistics(channel) for channel in voxels]


def _channel_statistics(values: np.ndarray) -> Statistics:
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values.ravel()
    if not finite.size:
        return Statistics(0.0, 1.0, (0.0, 1.0), (0,) * HISTOGRAM_BINS, (0.0, 1.0))
    low, high = float(finite.min()), float(finite.max())
    flat = _fewer(finite).astype(np.float64)
    first, last = np.percentile(flat, AUTO_PERCENTILES)
    if high <= low:
        high = low + 1
    if last <= first:
        first, last = low, high
    margin = 0.05 * (last - first)
    signal = _bright_signal(values, AUTO_SIGNAL)
    if signal > last + FAR_ABOVE * (last - first):
        last, margin = signal, 0.05 * (signal - first)
    fine = max(low, first - 20 * margin), min(high, last + 20 * margin)
    counts, _ = np.histogram(flat, _control_edges(low, fine, high))
    auto = float(first), float(last)
    return Statistics(low, high, auto, tuple(int(n) for n in counts), (float(fine[0]), float(fine[1])))


def _fewer(values: np.ndarray) -> np.ndarray:
    """A quarter of a million of the values: half a percent of them is still a thousand voxels."""
    return values[:: values.size // 262_144 + 1] if values.size > 262_144 else values


def _bright_signal(values: np.ndarray, share: float) -> float:
    """The intensity that a share of the voxels reach together with a neighbour: small bright cells, not hot pixels."""
    if values.ndim < 2 or min(values.shape[-2:]) < 2:
        return float("-inf")
    plane = values.astype(np.float32)
    np.nan_to_num(plane, copy=False, nan=-np.inf, posinf=-np.inf, neginf=-np.inf)
    beside = np.full_like(plane, -np.inf)
    for axis in (-1, -2):
        for ahead, behind in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
            here, there = [slice(None)] * plane.ndim, [slice(None)] * plane.ndim
            here[axis], there[axis] = ahead, behind
            np.maximum(beside[tuple(here)], plane[tuple(there)], out=beside[tuple(here)])
    together = np.minimum(plane, beside).ravel()
    place = max(0, together.size - 1 - round(share * together.size))
    return float(np.partition(together, place)[place])


def _control_edges(low: float, fine: Limits, high: float) -> np.ndarray:
    """Edges of the histogram's bins: even along the control, whose ends take a tenth each where they are needed."""
    values, places = [fine[0], fine[1]], [0.0, 1.0]
    if low < fine[0]:
        values, places = [low, *values], [0.0, COARSE_END, *places[1:]]
    if high > fine[1]:
        values, places = [*values, high], [*places[:-1], 1.0 - COARSE_END, 1.0]
    edges = np.interp(np.linspace(0, 1, HISTOGRAM_BINS + 1), places, values)
    return np.maximum.accumulate(edges)


def stretch(plane: np.ndarray, limits: Limits) -> np.ndarray:
    """``plane`` as uint8 with ``limits`` shown as black and white; not-a-number becomes black."""
    low, high = limits
    gain = 255.0 / (high - low) if high > low else 255.0
    if plane.dtype.kind in "ui" and plane.dtype.itemsize <= 2:
        info = np.iinfo(plane.dtype)
        table = ((np.arange(info.min, info.max + 1) - low) * gain).clip(0, 255).astype(np.uint8)
        if plane.dtype == np.uint8:  # five times as fast as taking from the table
            return np.frombuffer(plane.tobytes().translate(table.tobytes()), np.uint8).reshape(plane.shape)
        if info.min:
            return np.take(table, plane.astype(np.int32) - info.min)
        return np.take(table, plane)
    scaled = plane.astype(np.float32)
    scaled -= low
    scaled *= gain
    np.nan_to_num(scaled, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
    return scaled.clip(0, 255, out=scaled).astype(np.uint8)


#: how channels that are not red, green and blue are tinted when shown together
TINTS = ((0.0, 1.0, 0.0), (1.0, 0.0, 1.0), (0.0, 0.75, 1.0), (1.0, 0.8, 0.0))


def compose(plane: np.ndarray, limits: Sequence[Limits], shown: Sequence[int]) -> np.ndarray:
    """One picture of a plane (c, rows, columns): uint8 gray (rows, columns), or colour (rows, columns, 3).

    One shown channel is gray; channels 0, 1, 2 together are red, green, blue; others are tinted and added.
    """
    if len(shown) == 1:
        return stretch(plane[shown[0]], limits[shown[0]])
    if list(shown) == [0, 1, 2]:
        return np.stack([stretch(plane[c], limits[c]) for c in shown], axis=-1)
    total = np.zeros((*plane.shape[1:], 3), np.float32)
    for place, channel in enumerate(shown):
        tint = np.asarray(TINTS[place % len(TINTS)], np.float32)
        total += stretch(plane[channel], limits[channel])[..., None] * tint
    return total.clip(0, 255).astype(np.uint8)


def palette_indices(values: np.ndarray) -> np.ndarray:
    """Label values as uint8 palette indices: classes keep their value, larger numbers are spread over 1..255.

    Neighbouring instance numbers land far apart, so that touching objects differ in colour; 0 stays 0.
    """
    if values.dtype == np.uint8:
        return values
    wide = values.astype(np.uint64)
    spread = (wide * np.uint64(2654435761) >> np.uint64(7)) % np.uint64(255) + np.uint64(1)
    return np.where(wide < 256, wide, spread).astype(np.uint8)


def pool(indices: np.ndarray, factor: tuple[int, int]) -> np.ndarray:
    """Reduce a plane of indices by whole ``factor`` (rows, columns): the largest value of each cell wins.

    A thin stroke on unlabelled ground thereby stays visible when zoomed out.
    """
    fy, fx = factor
    if fy == fx == 1:
        return indices
    rows, columns = indices.shape
    padded = np.pad(indices, ((0, -rows % fy), (0, -columns % fx)))
    cells = padded.reshape(padded.shape[0] // fy, fy, padded.shape[1] // fx, fx)
    reduced: np.ndarray = cells.max(axis=(1, 3))
    return reduced
