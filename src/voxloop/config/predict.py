"""Settings of a whole-volume prediction. Pure."""

from __future__ import annotations

from typing import Literal

from voxloop.config.base import Config, setting


class PredictConfig(Config):
    """How a volume is predicted: how exactly, within how much memory, and what is kept."""

    mode: Literal["exact", "fast"] = setting(
        "exact",
        "exact: tiles see all that the model can see, so tiled equals whole; "
        "fast: they see as much as measurably matters on this image",
    )
    probabilities: bool = setting(True, "keep uint8 class probabilities beside the labels")
    uncertainty: bool = setting(True, "keep the uncertainty beside the labels")
    constrain: str = setting(
        "auto", "say something only inside a class of another level, like cells/nucleus; auto: as the model was "
        "trained; none: everywhere", choices=("auto", "none"), label="only inside",
    )  # fmt: skip
    overwrite: bool = setting(False, "replace a prediction of the same name")
    device: str = setting("auto", "where the model runs", choices=["auto", "cpu", "cuda", "mps"], group="Machine")
    memory_gb: Literal["auto"] | float = setting(
        "auto", "memory that the prediction may use; auto: half of what is free", unit="GB", group="Machine"
    )
    threads: int | None = setting(
        None, "processor threads of the model; all that there are where empty", ge=1, group="Machine"
    )
    precision: Literal["float32", "bfloat16", "float16"] = setting(
        "float32", "number format of the model; the short ones are faster on GPUs", group="Machine", advanced=True
    )
    measure: Literal["margin", "entropy"] = setting(
        "margin",
        "uncertainty as one minus the lead of the best class over the second, or as entropy over its maximum",
        group="Output",
        advanced=True,
    )
    scales: bool = setting(
        True, "write coarser resolutions at the end, for viewers of large volumes", group="Output", advanced=True
    )
    tolerance: float = setting(
        0.01,
        "fast mode: 99.9 % of the probabilities differ less than this from exact ones",
        gt=0.0, le=0.2, group="Tiles", advanced=True,
    )  # fmt: skip
    focus: tuple[int, int, int] | None = setting(
        None,
        "voxel (z, y, x) to begin at, working outwards; the middle where empty",
        group="Tiles", advanced=True, live=True,
    )  # fmt: skip
    tile_seconds: float = setting(
        2.0,
        "a tile is what is written, and repeated after a crash, at once",
        gt=0.0, unit="s", group="Tiles", advanced=True,
    )  # fmt: skip
