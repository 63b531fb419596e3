"""Neighbours made to agree: a Markov random field on probabilities, solved by mean field. Pure: arrays in, arrays out.

SuRVoS solves the same field by graph cuts (QPBO, alpha expansion), whose result anywhere depends on the whole graph.
Mean field (Koller and Friedman 2009, section 11.5) with a fixed number of rounds looks no further than so many
neighbours, so a volume may be cut into tiles, and it leaves probabilities where a cut leaves classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from voxloop.shallow.neighbours import Contacts

Kind = Literal["potts", "appearance", "edge"]
#: rounds, which is how many neighbours away anything is felt
VOXEL_ROUNDS, SUPERVOXEL_ROUNDS = 6, 3


@dataclass(frozen=True)
class Refinement:
    """How much neighbours count for one another.

    Attributes
    ----------
    kind : ``potts``, all alike; ``appearance``, by how alike they are; ``edge``, by how little the intensity changes
        across their common face.
    strength : neighbours that all agree multiply the odds of their class by the exponential of this.
    contrast : mean squared difference between neighbours of each number that they are compared by, from the training;
        empty for ``potts``. A pair that differs as much as most do counts exp(-1/2).
    """

    kind: Kind
    strength: float
    contrast: tuple[float, ...] = ()

    def likeness(self, differences: np.ndarray) -> np.ndarray:
        """Weights (n,) from 0 to 1 of squared differences (numbers, n); 1 where there is none."""
        usual = np.maximum(np.array(self.contrast, dtype=np.float32), 1e-12)
        unlike = (1 / usual) @ differences.reshape(len(usual), -1) / len(usual)
        return np.asarray(np.exp(-0.5 * unlike).reshape(differences.shape[1:]))

    def between(self, contacts: Contacts, rows: np.ndarray) -> np.ndarray:
        """Weights (offsets, cells) of the neighbours of supervoxels with descriptors ``rows`` (cells, n)."""
        weights: np.ndarray = (contacts.faces > 0).astype(np.float32)
        if self.kind == "edge":
            weights *= self.likeness(contacts.steps[None])
        elif self.kind == "appearance":
            for number, _, theirs in contacts.neighbours(rows):
                weights[number] *= self.likeness(((rows - theirs) ** 2).T)
        return weights

    def of_supervoxels(self, probabilities: np.ndarray, contacts: Contacts, rows: np.ndarray) -> np.ndarray:
        """Probabilities (cells, classes) of supervoxels with descriptors ``rows`` (cells, n), refined."""
        weights = self.between(contacts, rows)
        many = np.maximum((contacts.faces > 0).sum(axis=0), 1)

        def pull(values: np.ndarray) -> np.ndarray:
            total = np.zeros_like(values.T)
            for number, _, theirs in contacts.neighbours(values.T):
                total += theirs * weights[number][:, None]
            return np.asarray(total / many[:, None]).T

        return mean_field(probabilities.T, pull, self.strength, SUPERVOXEL_ROUNDS).T


def mean_field(
    probabilities: np.ndarray, pull: Callable[[np.ndarray], np.ndarray], strength: float, rounds: int
) -> np.ndarray:
    """Probabilities (classes, ...) after ``rounds`` in which each unit hears what its neighbours think.

    ``pull`` gives for probabilities the weighted mean over the neighbours of each unit, of the same shape.
    """
    own = np.log(np.maximum(probabilities, 1e-6))
    current = probabilities
    for _ in range(rounds):
        current = own + np.float32(strength) * pull(current)
        current -= current.max(axis=0)
        np.exp(current, out=current)
        current /= current.sum(axis=0)
    return np.asarray(current, dtype=np.float32)
