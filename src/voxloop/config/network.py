"""Settings of a network: architecture, encoder, size. Pure."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import field_validator

from voxloop.config.base import Config, setting
from voxloop.config.parsing import parse_filters
from voxloop.errors import ConfigError

Architecture = Literal[
    "Unet",
    "UnetPlusPlus",
    "FPN",
    "PAN",
    "PSPNet",
    "Linknet",
    "MAnet",
    "DeepLabV3",
    "DeepLabV3Plus",
    "UPerNet",
    "Segformer",
    "DPT",
    "UNet3d",
    "DynUNet",
    "SegResNet",
    "SwinUNETR",
]

#: those of them that see blocks of voxels; the others see planes
VOLUMETRIC = ("UNet3d", "DynUNet", "SegResNet", "SwinUNETR")
PLANAR = tuple(name for name in get_args(Architecture) if name not in VOLUMETRIC)

#: suggestions for the form; any encoder that segmentation-models-pytorch or timm ("tu-...") knows is accepted
ENCODERS = (
    "tu-mobilenetv4_conv_small", "tu-tf_efficientnet_lite0", "tu-mobilenetv4_conv_medium", "mobilenet_v2",
    "resnet18", "resnet34", "resnet50",
    "resnext50_32x4d", "efficientnet-b0", "efficientnet-b3", "efficientnet-b4", "densenet121", "se_resnext50_32x4d",
    "tu-convnext_tiny", "tu-convnext_base", "tu-convnextv2_tiny", "tu-tf_efficientnetv2_s", "mit_b0", "mit_b2",
    "tu-vit_small_patch16_224", "vgg16_bn", "xception", "inceptionv4",
)  # fmt: skip

#: fewest and most levels of networks of planes
SHALLOWEST, DEEPEST = 3, 5

_FLAT = {"architecture": PLANAR}
_DEEP = {"architecture": VOLUMETRIC}


class NetworkSettings(Config):
    """What the network is."""

    architecture: Architecture = setting(
        "Unet",
        "shape of the network; UNet3d (the fastest), DynUNet, SegResNet and SwinUNETR see in 3-D, in kernels "
        "and levels that follow the voxel size; the others see planes",
        group="Network",
    )
    encoder: str = setting(
        "tu-mobilenetv4_conv_small",
        "the half of the network that looks; small ones train faster",
        group="Network",
        choices=ENCODERS,
        when=_FLAT,
    )
    encoder_weights: str | None = setting(
        None,
        "what the encoder knows at the start: nothing, 'imagenet' (installed for tu-tf_efficientnet_lite0, "
        "downloaded for others), what that of an earlier run learnt, whatever its classes, or a file of its weights: "
        ".safetensors, or a .pth or .pt of tensors alone",
        group="Network",
        choices=("imagenet",),
        when=_FLAT,
    )
    decoder_width: float = setting(
        0.25,
        "channels of the decoder, 1 as published; less is faster",
        group="Network",
        unit="times",
        ge=0.0625,
        le=4,
        advanced=True,
        when=_FLAT,
    )
    slices: int = setting(
        1,
        "neighbouring slices that a network of planes sees at once (2.5-D); odd",
        group="Network",
        ge=1,
        le=31,
        step=2,
        when=_FLAT,
    )
    axes: Literal["z", "y", "x", "zyx"] = setting(
        "z",
        "axis across which a network of planes is shown slices, in training and prediction; zyx: along all three "
        "in one training, for volumes whose voxels are about cubes; prediction then takes the mean over three votes",
        group="Network",
        when=_FLAT,
    )
    levels: int = setting(
        5,
        "resolutions at which the network looks, at most, each half the one before (max stride 2^levels): fewer see "
        "less far, and find small things sooner; 3 to 5 for planes (PSPNet has 3, DPT 4); in 3-D fewer where windows "
        "are small",
        group="Network",
        ge=1,
        le=8,
    )
    width: int = setting(
        16,
        "channels of a 3-D network at full resolution, doubled with each level; to the nearest multiple of 8 in "
        "SegResNet, of 12 in SwinUNETR",
        group="Network",
        unit="channels",
        ge=4,
        le=256,
        step=4,
        when=_DEEP,
    )
    filters: tuple[int, ...] | None = setting(
        None,
        "channels of each resolution of a 3-D network, the finest first, like 28,36,48,64,80; empty: width, doubled "
        "with each",
        group="Network",
        unit="channels",
        advanced=True,
        when={"architecture": ("UNet3d", "DynUNet")},
    )
    residual: bool = setting(
        True,
        "shortcuts around the convolutions of a 3-D network, with which deep ones learn faster",
        group="Network",
        advanced=True,
        when={"architecture": ("UNet3d", "DynUNet")},
    )
    normalisation: Literal["batch", "instance"] = setting(
        "batch",
        "what 3-D features are scaled by: batch, statistics of the training, so that tiles equal the whole; instance, "
        "those of each block, which suits images of varying contrast but ties the result to the block, and computes "
        "blocks of twice the network's stride at least (SwinUNETR: 64 a side)",
        group="Network",
        advanced=True,
        when=_DEEP,
    )

    @field_validator("filters", mode="before")
    @classmethod
    def _parse_filters(cls, value: Any) -> Any:
        return parse_filters(value)

    @field_validator("slices")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ConfigError(
                f"slices={value} must be odd, the slice itself in the middle; nearest are {value - 1} and {value + 1}"
            )
        return value

    @property
    def volumetric(self) -> bool:
        """Whether the network sees blocks of voxels instead of planes."""
        return self.architecture in VOLUMETRIC

    @property
    def neighbours(self) -> int:
        """Slices that go in together as channels; 1 in 3-D, where the block itself is deep."""
        return 1 if self.volumetric else self.slices

    @property
    def across(self) -> tuple[int, ...]:
        """The axes that windows are cut across."""
        return (0,) if self.volumetric else tuple("zyx".index(axis) for axis in self.axes)
