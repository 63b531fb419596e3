"""How many labelled objects a network of objects finds again in validation windows. Knows no images, no runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from voxloop.deep.data.targets import BACKGROUND, FIRST, UNLABELLED
from voxloop.model import resolve

#: making objects of outputs and matching them are rooms above this one, so they are found by name
_DECODE, _COUNT, _MATCH = (
    "voxloop.objects:decode_instances",
    "voxloop.review.contingency:count_on_labelled",
    "voxloop.review.metrics:match",
)
#: windows of which objects are made after every epoch: it takes about as long as the network itself
WINDOWS = 8
#: overlap from which a found object is a labelled one
OVERLAP = 0.5


class Matcher:
    """Objects matched one to one, window by window.

    Parameters
    ----------
    spacing_um
        Voxel size of what the network sees, zyx, or yx of planes.
    """

    def __init__(self, spacing_um: Sequence[float]) -> None:
        self._spacing = (1.0, *spacing_um)[-3:]
        self._matched = self._wrong = 0
        self._overlap = 0.0

    def add(self, logits: Tensor, labels: Tensor) -> None:
        """Outputs (n, channels, ...) before the sigmoid, and labels (n, ...) as codes."""
        outputs = logits.detach().float().sigmoid().cpu().numpy()
        for output, coded in zip(outputs, labels.cpu().numpy(), strict=True):
            if coded.ndim == 2:
                output, coded = output[:, None], coded[None]
            self._add(output, coded)

    def _add(self, output: np.ndarray, coded: np.ndarray) -> None:
        self.add_objects(np.asarray(resolve(_DECODE)(output, spacing_um=self._spacing)), coded)

    def add_objects(self, predicted: np.ndarray, coded: np.ndarray) -> None:
        """Numbered objects that something else has found, and labels as codes: both (z, y, x)."""
        labelled = coded != UNLABELLED
        truth = np.where(coded >= FIRST, coded - BACKGROUND, 0)
        one = resolve(_MATCH)(resolve(_COUNT)(truth, predicted, labelled), OVERLAP)
        self._matched += one.matched
        self._wrong += one.missed + one.extra
        self._overlap += one.overlap

    def scores(self) -> dict[str, float]:
        """``ap50``: matched / (matched + missed + extra); ``pq``: panoptic quality (Kirillov et al. 2019).

        NaN where there was no object at all.
        """
        if not self._matched + self._wrong:
            return {"ap50": float("nan"), "pq": float("nan")}
        return {
            "ap50": self._matched / (self._matched + self._wrong),
            "pq": self._overlap / (self._matched + self._wrong / 2),
        }
