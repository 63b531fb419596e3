"""Settings of training windows, and of what is learnt where nothing is labelled. Pure."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ValidationInfo, field_validator

from voxloop.config.base import Config, setting
from voxloop.config.network import VOLUMETRIC
from voxloop.config.parsing import parse_block, parse_scale, parse_window


class WindowSettings(Config):
    """What windows the network sees, and which pseudo-labels."""

    window: str | tuple[int, int, int] = setting(
        "auto",
        "size zyx of the windows as the network sees them: 'auto', or like 1,256,256 (y and x multiples of 32) "
        "for planes and 32,96,96 in 3-D",
        group="Windows",
        unit="voxels",
    )
    scale: str | float = setting(
        1.0,
        "in-plane size at which the network works: 0.5 sees twice as far at a quarter of the cost, in half the detail; "
        "'auto' halves planes of 384 voxels or more; stored in the model",
        group="Windows",
        unit="times",
        choices=("auto", "0.25", "0.5", "1"),
    )
    intensities: Literal["deviation", "percentiles", "range", "imagenet"] = setting(
        "deviation",
        "what intensities are scaled by, measured once and stored in the model: their mean and standard "
        "deviation; their 1st and 99th percentile (outliers do not count); lowest to highest as 0 to 1; or that as "
        "encoders with imagenet weights saw it",
        group="Windows",
        advanced=True,
    )
    exposure: Literal["auto", "each", "common"] = setting(
        "auto",
        "each: every picture is brought to one exposure first, by its own 1st and 99.8th percentile, in training and "
        "in prediction; common: all are scaled alike; auto: each, where the pictures differ in exposure",
        group="Windows",
    )
    clip_deviations: float = setting(
        0.0,
        "intensities further than so many standard deviations from the mean are cut off there; 0: none",
        group="Windows",
        unit="standard deviations",
        ge=0,
        le=100,
        advanced=True,
    )
    balance: bool = setting(True, "centre windows on every class equally often", group="Windows", advanced=True)
    match_spacing: bool = setting(
        True,
        "images whose voxels differ in size are shown at the voxel size of the first, so that windows hold the "
        "same micrometres",
        group="Windows",
        advanced=True,
    )
    prefer_labelled: int = setting(
        1,
        "of so many windows drawn, the one with most labels in its surroundings is taken",
        group="Windows",
        unit="windows",
        ge=1,
        le=64,
        advanced=True,
    )
    negatives: float = setting(
        0.0,
        "share of the windows that lie where background is labelled and nothing else, so that the network learns "
        "where there is nothing",
        group="Windows",
        ge=0,
        le=0.9,
        step=0.05,
        advanced=True,
    )
    hard_examples: float = setting(
        0.0,
        "share of the windows that are those of the epoch before which the network did worst on",
        group="Windows",
        ge=0,
        le=0.9,
        step=0.05,
        advanced=True,
    )

    teacher: str = setting(
        "auto",
        "what labels unlabelled voxels where it is sure (pseudo-labels); auto: a pixel classifier fitted to the "
        "strokes, if these are sparse; none; or an earlier run, or a model folder",
        group="Unlabelled voxels",
        choices=("auto", "none"),
    )
    teacher_weight: float = setting(
        1.0,
        "weight of pseudo-labels in the loss, where strokes have 1",
        group="Unlabelled voxels",
        ge=0,
        le=10,
        advanced=True,
    )
    teacher_confidence: float = setting(
        0.5,
        "probability from which a voxel gets a pseudo-label",
        group="Unlabelled voxels",
        ge=0.5,
        lt=1,
        advanced=True,
    )
    teacher_windows: int = setting(
        64, "windows that get pseudo-labels", group="Unlabelled voxels", ge=1, le=4096, log=True, advanced=True
    )

    @field_validator("scale", mode="before")
    @classmethod
    def _parse_scale(cls, value: Any) -> Any:
        return parse_scale(value)

    @field_validator("window", mode="before")
    @classmethod
    def _parse_window(cls, value: Any, info: ValidationInfo) -> Any:
        return parse_block(value) if info.data.get("architecture") in VOLUMETRIC else parse_window(value)
