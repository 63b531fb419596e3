"""A plain heat-map U-Net at half size, as one writes it in an afternoon: what a learner of animals is held against."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: channels by level, and the width of peaks in pixels of its maps, which are a quarter of the frame
_WIDTHS, _SIGMA = (16, 24, 36, 54, 81), 2.5
_BATCH, _RATE = 4, 1e-3


class PlainUNet(nn.Module):
    """(n, 1, y, x) frames at half size in, maps (n, node, y / 2, x / 2) out."""

    def __init__(self, nodes: int) -> None:
        super().__init__()
        sides = list(zip((1, *_WIDTHS), _WIDTHS, strict=False))
        self.down = nn.ModuleList(_block(before, after) for before, after in sides)
        self.up = nn.ModuleList(_block(a + b, b) for a, b in zip(_WIDTHS[:1:-1], _WIDTHS[-2:0:-1], strict=True))
        self.last = nn.Conv2d(_WIDTHS[1], nodes, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if level else x)
            kept.append(x)
        for block, beside in zip(self.up, kept[-2:0:-1], strict=True):
            x = block(torch.cat([F.interpolate(x, size=beside.shape[-2:]), beside], 1))
        answer: Tensor = self.last(x)
        return answer


def find(frames: np.ndarray, places: np.ndarray, others: np.ndarray, *, seconds: float, seed: int = 0) -> np.ndarray:
    """Nodes (n, node, yx) in other frames, after seconds of learning from frames whose nodes are known (or NaN)."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    shown = torch.from_numpy(frames[:, ::2, ::2].astype(np.float32))
    mean, std = shown.mean(), shown.std()
    at = torch.from_numpy(places / 2).float()
    network = PlainUNet(places.shape[1])
    optimiser = torch.optim.Adam(network.parameters(), _RATE)
    began = time.monotonic()
    while (done := (time.monotonic() - began) / seconds) < 1:
        optimiser.param_groups[0]["lr"] = _RATE * 0.5 * (1 + np.cos(np.pi * done)) + 1e-6
        lessons = [_lesson((shown[i] - mean) / std, at[i], rng) for i in rng.integers(0, len(frames), _BATCH)]
        pixels, wanted = (torch.stack(part) for part in zip(*lessons, strict=True))
        loss = ((network(pixels) - wanted) ** 2 * (1 + 20 * wanted)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return _highest(network.eval(), (torch.from_numpy(others[:, ::2, ::2].astype(np.float32)) - mean) / std)


def _highest(network: nn.Module, frames: Tensor) -> np.ndarray:
    found = []
    with torch.inference_mode():
        for frame in frames:
            maps = network(frame[None, None])[0]
            place = maps.flatten(1).argmax(1)
            found.append(torch.stack([place // maps.shape[2], place % maps.shape[2]], 1) * 4.0)
    return torch.stack(found).numpy()


def _lesson(frame: Tensor, at: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A frame turned and magnified a little, and its maps."""
    high, wide = frame.shape
    angle, grown = np.radians(rng.uniform(-15, 15)), rng.uniform(0.9, 1.1)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * grown  # of (x, y)
    theta = np.array([[turn[0, 0], turn[0, 1] * high / wide, 0], [turn[1, 0] * wide / high, turn[1, 1], 0]])
    grid = F.affine_grid(torch.from_numpy(theta).float()[None], [1, 1, high, wide], align_corners=False)
    seen = F.grid_sample(frame[None, None], grid, padding_mode="reflection", align_corners=False)[0]
    middle = torch.tensor([wide / 2, high / 2])
    moved = (at[:, [1, 0]] - middle) @ torch.from_numpy(np.linalg.inv(turn)).float().T + middle
    rows, columns = torch.meshgrid(torch.arange(high // 2) * 1.0, torch.arange(wide // 2) * 1.0, indexing="ij")
    away = (columns - moved[:, 0, None, None] / 2) ** 2 + (rows - moved[:, 1, None, None] / 2) ** 2
    maps = torch.nan_to_num(torch.exp(-away / (2 * _SIGMA**2)))
    return seen + 0.1 * torch.randn(1) + 0.1 * torch.randn_like(seen), maps


def _block(before: int, after: int) -> nn.Sequential:
    layers: list[Any] = []
    for inputs in (before, after):
        layers += [nn.Conv2d(inputs, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers)


def distances(found: Sequence[Any] | np.ndarray, true: np.ndarray) -> np.ndarray:
    """Pixels between nodes that were found and those that are known; endless where one was not found."""
    away = np.linalg.norm(np.asarray(found) - true, axis=-1)
    return np.asarray(np.where(np.isnan(away), np.inf, away)[~np.isnan(true[..., 0])])
