"""Two trainings on the strokes that both held out in turn: which of them tells these better. Fits nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voxloop.errors import ModelError
from voxloop.review.score import foreground, iou_of, mean_of, tails
from voxloop.shallow.record import LearningRecord, load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxloop.model import ClassInfo

#: strokes are judged in pieces of planes of this side: neighbours are no witnesses of their own
_SIDE = 64
#: pieces below which nothing is said
_FEWEST = 8
_DRAWS = 400


def gain_on_held_out(
    earlier: Path, later: Path, classes: Sequence[ClassInfo], level: float = 0.9
) -> tuple[float, float, float] | None:
    """Mean IoU on held-out strokes of a later training less that of an earlier one: value, low and high.

    Strokes that both held out, told by models that had not learned from them; every class weighs the same. The places
    were painted before the earlier training ended, so that they are none of its errors. None where they share too
    few, or one of them kept no record.

    Parameters
    ----------
    earlier, later
        Folders of the runs.
    """
    records = [_loaded(path) for path in (earlier, later)]
    if records[0] is None or records[1] is None:
        return None
    said = _shared(records[0], records[1], [info.value for info in classes])
    if said is None:
        return None
    truth, one, other, pieces = said
    joints = np.stack([_joint(truth, predicted, pieces, len(classes)) for predicted in (one, other)])
    count = joints.shape[1]
    if count < _FEWEST:
        return None
    rng = np.random.default_rng(0)
    often = np.vstack([np.ones(count), rng.multinomial(count, np.full(count, 1 / count), size=_DRAWS)])
    chosen = foreground(classes)
    means = [mean_of(iou_of(np.tensordot(often, joint, 1))[:, chosen]) for joint in joints]
    gain = means[1] - means[0]
    low, high = np.nanquantile(gain[1:], tails(level, count))
    return float(gain[0]), float(low), float(high)


def _loaded(path: Path) -> LearningRecord | None:
    try:
        return load(path)
    except ModelError:  # damaged: it says nothing
        return None


def _shared(
    earlier: LearningRecord, later: LearningRecord, values: Sequence[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """Truth, what either says, and the piece, of voxels that both held out and that are painted alike."""
    keys = [_keys(record, earlier.images) for record in (earlier, later)]
    _, codes = np.unique(np.concatenate(keys), axis=0, return_inverse=True)
    split = len(keys[0])
    codes = codes.reshape(-1)
    _, first, second = np.intersect1d(codes[:split], codes[split:], return_indices=True)
    alike = (keys[0][first, 0] >= 0) & (earlier.painted[first] == later.painted[second])
    first, second = first[alike], second[alike]
    if not len(first) or list(earlier.values) != list(later.values) or not set(earlier.values) <= set(values):
        return None
    position_of = {value: position for position, value in enumerate(values)}
    order = np.array([position_of[int(value)] for value in earlier.values])
    painted = np.array([position_of.get(int(value), -1) for value in earlier.painted[first]])
    there = painted >= 0
    one = order[earlier.probabilities[first].argmax(axis=1)]
    other = order[later.probabilities[second].argmax(axis=1)]
    cells = earlier.at[first].astype(np.int64) // np.array([1, _SIDE, _SIDE])
    cells = np.column_stack([earlier.image[first], cells])
    _, pieces = np.unique(cells[there], axis=0, return_inverse=True)
    return painted[there], one[there], other[there], pieces.reshape(-1)


def _keys(record: LearningRecord, images: Sequence[str]) -> np.ndarray:
    """Image and place (n, 4) of each voxel; the image is negative where it is not among ``images``."""
    number_of = {name: number for number, name in enumerate(images)}
    numbers = np.array([number_of.get(name, -1) for name in record.images], np.int64)
    return np.column_stack([numbers[record.image], record.at.astype(np.int64)])


def _joint(truth: np.ndarray, predicted: np.ndarray, pieces: np.ndarray, classes: int) -> np.ndarray:
    """Weights (pieces, true class, predicted class), so that every class weighs the same."""
    weights = 1.0 / np.maximum(np.bincount(truth, minlength=classes), 1)
    joint = np.zeros((int(pieces.max()) + 1, classes, classes))
    np.add.at(joint, (pieces, truth, predicted), weights[truth])
    return joint
