"""Settings of a whole-volume prediction. Pure."""

from __future__ import annotations

from voxloop.config.base import Config, setting


class PredictConfig(Config):
    """How a volume is predicted: what of it, how exactly, within how much memory."""

    probabilities: bool = setting(True, "keep uint8 class probabilities beside the labels")
    uncertainty: bool = setting(True, "keep the uncertainty beside the labels")
