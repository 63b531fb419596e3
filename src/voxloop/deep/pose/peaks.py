"""Places of peaks in maps, finer than their cells. Pure torch, on the processor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

#: a fit that moves a peak further than this many cells is no fit
_MOST = 0.75
_TINY = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """Peaks of maps of one frame.

    Attributes
    ----------
    at
        (peak, axis) float32 in pixels of the input, yx or zyx.
    channel
        (peak,) int64: in which map.
    score
        (peak,) float32: the value there.
    """

    at: Tensor
    channel: Tensor
    score: Tensor

    def __len__(self) -> int:
        return len(self.score)

    def take(self, keep: Tensor) -> Peaks:
        """Some of them, by a mask or by indices."""
        return Peaks(self.at[keep], self.channel[keep], self.score[keep])


def local_peaks(maps: Tensor, stride: Sequence[int], threshold: float, radius: int = 1) -> Peaks:
    """All peaks of maps above a threshold that are the highest within ``radius`` cells, best first.

    Parameters
    ----------
    maps
        (channel, *shape), from 0 to about 1.
    stride
        Pixels of the input from one cell to the next, one an axis.
    """
    axes = maps.ndim - 1
    pool = F.max_pool2d if axes == 2 else F.max_pool3d
    size = 2 * radius + 1
    highest = pool(maps[None], size, stride=1, padding=radius)[0]
    found = torch.nonzero((maps == highest) & (maps > threshold))
    score = maps[tuple(found.T)]
    order = torch.argsort(score, descending=True, stable=True)
    found, score = found[order], score[order]
    single = _single(found, radius)
    found, score = found[single], score[single]
    return Peaks(_finer(maps, found, stride), found[:, 0], score)


def _single(found: Tensor, radius: int) -> Tensor:
    """Which peaks (channel, cell...) stay where cells of one value lie side by side: the first of them."""
    from scipy.spatial import cKDTree

    keep = torch.ones(len(found), dtype=torch.bool)
    if len(found) > 1:
        apart = found.numpy().astype(float)
        apart[:, 0] *= 1e6  # maps do not see each other
        for first, second in sorted(cKDTree(apart).query_pairs(radius, p=float("inf"))):
            if keep[first]:
                keep[second] = False
    return keep


def highest_peaks(maps: Tensor, stride: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The one highest place in every map: (channel, axis) pixels of the input, and (channel,) scores."""
    flat = maps.flatten(1)
    score, index = flat.max(1)
    cells = torch.stack(torch.unravel_index(index, maps.shape[1:]), 1)
    found = torch.cat([torch.arange(len(maps))[:, None], cells], 1)
    return _finer(maps, found, stride), score


def _finer(maps: Tensor, found: Tensor, stride: Sequence[int]) -> Tensor:
    """Move peaks (channel, cell...) to the top of a parabola through the logarithm of three cells along each axis.

    The logarithm of a Gaussian is a parabola, so a clean peak is found exactly (Zhang et al. 2020).
    """
    axes = maps.ndim - 1
    at = found[:, 1:].float()
    middle = torch.log(maps[tuple(found.T)].clamp_min(_TINY))
    moved = torch.zeros_like(at)
    for axis in range(axes):
        most = maps.shape[axis + 1] - 1
        sides = []
        for step in (-1, 1):
            beside = found.clone()
            beside[:, axis + 1] = (beside[:, axis + 1] + step).clamp(0, most)
            sides.append(torch.log(maps[tuple(beside.T)].clamp_min(_TINY)))
        before, after = sides
        bend = before - 2 * middle + after
        shift = 0.5 * (before - after) / torch.where(bend < -_TINY, bend, torch.full_like(bend, -torch.inf))
        inside = (found[:, axis + 1] > 0) & (found[:, axis + 1] < most)
        moved[:, axis] = torch.where(inside, shift.clamp(-_MOST, _MOST), torch.zeros_like(shift))
    pixels = torch.tensor([float(s) for s in stride])
    return (at + moved) * pixels + (pixels - 1) / 2
