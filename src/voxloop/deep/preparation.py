"""From windows as they are cut to tensors as the network gets them, augmentation aside. Knows no images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from voxloop.deep.predictor import Normalisation, resized


class Preparation:
    """Raw windows to what the network sees: on the device, normalised, at the network's scale."""

    def __init__(self, normalise: Normalisation, scale: float, device: torch.device) -> None:
        self._normalise = normalise.to(device)
        self._scale = scale
        self._device = device

    def __call__(self, pixels: np.ndarray, labels: np.ndarray) -> tuple[Tensor, Tensor]:
        """(n, c, y, x) and (n, y, x) uint8."""
        seen = self._normalise(torch.from_numpy(np.ascontiguousarray(pixels)).to(self._device, non_blocking=True))
        marked = torch.from_numpy(np.ascontiguousarray(labels)).to(self._device, non_blocking=True)
        if self._scale == 1.0:
            return seen, marked
        seen = resized(seen, self._scale)
        marked = nn.functional.interpolate(marked[:, None].float(), seen.shape[-2:], mode="nearest")[:, 0].to(
            torch.uint8
        )
        return seen, marked
