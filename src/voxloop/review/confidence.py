"""How sure a prediction is of each voxel, from what it kept on disk: probabilities, or the margin. Reads regions."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from voxloop.errors import PredictionError
from voxloop.geometry import Box

if TYPE_CHECKING:
    from xarray import DataArray

    from voxloop.prediction import Prediction
    from voxloop.prediction.decode import Measure


def uncertainty(probabilities: np.ndarray, measure: Measure = "margin") -> np.ndarray:
    """How unsure, uint8 with 255 for no idea, of probabilities (class, ...) as 0..1 or as uint8.

    ``margin``: 1 - (best - second best); ``entropy``: entropy over that of a guess.
    """
    from voxloop.prediction.decode import semantic

    scaled = probabilities.astype(np.float32)
    if probabilities.dtype == np.uint8:
        scaled /= np.maximum(scaled.sum(axis=0), 1)  # rounding to 255 steps leaves sums a little off
    found = semantic(scaled, np.arange(len(scaled)), measure=measure, keep=False).uncertainty
    assert found is not None
    return found


class Confidence:
    """What a prediction says of how sure it is. Raises PredictionError where it kept neither of the two."""

    def __init__(self, prediction: Prediction) -> None:
        self._classes = max(2, len(prediction.classes))
        self._probabilities: DataArray | None = None
        self._uncertainty: DataArray | None = None
        with suppress(PredictionError):
            self._probabilities = prediction.probabilities
        with suppress(PredictionError):
            self._uncertainty = prediction.uncertainty
        if self._probabilities is None and self._uncertainty is None:
            raise PredictionError(
                f"prediction {prediction.name!r} kept neither probabilities nor uncertainty; predict again with them"
            )

    def at_least(self, box: Box, probability: float) -> np.ndarray:
        """Where the best class reaches ``probability``; of probabilities rounded to 255 steps, half a step counts."""
        step = 0.5 / 255
        if self._probabilities is not None:
            return self.best(box) >= probability - step
        return self.best(box) >= probability - step * (self._classes - 1)

    def best(self, box: Box) -> np.ndarray:
        """Probability of the best class, 0..1; from a margin the least that it can be, for two classes exactly."""
        if self._probabilities is not None:
            found: np.ndarray = np.asarray(self._probabilities.data[:, *box.slices]).max(axis=0)
            return found / np.float32(255)
        assert self._uncertainty is not None
        if self._uncertainty.attrs.get("measure", "margin") != "margin":
            raise PredictionError(
                "this prediction kept entropy without probabilities; predict again with probabilities=True"
            )
        margin = 1 - np.asarray(self._uncertainty.data[box.slices]) / np.float32(255)
        # the other classes share what is left evenly at most
        return (1 + (self._classes - 1) * margin) / self._classes

    def beliefs(self, box: Box, predicted: np.ndarray) -> np.ndarray:
        """Probabilities (class, z, y, x) float32 that sum to one.

        ``predicted`` are positions of the classes predicted there. From a margin: what the best class leaves is shared
        by the others. Raises PredictionError where only the entropy was kept.
        """
        if self._probabilities is not None:
            stored = np.asarray(self._probabilities.data[(slice(None), *box.slices)]).astype(np.float32)
            return np.asarray(stored / np.maximum(stored.sum(axis=0), 1))
        best = self.best(box)
        out = np.empty((self._classes, *best.shape), np.float32)
        out[:] = (1 - best) / (self._classes - 1)
        np.put_along_axis(out, np.maximum(predicted, 0)[None].astype(np.int64), best[None].astype(np.float32), axis=0)
        return out

    def unsure(self, box: Box) -> np.ndarray:
        """How unsure, uint8 with 255 for no idea."""
        if self._uncertainty is not None:
            return np.asarray(self._uncertainty.data[box.slices])
        assert self._probabilities is not None
        return uncertainty(np.asarray(self._probabilities.data[:, *box.slices]))
