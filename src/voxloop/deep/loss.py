"""Loss over labelled voxels only. Pure torch: logits and labels in, one number out."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

#: what cross-entropy skips
IGNORE = -100


class PartialLoss:
    """Weighted sum of cross-entropy and Dice over voxels that are labelled.

    An unlabelled voxel (0) adds nothing to the loss and nothing to its gradient; a batch without labels gives 0.

    Parameters
    ----------
    weights
        One weight a class, mean 1, for the cross-entropy; None: all 1.
    """

    def __init__(self, *, cross_entropy: float, dice: float, weights: Tensor | None = None) -> None:
        self._cross_entropy = cross_entropy
        self._dice = dice
        self._weights = weights

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """``logits`` (n, classes, ...), ``labels`` (n, ...) 0 = unlabelled, classes from 1."""
        logits = logits.float()
        target = labels.long() - 1
        known = target >= 0
        loss = logits.sum() * 0.0
        if self._cross_entropy:
            each = F.cross_entropy(
                logits, target.masked_fill(~known, IGNORE), self._weights, ignore_index=IGNORE, reduction="sum"
            )
            weight = known.sum() if self._weights is None else (self._weights[target.clamp_min(0)] * known).sum()
            loss = loss + self._cross_entropy * each / weight.clamp_min(1e-6)
        if self._dice:
            loss = loss + self._dice * _dice(logits, target.clamp_min(0), known)
        return loss


def _dice(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """1 - Dice coefficient, mean over the classes that occur in the batch (Milletari et al. 2016)."""
    axes = [0, *range(2, logits.ndim)]
    mask = known.unsqueeze(1)
    truth = torch.zeros_like(logits).scatter_(1, target.unsqueeze(1), 1.0) * mask
    probability = logits.softmax(1) * mask
    overlap, size = (probability * truth).sum(axes), (probability + truth).sum(axes)
    present = truth.sum(axes) > 0
    coefficient = (2 * overlap + 1.0) / (size + 1.0)
    return ((1 - coefficient) * present).sum() / present.sum().clamp_min(1)


def balanced_weights(counts: list[int], largest: float = 10.0) -> list[float]:
    """Weights, mean 1, under which every class counts the same; none more than ``largest`` times another."""
    share = [max(count, 1) / max(sum(counts), 1) for count in counts]
    inverse = [1 / part for part in share]
    bounded = [min(value, largest * min(inverse)) for value in inverse]
    return [value * len(bounded) / sum(bounded) for value in bounded]
