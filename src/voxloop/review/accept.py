"""``accept``: confident voxels of a prediction become labels, in one edit that undo takes back. Streams over chunks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError, PredictionError, unknown
from voxloop.geometry import Box
from voxloop.review.confidence import Confidence
from voxloop.review.reading import readable, same_shape
from voxloop.store.values import as_list, share

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.store import Edit, Labels


def accept(
    labels: Labels,
    prediction: Prediction,
    region: object = None,
    classes: Sequence[str | int] | None = None,
    above: float = 0.9,
) -> Edit | None:
    """Turn confident voxels into labels. Voxels that are labelled already, and locked classes, stay as they are.

    Parameters
    ----------
    region
        Slices (z, y, x) in voxels; None for all that was predicted.
    classes
        Names or values; None for all.
    above
        Probability, 0..1, that a voxel must reach. Where the prediction kept no probabilities, it is bounded from the
        margin between the two best classes, which of two classes gives it exactly.

    Returns
    -------
    Edit or None
        One undoable edit; None where no voxel was confident enough.

    Raises
    ------
    LabelError
        ``above`` is no probability, a class is unknown, or the labels belong to another image.
    PredictionError
        The prediction kept neither probabilities nor margins.
    """
    above = share("above", above)
    ours = readable(prediction, "the prediction")
    same_shape(ours, readable(labels, "the labels"), ("the prediction", "the image"))
    box = Box.of(region, ours.shape)
    inside = box if ours.box is None else box.meet(ours.box)
    if inside is None:
        return None
    wanted = np.array(_values(prediction, classes))
    confidence = Confidence(prediction)

    def proposal(part: Box, current: np.ndarray) -> np.ndarray | None:
        free = current == 0
        if not free.any():
            return None
        said = ours.read(part)
        chosen = free & np.isin(said, wanted)
        if chosen.any():
            chosen &= confidence.at_least(part, above)
        return np.where(chosen, said, current) if chosen.any() else None

    arguments: dict[str, Any] = {"prediction": prediction.name, "above": above, "classes": wanted.tolist()}
    edit = labels.edit("accept", inside, proposal, arguments)
    return edit if edit.voxels else None


def _values(prediction: Prediction, classes: Sequence[str | int] | None) -> list[int]:
    known = {info.name: info.value for info in prediction.classes}
    if classes is None:
        return list(known.values())
    classes = as_list("classes", classes)
    if not classes:
        raise PredictionError(f"classes=[] accepts nothing; there are {', '.join(known)}")
    for wanted in classes:
        if wanted not in (*known, *known.values()):
            raise LabelError(unknown("class", wanted, known))
    return [known[wanted] if isinstance(wanted, str) else int(wanted) for wanted in classes]
