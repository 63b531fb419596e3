"""Settings of the step from class probabilities to objects. Pure."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from voxloop.config.base import Config, setting
from voxloop.errors import ConfigError


class ObjectsConfig(Config):
    """How objects are made: which voxels, what is filled, where touching ones are cut, what is too small.

    Lengths are micrometres, sizes cubic micrometres; of a single picture, and of frames, square micrometres.

    Examples
    --------
    >>> config = vl.ObjectsConfig(min_size=0.0001, connectivity="faces")
    >>> ws.objects("predict-1", config, of="cell").result.count
    4
    """

    threshold: float = setting(
        0.5, "probability from which a voxel belongs to an object", group="Voxels", gt=0, lt=1, step=0.01
    )
    smoothing: float = setting(
        0.0,
        "width (sigma) of the Gaussian that smooths the probability, and the predicted depth of objects; 0: none",
        group="Voxels",
        unit="µm",
        ge=0,
    )
    fill_holes: float = setting(
        0.0, "holes up to this size are filled; 0: none", group="Voxels", unit="µm³ (µm² of a picture)", ge=0
    )
    connectivity: Literal["faces", "edges", "corners"] = setting(
        "faces", "voxels that share a face, an edge or a corner belong together", group="Objects", advanced=True
    )
    min_size: str | float = setting(
        "auto",
        "smaller objects are left out; 'auto': of networks that learnt objects, what has less than 7 % of the "
        "voxels of a usual object (the median, each counted by the root of its size); of a class nothing",
        group="Objects",
        unit="µm³ (µm² of a picture)",
        choices=("auto",),
    )
    split: bool = setting(True, "cut clumps of touching objects by a watershed", group="Touching objects")
    seed_depth: float = setting(
        0.0,
        "an object begins where its surface is further away than this, and clumps are cut between such places; "
        "larger cuts less; 0: never cut a semantic class",
        group="Touching objects",
        unit="µm",
        ge=0,
    )
    seed_threshold: float = setting(
        0.5,
        "for networks that learnt objects: an object begins where the predicted depth, 0 at its border and 1 in its "
        "middle, is above this; larger cuts more",
        group="Touching objects",
        ge=0,
        lt=1,
        step=0.01,
    )
    reach: str | float = setting(
        "auto",
        "how far the watershed of a block looks past its border: the length of the longest clump makes it equal to "
        "the watershed of the whole volume; 'auto': 32 of the smallest voxel edges",
        group="Touching objects",
        unit="µm",
        choices=("auto",),
        advanced=True,
    )

    @field_validator("reach", mode="before")
    @classmethod
    def _parse_reach(cls, value: object) -> str | float:
        return _auto_or_number("reach", value, "micrometres such as 5")

    @field_validator("min_size", mode="before")
    @classmethod
    def _parse_min_size(cls, value: object) -> str | float:
        return _auto_or_number("min_size", value, "(cubic) micrometres such as 0.5, 0 for none")


def _auto_or_number(name: str, value: object, example: str) -> str | float:
    if isinstance(value, str) and value.strip().lower() == "auto":
        return "auto"
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ConfigError(f"{value!r} is no {name}; write 'auto', or {example}") from None
    if not 0 <= number < float("inf"):
        raise ConfigError(f"{name}={number:g} must be 0 or more; nearest is 0")
    return number
