"""A part of a plane as the network says it of the whole: its decoder is given that part and what it looks at around.

What is far from a voxel it sees through the encoder's coarse layers; a decoder adds little to that, and takes nine
tenths of the time. So the encoder is given all that the part depends on, the decoder the part with its own, small halo.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxloop.deep.networks.network import receptive_field

#: how far a decoder is searched for what it sees, voxels; a U-Net's of five levels sees 94
_FAR = 128
#: share of the plane below which the decoder is given a part of it
_SHARE = 0.7
#: largest difference between a part and the same part of the whole, of the largest logit, or of 1
_TOLERANCE = 2e-4
#: what decoders see, by what they are: looking takes longer than the plane that is shown first
_reaches: dict[str, int | None] = {}

#: pixels of a plane: first and last but one, of rows and of columns
Window = tuple[tuple[int, int], tuple[int, int]]


class Focus:
    """A network of planes with an encoder and a decoder, of which the decoder can be given a part."""

    def __init__(self, module: nn.Module, core: nn.Module, reach: int, step: int) -> None:
        self._module, self._core, self._reach, self._step = module, core, reach, step

    @classmethod
    def of(cls, module: nn.Module, channels: int, step: int) -> Focus | None:
        """None where the network has no such parts, or its decoder looks far.

        Parameters
        ----------
        channels
            Of what the network is given.
        step
            Pixels of its coarsest level.
        """
        core = _core_of(module)
        if core is None:
            return None
        try:
            reach = _reach(core)
            focus = None if reach is None else cls(module, core, reach, step)
            return focus if focus is not None and focus._agrees(channels) else None
        except Exception:  # whatever a foreign network raises says no
            return None

    def window(self, part: Window, size: Sequence[int]) -> Window:
        """What the decoder is given for a part of a plane of ``size``."""
        step, reach = self._step, self._reach
        (top, bottom), (left, right) = (
            (max(0, (low - reach) // step * step), min(end, -(-(high + reach) // step) * step))
            for (low, high), end in zip(part, size, strict=True)
        )
        return (top, bottom), (left, right)

    def pays(self, part: Window, size: Sequence[int], longer: float = 1.0) -> bool:
        """Whether it takes less time than the whole plane, for which ``longer`` times as much is saved elsewhere."""
        if any(extent % self._step for extent in size):
            return False
        return longer * prod(high - low for low, high in self.window(part, size)) < _SHARE * prod(size)

    def __call__(self, pixels: Tensor, part: Window) -> Tensor:
        """Logits (n, out, rows, columns) of a part of planes (n, c, y, x)."""
        height, width = pixels.shape[-2:]
        rows, columns = self.window(part, (height, width))
        own = threading.get_ident()

        def crop(feature: Tensor) -> Tensor:
            down, right = height // feature.shape[-2], width // feature.shape[-1]
            taken = feature[..., rows[0] // down : rows[1] // down, columns[0] // right : columns[1] // right]
            return taken.contiguous(memory_format=torch.channels_last)

        def given(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
            if threading.get_ident() != own:
                return None
            return tuple([crop(one) for one in each] if isinstance(each, list) else crop(each) for each in inputs)

        hook = self._core.get_submodule("decoder").register_forward_pre_hook(given)
        try:
            out: Tensor = self._module(pixels)
        finally:
            hook.remove()
        (top, bottom), (left, right) = part
        return out[..., top - rows[0] : bottom - rows[0], left - columns[0] : right - columns[0]]

    def _agrees(self, channels: int) -> bool:
        """Whether a part is what the whole says there, tried on noise: not where sizes decide what is in between."""
        side = self._step * -(-(3 * self._reach) // self._step)
        first = next(self._module.parameters())
        noise = torch.randn(1, channels, side, side, generator=torch.Generator().manual_seed(0)).to(first)
        with torch.inference_mode():
            whole = self._module(noise)
            most = _TOLERANCE * max(1.0, float(whole.abs().max()))
            for low in (0, side - self._step):
                part = slice(low, low + self._step)
                window = (low, low + self._step)
                if (self(noise, (window, window)) - whole[..., part, part]).abs().max() > most:
                    return False
        return True


class _Decoder(nn.Module):
    """A decoder and what follows it, given a picture for the features of every level."""

    def __init__(self, core: nn.Module) -> None:
        super().__init__()
        self.decoder, self.head = core.get_submodule("decoder"), core.get_submodule("segmentation_head")
        self._channels: list[int] = list(core.encoder.out_channels)  # type: ignore[union-attr, arg-type]

    def forward(self, picture: Tensor) -> Tensor:
        features = [
            F.max_pool2d(picture, 2**level).expand(-1, channels, -1, -1)
            for level, channels in enumerate(self._channels)
        ]
        out: Tensor = self.head(self.decoder(features))
        return out


def _reach(core: nn.Module) -> int | None:
    """How far around a voxel decoder and head look, in voxels; None where that is too far."""
    what = f"{core.encoder.out_channels} {core.decoder} {core.segmentation_head}"  # type: ignore[union-attr]
    if what not in _reaches:
        _reaches[what] = receptive_field(_Decoder(core), 1, _FAR)
    return _reaches[what]


def _core_of(module: nn.Module) -> nn.Module | None:
    """Encoder, decoder and head of a network that nothing but wrappers stands around."""
    inner = module
    while True:
        parts = dict(inner.named_children())
        if {"encoder", "decoder", "segmentation_head"} <= parts.keys():
            return inner if len(parts) == 3 else None
        if len(parts) != 1:
            return None
        (inner,) = parts.values()
