"""How far a network of places looks about a cell of its maps: what it can see, and where most of what decides lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxloop.deep.networks.network import receptive_field
from voxloop.deep.pose.backbone import Backbone, BackboneConfig, MapHead
from voxloop.deep.pose.plan import StagePlan

#: share of the gradient that lies within the effective field
SHARE = 0.9


@dataclass(frozen=True, kw_only=True)
class HeadField:
    """How far one group of maps of one network looks, in pixels of the picture, as full sides (y, x).

    ``theoretical``: None where every pixel reaches every cell. ``window``: what the network learns from at once; a
    field beyond it sees what is padded.
    """

    stage: str
    head: str
    theoretical: tuple[int, int] | None
    effective: tuple[int, int]
    window: tuple[int, int]
    scale: float

    def to_json(self) -> dict[str, Any]:
        return {
            "stage": self.stage,
            "head": self.head,
            "theoretical": self.theoretical and list(self.theoretical),
            "effective": list(self.effective),
            "window": list(self.window),
            "scale": self.scale,
        }


def fields_of(network: nn.Module, stage: StagePlan, pixels: Tensor) -> list[HeadField]:
    """The fields of all heads of a network.

    Parameters
    ----------
    pixels
        (1, c, *shape) a normalised window; what decides is measured about its middle, in a network as it begins.
    """
    out = []
    scale = stage.scale[-1]
    effective = _effective(network, stage, pixels)
    for head in stage.backbone.heads:
        side = _theoretical(network, stage.backbone, head)
        inside = effective[head.name]
        out.append(
            HeadField(
                stage=stage.name,
                head=head.name,
                theoretical=None if side is None else (round(side / scale), round(side / scale)),
                effective=(round(inside / scale), round(inside / scale)),
                window=(round(stage.window[-2] / scale), round(stage.window[-1] / scale)),
                scale=scale,
            )
        )
    return out


def plain_side(config: BackboneConfig, level: int) -> int:
    """Pixels in-plane that a cell of a level of the plain U-Net can see, across: two convolutions of three a level."""
    jump, side = 1, 1
    for step in range(len(config.halvings) + 1):
        if step:
            factor = config.halvings[step - 1][-1]
            side += (factor - 1) * jump
            jump *= factor
        side += 4 * jump
    for step in range(len(config.halvings) - 1, level - 1, -1):
        side += jump  # between two cells of the level below
        jump //= config.halvings[step][-1]
        side += 4 * jump
    return side


def _theoretical(network: nn.Module, config: BackboneConfig, head: MapHead) -> int | None:
    if not config.encoder:
        return plain_side(config, head.level)
    reach = receptive_field(_Shown(network, head.name), config.channels)
    return None if reach is None else 2 * reach + 1


class _Shown(nn.Module):
    """One group of maps at the size of the input."""

    def __init__(self, network: nn.Module, head: str) -> None:
        super().__init__()
        self.network, self._head = network, head

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(self.network(x)[self._head], x.shape[2:], mode="nearest")


def _effective(network: nn.Module, stage: StagePlan, pixels: Tensor) -> dict[str, int]:
    """Pixels of the input, across, within which :data:`SHARE` of the gradient of each head lies."""
    assert isinstance(network, Backbone)
    _settle(network, pixels)
    out = {}
    for head in stage.backbone.heads:
        seen = pixels.detach().clone().requires_grad_()
        maps = network(seen)[head.name]
        middle = [n // 2 for n in maps.shape[2:]]
        (gradient,) = torch.autograd.grad(maps[(0, slice(None), *middle)].sum(), seen)
        weight = gradient[0].abs().sum(0).numpy().astype(float)
        if weight.ndim == 3:
            weight = weight.sum(0)
        stride = stage.stride(head.name)[-2:]
        at = [(m + 0.5) * s - 0.5 for m, s in zip(middle[-2:], stride, strict=True)]
        out[head.name] = _within(weight, at)
    return out


def _within(weight: np.ndarray, at: list[float]) -> int:
    offsets = [np.abs(np.arange(n) - m) for n, m in zip(weight.shape, at, strict=True)]
    far = np.ceil(np.maximum.reduce(np.meshgrid(*offsets, indexing="ij"))).astype(int)
    within = np.bincount(far.ravel(), weight.ravel()).cumsum()
    return 2 * int(np.searchsorted(within, SHARE * within[-1])) + 1 if within[-1] > 0 else 1


def _settle(network: nn.Module, pixels: Tensor) -> None:
    """Give fresh normalisation layers the statistics of this window, then put the network in evaluation mode."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None
    network.train()
    with torch.no_grad():
        network(pixels)
    network.eval()
