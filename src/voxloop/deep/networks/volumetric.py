"""3-D networks of MONAI by name. Imported only where one is used, since MONAI takes seconds to import.

Knows nothing of images, labels or runs.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxloop.errors import ConfigError, ModelError
from voxloop.extras import install_line
from voxloop.geometry import Shape

if TYPE_CHECKING:
    from voxloop.deep.networks.network import NetworkConfig

#: channels of the coarsest levels grow no further
_WIDEST = 320
#: resolutions of SwinUNETR, and what its width is a multiple of
_SWIN_STRIDE, _SWIN_WIDTH = 32, 12
#: what receptive fields are measured up to, voxels to one side
_LIMIT = 320


class Network3d(nn.Module):
    """Any size in, the same size out: pads to the stride of ``core`` by reflection and cuts it off again.

    Input (n, channels, z, y, x) normalised, output (n, outputs, z, y, x) logits.
    """

    origin = ""  # no weights of others are known for these

    def __init__(self, core: nn.Module, stride: Shape, smallest: Shape, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.core = core
        self.stride = stride
        self.smallest = smallest

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-3:]
        more = [max(n + -n % step, least) - n for n, step, least in zip(size, self.stride, self.smallest, strict=True)]
        if any(more):
            x = _pad(x, more)
        out: Tensor = self.core(x)
        return out[..., : size[0], : size[1], : size[2]]


class _BatchNorm3d(nn.BatchNorm3d):
    """Batch normalisation that uses its running statistics where a channel has a single value, as in 2-D."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.numel() == x.shape[1]:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
        return super().forward(x)


def build(config: NetworkConfig) -> Network3d:
    """A network with random weights. Raises ConfigError where its settings do not fit each other."""
    kernels, strides = config.kernels, config.strides
    if config.architecture != "SwinUNETR" and not kernels:
        raise ConfigError(f"{config.architecture} needs planned levels")
    core: nn.Module
    match config.architecture:
        case "UNet3d":
            core, stride = _plain(config), _total(strides)
        case "DynUNet":
            core, stride = _dynunet(config), _total(strides)
        case "SegResNet":
            core, stride = _segresnet(config)
        case "SwinUNETR":
            core, stride = _swin(config), (_SWIN_STRIDE,) * 3
        case name:
            raise ConfigError(f"{name!r} is no 3-D network")
    for module in core.modules():
        if type(module) is nn.BatchNorm3d:
            module.__class__ = _BatchNorm3d
    # instance normalisation needs more than one value a channel at the coarsest level
    smallest = stride if config.normalisation == "batch" else tuple(2 * n if n > 1 else n for n in stride)
    return Network3d(core, stride, smallest, config.channels)  # type: ignore[arg-type]


def monai_arguments(config: NetworkConfig) -> tuple[str, dict[str, Any]]:
    """The class of ``monai.networks.nets`` that the core of a network is, and what it is built with; JSON."""
    channels: dict[str, Any] = {"in_channels": config.channels, "out_channels": config.outputs}
    match config.architecture:
        case "UNet3d":  # the lightest: it halves with its first convolution, and its kernels reach across every axis
            strides = _lists(config.strides[1:] or ((1, 1, 1),))
            return "UNet", channels | {
                "spatial_dims": 3,
                "channels": _widths(config, len(strides) + 1),
                "strides": strides,
                "num_res_units": 2 if config.residual else 0,
                "norm": _norm(config),
            }
        case "DynUNet":
            more = max(0, 3 - len(config.kernels))  # it wants at least so many
            kernels = _lists([*config.kernels, *[config.kernels[-1]] * more])
            strides = _lists([*config.strides, *[(1, 1, 1)] * more])
            return "DynUNet", channels | {
                "spatial_dims": 3,
                "kernel_size": kernels,
                "strides": strides,
                "upsample_kernel_size": strides[1:],
                "filters": _widths(config, len(strides)),
                "norm_name": _norm(config),
                "res_block": config.residual,
            }
        case "SegResNet":  # plans levels by the spacing, from the same ratios: coarse axes wait for the fine ones
            return "SegResNetDS", channels | {
                "spatial_dims": 3,
                "init_filters": max(8, config.width // 8 * 8),
                "norm": _norm(config),
                "blocks_down": list((1, 2, 2, 4, 4, 4, 4, 4)[: len(config.strides)]),
                "resolution": list(config.spacing),
            }
        case "SwinUNETR":
            return "SwinUNETR", channels | {"feature_size": config.width, "norm_name": _norm(config)[0]}
        case name:
            raise ConfigError(f"{name!r} is no 3-D network")


def monai_tensors(core: nn.Module, config: NetworkConfig) -> dict[str, Tensor]:
    """The tensors of a core by the names that MONAI's own class has for them, those that it holds twice included."""
    plain = _plain(config)
    missing = set(plain.state_dict()) - set(core.state_dict())
    if config.architecture != "DynUNet" and missing:
        raise ModelError(f"tensors are missing: {', '.join(sorted(missing)[:3])}")
    plain.load_state_dict(core.state_dict(), strict=False)
    return plain.state_dict()


def _plain(config: NetworkConfig) -> nn.Module:
    name, arguments = monai_arguments(config)
    module = {"UNet": "unet", "DynUNet": "dynunet", "SegResNetDS": "segresnet_ds", "SwinUNETR": "swin_unetr"}[name]
    # by its own module: monai.networks.nets imports all networks there are
    core: nn.Module = getattr(importlib.import_module(f"monai.networks.nets.{module}"), name)(**arguments)
    return core


def _dynunet(config: NetworkConfig) -> nn.Module:
    core = _plain(config)
    for name in ("input_block", "downsamples", "bottleneck", "upsamples"):  # all of them are in its skip layers too
        delattr(core, name)
    return core


def _segresnet(config: NetworkConfig) -> tuple[nn.Module, Shape]:
    core = _plain(config)
    z, y, x = (int(n) for n in core.shape_factor())  # type: ignore[operator]
    return core, (z, y, x)


def _swin(config: NetworkConfig) -> nn.Module:
    if importlib.util.find_spec("einops") is None:
        raise ConfigError(f"SwinUNETR needs the package einops, which is not installed: {install_line('einops')}")
    if config.width % _SWIN_WIDTH:
        near = max(1, round(config.width / _SWIN_WIDTH)) * _SWIN_WIDTH
        raise ConfigError(f"width={config.width}: SwinUNETR takes multiples of {_SWIN_WIDTH}; nearest is {near}")
    return _plain(config)


def _lists(shapes: Sequence[Sequence[int]]) -> list[list[int]]:
    return [list(shape) for shape in shapes]


def _norm(config: NetworkConfig) -> list[Any]:
    return [config.normalisation, {"affine": True}]


def _widths(config: NetworkConfig, levels: int) -> list[int]:
    if config.filters:
        return [config.filters[min(level, len(config.filters) - 1)] for level in range(levels)]
    return [min(config.width * 2**level, max(config.width, _WIDEST)) for level in range(levels)]


def _total(strides: tuple[Shape, ...]) -> Shape:
    z, y, x = (prod(axis) for axis in zip(*strides, strict=True))
    return z, y, x


def _pad(x: Tensor, more: list[int]) -> Tensor:
    """Reflect where there is enough to reflect, repeat the edge where there is not."""
    mode = "reflect" if all(by < n for by, n in zip(more, x.shape[-3:], strict=True)) else "replicate"
    return F.pad(x, (0, more[2], 0, more[1], 0, more[0]), mode=mode)


def receptive_field(config: NetworkConfig) -> Shape | None:
    """Largest distance zyx, in voxels, over which an input voxel reaches an output voxel; None if unbounded.

    Measured as in 2-D, on a narrow twin of the network with positive weights: one bright voxel in a strip of zeros
    along each axis. What normalises over a block, or attends, reaches everywhere.
    """
    if config.normalisation != "batch" or config.architecture == "SwinUNETR":
        return None
    with torch.random.fork_rng(devices=[]):  # a run that goes on must draw what it would have drawn
        width = 8 if config.architecture == "SegResNet" else 4
        twin = build(replace(config, channels=1, outputs=1, width=width, filters=()))
    probe = twin.double().eval()
    with torch.inference_mode():
        for module in probe.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.reset_running_stats()
        for name, parameter in probe.named_parameters():
            if parameter.ndim > 1:
                parameter.fill_(1.0 / parameter[0].numel())
            else:
                parameter.fill_(float(name.endswith("weight")))
        reach = [_reach(probe, axis) for axis in range(3)]
    if any(part is None for part in reach):
        return None
    return reach[0], reach[1], reach[2]  # type: ignore[return-value]


def _reach(probe: Network3d, axis: int) -> int | None:
    step = probe.stride[axis]
    far = 0
    for at in {_LIMIT, _LIMIT + step // 2, _LIMIT + step - 1}:
        size = list(probe.smallest)
        size[axis] = -(-(2 * _LIMIT + step) // step) * step
        strip = torch.zeros(1, 1, *size, dtype=torch.float64)
        strip.select(2 + axis, at).fill_(1e3)
        lit = probe(strip).abs().sum(dim=[i for i in range(5) if i != 2 + axis]).nonzero()
        if not len(lit):
            return None
        far = max(far, at - int(lit.min()), int(lit.max()) - at)
    return far if far < _LIMIT - step else None
