"""Settings of the deep learner: network, windows, augmentation, optimisation. Pure."""

from __future__ import annotations

from voxloop.config.base import Config, setting


class DeepConfig(Config):
    """A network trained on windows around labelled voxels."""

    level: str | None = setting(None, "label level to learn; the only one where there is one")
    images: tuple[str, ...] | None = setting(None, "images whose labels are used; all where empty", advanced=True)
    seed: int = setting(0, "seed of everything random", ge=0, advanced=True)
