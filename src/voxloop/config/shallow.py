"""Settings of the shallow learner: filter features and a tree ensemble. Pure."""

from __future__ import annotations

from typing import Literal

from voxloop.config.base import Config, setting


class ShallowConfig(Config):
    """A pixel classifier that answers in seconds. Sigmas are physical; the spacing of the volume does the rest."""

    level: str | None = setting(None, "label level to learn; the only one where there is one")
    images: tuple[str, ...] | None = setting(None, "images whose labels are used; all where empty", advanced=True)
    dimensions: Literal["auto", "2d", "3d"] = setting("auto", "filters within planes or through the stack", group="Features")
    seed: int = setting(0, "seed of everything random", ge=0, advanced=True)
