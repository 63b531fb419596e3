"""Which tiles need not be predicted: nothing may be said there, or nothing looks like the specimen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from voxloop.config import PredictConfig
from voxloop.geometry import Box
from voxloop.prediction.decode import Decoded, within
from voxloop.volumes import read_block

if TYPE_CHECKING:
    from xarray import DataArray

    from voxloop.store.confined import Area

#: pixels a side over which intensities are averaged, so that noise is not taken for the specimen
COARSE = 4

Empty = Callable[[Box], bool]


class Skips:
    """What of a prediction is left out. May be asked from any thread.

    Parameters
    ----------
    area
        Where anything may be said; None: everywhere.
    """

    def __init__(self, config: PredictConfig, volume: DataArray, area: Area | None = None) -> None:
        self._area, self._lock = area, threading.Lock()
        self._dark = None if config.foreground is None else dark(volume, config.foreground)

    def empty(self, box: Box) -> bool:
        """Whether a box holds nothing to predict."""
        if self._area is not None:
            with self._lock:
                if not self._area.touches(box):
                    return True
        return self._dark is not None and self._dark(box)

    def within(self, decoded: Decoded, box: Box) -> Decoded:
        """What is said of a box, where anything may be said."""
        if self._area is None:
            return decoded
        with self._lock:
            mask = self._area.mask(box)
        return within(decoded, mask)


def dark(volume: DataArray, foreground: tuple[float, float]) -> Empty:
    """Whether no mean over 4 x 4 pixels of the first channel lies within ``foreground`` in a box."""
    low, high = sorted(foreground)

    def empty(box: Box) -> bool:
        picture = np.asarray(read_block(volume, box)[0], np.float32)
        for axis in (1, 2):
            step = min(COARSE, picture.shape[axis])
            whole = picture.shape[axis] // step * step
            shape = list(picture.shape)
            shape[axis : axis + 1] = [whole // step, step]
            picture = picture.take(range(whole), axis).reshape(shape).mean(axis + 1)
        return not bool(((picture >= low) & (picture <= high)).any())

    return empty
