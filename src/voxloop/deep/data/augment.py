"""Random changes of a batch with torch, on its device: one resampling for shape, then gray values. Knows no files.

All of it is a function of (seed, step): nothing is carried from one batch to the next.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from voxloop.config.augment import Augmentation
from voxloop.deep.data.chance import box, draw, hits
from voxloop.deep.data.patchwork import Patchwork
from voxloop.deep.data.sections import wear_sections
from voxloop.deep.transfer import sent

if TYPE_CHECKING:
    from voxloop.config.deep import DeepConfig
    from voxloop.deep.data.training_data import TrainingData


class Augmenter:
    """Changes batches: ``pixels`` (n, c * slices, y, x) of unit variance, ``labels`` (n, y, x) uint8, 0 unlabelled.

    ``slices`` lie next to each other within a channel; the labels are those of the middle one. Blocks are ``pixels``
    (n, c, z, y, x) with ``labels`` (n, z, y, x): they are turned in the plane, tilted out of it as far where voxels
    are about as deep as they are wide (``spacing`` zyx), and blurred, smeared and torn slice by slice. ``background``
    is the label that is no object, where one is; labels may be classes, or ``numbered`` objects.
    """

    def __init__(
        self,
        config: Augmentation,
        seed: int,
        slices: int = 1,
        spacing: Sequence[float] = (1.0, 1.0, 1.0),
        background: int | None = 1,
        numbered: bool = False,
    ) -> None:
        self._config = config
        self._seed = seed
        self._slices = slices
        self._spacing = tuple(spacing)
        self._background, self._numbered = background, numbered

    @classmethod
    def of(cls, config: DeepConfig, data: TrainingData, slices: int, spacing: Sequence[float]) -> Augmenter:
        """What a training does to windows of its data."""
        return cls(config.augmentation, config.seed, slices, spacing, data.background, data.instances)

    def __call__(self, pixels: Tensor, labels: Tensor, step: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng((self._seed, step, 2**31))
        noise = torch.Generator(pixels.device).manual_seed(int(rng.integers(2**62)))
        parts = Patchwork(self._config, (self._seed, step), self._background, self._numbered)
        pixels, labels = parts.pasted(*self._reshaped(pixels, labels, rng, noise))
        pixels = parts.equalised(self._regrayed(pixels, rng))
        pixels = self._blurred(pixels, rng)
        pixels = self._smeared(pixels, rng)
        pixels = parts.degraded(self._noised(pixels, rng, noise))
        pixels, labels = wear_sections(pixels, labels, self._slices, self._config, rng)
        return self._cut(pixels, labels, rng)

    def _reshaped(
        self, pixels: Tensor, labels: Tensor, rng: np.random.Generator, noise: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        affine, elastic = self._config.affine, self._config.elastic
        n, size = len(pixels), pixels.shape[2:]
        straight = hits(affine, n, rng)
        wavy = hits(elastic, n, rng)
        axes = len(size)
        theta = np.stack([self._theta(rng, size) if hit else np.eye(axes, axes + 1) for hit in straight])
        strength = draw(elastic.strength, n, rng) * wavy
        rows = np.flatnonzero(straight | wavy)
        if not len(rows):
            return pixels, labels
        index = sent(rows, pixels.device)
        matrix = sent(theta[rows].astype(np.float32), pixels.device)
        grid = F.affine_grid(matrix, [len(rows), 1, *size], align_corners=False)
        if wavy.any():
            grid = grid + self._waves(strength[rows], size, noise, pixels.device)
        seen = F.grid_sample(pixels[index].float(), grid, "bilinear", "reflection", align_corners=False)
        marked = F.grid_sample(labels[index, None].float(), grid, "nearest", "zeros", align_corners=False)
        return (
            pixels.index_copy(0, index, seen.to(pixels.dtype)),
            labels.index_copy(0, index, marked[:, 0].to(labels.dtype)),
        )

    def _theta(self, rng: np.random.Generator, size: Sequence[int]) -> np.ndarray:
        """Output to input coordinates x, y(, z), in units of half the window."""
        affine = self._config.affine
        angle, shear = np.radians(
            [rng.uniform(-affine.rotation, affine.rotation), rng.uniform(-affine.shear, affine.shear)]
        )
        grown = math.exp(rng.uniform(math.log(affine.scale[0]), math.log(affine.scale[1])))
        matrix = _turn(angle) @ np.array([[1, math.tan(shear)], [0, 1]]) / grown
        half = np.array(size[::-1], float)  # coordinates are scaled by different half sizes
        if len(size) == 3:
            matrix = np.block([[matrix, np.zeros((2, 1))], [np.zeros((1, 2)), np.eye(1)]])
            half *= np.array(self._spacing[::-1])
            if self._deep:
                matrix[2, 2] /= grown
                matrix = _tilt(rng, affine.rotation) @ matrix
        matrix = matrix * half[None, :] / half[:, None]
        return np.hstack([matrix, np.zeros((len(size), 1))])

    @property
    def _deep(self) -> bool:
        """Whether voxels are about as deep as they are wide."""
        return max(self._spacing) < 2 * min(self._spacing)

    def _waves(self, strength: np.ndarray, size: Sequence[int], noise: torch.Generator, device: torch.device) -> Tensor:
        grid = self._config.elastic.grid
        steps = [grid] * len(size)
        if len(size) == 3:
            steps[0] = max(1, round(grid * self._spacing[1] / self._spacing[0]))
        nodes_per_axis = [max(3, round(n / step) + 1) for n, step in zip(size, steps, strict=True)]
        nodes = torch.randn(len(strength), len(size), *nodes_per_axis, generator=noise, device=device)
        scale = sent(strength.astype(np.float32), device).view(-1, *[1] * (len(size) + 1))
        per_axis = torch.tensor([2 / n for n in reversed(size)])  # x, y(, z)
        if len(size) == 3:
            per_axis[2] *= self._spacing[1] / self._spacing[0] if self._deep else 0.0
        mode = "bicubic" if len(size) == 2 else "trilinear"
        waves = F.interpolate(nodes * scale, tuple(size), mode=mode, align_corners=True)
        return waves.movedim(1, -1) * sent(per_axis, device)

    def _regrayed(self, pixels: Tensor, rng: np.random.Generator) -> Tensor:
        gamma, contrast, brightness = self._config.gamma, self._config.contrast, self._config.brightness
        n = len(pixels)
        bent = hits(gamma, n, rng)
        power = np.where(bent, np.exp(draw((math.log(gamma.range[0]), math.log(gamma.range[1])), n, rng)), 1.0)
        factor = np.where(hits(contrast, n, rng), draw(contrast.range, n, rng), 1.0)
        offset = np.where(hits(brightness, n, rng), draw(brightness.range, n, rng), 0.0)
        if bent.any():
            pixels = _gamma(pixels, _column(power, pixels))
        if (factor != 1).any() or offset.any():
            mean = pixels.mean(dim=_space(pixels), keepdim=True)
            pixels = (pixels - mean) * _column(factor, pixels) + (mean + _column(offset, pixels))
        return pixels

    def _blurred(self, pixels: Tensor, rng: np.random.Generator) -> Tensor:
        blur = self._config.blur
        rows = np.flatnonzero(hits(blur, len(pixels), rng))
        sigmas = draw(blur.sigma, len(pixels), rng)
        if len(rows):
            pixels = pixels.clone()
        for row in rows:
            planes = pixels[row].flatten(0, -3)
            pixels[row] = _gaussian(planes, float(sigmas[row])).view_as(pixels[row])
        return pixels

    def _smeared(self, pixels: Tensor, rng: np.random.Generator) -> Tensor:
        motion, n = self._config.motion_blur, len(pixels)
        rows = np.flatnonzero(hits(motion, n, rng))
        lengths, angles = draw(motion.length, n, rng), rng.uniform(0, math.pi, n)
        if len(rows):
            pixels = pixels.clone()
        for row in rows:
            planes = pixels[row].flatten(0, -3)
            pixels[row] = _along(planes, float(lengths[row]), float(angles[row])).view_as(pixels[row])
        return pixels

    def _noised(self, pixels: Tensor, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
        n = len(pixels)
        for kind, fill in ((self._config.noise, torch.Tensor.normal_), (self._config.uniform_noise, _uniform)):
            noisy = hits(kind, n, rng)
            strength = draw(kind.strength, n, rng)[noisy]
            if noisy.any():
                rows = sent(np.flatnonzero(noisy), pixels.device)
                grain = fill(torch.empty(len(rows), *pixels.shape[1:], device=pixels.device), generator=noise)
                pixels = pixels.index_add(0, rows, (grain * _column(strength, grain)).to(pixels.dtype))
        return pixels

    def _cut(self, pixels: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        cutout = self._config.cutout
        rows = np.flatnonzero(hits(cutout, len(pixels), rng))
        if len(rows):
            pixels, labels = pixels.clone(), labels.clone()
        for row in rows:
            hidden = box(labels.shape[1:], cutout.size, rng)
            mean = pixels[row].mean(dim=tuple(range(1, pixels.ndim - 1)), keepdim=True)
            pixels[row][:, *hidden] = mean
            labels[row][hidden] = 0
        return pixels, labels


def _column(values: np.ndarray, like: Tensor) -> Tensor:
    """One number a window, to multiply a batch with."""
    return sent(values, like.device, like.dtype).view(-1, *[1] * (like.ndim - 1))


def _space(pixels: Tensor) -> tuple[int, ...]:
    """All axes behind the channels."""
    return tuple(range(2, pixels.ndim))


def _turn(angle: float) -> np.ndarray:
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def _tilt(rng: np.random.Generator, most: float) -> np.ndarray:
    """A rotation (3, 3) about x and about y, in the order x, y, z."""
    about_x, about_y = np.eye(3), np.eye(3)
    about_x[1:, 1:] = _turn(math.radians(rng.uniform(-most, most)))
    about_y[np.ix_([0, 2], [0, 2])] = _turn(math.radians(rng.uniform(-most, most)))
    return np.asarray(about_x @ about_y)


def _gamma(pixels: Tensor, power: Tensor) -> Tensor:
    """Bend between each window's darkest and brightest value."""
    low = pixels.amin(dim=_space(pixels), keepdim=True)
    extent = (pixels.amax(dim=_space(pixels), keepdim=True) - low).clamp_min(1e-6)
    return ((pixels - low) / extent).clamp(0, 1) ** power * extent + low


def _gaussian(pixels: Tensor, sigma: float) -> Tensor:
    """(c, y, x) blurred along y, then x."""
    radius = max(1, math.ceil(2.5 * sigma))
    offsets = torch.arange(-radius, radius + 1, dtype=pixels.dtype, device=pixels.device)
    kernel = torch.exp(-0.5 * (offsets / max(sigma, 1e-3)) ** 2)
    kernel = kernel / kernel.sum()
    padded = F.pad(pixels[:, None], (radius, radius, radius, radius), mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))[:, 0]


def _along(pixels: Tensor, length: float, angle: float) -> Tensor:
    """(c, y, x) averaged along a line of ``length`` voxels at ``angle``."""
    radius = max(1, math.ceil(length / 2))
    at = torch.linspace(-length / 2, length / 2, 4 * radius + 1)
    kernel = torch.zeros(2 * radius + 3, 2 * radius + 3)
    y, x = at * math.sin(angle) + radius + 1, at * math.cos(angle) + radius + 1
    top, left = y.floor().long(), x.floor().long()
    for down in (0, 1):  # each point is shared among the four voxels around it
        for right in (0, 1):
            share = (1 - (y - top - down).abs()) * (1 - (x - left - right).abs())
            kernel.index_put_((top + down, left + right), share, accumulate=True)
    weights = sent(kernel / kernel.sum(), pixels.device, pixels.dtype)[None, None]
    padded = F.pad(pixels[:, None], (radius + 1,) * 4, mode="replicate")
    return F.conv2d(padded, weights)[:, 0]


def _uniform(empty: Tensor, generator: torch.Generator) -> Tensor:
    return empty.uniform_(-1.0, 1.0, generator=generator)
