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
#: voxels along each axis that one of the coarsest level of SwinUNETR stands for: planned levels are not its own
_SWIN_STEP = 32
#: what the width of 3-D networks is a multiple of; any where none stands here
_WIDTHS = {"SwinUNETR": 12, "SegResNet": 8}
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
    if config.architecture != "SwinUNETR" and not config.kernels:
        raise ConfigError(f"{config.architecture} needs planned levels")
    core: nn.Module
    match config.architecture:
        case "DynUNet":
            core = _dynunet(config)
        case "SwinUNETR":
            core = _swin(config)
        case _:
            core = _plain(config)
    for module in core.modules():
        if type(module) is nn.BatchNorm3d:
            module.__class__ = _BatchNorm3d
    return Network3d(core, config.steps, config.smallest, config.channels)


def steps(config: NetworkConfig) -> Shape:
    """What the sides zyx of what a network computes are multiples of, in voxels."""
    match config.architecture:
        case "SwinUNETR":
            return (_SWIN_STEP,) * 3
        case "SegResNet":  # it halves along axes by the spacing alone, however few voxels there are
            from monai.networks.nets.segresnet_ds import scales_for_resolution

            scales = scales_for_resolution(list(config.spacing), n_stages=len(config.strides))
            return _total([_shape(scale) for scale in scales[: len(config.strides) - 1]])
        case _:
            return _total(config.strides)


def legal_width(architecture: str, width: int) -> int:
    """The width nearest to one asked for that a 3-D network can have."""
    multiple = _WIDTHS.get(architecture, 1)
    return max(1, round(width / multiple)) * multiple


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


def _swin(config: NetworkConfig) -> nn.Module:
    if importlib.util.find_spec("einops") is None:
        raise ConfigError(f"SwinUNETR needs the package einops, which is not installed: {install_line('einops')}")
    if config.width != (near := legal_width(config.architecture, config.width)):
        raise ConfigError(f"width={config.width} does not fit SwinUNETR; nearest is {near}")
    return _plain(config)


def _lists(shapes: Sequence[Sequence[int]]) -> list[list[int]]:
    return [list(shape) for shape in shapes]


def _norm(config: NetworkConfig) -> list[Any]:
    return [config.normalisation, {"affine": True}]


def _widths(config: NetworkConfig, levels: int) -> list[int]:
    if config.filters:
        return [config.filters[min(level, len(config.filters) - 1)] for level in range(levels)]
    return [min(config.width * 2**level, max(config.width, _WIDEST)) for level in range(levels)]


def _total(strides: Sequence[Shape]) -> Shape:
    z, y, x = (prod(stride[axis] for stride in strides) for axis in range(3))
    return z, y, x


def _shape(values: Sequence[int]) -> Shape:
    z, y, x = (int(value) for value in values)
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
