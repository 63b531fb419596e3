"""A prediction as something to sample from: read block by block with what it believes. Knows no truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from voxloop.errors import PredictionError
from voxloop.geometry import Box
from voxloop.model import ClassInfo
from voxloop.review.confidence import Confidence
from voxloop.review.reading import readable

if TYPE_CHECKING:
    from voxloop.prediction import Prediction

#: what is read at once, and how many of these at most: a larger prediction is known from a sample of its blocks
BLOCK = (16, 256, 256)
MOST_BLOCKS = 192


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A block of a prediction.

    Attributes
    ----------
    box : where it lies.
    predicted : (z, y, x) positions of classes, -1 where nothing is predicted.
    around : the same of a box that is larger by ``margin`` in the planes, cut at the faces.
    inner : where the piece lies in ``around``.
    beliefs : (class, z, y, x) float32 probabilities; None where the prediction kept none.
    """

    box: Box
    predicted: np.ndarray
    around: np.ndarray
    inner: Box
    beliefs: np.ndarray | None


class Population:
    """The voxels of a prediction.

    Raises PredictionError where it is of objects, or of no level whose classes it knows.
    """

    def __init__(self, prediction: Prediction) -> None:
        self._readable = readable(prediction, "the prediction")
        self.classes: tuple[ClassInfo, ...] = tuple(prediction.classes)
        #: ``"deep"`` for a network; empty where nobody knows
        self.learner = str(prediction.lineage.get("learner") or "")
        if self._readable.instances or len(self.classes) < 2:
            raise PredictionError(
                f"prediction {prediction.name!r} has no two classes to tell apart; scores are of predictions of classes"
            )
        self.shape = self._readable.shape
        self.box = self._readable.box or Box.whole(self.shape)
        self.spacing_um = self._readable.spacing_um
        self._lookup = np.full(max(info.value for info in self.classes) + 1, -1, np.int16)
        self._lookup[[info.value for info in self.classes]] = np.arange(len(self.classes))
        self._confidence: Confidence | None = None
        try:
            confidence = Confidence(prediction)
            confidence.beliefs(Box.at(self.box.start, (1, 1, 1)), np.zeros((1, 1, 1), np.int64))
            self._confidence = confidence
        except PredictionError:  # it kept neither probabilities nor a margin
            pass

    @property
    def believes(self) -> bool:
        """Whether it kept how sure it is."""
        return self._confidence is not None

    def blocks(self, seed: int, block: Sequence[int] = BLOCK, most: int = MOST_BLOCKS) -> tuple[list[Box], float]:
        """Blocks to look at, and how many voxels of the whole each voxel of them stands for."""
        every = list(self.box.blocks(block))
        if len(every) <= most:
            return every, 1.0
        picks = np.sort(np.random.default_rng(seed).choice(len(every), most, replace=False))
        chosen = [every[pick] for pick in picks]
        return chosen, self.box.size / sum(box.size for box in chosen)

    def read(self, box: Box) -> np.ndarray:
        """Positions of classes (z, y, x), -1 where nothing is predicted."""
        values = np.minimum(self._readable.read(box), len(self._lookup) - 1)
        return np.asarray(self._lookup[values])

    def pieces(self, boxes: Sequence[Box], margin: int = 0) -> Iterator[Piece]:
        """The blocks with what is in them."""
        for box in boxes:
            outer = box.grow((0, margin, margin)).clip(self.shape)
            around = self.read(outer)
            inner = box.within(outer)
            predicted = around[inner.slices]
            yield Piece(box, predicted, around, inner, self.beliefs(box, predicted))

    def beliefs(self, box: Box, predicted: np.ndarray) -> np.ndarray | None:
        """Probabilities (class, z, y, x) of a box in which ``predicted`` are the positions; None where not kept."""
        if self._confidence is None:
            return None
        return self._confidence.beliefs(box, predicted)

    def at(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Positions of classes (n,) and beliefs (n, classes) at voxels (n, 3); -1 outside of what was predicted."""
        positions = np.full(len(places), -1, np.int16)
        beliefs = np.zeros((len(places), len(self.classes)), np.float32) if self.believes else None
        low, high = np.array(self.box.start), np.array(self.box.stop)
        inside = np.flatnonzero(((places >= low) & (places < high)).all(axis=1))
        _, cells = np.unique(places[inside] // np.array(BLOCK), axis=0, return_inverse=True)
        for cell in np.unique(cells):
            rows = inside[cells.reshape(-1) == cell]
            box = Box.around(places[rows])
            local = tuple((places[rows] - np.array(box.start)).T)
            predicted = self.read(box)
            positions[rows] = predicted[local]
            if beliefs is not None:
                believed = self.beliefs(box, predicted)
                assert believed is not None
                beliefs[rows] = believed[(slice(None), *local)].T
        return positions, beliefs
