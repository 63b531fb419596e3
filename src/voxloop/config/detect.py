"""Settings of the learner of points and boxes: things to find and to count. Pure."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator, model_validator

from voxloop.config.base import setting
from voxloop.config.places import PlaceSettings, auto_or_positive, auto_or_side
from voxloop.errors import ConfigError


class DetectConfig(PlaceSettings):
    """A network that finds points or boxes of each class, in frames or in a volume, and counts them.

    A frame, or a volume, counts as labelled where it holds something that a person placed; everything in it is then
    taken to be labelled. Where only a part of a volume is labelled, make that part a region and the active one.

    Examples
    --------
    >>> vl.DetectConfig(epochs=10).changed(batch_size=2).code()
    'vl.DetectConfig(batch_size=2, epochs=10)'
    """

    encoder: str = setting(
        "auto",
        "encoder of smp or timm instead of the plain U-Net (empty), of frames only; auto: for points in frames "
        "tu-tf_efficientnet_lite0 with its installed weights of ImageNet, which finds more of them in as much time",
        group="Network",
        choices=("auto", "", "tu-tf_efficientnet_lite0", "resnet18", "resnet50", "tu-mobilenetv4_conv_small"),
    )
    filters: int = setting(
        8,
        "channels at full resolution of the plain U-Net; with 8 a step takes a third as long as with 16, and things to "
        "count are told by little",
        group="Network",
        ge=2,
        le=512,
    )
    window: int | str = setting(
        "auto",
        "side of the windows that are learnt from; auto: 192 in frames, 32 in volumes, never more than the image",
        group="Maps",
        unit="pixels",
    )
    input_scale: float = setting(
        1.0,
        "size at which things are looked for; kept in the model",
        group="Maps",
        unit="times",
        ge=0.1,
        le=4,
        step=0.05,
    )
    sigma: float | str = setting(
        "auto",
        "width of the peaks that are taught, at the size that is looked at; auto: a quarter of the distance of "
        "neighbours that lie close together, 1.5 to 4",
        group="Maps",
        unit="pixels",
    )
    class_weight: float = setting(
        1.0,
        "how much it counts which of several classes a place is of (loss focal), unless labelled "
        "places of two classes coincide; 0: each class is looked for by itself",
        group="Maps",
        ge=0,
        le=100,
        advanced=True,
    )
    peak_threshold: float | str = setting(
        "auto",
        "peaks below this are nothing; auto: where most of what is held out is found with fewest made up",
        group="Prediction",
    )
    tolerance: float | str = setting(
        "auto",
        "a point counts as found within this distance; auto: twice sigma",
        group="Validation",
        unit="pixels",
    )

    batch_size: int = setting(4, "windows per step", group="Optimisation", ge=1, le=512)
    rotation: float = setting(
        180.0, "largest rotation either way; 180: any direction", group="Augmentation", unit="degrees", ge=0, le=180
    )

    flip: Literal["none", "horizontal", "vertical", "both"] = setting(
        "both", "mirror half of the windows", group="Augmentation"
    )

    @field_validator("window", mode="before")
    @classmethod
    def _window(cls, value: Any) -> Any:
        return auto_or_side(value)

    @field_validator("sigma", "tolerance", mode="before")
    @classmethod
    def _positive(cls, value: Any) -> Any:
        return auto_or_positive(value)

    @field_validator("peak_threshold", mode="before")
    @classmethod
    def _threshold(cls, value: Any) -> Any:
        value = auto_or_positive(value)
        if value != "auto" and value >= 1:
            raise ConfigError(f"{value}; use 'auto' or a number between 0 and 1")
        return value

    @model_validator(mode="after")
    def _strides(self) -> DetectConfig:
        if self.output_stride > self.max_stride:
            raise ConfigError(
                f"output_stride {self.output_stride} is coarser than max_stride {self.max_stride}; use at most that"
            )
        return self
