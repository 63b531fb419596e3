"""Changes of parts of a window: equalised regions, boxes that are noisy or coarse, objects from another window."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from voxloop.config.augment import Augmentation
from voxloop.deep.data.chance import box, draw, hits
from voxloop.deep.data.targets import CODES, FIRST
from voxloop.deep.transfer import sent

#: what tells these draws from those of the augmentations of whole windows, so that neither changes the other's
_STREAM = 2**31 + 1


class Patchwork:
    """What is done to the parts of one batch: ``pixels`` (n, c, ..., y, x), ``labels`` (n, ..., y, x) uint8.

    Parameters
    ----------
    key
        What the draws depend on: seed and step.
    background
        The label that is no object; None: every label is one.
    numbered
        Whether labels are codes of single objects, as :mod:`voxloop.deep.data.targets` makes them.
    """

    def __init__(self, config: Augmentation, key: tuple[int, int], background: int | None, numbered: bool) -> None:
        self._config, self._background, self._numbered = config, background, numbered
        self._rng = np.random.default_rng((*key, _STREAM))

    def pasted(self, pixels: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Labelled objects of another window, mirrored, where this one has none; numbered ones whole or not at all."""
        rows = np.flatnonzero(hits(self._config.copy_paste, len(pixels), self._rng))
        if len(pixels) < 2 or not len(rows):
            return pixels, labels
        changed, marked = pixels.clone(), labels.clone()
        for row in rows:
            other = int(row + self._rng.integers(1, len(pixels))) % len(pixels)
            mirrored = [axis for axis in (-1, -2) if self._rng.random() < 0.5]
            seen, given = torch.flip(pixels[other], mirrored), torch.flip(labels[other], mirrored)
            mask, given = self._room(given, labels[row])
            changed[row] = torch.where(mask, seen, pixels[row])
            marked[row] = torch.where(mask, given, labels[row])
        return changed, marked

    def _room(self, given: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        """What of ``given`` covers no object of ``own``, and ``given`` with numbers that ``own`` does not use."""
        mask, taken = self._objects(given), self._objects(own)
        if not self._numbered:
            return mask & ~taken, given
        mask &= ~torch.isin(given, torch.unique(given[mask & taken]))
        free = np.setdiff1d(np.arange(FIRST, FIRST + CODES), torch.unique(own).cpu().numpy())
        numbers = torch.unique(given[mask])[: len(free)]
        table = torch.zeros(FIRST + CODES, dtype=given.dtype, device=given.device)
        table[numbers.long()] = sent(free[: len(numbers)], table.device, table.dtype)
        renumbered = table[given.long()]
        return mask & (renumbered > 0), renumbered

    def _objects(self, labels: Tensor) -> Tensor:
        return (labels > 0) if self._background is None else (labels > 0) & (labels != self._background)

    def equalised(self, pixels: Tensor) -> Tensor:
        """Planes of some windows with their contrast equalised region by region; each keeps its range."""
        contrast = self._config.local_contrast
        rows = np.flatnonzero(hits(contrast, len(pixels), self._rng))
        limits = draw(contrast.limit, len(rows), self._rng)
        if not len(rows):
            return pixels
        pixels = pixels.clone()
        for row, limit in zip(rows, limits, strict=True):
            planes = pixels[row].flatten(0, -3).cpu()  # one look at the device a window: the filter runs here
            for index, plane in enumerate(planes):
                planes[index] = _equalised(plane, float(limit))
            pixels[row] = sent(planes, pixels.device).view_as(pixels[row])
        return pixels

    def degraded(self, pixels: Tensor) -> Tensor:
        """Boxes of some windows at coarser voxels, boxes of some with noise."""
        blur, noise, rng = self._config.cut_blur, self._config.cut_noise, self._rng
        coarse, noisy = (np.flatnonzero(hits(kind, len(pixels), rng)) for kind in (blur, noise))
        if len(coarse) or len(noisy):
            pixels = pixels.clone()
        for row in coarse:
            part = pixels[row][:, *box(pixels.shape[2:], blur.size, rng)]
            part[:] = _coarse(part, float(rng.uniform(*blur.factor)))
        for row in noisy:
            part = pixels[row][:, *box(pixels.shape[2:], noise.size, rng)]
            grain = rng.uniform(-1, 1, part.shape).astype(np.float32) * rng.uniform(*noise.strength)
            part += sent(grain, part.device, part.dtype)
        return pixels


def _equalised(plane: Tensor, limit: float) -> Tensor:
    """CLAHE of a plane (y, x), over regions of an eighth of its sides."""
    from skimage.exposure import equalize_adapthist

    low, high = plane.aminmax()
    if high <= low:
        return plane
    scaled = ((plane - low) / (high - low)).float().cpu().numpy()
    even = torch.from_numpy(equalize_adapthist(scaled, clip_limit=limit).astype(np.float32))
    return even.to(plane) * (high - low) + low


def _coarse(part: Tensor, factor: float) -> Tensor:
    """(c, ..., y, x) averaged to voxels ``factor`` times as wide in the plane, and back to its size."""
    planes = part.reshape(1, -1, *part.shape[-2:])
    small = [max(1, round(extent / factor)) for extent in planes.shape[-2:]]
    return F.interpolate(F.interpolate(planes, small, mode="area"), planes.shape[-2:], mode="nearest").view_as(part)
