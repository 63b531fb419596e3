"""What learners of places have in common: network, maps, augmentation, optimisation, validation. Pure."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator

from voxloop.config.base import LABELS, Config, setting
from voxloop.config.optimisation import OptimisationSettings, encoder_rate_setting
from voxloop.errors import ConfigError

#: sides of windows and crops are within these
_LEAST_SIDE, _MOST_SIDE = 16, 4096


class PlaceNetworkSettings(Config):
    """The U-Net that draws the maps."""

    encoder: str = setting(
        "",
        "encoder of smp or timm instead of the plain U-Net, like resnet18 or tu-tf_efficientnet_lite0; of frames only",
        group="Network",
        choices=("", "tu-tf_efficientnet_lite0", "resnet18", "resnet50", "tu-mobilenetv4_conv_small"),
    )
    encoder_weights: str = setting(
        "",
        "what the encoder knows at the start: nothing, 'imagenet' (installed for tu-tf_efficientnet_lite0, downloaded "
        "for others), what that of an earlier run learnt, or a file of its weights: .safetensors, or a .pth or .pt of "
        "tensors alone",
        group="Network",
        choices=("", "imagenet"),
    )
    filters: int = setting(16, "channels at full resolution of the plain U-Net", group="Network", ge=2, le=512)
    filters_rate: float = setting(
        2.0, "times as many channels at each halving", group="Network", unit="times", ge=1, le=4, step=0.25
    )
    max_stride: int = setting(
        16,
        "pixels that one cell of the coarsest maps stands for, a power of 2; a larger one sees further around a place",
        group="Network",
        unit="pixels",
        ge=2,
        le=128,
    )
    output_stride: int = setting(
        2,
        "pixels that one cell of the maps of places stands for, a power of 2; 1 is finest and slowest",
        group="Network",
        unit="pixels",
        ge=1,
        le=64,
    )
    normalisation: Literal["batch", "none"] = setting(
        "batch", "normalisation after each convolution of the plain U-Net", group="Network", advanced=True
    )

    @field_validator("encoder", mode="before")
    @classmethod
    def _encoder(cls, value: Any) -> Any:
        name = value.strip() if isinstance(value, str) else value
        if not isinstance(name, str) or name.lower() != "auto":
            return name
        if cls.model_fields["encoder"].default != "auto":
            raise ConfigError(
                f"{name}: only points choose their encoder; leave it empty for the plain U-Net, or name one"
            )
        return "auto"

    @field_validator("max_stride", "output_stride")
    @classmethod
    def _power_of_two(cls, value: int) -> int:
        return power_of_two(value)


class PlaceAugmentationSettings(Config):
    """How frames are varied, and the places in them with them."""

    rotation: float | str = setting(
        15.0, "largest rotation either way; 180: any direction", group="Augmentation", unit="degrees"
    )
    magnify: tuple[float, float] = setting(
        (0.9, 1.1), "smallest and largest magnification", group="Augmentation", unit="times"
    )
    flip: Literal["none", "horizontal", "vertical", "both"] = setting(
        "none", "mirror half of the frames; symmetric nodes change places", group="Augmentation"
    )
    shift: float = setting(0.05, "largest shift, as a share of the side", group="Augmentation", ge=0, le=0.5, step=0.01)
    contrast: tuple[float, float] = setting(
        (0.8, 1.25), "smallest and largest factor of the contrast", group="Augmentation", unit="times"
    )
    brightness: float = setting(
        0.2, "largest change of brightness, in standard deviations", group="Augmentation", ge=0, le=5, step=0.05
    )
    glow: float = setting(
        0.0,
        "largest light that is added unevenly across a window, in standard deviations; 4 where what lies out of focus "
        "glows in some pictures, 0: none",
        group="Augmentation",
        ge=0,
        le=10,
        step=0.5,
    )
    noise: float = setting(
        0.05, "largest standard deviation of added noise, in standard deviations", group="Augmentation", ge=0, le=5
    )

    @field_validator("rotation", mode="before")
    @classmethod
    def _angle(cls, value: Any) -> Any:
        return auto_or_angle(value)

    @field_validator("magnify", "contrast")
    @classmethod
    def _ordered(cls, value: Any) -> Any:
        if not 0.1 <= value[0] <= value[1] <= 10:
            raise ConfigError(f"{value[0]:g} to {value[1]:g}; use two numbers within 0.1 to 10, the smaller one first")
        return value


class LoopSettings(OptimisationSettings):
    """Labels, optimisation, validation and saving of what is learned from pictures with marks."""

    level: str | None = setting(None, "label level to learn; the only one of its kind where there is one", group=LABELS)
    images: tuple[str, ...] | None = setting(
        None, "images whose labels are used; all where empty", group=LABELS, advanced=True
    )
    start_from: str | None = setting(
        None,
        "an earlier run, or a model folder, whose weights are the start; its network must be the same",
        group=LABELS,
        label="weights of a run or folder",
        advanced=True,
    )
    encoder_rate: float | None = encoder_rate_setting(
        "the same, also where it begins with weights of ImageNet, since a tenth found no more nuclei"
    )
    batch_size: int = setting(4, "pictures, windows or crops per step", group="Optimisation", ge=1, le=512)
    epochs: int = setting(100, "rounds; each ends with a validation", group="Optimisation", ge=1, le=100_000, live=True)
    steps_per_epoch: int = setting(50, "optimiser steps in an epoch", group="Optimisation", ge=1, le=100_000)

    validation_share: float = setting(
        0.1,
        "share of the labelled pictures held out, neighbours together; at least one where there are two",
        group="Validation",
        ge=0,
        le=0.5,
        step=0.05,
    )
    patience: int = setting(
        20, "epochs without improvement that end the run; 0: never", group="Validation", ge=0, le=100_000, live=True
    )
    min_delta: float = setting(
        0.0,
        "smallest change of the validation loss that counts as an improvement",
        group="Validation",
        ge=0,
        le=1,
        advanced=True,
    )

    checkpoint_minutes: float = setting(
        2.0, "time between checkpoints", group="Saving", unit="minutes", gt=0, le=10_000, advanced=True
    )
    samples: int = setting(2, "held-out pictures shown as they are learnt", group="Saving", ge=0, le=16, advanced=True)

    device: str = setting(
        "auto", "where to train: auto, cpu, cuda, cuda:1, mps", group="Compute", choices=("auto", "cpu", "cuda", "mps")
    )
    precision: Literal["auto", "float32", "bfloat16"] = setting(
        "auto",
        "number format of the forward pass; auto: float32 on a CPU, bfloat16 on a GPU that has it",
        group="Compute",
    )
    threads: int | None = setting(None, "CPU threads; empty: all cores", group="Compute", ge=1, le=1024, advanced=True)
    seed: int = setting(0, "seed of everything random", group="Compute", ge=0, lt=2**31, advanced=True)


class PlaceSettings(PlaceAugmentationSettings, PlaceNetworkSettings, LoopSettings):
    """What animals, points and boxes have in common; of several bases the fields of the last come first."""

    loss: Literal["focal", "mse"] = setting(
        "focal",
        "how far maps are from what they should be; focal: cells that are hard count most, which finds small peaks "
        "sooner; mse: squared difference, that of SLEAP",
        group="Maps",
    )


def power_of_two(value: int) -> int:
    """Validates a number of pixels that are halved again and again."""
    if value & (value - 1):
        raise ConfigError(f"{value} is no power of 2; use {1 << (value.bit_length() - 1)} or {1 << value.bit_length()}")
    return value


def auto_or_side(value: Any) -> Any:
    """Validates ``"auto"`` or a side in pixels."""
    if isinstance(value, str) and value != "auto":
        value = int(value) if value.isdigit() else value
    if value != "auto" and not (isinstance(value, int) and _LEAST_SIDE <= value <= _MOST_SIDE):
        raise ConfigError(f"{value}; use 'auto' or {_LEAST_SIDE} to {_MOST_SIDE} pixels")
    return value


def auto_or_angle(value: Any) -> Any:
    """Validates ``"auto"`` or degrees."""
    if isinstance(value, str) and value != "auto":
        try:
            value = float(value)
        except ValueError:
            raise ConfigError(f"{value!r}; use 'auto' or a number of degrees") from None
    if value != "auto" and not 0 <= value <= 180:
        raise ConfigError(f"{value}; use 'auto' or 0 to 180 degrees")
    return value


def auto_or_positive(value: Any) -> Any:
    """Validates ``"auto"`` or a number above 0."""
    if isinstance(value, str) and value != "auto":
        try:
            value = float(value)
        except ValueError:
            raise ConfigError(f"{value!r}; use 'auto' or a number of pixels") from None
    if value != "auto" and not 0 < value <= 1000:
        raise ConfigError(f"{value}; use 'auto' or a number of pixels above 0")
    return value
