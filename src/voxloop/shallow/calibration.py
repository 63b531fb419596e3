"""How sure a model may be: one temperature, so that of voxels called 80 % sure about 80 % are right. Pure.

Guo et al. (2017), "On calibration of modern neural networks". Order of classes does not change, so labels stay as they
are; only how sure the model says it is does.
"""

from __future__ import annotations

import numpy as np

#: temperatures that are looked at: below 1 the model becomes surer of itself, above 1 less so
_LOWEST, _HIGHEST = 0.33, 5.0
#: bins in which what was said is compared with what was right
BINS = 15


def tempered(probabilities: np.ndarray, temperature: float, axis: int = 0) -> np.ndarray:
    """Probabilities that sum to one along ``axis``, at a temperature; 1 leaves them as they are."""
    if temperature == 1:
        return probabilities
    scaled = np.maximum(probabilities, np.float32(1e-7)) ** np.float32(1 / temperature)
    return np.asarray(scaled / scaled.sum(axis=axis, keepdims=True), dtype=np.float32)


def fit_temperature(probabilities: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    """The temperature under which held-out classes are likeliest.

    Parameters
    ----------
    probabilities
        (n, classes) of voxels that were held out.
    targets, weights
        (n,) what they truly are, and how much each counts.
    """
    from scipy.optimize import minimize_scalar

    logits = np.log(np.maximum(probabilities.astype(float), 1e-7))

    def loss(logarithm: float) -> float:
        scaled = logits / np.exp(logarithm)
        scaled -= scaled.max(axis=1, keepdims=True)
        normaliser = np.log(np.exp(scaled).sum(axis=1))
        own = scaled[np.arange(len(targets)), targets] - normaliser
        return float(-(weights * own).sum() / weights.sum())

    best = minimize_scalar(loss, bounds=(np.log(_LOWEST), np.log(_HIGHEST)), method="bounded", options={"xatol": 1e-3})
    return float(np.exp(best.x))


def calibration_error(sure: np.ndarray, right: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Expected calibration error: how far what is right lies from how sure the model was, 0 to 1, mean over voxels."""
    weights = np.ones(len(sure)) if weights is None else weights
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights * (sure - right), BINS)
    return float(np.abs(gaps).sum() / weights.sum())
