"""Settings of the learner of pictures: one class a frame, image, tile or object. Pure."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator, model_validator

from voxloop.config.base import LABELS, setting
from voxloop.config.places import LoopSettings, PlaceAugmentationSettings, auto_or_side
from voxloop.errors import ConfigError


class PictureConfig(PlaceAugmentationSettings, LoopSettings):
    """A network that tells which class a picture is of, learned from those that a person gave one.

    Examples
    --------
    >>> vl.PictureConfig(tiles="tiles").code()
    "vl.PictureConfig(tiles='tiles')"
    >>> vl.PictureConfig(objects="objects-1").objects
    ('objects-1',)
    """

    tiles: str | None = setting(
        None, "grid of tiles whose classes are learned, in the place of those of frames and images", group=LABELS
    )
    objects: tuple[str, ...] | None = setting(
        None,
        "objects whose classes are learned, by the names of the runs that made them, in the place of those of frames",
        group=LABELS,
        advanced=True,
    )
    training_set: str | None = setting(
        None,
        "a named set with the tiles to learn from, like training or training@2; all that have a class where empty",
        group=LABELS,
        label="training set",
    )
    network: str = setting(
        "tf_efficientnet_lite0",
        "classifier of timm, by name; any that takes pictures of one size works",
        group="Network",
        choices=("tf_efficientnet_lite0", "resnet18", "mobilenetv4_conv_small", "convnext_atto"),
    )
    encoder_weights: str = setting(
        "imagenet",
        "what it knows at the start: nothing, 'imagenet' (installed for tf_efficientnet_lite0, downloaded for others), "
        "what an earlier run learnt, or a file of weights: .safetensors, or a .pth or .pt of tensors alone",
        group="Network",
        label="weights",
        choices=("", "imagenet"),
    )
    size: int | str = setting(
        "auto",
        "side that pictures are scaled to, the longer one; auto: as they are, at most 224",
        group="Network",
        unit="pixels",
    )
    class_weights: Literal["balanced", "none"] = setting(
        "balanced", "every class counts the same, or every picture does", group="Loss"
    )
    label_smoothing: float = setting(
        0.05, "share of each answer that is left to the other classes", group="Loss", ge=0, lt=0.5, step=0.01
    )
    rotation: float = setting(
        180.0, "largest rotation either way; 180: any direction", group="Augmentation", unit="degrees", ge=0, le=180
    )
    flip: Literal["none", "horizontal", "vertical", "both"] = setting(
        "both", "mirror half of the pictures", group="Augmentation"
    )
    batch_size: int = setting(16, "pictures per step", group="Optimisation", ge=1, le=1024)
    steps_per_epoch: int = setting(20, "optimiser steps in an epoch", group="Optimisation", ge=1, le=100_000)
    epochs: int = setting(30, "rounds; each ends with a validation", group="Optimisation", ge=1, le=100_000, live=True)
    validation_set: str | None = setting(
        None,
        "a named set with the tiles to validate on and never train on, instead of a share of those that are learned",
        group="Validation",
        label="validation set",
    )
    validation_share: float = setting(
        0.2,
        "share of the labelled pictures held out, neighbours together, of every class",
        group="Validation",
        ge=0,
        le=0.5,
        step=0.05,
    )

    @field_validator("objects", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) and value else value or None

    @model_validator(mode="after")
    def _one_kind(self) -> PictureConfig:
        if self.objects and (self.tiles or self.training_set or self.validation_set):
            raise ConfigError("objects= learns classes of objects, tiles= and its sets those of tiles; say one of them")
        return self

    @field_validator("size", mode="before")
    @classmethod
    def _side(cls, value: Any) -> Any:
        return auto_or_side(value)
