"""How many voxels a threshold would accept: counted once, read off for every threshold. Arrays only; no widgets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from voxloop.geometry import Box

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.store import Labels

#: voxels looked at for the count of a whole volume; of larger ones an even share of the blocks
LOOK_AT = 64 * 2**20
_BLOCK = (16, 512, 512)


@dataclass(frozen=True, slots=True)
class ConfidenceTally:
    """Unlabelled voxels by class and confidence: ``levels[value, c]`` of those sure to c / 255.

    ``share`` of the voxels were looked at; counts are of all, estimated where it is below 1.
    """

    levels: np.ndarray
    share: float = 1.0

    def above(self, probability: float, values: list[int]) -> int:
        """How many voxels of these classes reach ``probability``; half a step of 255 counts, as in ``accept``."""
        first = int(np.ceil(probability * 255 - 0.5))
        rows = [value for value in values if value < len(self.levels)]
        return round(float(self.levels[rows, max(0, first) :].sum()) / self.share)


def tally(
    prediction: Prediction, labels: Labels, box: Box, wanted: Callable[[], bool] = lambda: True
) -> ConfidenceTally | None:
    """Count a box, a block at a time; None once it is not ``wanted`` any more.

    Raises PredictionError where the prediction kept nothing that tells how sure it is.
    """
    from voxloop.review.confidence import Confidence

    confidence = Confidence(prediction)
    predicted = prediction.stored("labels")
    levels = np.zeros((max(info.value for info in prediction.classes) + 1, 256), np.int64)
    inside = box.meet(prediction.box)
    if inside is None:
        return ConfidenceTally(levels)
    parts = list(inside.blocks(_BLOCK))
    step = max(1, -(-inside.size // LOOK_AT))
    looked = 0
    for part in parts[step // 2 :: step] or parts[:1]:
        if not wanted():
            return None
        values = np.asarray(predicted[part.slices])
        values[np.asarray(labels.read(part)) != 0] = 0
        sure = np.rint(confidence.best(part) * 255).astype(np.intp)
        levels += np.bincount((values.astype(np.intp) * 256 + sure).ravel(), minlength=levels.size).reshape(
            levels.shape
        )
        looked += values.size
    levels[0] = 0  # labelled, or not predicted (yet)
    return ConfidenceTally(levels, looked / inside.size)
