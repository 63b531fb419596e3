"""Whether intensities are those a model learnt from: another type or range is the mistake that no error tells.

Looks at a few small boxes of the volume. Knows no models, only their specs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.geometry import Box
from voxloop.model import ModelSpec
from voxloop.volumes import read_block

if TYPE_CHECKING:
    from xarray import DataArray

#: a mean so many deviations away, and a spread so many times as large or as small, are not those of another specimen
FAR, TIMES = 6.0, 20.0
#: the same, beyond which pictures of one type of values were exposed differently
EXPOSED = 2.2
#: where along each axis it is looked, and the edge of a box in the plane
_PLACES, _EDGE = (1 / 6, 1 / 2, 5 / 6), 64
#: largest values, and the range that they speak of
_RANGES = {1.5: "0 to 1", 400.0: "0 to 255", 1e5: "0 to 65535"}


def compare_intensities(spec: ModelSpec, volume: DataArray, box: Box) -> list[str]:
    """A sentence for each channel whose intensities are far from those that the model was trained on.

    Parameters
    ----------
    box
        The part of the volume in which it is looked.
    """
    statistics = _training_statistics(spec)
    if statistics is None:
        return []
    names = volume.attrs.get("channel_names") or range(spec.channels)
    sentences = []
    for name, values, mean, deviation in zip(names, sample(volume, box), *statistics, strict=True):
        which = f" of channel {name}" if spec.channels > 1 else ""
        if text := _describe_difference(which, values, mean, deviation, volume.dtype):
            sentences.append(text)
    return sentences


def _training_statistics(spec: ModelSpec) -> tuple[list[float], list[float]] | None:
    """Mean and deviation of each channel, where the model says them and they say anything."""
    statistics: dict[str, Any] = spec.normalisation.get("measured", spec.normalisation)
    for mean, deviation in (("mean", "deviation"), ("offset", "scale")):
        if (
            mean in statistics
            and deviation in statistics
            and len(statistics[mean]) == len(statistics[deviation]) == spec.channels
        ):
            return list(statistics[mean]), list(statistics[deviation])
    return None


def sample(volume: DataArray, box: Box) -> np.ndarray:
    """Values (c, n) of nine places across a box, on three planes, each at another place along y and x."""
    samples = []
    for plane, _ in enumerate(_PLACES):
        for row, _ in enumerate(_PLACES):
            shares = (_PLACES[plane], _PLACES[row], _PLACES[(plane + row) % len(_PLACES)])
            bounds = [_part(*each) for each in zip(box.to_json(), shares, (1, _EDGE, _EDGE), strict=True)]
            block = read_block(volume, Box.from_json(bounds))
            samples.append(block.reshape(len(block), -1))
    return np.concatenate(samples, axis=1).astype(np.float64)


def _part(bounds: list[int], share: float, size: int) -> tuple[int, int]:
    """``size`` voxels at a share of the way along one axis."""
    first, last = bounds
    length = last - first
    start = first + min(max(0, int(share * length - size / 2)), max(0, length - size))
    return start, min(last, start + size)


def _describe_difference(which: str, values: np.ndarray, mean: float, deviation: float, dtype: np.dtype) -> str:
    values = values[np.isfinite(values)]
    if not len(values) or (mean, deviation) == (0.0, 1.0):  # it takes intensities as they are
        return ""
    average, spread = float(values.mean()), float(values.std())
    if abs(average - mean) <= FAR * deviation and deviation / TIMES <= spread <= TIMES * deviation:
        return _describe_exposure(which, average, spread, mean, deviation)
    largest = 255.0 if dtype.itemsize == 1 else float(values.max())
    image_range = _range(largest)
    trained_range = _range(mean + 2 * deviation)
    reason = "another type or range of values is the likely reason"
    if image_range and trained_range and image_range != trained_range:
        reason = f"these look like values from {image_range}, and it learnt from {trained_range}"
    return (
        f"intensities{which} are about {average:.3g} ± {spread:.3g} ({dtype}), those the model was trained on "
        f"{mean:.3g} ± {deviation:.3g}; {reason}: convert the image, or train on it, or what is predicted means nothing"
    )


def _describe_exposure(which: str, average: float, spread: float, mean: float, deviation: float) -> str:
    """Values of the same type, but much darker or brighter, flatter or steeper, than those that were learnt from."""
    if deviation / EXPOSED <= spread <= EXPOSED * deviation and abs(average - mean) <= EXPOSED * deviation:
        return ""
    return (
        f"intensities{which} are about {average:.3g} ± {spread:.3g}, those the model was trained on {mean:.3g} ± "
        f"{deviation:.3g}, as of another exposure: expect it to miss much; train with exposure='each', which brings "
        "every picture to the same"
    )


def _range(top: float) -> str:
    return next((words for most, words in _RANGES.items() if top <= most), "")
