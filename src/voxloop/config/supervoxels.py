"""Settings of supervoxels as a layer, and as what a stroke labels. Pure."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator, model_validator

from voxloop.config.base import Config, setting
from voxloop.errors import ConfigError


class SupervoxelConfig(Config):
    """How an image is cut into supervoxels."""

    size: float = setting(
        10.0,
        "width of a supervoxel, in voxels of the finest in-plane axis, alike in micrometres along the others",
        unit="voxels",
        ge=3,
        le=256,
        log=True,
    )
    size_um: float | None = setting(
        None, "the same width in micrometres; it counts instead of the one in voxels", unit="µm", gt=0, advanced=True
    )
    compactness: float = setting(
        20.0,
        "how round supervoxels are: a distance of one supervoxel counts as much as a step of so many percent of "
        "the image's range of intensities; less follows edges, more makes cubes",
        unit="%",
        ge=1,
        le=1000,
        log=True,
    )
    channel: int | str | None = setting(
        None, "what they follow the edges of: a channel of the image by number, one of the workspace by name"
    )
    dimensions: Literal["auto", "2d", "3d"] = setting(
        "auto", "within planes or through the stack; auto: through the stack, within planes for frames and pictures"
    )

    @field_validator("size_um", mode="after")
    @classmethod
    def _finite(cls, given: float | None) -> float | None:
        if given is not None and not given < float("inf"):
            raise ValueError("it is no length; give micrometres, such as 0.2")
        return given

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, given: object) -> object:
        channel = given.get("channel") if isinstance(given, dict) else None
        if isinstance(channel, bool) or (isinstance(channel, int) and channel < 0):
            raise ConfigError(f"channel={channel!r} is no channel: give a name, or a number from 0")
        return given

    @property
    def source(self) -> int | str:
        """The channel that is meant."""
        return 0 if self.channel is None else self.channel

    def noted(self) -> dict[str, object]:
        """What differs from the usual settings, as a journal or a line of Python notes it."""
        return self.model_dump(mode="json", exclude_defaults=True)
