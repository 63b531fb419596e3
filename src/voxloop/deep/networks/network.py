"""Networks by name: architecture, encoder, channels; those of blocks are in volumetric.py.

Knows nothing of images, labels or runs.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxloop.config.network import DEEPEST, VOLUMETRIC
from voxloop.deep.networks.downloads import soon
from voxloop.deep.networks.imagenet import OFFLINE_ENCODER, installed_weights
from voxloop.deep.networks.quick_start import Unfilled
from voxloop.deep.networks.weight_file import load_encoder
from voxloop.errors import ConfigError, ModelError, nearest
from voxloop.geometry import Shape

if TYPE_CHECKING:
    from voxloop.deep.networks.volumetric import Network3d

#: of planes, or of blocks
AnyNetwork: TypeAlias = "Network | Network3d"

#: what sets the width of the decoder, and its published values, by architecture
_DECODERS: dict[str, dict[str, int | tuple[int, ...]]] = {
    "Unet": {"decoder_channels": (256, 128, 64, 32, 16)},
    "UnetPlusPlus": {"decoder_channels": (256, 128, 64, 32, 16)},
    "MAnet": {"decoder_channels": (256, 128, 64, 32, 16)},
    "FPN": {"decoder_pyramid_channels": 256, "decoder_segmentation_channels": 128},
    "PSPNet": {"psp_out_channels": 512},
    "DeepLabV3": {"decoder_channels": 256},
    "DeepLabV3Plus": {"decoder_channels": 256},
    "PAN": {"decoder_channels": 32},
    "UPerNet": {"decoder_channels": 256},
    "Segformer": {"decoder_segmentation_channels": 256},
    "DPT": {"decoder_fusion_channels": 256},
    "Linknet": {},
}
#: levels of those that have fewer as published; vision transformers, which DPT takes, have no coarsest to leave out
_DEPTHS = {"PSPNet": 3, "DPT": 4}
#: in-plane size below which an architecture pools its deepest features away; 64 elsewhere
_SMALLEST = {"PAN": 128}
#: what planes are padded to multiples of, whatever the encoder, and at least
_STEP, _LEAST = 32, 64
#: what decoder channels are multiples of: FPN normalises them in 32 groups; 8 elsewhere
_GROUPS = {"FPN": 32}
#: an encoder that DPT takes
_TRANSFORMER = "tu-vit_small_patch16_224"
#: what the names of the last layer's tensors contain; "segmentation_head" elsewhere
_HEADS = {"UNet3d": "core.model.2.", "DynUNet": "output_block", "SegResNet": ".head.", "SwinUNETR": "core.out."}


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """What a network is, apart from its weights: enough to build it again."""

    architecture: str
    channels: int
    outputs: int
    encoder: str = ""
    decoder_width: float = 1.0
    depth: int = 5
    # of 3-D networks: channels of the finest level, kernel and stride zyx of each level, voxel size
    width: int = 0
    filters: tuple[int, ...] = ()  # channels of each level, where they do not double
    kernels: tuple[Shape, ...] = ()
    strides: tuple[Shape, ...] = ()
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    residual: bool = True
    normalisation: str = "batch"

    @property
    def volumetric(self) -> bool:
        return self.architecture in VOLUMETRIC

    @property
    def levels(self) -> int:
        """Resolutions at which a network of planes looks: as asked, and as its architecture has them."""
        most = _DEPTHS.get(self.architecture, DEEPEST)
        return most if self.architecture == "DPT" else min(self.depth, most)

    @property
    def title(self) -> str:
        """In a few words."""
        if not self.volumetric:
            fewer = self.levels < _DEPTHS.get(self.architecture, DEEPEST)
            return f"{self.architecture} / {self.encoder}" + (f", {self.levels} levels" if fewer else "")
        wide = f"filters {'-'.join(map(str, self.filters))}" if self.filters else f"width {self.width}"
        if self.architecture == "SwinUNETR":  # its levels are its own
            return f"{self.architecture}, {wide}"
        return f"{self.architecture}, {wide}, {len(self.strides)} levels"

    @property
    def steps(self) -> Shape:
        """What the sides zyx of what it computes are multiples of, in voxels."""
        if not self.volumetric:
            return 1, _STEP, _STEP
        from voxloop.deep.networks import volumetric

        return volumetric.steps(self)

    @property
    def smallest(self) -> Shape:
        """The least that it computes, zyx in voxels."""
        if not self.volumetric:
            side = _SMALLEST.get(self.architecture, _LEAST)
            return 1, side, side
        if self.normalisation == "batch":
            return self.steps
        # instance normalisation needs more than one value a channel at the coarsest level
        z, y, x = (2 * step if step > 1 else step for step in self.steps)
        return z, y, x

    def padded(self, size: Sequence[int]) -> Shape:
        """What it computes for a window zyx: one that is no multiple of its steps is padded, and cut again."""
        z, y, x = (max(n + -n % step, least) for n, step, least in zip(size, self.steps, self.smallest, strict=True))
        return z, y, x

    @property
    def head(self) -> str:
        """What the names of the last layer's tensors contain."""
        return _HEADS.get(self.architecture, "segmentation_head")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> NetworkConfig:
        """Raises ModelError where fields are missing or unknown."""
        try:
            values = dict(data)
            for name in {"kernels", "strides"} & set(data):
                values[name] = tuple(tuple(part) for part in data[name])
            for name in {"spacing", "filters"} & set(data):
                values[name] = tuple(data[name])
            return cls(**values)
        except TypeError as error:
            raise ModelError(f"the network of this model is not described completely: {error}") from error


class Network(nn.Module):
    """Any in-plane size in, the same size out: pads to the stride of ``core`` by reflection and cuts it off again.

    Input (n, channels, y, x) normalised, output (n, outputs, y, x) logits. ``origin`` says what its encoder was given,
    where that was a file.
    """

    origin = ""

    def __init__(self, core: nn.Module, stride: int, smallest: int) -> None:
        super().__init__()
        self.core = core
        self.stride = stride
        self.smallest = smallest

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        bottom, right = (max(size + -size % self.stride, self.smallest) - size for size in (height, width))
        if bottom or right:
            x = _pad(x, bottom, right)
        out: Tensor = self.core(x)
        return out[..., :height, :width]


class _BatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation that uses its running statistics where a channel has a single value.

    Pooling to 1x1 leaves one value per channel at batch size 1, whose variance is not defined; torch raises there.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.numel() == x.shape[1]:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
        return super().forward(x)


def build(config: NetworkConfig, encoder_weights: str | None = None) -> AnyNetwork:
    """A network with random weights, or with an encoder that has seen other images.

    Planes go in and out as (n, channels, y, x), blocks of a 3-D network as (n, channels, z, y, x).

    Parameters
    ----------
    encoder_weights
        None, ``"imagenet"`` (installed for EfficientNet-Lite0, downloaded for others), or the path of a
        file with the encoder's tensors: ``.safetensors``, or one of torch (``.pth``) that holds nothing else.

    Raises
    ------
    ConfigError
        The encoder is not known, does not fit the architecture, or its weights cannot be had.
    """
    if config.volumetric:
        from voxloop.deep.networks import volumetric  # imports MONAI

        return volumetric.build(config)
    if encoder_weights == "imagenet":
        installed = installed_weights(config.encoder)
        encoder_weights = encoder_weights if installed is None else str(installed)
    online = encoder_weights if encoder_weights == "imagenet" else None
    try:
        with soon() if online else nullcontext(), Unfilled():
            core = smp.create_model(**{**smp_arguments(config), "encoder_weights": online})
    except Exception as error:  # smp, timm and the hub raise whatever comes to hand
        raise _explain(config, encoder_weights, error) from error
    if config.architecture == "FPN" and 0 in core.encoder.out_channels[-4:]:
        raise ConfigError(
            f"levels={config.depth}: FPN builds on four resolutions, and {config.encoder!r} has none at half size; use "
            f"levels={DEEPEST}, or architecture='Unet'"
        )
    for module in core.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = _BatchNorm2d
    network = Network(core, max(int(core.encoder.output_stride), config.steps[-1]), config.smallest[-1])
    if encoder_weights and encoder_weights != "imagenet":
        network.origin = load_encoder(core.encoder, Path(encoder_weights), config.encoder)
    return network


def build_encoder(name: str, channels: int, depth: int, weights: str | None) -> nn.Module:
    """An encoder alone, for networks with a decoder of their own: features (n, c, y, x) at strides 1, 2, 4, ...

    Parameters
    ----------
    weights
        As for :func:`build`. Raises ConfigError as that does.
    """
    described = NetworkConfig(architecture="Unet", channels=channels, outputs=1, encoder=name, depth=depth)
    local = str(installed_weights(name) or "") if weights == "imagenet" else weights
    online = "imagenet" if weights == "imagenet" and not local else None
    try:
        with soon() if online else nullcontext():
            encoder: nn.Module = smp.encoders.get_encoder(name, in_channels=channels, depth=depth, weights=online)
    except Exception as error:  # smp, timm and the hub raise whatever comes to hand
        raise _explain(described, weights, error) from error
    if local:
        told = load_encoder(encoder, Path(local), name)
        encoder.origin = "" if weights == "imagenet" else told  # type: ignore[assignment]
    return encoder


def _scale(value: int | tuple[int, ...], width: float, group: int) -> Any:
    if isinstance(value, tuple):
        return [_scale(part, width, group) for part in value]
    return max(group, round(value * width / group) * group)


def _pad(x: Tensor, bottom: int, right: int) -> Tensor:
    """Reflect where there is enough to reflect, repeat the edge where there is not."""
    mode = "reflect" if bottom < x.shape[-2] and right < x.shape[-1] else "replicate"
    return F.pad(x, (0, right, 0, bottom), mode=mode)


def _explain(config: NetworkConfig, weights: str | None, error: Exception) -> ConfigError:
    names = smp.encoders.get_encoder_names()
    name, text = config.encoder, " ".join(str(error).split())[:300]
    if name not in names and not name.startswith("tu-"):
        close = nearest(name, names)
        hint = f"; did you mean {close!r}?" if close else ""
        return ConfigError(f"unknown encoder {name!r}: use one of smp's names, or 'tu-' and a timm name{hint}")
    if weights == "imagenet" and not isinstance(error, TypeError | ValueError):
        return ConfigError(
            f"the imagenet weights of {name!r} could not be downloaded ({text}); use encoder={OFFLINE_ENCODER!r}, "
            f"whose weights are installed, leave encoder_weights empty, or name a local .safetensors or .pth file"
        )
    if config.architecture == "DPT":
        return ConfigError(f"encoder {name!r} does not fit DPT, which takes vision transformers; use {_TRANSFORMER!r}")
    return ConfigError(f"encoder {name!r} does not fit {config.architecture}: {text}")


def count_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def field_of(network: AnyNetwork, config: NetworkConfig) -> Shape | None:
    """How far an input voxel reaches zyx, in voxels of the network, neighbouring slices aside; None if unbounded."""
    if config.volumetric:
        from voxloop.deep.networks import volumetric

        return volumetric.receptive_field(config)
    reach = receptive_field(network, config.channels)
    return None if reach is None else (0, reach, reach)


def receptive_field(network: nn.Module, channels: int, limit: int = 1024) -> int | None:
    """Largest in-plane distance, in voxels, over which an input voxel reaches an output voxel; None if unbounded.

    A copy of the network in which every weight is positive, every bias zero and every normalisation the identity is
    given a single bright column in a strip of zeros: what is not zero afterwards is its field. Attention, global
    pooling and normalisation over the plane reach everywhere, hence None; a gate that pools (squeeze and excitation)
    leaves zeros zero, so pooling is told by a module that is given a plane of one voxel.
    """
    if any(isinstance(module, nn.GroupNorm | nn.modules.instancenorm._InstanceNorm) for module in network.modules()):
        return None
    probe = copy.deepcopy(network).cpu().double().eval()
    pooled: list[bool] = []
    for module in probe.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
        if not any(module.children()):
            module.register_forward_pre_hook(lambda module, inputs: pooled.append(_pools(module, inputs)))
        if isinstance(module, nn.LayerNorm):  # would subtract what all channels share here
            module.register_forward_hook(lambda _module, inputs, _output: inputs[0])
    with torch.inference_mode():
        for name, parameter in probe.named_parameters():
            if parameter.ndim > 1:
                parameter.fill_(1.0 / parameter[0].numel())
            else:
                parameter.fill_(float(name.endswith("weight")))
        reach = 0
        for column in (limit, limit + 31):
            strip = torch.zeros(1, channels, 64, 2 * limit + 64, dtype=torch.float64)
            strip[..., column] = 1e3
            lit = probe(strip).abs().sum(dim=(0, 1, 2)).nonzero()
            if not len(lit) or any(pooled):
                return None
            reach = max(reach, column - int(lit.min()), int(lit.max()) - column)
    return reach if reach < limit - 32 else None


def _pools(module: nn.Module, inputs: tuple[Any, ...]) -> bool:
    """A layer that is given what a whole plane was reduced to."""
    features = inputs[0] if inputs and isinstance(inputs[0], Tensor) else None
    if features is None:
        return False
    return features.ndim == 2 or isinstance(module, nn.Conv1d) or (features.ndim == 4 and features.shape[-2:] == (1, 1))


def smp_arguments(config: NetworkConfig) -> dict[str, Any]:
    """What ``segmentation_models_pytorch.create_model`` builds the core of a 2-D network with, weights aside; JSON."""
    group, depth = _GROUPS.get(config.architecture, 8), config.levels
    options: dict[str, Any] = {"encoder_depth": depth}
    for name, published in _DECODERS[config.architecture].items():
        # of a decoder of fewer levels those of the finest are left
        value = published if isinstance(published, int) else published[-depth:]
        options[name] = _scale(value, config.decoder_width, group)
    if config.architecture == "DPT":
        options["dynamic_img_size"] = True
    return {
        "arch": config.architecture,
        "encoder_name": config.encoder,
        "encoder_weights": None,
        "in_channels": config.channels,
        "classes": config.outputs,
        **options,
    }
