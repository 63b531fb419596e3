"""The voxels of a prediction by what it says and how sure it is: counted once, whatever is painted. Knows no truth.

What a pixel classifier has wrong lies where it changes its mind: near the borders of what it predicts. Its doubt far
from any border, a few percent each of very many voxels, is mostly the haze of few strokes; taken at its word it
outweighs all that is rare (nuclei of 3 % of a volume: believed 0.2, true 0.8).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy import ndimage as ndi

from voxloop.review.population import Piece, Population
from voxloop.review.score import less_sure

#: probabilities of the predicted class that part voxels into cells
CUTS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
#: voxels within a plane around which nothing else is predicted that make a voxel lie far from borders
REACH = 5
#: by how much the log odds of being wrong are less there than a pixel classifier believes. Ten stacks, three loops of
#: each: with 0 what is believed strays from the truth by 0.73 (deviation, log odds of IoU), with -2 by 0.61, -4 0.60
HAZE = -4.0
#: steps in which probabilities are kept
STEPS = 256
#: blocks of a large prediction from which its cells are counted
_BLOCKS = 24


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The voxels of a prediction by predicted class, how sure it is, and whether a border is near.

    Attributes
    ----------
    sizes : voxels of each cell.
    predicted : position of the class predicted in each.
    expected : (cells, classes) mean probabilities, those far from borders with less doubt.
    sureness : (classes, 256) voxels predicted as each class, by the probability of that class in 255 steps.
    """

    sizes: np.ndarray
    predicted: np.ndarray
    expected: np.ndarray
    sureness: np.ndarray

    def to_json(self) -> dict[str, Any]:
        return {
            "sizes": self.sizes.tolist(),
            "predicted": self.predicted.tolist(),
            "expected": self.expected.tolist(),
            "sureness": self.sureness.tolist(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What :meth:`to_json` made. Raises KeyError, TypeError or ValueError where it is not that."""
        sizes, predicted = np.array(data["sizes"], float), np.array(data["predicted"], np.int64)
        expected, sureness = np.array(data["expected"], float), np.array(data["sureness"], float)
        if not len(sizes) == len(predicted) == len(expected) or expected.ndim != 2:
            raise ValueError("the arrays do not fit together")
        return cls(sizes, predicted, expected, sureness)

    def joint(self, shift: float) -> np.ndarray:
        """Voxels (true class, predicted class) where the odds of being wrong are those believed times exp(shift)."""
        shares = less_sure(self.expected, self.predicted, shift)
        joint = np.zeros((shares.shape[1], shares.shape[1]))
        np.add.at(joint.T, self.predicted, self.sizes[:, None] * shares)
        return joint


def count_cells(population: Population, seed: int = 0) -> Cells:
    """The cells of a prediction that kept how sure it is; of a large one from a sample of its blocks."""
    classes, bands = len(population.classes), len(CUTS) + 1
    sizes = np.zeros(2 * classes * bands)
    sums = np.zeros((2 * classes * bands, classes))
    sureness = np.zeros(classes * STEPS)
    boxes, scale = population.blocks(seed, most=_BLOCKS)
    for piece in population.pieces(boxes, REACH):
        assert piece.beliefs is not None
        there = piece.predicted >= 0
        positions, beliefs = piece.predicted[there].astype(np.int64), piece.beliefs[:, there]
        own = np.take_along_axis(beliefs, positions[None], axis=0)[0]
        far = _far_from_borders(piece)[there]
        cells = (far * classes + positions) * bands + np.digitize(own, CUTS)
        sizes += np.bincount(cells, minlength=len(sizes))
        sureness += np.bincount(
            positions * STEPS + np.rint(own * (STEPS - 1)).astype(np.int64), minlength=len(sureness)
        )
        for k in range(classes):
            sums[:, k] += np.bincount(cells, beliefs[k], len(sizes))
    filled = np.flatnonzero(sizes)
    expected = sums[filled] / sums[filled].sum(axis=1, keepdims=True)
    distant, predicted = np.divmod(filled // bands, classes)
    if population.learner != "deep":  # of networks this has not been measured
        expected = np.where(distant[:, None] > 0, less_sure(expected, predicted, HAZE), expected)
    table = sureness.reshape(classes, STEPS) * scale
    return Cells(sizes[filled] * scale, predicted, expected, table)


def _far_from_borders(piece: Piece) -> np.ndarray:
    """Mask (z, y, x) of voxels with nothing else predicted around them in their plane."""
    window = (1, 2 * REACH + 1, 2 * REACH + 1)
    around = piece.around
    same = ndi.maximum_filter(around, window) == ndi.minimum_filter(around, window)
    return np.asarray(same[piece.inner.slices])


#: what gives the cells of a prediction: counted, or as they were counted before
CellCount = Callable[[Population], Cells]
