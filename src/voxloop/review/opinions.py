"""What predictions of an image say of a block, and how wrong that may be. Knows no truth and no image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from voxloop.errors import PredictionError
from voxloop.geometry import Box
from voxloop.model import ClassInfo
from voxloop.review.confidence import Confidence
from voxloop.review.reading import Readable, readable
from voxloop.review.survey import pool

if TYPE_CHECKING:
    from voxloop.prediction import Prediction

#: probability of being wrong above which a voxel counts as a guess
GUESS = 0.25


@dataclass(frozen=True, eq=False)
class Opinion:
    """What is said of a block.

    Attributes
    ----------
    said : (z, y, x) positions of classes, -1 where nothing is predicted.
    beliefs : (class, z, y, x) float32 probabilities.
    foreground : (classes,) true for those that are not background.
    """

    said: np.ndarray
    beliefs: np.ndarray
    foreground: np.ndarray

    def across(self, axis: int, indices: np.ndarray, free: np.ndarray) -> dict[str, np.ndarray]:
        """Numbers of planes across an axis; ``free`` (n, rows, columns) is what is not known already.

        ``error`` (n, rows, columns) is how probable it is that a voxel is wrong; the others are those of
        :class:`voxloop.review.survey.Survey`.
        """
        said = np.moveaxis(self.said, axis, 0)[indices]
        beliefs = np.moveaxis(self.beliefs, axis + 1, 1)[:, indices]
        there = said >= 0
        is_said = said[None] == np.arange(len(beliefs))[:, None, None, None]
        wrong = np.where(is_said, 1 - beliefs, beliefs) * (free & there)
        of_said = np.where(is_said, beliefs, 0).sum(axis=0)
        error = np.where(there & free, 1 - of_said, 0)
        found = is_said[self.foreground].any(axis=0)
        cells = pool(error).reshape(len(indices), -1)
        return {
            "wrong": wrong.sum(axis=(2, 3)).T,
            "mass": (beliefs * there).sum(axis=(2, 3)).T,
            "said": is_said.mean(axis=(2, 3)).T,
            "together": (cells**2).sum(axis=1) / np.maximum(cells.sum(axis=1), 1e-9),
            "unsure": (error >= GUESS).mean(axis=(1, 2)),
            "predicted": there.mean(axis=(1, 2)),
            "sureness": (of_said * found).sum(axis=(1, 2)) / np.maximum(found.sum(axis=(1, 2)), 1),
            "error": error,
        }


class Opinions:
    """Predictions of one image by models of the same classes, the newest first: where they differ, none is sure.

    Raises PredictionError where one kept neither probabilities nor uncertainty.
    """

    def __init__(self, predictions: Sequence[Prediction]) -> None:
        self.classes: tuple[ClassInfo, ...] = tuple(predictions[0].classes)
        self._sources = [(Confidence(one), readable(one, "the prediction")) for one in predictions]
        values = [info.value for info in self.classes]
        self._lookup = np.full(max(values, default=0) + 2, -1, np.int16)
        self._lookup[values] = np.arange(len(values))
        self._foreground = np.array([not info.background for info in self.classes], bool)
        if not self._foreground.any():
            self._foreground[:] = True

    @property
    def foreground(self) -> np.ndarray:
        """(classes,) true for those that count in a score."""
        return self._foreground if len(self.classes) > 1 else np.ones(1, bool)

    def read(self, box: Box) -> Opinion:
        """What the newest says, and the mean of what all believe."""
        said, total = self._one(*self._sources[0], box)
        newest = total
        for source in self._sources[1:]:
            positions, beliefs = self._one(*source, box)
            total = total + np.where(positions >= 0, beliefs, newest)
        return Opinion(said, total / np.float32(len(self._sources)), self.foreground)

    def _one(self, confidence: Confidence, labels: Readable, box: Box) -> tuple[np.ndarray, np.ndarray]:
        values = labels.read(box)
        if len(self.classes) < 2:  # objects: which one is not asked, only whether there is one
            said = np.where(values > 0, 0, -1)
            return said, self._doubted(confidence, box, said, 1)
        said = self._lookup[np.minimum(values, len(self._lookup) - 1)]
        try:
            return said, confidence.beliefs(box, said)
        except PredictionError:  # entropy alone
            return said, self._doubted(confidence, box, said, len(self.classes))

    def _doubted(self, confidence: Confidence, box: Box, said: np.ndarray, count: int) -> np.ndarray:
        """Beliefs (count, z, y, x) where only a doubt from 0 to 255 is known: at 255 all classes are as likely."""
        others = max(1, count - 1)
        error = confidence.unsure(box) / np.float32(255) * (others / (others + 1))
        beliefs = np.repeat(error[None] / others, count, axis=0).astype(np.float32)
        np.put_along_axis(beliefs, np.maximum(said, 0)[None].astype(np.int64), 1 - error[None], axis=0)
        return beliefs
