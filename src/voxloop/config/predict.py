"""Settings of a whole-volume prediction. Pure."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator

from voxloop.config.base import Config, setting
from voxloop.errors import ConfigError


class PredictConfig(Config):
    """How a volume is predicted: how exactly, within how much memory, and what is kept.

    Examples
    --------
    >>> config = vl.PredictConfig(uncertainty=False)
    >>> ws.predict("shallow-1", config=config).result.done
    1.0
    """

    mode: Literal["exact", "fast"] = setting(
        "exact",
        "exact: tiles see all that the model can see, so tiled equals whole; "
        "fast: they see as much as measurably matters on this image",
    )
    probabilities: bool = setting(True, "keep uint8 class probabilities beside the labels")
    uncertainty: bool = setting(True, "keep the uncertainty beside the labels")
    which: Literal["better", "network", "classifier"] = setting(
        "better",
        "which model of a run that trained a network: the one that the run kept, since it was better on held-out "
        "strokes; the network in any case; or the pixel classifier beside it",
        label="model of the run",
    )
    constrain: str = setting(
        "auto",
        "say something only inside a class of another level, like cells/nucleus; auto: as the model was "
        "trained; none: everywhere",
        choices=("auto", "none"),
        label="only inside",
    )
    turns: Literal["auto", "none", "flips", "all"] = setting(
        "auto",
        "average what the model says of the picture as it is, mirrored along every axis (flips: 4 times the work in "
        "2-D, 8 times in 3-D), and turned by a quarter as well (all: 8 and 16 times); auto: flips for arrows of "
        "objects in images of up to a million voxels, else none",
        group="Accuracy",
    )
    votes: Literal["auto", "1", "y", "x", "3", "12"] = setting(
        "auto",
        "ask a model that sees planes once, across z, or across y or x; 3 times, across z, y and x; or 12 times, those "
        "turned by quarters; auto: across the axis, or the three, along which it learnt",
        group="Accuracy",
    )
    match_spacing: bool = setting(
        True,
        "show the model an image whose voxels differ in size from those it learnt from at the voxel size that it "
        "knows; not where they differ more than eightfold, since then one of the sizes is wrong",
        group="Accuracy",
        advanced=True,
    )
    blend: bool = setting(
        False,
        "fast mode: take the mean where blocks overlap, so that one changes over to the next without a seam; "
        "for networks that see too far to be exact; the forecast says what it costs",
        group="Accuracy",
        advanced=True,
    )
    overwrite: bool = setting(False, "replace a prediction of the same name")
    device: str = setting("auto", "where the model runs", choices=["auto", "cpu", "cuda", "mps"], group="Machine")
    engine: str = setting(
        "local",
        "local: this machine; or the address of a dask scheduler, such as tcp://node7:8786, or its Client: "
        "tiles go to its workers, which see the same file system",
        choices=["local"],
        group="Machine",
    )
    memory_gb: Literal["auto"] | float = setting(
        "auto",
        "memory that the prediction may use, never more than is free; auto: half of that",
        unit="GB",
        group="Machine",
    )
    device_gb: Literal["auto"] | float = setting(
        "auto",
        "memory of the GPU that the model may use; auto: four fifths of what is free",
        unit="GB",
        group="Machine",
        advanced=True,
    )
    threads: int | None = setting(
        None, "processor threads of the model; all that there are where empty", ge=1, group="Machine"
    )
    precision: Literal["float32", "bfloat16", "float16", "auto"] = setting(
        "float32",
        "number format of the model; bfloat16 is about twice as fast on a processor that has it; probabilities of the "
        "trained networks that were measured differ by hundredths, those of one that had learnt nothing by up to 0.4, "
        "so compare a region first; auto: bfloat16 on a GPU or processor that has it",
        group="Machine",
        advanced=True,
    )
    backend: Literal["auto", "torch", "openvino"] = setting(
        "auto",
        "what computes a network on a processor: torch; OpenVINO, where it is installed; or auto, OpenVINO where it is "
        "installed, says the same to rounding and is faster, for predictions of more than a few seconds",
        label="computed by",
        group="Machine",
        advanced=True,
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
    foreground: tuple[float, float] | None = setting(
        None,
        "lowest and highest intensity of the specimen, in the image's own numbers as the viewer shows them: tiles in "
        "which no 4 x 4 pixels of the first channel lie between them on average are skipped and stay empty",
        group="Skip",
    )
    every: int = setting(1, "only every n-th plane, for a first look; the others stay empty", ge=1, group="Skip")
    tolerance: float = setting(
        0.01,
        "fast mode: 99.9 % of the probabilities differ less than this from exact ones",
        gt=0.0,
        le=0.2,
        group="Tiles",
        advanced=True,
    )

    @field_validator("votes", mode="before")
    @classmethod
    def _votes_as_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) else value

    @field_validator("engine", mode="before")
    @classmethod
    def _address(cls, value: Any) -> Any:
        """A ``distributed.Client`` stands for the address of its scheduler."""
        if value is not None and not isinstance(value, str):
            value = getattr(getattr(value, "scheduler", None), "address", value)
        if isinstance(value, str) and value.strip().startswith("inproc:"):
            raise ConfigError(
                f"engine {value.strip()!r} is a scheduler inside a Python process, where no run can reach it; make it "
                "with LocalCluster(processes=True), or use engine='local'"
            )
        return value if not isinstance(value, str | None) else (value or "local").strip()

    focus: tuple[int, int, int] | None = setting(
        None,
        "voxel (z, y, x) to begin at, working outwards; the middle where empty",
        group="Tiles",
        advanced=True,
        live=True,
    )
    tile_seconds: float = setting(
        2.0,
        "a tile is what is written, and repeated after a crash, at once",
        gt=0.0,
        unit="s",
        group="Tiles",
        advanced=True,
    )
