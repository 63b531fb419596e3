"""The network that draws maps of places: an encoder, a decoder, and heads at the strides they ask for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from voxloop.deep.networks.network import build_encoder
from voxloop.deep.networks.weight_file import load_encoder
from voxloop.errors import ModelError

#: what maps that are told as odds begin with: one cell in a hundred
_PRIOR = math.log(0.01 / 0.99)
#: sizes are at most e to that many times more or less than usual
_FURTHEST = 5.0
#: decoders of named encoders are at least and at most so wide
_NARROW, _WIDE = 16, 256


@dataclass(frozen=True, slots=True)
class MapHead:
    """One group of maps: how many, at which level of the decoder (0: full resolution), whether they are odds.

    Where ``usual`` is not empty it holds one positive number a map: the layer says how many times more or less, on a
    logarithmic scale, so that sizes of any number of pixels are learned equally fast.
    """

    name: str
    channels: int
    level: int
    odds: bool = False
    usual: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneConfig:
    """What a network of places is, apart from its weights: enough to build it again.

    ``halvings`` holds what each level is smaller than the one before, one factor an axis.
    """

    channels: int
    heads: tuple[MapHead, ...]
    halvings: tuple[tuple[int, ...], ...]
    filters: int = 16
    rate: float = 2.0
    normalisation: str = "batch"
    encoder: str = ""

    @property
    def axes(self) -> int:
        return len(self.halvings[0])

    @property
    def stride(self) -> tuple[int, ...]:
        """What sides must be multiples of."""
        return self.stride_at(len(self.halvings))

    def stride_at(self, level: int) -> tuple[int, ...]:
        """Pixels of the input that a cell of a level stands for, one an axis."""
        return tuple(math.prod(step[axis] for step in self.halvings[:level]) for axis in range(self.axes))

    def width(self, level: int) -> int:
        """Channels of a level."""
        return max(1, round(self.filters * self.rate**level))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> BackboneConfig:
        """Raises ModelError where something is missing."""
        try:
            heads = tuple(MapHead(**{**head, "usual": tuple(head.get("usual", ()))}) for head in data["heads"])
            halvings = tuple(tuple(step) for step in data["halvings"])
            return cls(**{**data, "heads": heads, "halvings": halvings})
        except (TypeError, KeyError) as error:
            raise ModelError(f"the network of this model is not described completely: {error}") from error


class Backbone(nn.Module):
    """(n, channels, *shape) in, sides multiples of the stride; a dict of maps out, by head, at the stride of each."""

    def __init__(self, config: BackboneConfig, encoder_weights: str | None = None) -> None:
        super().__init__()
        self.config = config
        depth = len(config.halvings)
        if config.encoder:
            named: Any = build_encoder(config.encoder, config.channels, depth, encoder_weights)
            features = [int(n) for n in named.out_channels]
            self.encoder: nn.Module = named
        else:
            plain = _Encoder(config)
            if encoder_weights:
                plain.origin = load_encoder(plain, Path(encoder_weights), "the plain U-Net")
            features = plain.out_channels
            self.encoder = plain
        self._finest = min(head.level for head in config.heads)
        widths = [_decoder_width(config, level) for level in range(depth)]
        above = features[depth]
        self.up = nn.ModuleDict()
        for level in range(depth - 1, self._finest - 1, -1):
            self.up[str(level)] = _Block(config, above + features[level], widths[level])
            above = widths[level]
        conv = nn.Conv2d if config.axes == 2 else nn.Conv3d
        self.heads = nn.ModuleDict()
        for head in config.heads:
            inside = features[depth] if head.level == depth else widths[head.level]
            last = conv(inside, head.channels, 1)
            nn.init.normal_(last.weight, std=0.01)
            nn.init.constant_(last.bias, _PRIOR if head.odds else 0.0)  # type: ignore[arg-type]
            self.heads[head.name] = last
            # with the network where that is: sent anew, each step would wait for it
            usual = torch.tensor(head.usual).view(-1, *[1] * config.axes) if head.usual else None
            self.register_buffer(f"usual_{head.name}", usual, persistent=False)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features: Sequence[Tensor] = self.encoder(x)
        depth = len(self.config.halvings)
        here = features[depth]
        levels = {depth: here}
        mode = "bilinear" if self.config.axes == 2 else "trilinear"
        for level in range(depth - 1, self._finest - 1, -1):
            skip = features[level]
            here = F.interpolate(here, skip.shape[2:], mode=mode, align_corners=False)
            here = self.up[str(level)](torch.cat([here, skip], 1))
            levels[level] = here
        return {
            head.name: _scaled(self.heads[head.name](levels[head.level]), getattr(self, f"usual_{head.name}"))
            for head in self.config.heads
        }


def _scaled(maps: Tensor, usual: Tensor | None) -> Tensor:
    return maps if usual is None else usual * torch.exp(maps.float().clamp(-_FURTHEST, _FURTHEST))


class _Encoder(nn.Module):
    """Two convolutions a level, each level smaller and wider than the one before: that of SLEAP and of U-Net."""

    #: where its weights come from, in words
    origin: str

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.out_channels = [config.width(level) for level in range(len(config.halvings) + 1)]
        self._halvings = config.halvings
        self._pool = F.max_pool2d if config.axes == 2 else F.max_pool3d
        inputs = [config.channels, *self.out_channels]
        self.levels = nn.ModuleList(
            _Block(config, before, after) for before, after in zip(inputs, self.out_channels, strict=False)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        out = []
        for level, block in enumerate(self.levels):
            if level:
                x = self._pool(x, self._halvings[level - 1])
            x = block(x)
            out.append(x)
        return out


def without_normalisation(network: nn.Module) -> nn.Module:
    """A network in evaluation mode, its own normalisations worked into the convolutions before them.

    What it answers is the same but for rounding; it can learn no more. Normalisations of named encoders stay.
    """
    for block in [module for module in network.modules() if isinstance(module, _Block)]:
        layers = list(block)
        fused: list[nn.Module] = []
        for layer in layers:
            before = fused[-1] if fused else None
            if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm3d) and isinstance(before, nn.Conv2d | nn.Conv3d):
                fused[-1] = fuse_conv_bn_eval(before, layer)
            else:
                fused.append(layer)
        for index in range(len(layers)):
            del block[len(layers) - 1 - index]
        block.extend(fused)
    return network


class _Block(nn.Sequential):
    """Two convolutions of three cells, each with its normalisation."""

    def __init__(self, config: BackboneConfig, inputs: int, outputs: int) -> None:
        conv, norm = (nn.Conv2d, nn.BatchNorm2d) if config.axes == 2 else (nn.Conv3d, nn.BatchNorm3d)
        layers: list[nn.Module] = []
        for before in (inputs, outputs):
            normed = config.normalisation == "batch"
            layers.append(conv(before, outputs, 3, padding=1, bias=not normed))
            if normed:
                layers.append(norm(outputs))
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)


def _decoder_width(config: BackboneConfig, level: int) -> int:
    if not config.encoder:
        return config.width(level)
    return min(_WIDE, max(_NARROW, config.width(level)))
