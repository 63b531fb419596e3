"""What a blend of classifiers sees besides the features of labelled voxels. Arrays alone: knows no images, no fits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Beside:
    """Features of voxels near the strokes, and other features of all.

    Attributes
    ----------
    around : (m, features) of voxels near the strokes, labelled or not.
    planes : (n, other features) of the labelled voxels, by filters within planes; None where the blend has none.
    planes_around : (m, other features) of those near the strokes.
    network, network_around : the same by a network; None where there is none.
    """

    around: np.ndarray
    planes: np.ndarray | None = None
    planes_around: np.ndarray | None = None
    network: np.ndarray | None = None
    network_around: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> Beside:
        """The same beside some of the labelled voxels alone."""
        return Beside(
            self.around,
            None if self.planes is None else self.planes[rows],
            self.planes_around,
            None if self.network is None else self.network[rows],
            self.network_around,
        )
