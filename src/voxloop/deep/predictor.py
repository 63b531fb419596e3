"""A network on its device that turns blocks of raw intensities into probabilities. Knows no files and no tiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxloop.deep.device import autocast, placed
from voxloop.errors import ModelError
from voxloop.model import ModelSpec


class NetworkPredictor:
    """Calls a 2-D or 2.5-D network on blocks (n, c, z, y, x); every plane is predicted, with the slices around it.

    Slices that a block lacks at its ends repeat its last one, as training repeats the last slice of the volume.
    """

    def __init__(self, module: nn.Module, spec: ModelSpec, device: torch.device, precision: torch.dtype) -> None:
        self._module = placed(module, device).eval()
        self._spec = spec
        self._device = device
        self._precision = precision
        self._slices = int(spec.extra.get("slices", 1))
        self._scale = float(spec.extra.get("scale", 1.0))
        self._normalise = Normalisation.of(spec.normalisation, spec.channels, self._slices).to(device)
        self._softmax = all(output.kind == "semantic" for output in spec.outputs)
        self._sigmoid = all(output.kind == "boundary_distance" for output in spec.outputs)

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Raw intensities (n, c, z, y, x) to (n, out, z, y, x) float32."""
        batch = np.asarray(batch)
        if batch.ndim != 5 or batch.shape[1] != self._spec.channels:
            raise ModelError(
                f"this model takes blocks (n, c, z, y, x) of {self._spec.channels} channel(s), not shape {batch.shape}"
            )
        n, _, z, y, x = batch.shape
        planes = torch.from_numpy(self._planes(batch)).to(self._device)
        with torch.inference_mode(), autocast(self._device, self._precision):
            pixels = resized(self._normalise(planes), self._scale)
            logits = self._module(pixels.contiguous(memory_format=torch.channels_last)).float()
        with torch.inference_mode():
            if logits.shape[-2:] != (y, x):
                logits = F.interpolate(logits, (y, x), mode="bilinear", align_corners=False)
            values = logits.softmax(1) if self._softmax else logits.sigmoid() if self._sigmoid else logits
        out: np.ndarray = values.contiguous().cpu().numpy().reshape(n, z, -1, y, x)
        return np.ascontiguousarray(out.transpose(0, 2, 1, 3, 4))

    def _planes(self, batch: np.ndarray) -> np.ndarray:
        """(n, c, z, y, x) to float32 (n * z, c * slices, y, x), channel by channel, slices from below to above."""
        n, c, z, y, x = batch.shape
        half = self._slices // 2
        near = np.clip(np.arange(z)[:, None] + np.arange(-half, half + 1), 0, z - 1)
        stacked = batch[:, :, near].astype(np.float32, copy=False)  # (n, c, z, slices, y, x)
        return np.ascontiguousarray(stacked.transpose(0, 2, 1, 3, 4, 5)).reshape(n * z, c * self._slices, y, x)


class Normalisation:
    """Subtract and divide by what was measured when training began; what is not a number becomes the mean."""

    def __init__(self, mean: Tensor, deviation: Tensor) -> None:
        self._mean, self._deviation = mean, deviation

    @classmethod
    def of(cls, data: dict[str, Any], channels: int, slices: int) -> Normalisation:
        """From a spec: ``mean`` and ``deviation``, one number a channel. Raises ModelError if they do not fit."""
        mean, deviation = data.get("mean", [0.0] * channels), data.get("deviation", [1.0] * channels)
        if len(mean) != channels or len(deviation) != channels:
            raise ModelError(f"normalisation of {len(mean)} channels in a model of {channels}")
        pair = (
            torch.tensor(v, dtype=torch.float32).repeat_interleave(slices)[:, None, None] for v in (mean, deviation)
        )
        return cls(*pair)

    def to(self, device: torch.device) -> Normalisation:
        return Normalisation(self._mean.to(device), self._deviation.to(device))

    def __call__(self, pixels: Tensor) -> Tensor:
        """(n, c * slices, y, x) raw to normalised."""
        return torch.nan_to_num((pixels - self._mean) / self._deviation, nan=0.0, posinf=0.0, neginf=0.0)


def resized(pixels: Tensor, scale: float) -> Tensor:
    """(n, c, y, x) at another in-plane size; averaged where it shrinks."""
    if scale == 1.0:
        return pixels
    size = [max(1, round(extent * scale)) for extent in pixels.shape[-2:]]
    return F.interpolate(pixels, size, mode="bilinear", align_corners=False, antialias=scale < 1)
