"""Features as a classifier is shown them: standardised, or fewer directions of them. Knows no classifier, no files.

Fitted once, with the classifier, and part of the model ever after: what is predicted goes through the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Projection:
    """``(rows - offset) * scale @ axes``; ``offset`` and ``scale`` are (features,), ``axes`` (features, k) float32.

    ``axes`` is None where features are only standardised.
    """

    offset: np.ndarray
    scale: np.ndarray
    axes: np.ndarray | None = None

    @property
    def features(self) -> int:
        """How many go in."""
        return self.offset.size

    @property
    def components(self) -> int:
        """How many come out."""
        return self.offset.size if self.axes is None else self.axes.shape[1]

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """(n, features) float32 to (n, components) float32."""
        rows = (rows - self.offset) * self.scale
        return rows if self.axes is None else rows @ self.axes

    def before(self, weights: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The weights (features, n) and bias (n,) of one linear layer that does what this and then that layer do."""
        within = weights if self.axes is None else self.axes @ weights
        within = (self.scale[:, None] * within).astype(np.float32)
        return within, (bias - self.offset @ within).astype(np.float32)


def fit_projection(
    kind: Literal["standard", "pca", "random"], rows: np.ndarray, components: int, seed: int
) -> Projection:
    """Fit to (n, features) float32 rows; ``components`` are as many as asked, or as there are features and rows.

    All three begin by standardising, because features of unlike kind have unlike spread. ``pca`` keeps the directions
    of most variance, ``random`` draws directions from a Gaussian (Johnson and Lindenstrauss 1984).
    """
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler
    from sklearn.random_projection import GaussianRandomProjection

    scaler = StandardScaler().fit(rows.astype(np.float64))
    standard = Projection(scaler.mean_.astype(np.float32), (1 / scaler.scale_).astype(np.float32))
    if kind == "standard":
        return standard
    most = min(components, rows.shape[1])
    if kind == "pca":
        fitted = PCA(min(most, len(rows)), random_state=seed).fit(standard(rows))
    else:
        fitted = GaussianRandomProjection(most, random_state=seed).fit(standard(rows))
    axes = np.ascontiguousarray(fitted.components_.T, dtype=np.float32)
    return Projection(standard.offset, standard.scale, axes)
