"""Random changes of a frame, or of a block, and of the places in it with it. A function of seed and number alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from voxloop.config.places import PlaceAugmentationSettings


@dataclass(frozen=True, slots=True, eq=False)
class WindowView:
    """How a window looks into a picture: window pixel w (in-plane) shows picture pixel ``matrix @ (w - middle) + at``.

    Attributes
    ----------
    matrix
        (axes, axes) float64.
    middle
        Of the window, pixels.
    at
        What of the picture lies there, pixels.
    mirrored
        Whether left and right have changed places.
    """

    matrix: np.ndarray
    middle: np.ndarray
    at: np.ndarray
    mirrored: bool

    def on_window(self, places: np.ndarray) -> np.ndarray:
        """Places (..., axes) of the picture as places of the window."""
        return np.asarray((places - self.at) @ np.linalg.inv(self.matrix).T + self.middle)

    def on_picture(self, places: np.ndarray) -> np.ndarray:
        """Places (..., axes) of the window as places of the picture."""
        return np.asarray((places - self.middle) @ self.matrix.T + self.at)


def plain_view(shape: Sequence[int], at: Sequence[float] | np.ndarray, scale: Sequence[float]) -> WindowView:
    """A window of ``shape`` around ``at``, unchanged but for its size: ``scale`` window pixels a picture pixel."""
    middle = (np.array(shape, float) - 1) / 2
    return WindowView(np.diag(1 / np.asarray(scale, float)), middle, np.asarray(at, float), mirrored=False)


def varied_view(
    config: PlaceAugmentationSettings,
    rng: np.random.Generator,
    shape: Sequence[int],
    at: Sequence[float] | np.ndarray,
    scale: Sequence[float],
    *,
    shift: bool = True,
    quarters: bool = False,
) -> WindowView:
    """A window turned, magnified, mirrored and shifted at random; of blocks only in plane.

    With ``quarters`` it is turned by right angles alone, as far as the settings let it.
    """
    base = plain_view(shape, at, scale)
    most = float(config.rotation)
    degrees = rng.uniform(-most, most)
    angle = math.radians(90 * round(degrees / 90) if quarters else degrees)
    grown = math.exp(rng.uniform(math.log(config.magnify[0]), math.log(config.magnify[1])))
    coins = rng.random(2) < 0.5
    moved = rng.uniform(-config.shift, config.shift, len(shape)) * np.array(shape) * np.diag(base.matrix)
    across = -1.0 if coins[0] and config.flip in ("horizontal", "both") else 1.0
    down = -1.0 if coins[1] and config.flip in ("vertical", "both") else 1.0
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) / grown
    turn = turn @ np.diag([down, across])
    matrix = np.eye(len(shape))
    matrix[-2:, -2:] = turn
    if shift:
        return WindowView(matrix @ base.matrix, base.middle, base.at + moved, mirrored=across * down < 0)
    return WindowView(matrix @ base.matrix, base.middle, base.at, mirrored=across * down < 0)


def look(picture: Tensor, view: WindowView, shape: Sequence[int]) -> Tensor:
    """What a window shows of a picture (c, *shape), interpolated linearly; beyond the edge 0.

    Where a window pixel spans several of the picture, these are averaged first, so that nothing flickers.
    """
    axes = len(shape)
    spans = [max(1, round(float(np.linalg.norm(view.matrix[axis])))) for axis in range(axes)]
    if max(spans) > 1:
        picture, view = _reduced(picture, view, spans)
    # grid_sample wants the place of each window pixel in the picture, x first, from -1 to 1
    half = (np.array(picture.shape[1:], float)) / 2
    size = np.array(shape, float)
    # window coordinate u in (-1, 1): w = (u * size + size - 1) / 2
    matrix = view.matrix * (size / 2)[None] / half[:, None]
    zero = view.matrix @ ((size - 1) / 2 - view.middle) + view.at
    first = zero - (size - 1) / 2
    if np.allclose(view.matrix, np.eye(axes), atol=1e-9) and np.allclose(first, np.round(first), atol=1e-6):
        return _part(picture, np.round(first).astype(int).tolist(), shape)  # nothing lies between pixels
    offset = (zero + 0.5) / half - 1
    theta = np.hstack([matrix[::-1, ::-1], offset[::-1, None]])
    grid = F.affine_grid(torch.from_numpy(theta.copy()).float()[None], [1, len(picture), *shape], align_corners=False)
    assert grid.shape[-1] == axes
    return F.grid_sample(picture[None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)[0]


def _part(picture: Tensor, first: Sequence[int], shape: Sequence[int]) -> Tensor:
    """Pixels (c, *shape) from ``first`` on; beyond the edge 0."""
    out = picture.new_zeros((len(picture), *shape))
    own, there = [slice(None)], [slice(None)]
    for start, side, extent in zip(first, shape, picture.shape[1:], strict=True):
        low, high = max(0, start), min(extent, start + side)
        if high <= low:
            return out
        own.append(slice(low, high))
        there.append(slice(low - start, high - start))
    out[tuple(there)] = picture[tuple(own)]
    return out


def _reduced(picture: Tensor, view: WindowView, spans: Sequence[int]) -> tuple[Tensor, WindowView]:
    """A picture of fewer pixels, each the mean of some, and the same view of it."""
    pool = F.avg_pool2d if len(spans) == 2 else F.avg_pool3d
    fewer = pool(picture[None], tuple(spans), ceil_mode=True, count_include_pad=False)[0]
    factor = np.array(spans, float)
    at = (view.at - (factor - 1) / 2) / factor
    return fewer, WindowView(view.matrix / factor[:, None], view.middle, at, view.mirrored)


def vary_grays(config: PlaceAugmentationSettings, rng: np.random.Generator, window: Tensor) -> Tensor:
    """Contrast, brightness, glow and noise of a normalised window."""
    factor = math.exp(rng.uniform(math.log(config.contrast[0]), math.log(config.contrast[1])))
    offset = rng.uniform(-config.brightness, config.brightness)
    grain = rng.uniform(0, config.noise)
    out = window * factor + offset
    if config.glow > 0:
        out = out + _glow(rng, rng.uniform(0, config.glow), out.shape[1:])
    if grain > 0:
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        out = out + grain * torch.randn(out.shape, generator=generator)
    return out


def _glow(rng: np.random.Generator, most: float, shape: Sequence[int]) -> Tensor:
    """Light (*shape) that changes slowly from 0 to ``most`` across a window, as from things out of focus."""
    axes = len(shape)
    coarse = torch.from_numpy(rng.uniform(0, 1, (3,) * axes)).float()[None, None]
    mode = "bilinear" if axes == 2 else "trilinear"
    light = F.interpolate(coarse, tuple(shape), mode=mode, align_corners=True)[0, 0]
    light = light - light.min()
    return most * light / light.max().clamp_min(1e-6)
