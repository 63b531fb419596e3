"""What goes wrong between and within sections of electron microscopy: lost, shifted and torn ones. Pure torch.

Everything works on stacks (n, c, z, y, x) and on the labels of their slices (n, z, y, x); a batch of planes with
neighbours is a stack of which only the middle slice has labels.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from voxloop.config.augment import Augmentation, Range
from voxloop.deep.data.chance import hits


def wear_sections(
    pixels: Tensor, labels: Tensor, slices: int, config: Augmentation, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Planes (n, c * slices, y, x) with labels (n, y, x) of the middle slice, or stacks (n, c, z, y, x) with theirs."""
    planes = pixels.ndim == 4
    stack = pixels.unflatten(1, (-1, slices)) if planes else pixels
    marked = labels.unsqueeze(1) if planes else labels
    chosen = _Hits(config, len(pixels), rng)
    if chosen.none:
        return pixels, labels
    stack, marked = stack.clone(), marked.clone()
    for row in np.flatnonzero(chosen.shifted):
        _shift(stack[row], None if planes else marked[row], chosen.draw(int(row)), config.misaligned.shift)
    for row in np.flatnonzero(chosen.lost):
        _lose(stack[row], None if planes else marked[row], chosen.draw(int(row)), config.missing_section.slices)
    for row in np.flatnonzero(chosen.torn):
        _tear(stack[row], marked[row], chosen.draw(int(row)), config.missing_parts.width)
    return (stack.flatten(1, 2), marked[:, 0]) if planes else (stack, marked)


class _Hits:
    """Which windows are worn how, and a generator for each: a kind switched off leaves the others as they were."""

    def __init__(self, config: Augmentation, n: int, rng: np.random.Generator) -> None:
        self.shifted = hits(config.misaligned, n, rng)
        self.lost = hits(config.missing_section, n, rng)
        self.torn = hits(config.missing_parts, n, rng)
        self._seeds = rng.integers(2**62, size=n)

    @property
    def none(self) -> bool:
        return not (self.shifted.any() or self.lost.any() or self.torn.any())

    def draw(self, row: int) -> np.random.Generator:
        return np.random.default_rng(int(self._seeds[row]))


def _shift(stack: Tensor, labels: Tensor | None, rng: np.random.Generator, bounds: Range) -> None:
    """Slices from a random one on are shifted; those that hold the labels of a plane's window stay."""
    depth, height, width = stack.shape[1:]
    if depth < 2:
        return
    cut, angle, by = int(rng.integers(1, depth)), rng.uniform(0, 2 * math.pi), rng.uniform(*bounds)
    moved = slice(cut, depth) if labels is not None or cut > depth // 2 else slice(0, cut)
    rows = (torch.arange(height, device=stack.device) + round(by * math.sin(angle))).clamp(0, height - 1)
    columns = (torch.arange(width, device=stack.device) + round(by * math.cos(angle))).clamp(0, width - 1)
    stack[:, moved] = stack[:, moved][:, :, rows][..., columns]
    if labels is not None:
        labels[moved] = labels[moved][:, rows][..., columns]


def _lose(stack: Tensor, labels: Tensor | None, rng: np.random.Generator, bounds: Range) -> None:
    """Neighbouring slices become the window's mean; the middle one of a plane's window is kept."""
    depth = stack.shape[1]
    if depth < 2:
        return
    count = max(1, round(rng.uniform(*bounds)))
    start = int(rng.integers(0, max(1, depth - count + 1)))
    lost = [z for z in range(start, min(depth, start + count)) if labels is not None or z != depth // 2]
    mean = stack.mean(dim=(1, 2, 3), keepdim=True)[:, 0]
    for z in lost:  # a list of places would be sent to the device, which is waited for
        stack[:, z] = mean
        if labels is not None:
            labels[z] = 0


def _tear(stack: Tensor, labels: Tensor, rng: np.random.Generator, bounds: Range) -> None:
    """A band across one slice becomes its mean; labels under it are taken away."""
    depth, height, width = stack.shape[1:]
    z, angle, half = int(rng.integers(depth)), rng.uniform(0, math.pi), rng.uniform(*bounds) / 2
    y = torch.arange(height, device=stack.device)[:, None] - rng.uniform(0, height)
    x = torch.arange(width, device=stack.device)[None, :] - rng.uniform(0, width)
    band = (y * math.cos(angle) + x * math.sin(angle)).abs() <= half
    stack[:, z] = torch.where(band, stack[:, z].mean(dim=(-2, -1), keepdim=True), stack[:, z])
    if len(labels) == depth:
        labels[z].masked_fill_(band, 0)
    elif z == depth // 2:
        labels[0].masked_fill_(band, 0)
