"""Whether a model is as often right as it is sure: by strokes that its training held out. Fits nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from voxloop.errors import ModelError
from voxloop.model import read_spec
from voxloop.shallow.calibration import tempered
from voxloop.shallow.record import load
from voxloop.store.layout import RunPlace

if TYPE_CHECKING:
    from voxloop.runs import Run

#: bins of the probability of the class that is said
BINS = 10
#: voxels of a bin below which it is not shown
_FEWEST = 20


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """How sure a model was of held-out strokes, and how often it was right.

    Attributes
    ----------
    sure, right : (bins,) mean probability of the class said, and share that is right; nan where there is too little.
    voxels : (bins,) how many there are.
    error : expected calibration error, 0 to 1: how far the two lie apart, mean over voxels.
    """

    sure: np.ndarray
    right: np.ndarray
    voxels: np.ndarray
    error: float


def reliability_of(run: Run) -> Reliability | None:
    """That of a training; None where it kept no record of what it held out, as trainings of networks do.

    Strokes were told by models that had not learned from them, with the temperature of the model that came out.
    """
    try:
        record = load(run.path)
        spec = read_spec(RunPlace(run.path).model)
    except (ModelError, OSError):
        return None
    if record is None or not len(record.at):
        return None
    probabilities = record.probabilities.astype(np.float32)
    probabilities /= np.maximum(probabilities.sum(axis=1, keepdims=True), 1)
    probabilities = tempered(probabilities, float(spec.extra.get("temperature") or 1.0), axis=1)
    said = probabilities.argmax(axis=1)
    right = record.values[said] == record.painted
    return reliability(probabilities.max(axis=1), right)


def reliability(sure: np.ndarray, right: np.ndarray) -> Reliability:
    """From how sure a model was of each voxel (n,), and whether it was right (n,)."""
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    voxels = np.bincount(bins, minlength=BINS)
    enough = voxels >= _FEWEST
    count = np.maximum(voxels, 1)
    mean_sure = np.bincount(bins, sure, BINS) / count
    mean_right = np.bincount(bins, right, BINS) / count
    error = float(np.abs(mean_sure - mean_right) @ voxels / max(1, voxels.sum()))
    return Reliability(np.where(enough, mean_sure, np.nan), np.where(enough, mean_right, np.nan), voxels, error)
