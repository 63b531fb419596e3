"""From windows as they are cut to tensors as the network gets them, augmentation aside. Knows no images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from voxloop.deep.predict.predictor import Normalisation, Zoom, resize
from voxloop.deep.transfer import sent


class Preparation:
    """Raw windows to what the network sees: on the device, normalised, at the network's scale."""

    def __init__(self, normalise: Normalisation, zoom: Zoom, device: torch.device) -> None:
        self._normalise = normalise.to(device)
        self._zoom = zoom
        self._device = device

    def __call__(self, pixels: np.ndarray | Tensor, labels: np.ndarray | Tensor) -> tuple[Tensor, Tensor]:
        """(n, c, y, x) and (n, y, x) uint8, or (n, c, z, y, x) and (n, z, y, x); pinned, they travel meanwhile."""
        seen = self._normalise(sent(pixels, self._device))
        marked = sent(labels, self._device)
        seen = resize(seen, self._zoom)
        if seen.shape[2:] != marked.shape[1:]:
            found = nn.functional.interpolate(marked[:, None].float(), seen.shape[2:], mode="nearest")
            marked = found[:, 0].to(torch.uint8)
        return seen, marked
