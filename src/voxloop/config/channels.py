"""Settings of the filters that make channels, one class a kind of settings. Pure.

Lengths are micrometres. None stands for a length in voxels of the finest axis that is filtered, or for what is measured
of the source; :func:`voxloop.channels.settle` puts numbers in its place.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import ConfigDict, model_validator

from voxloop.config.base import Config, setting
from voxloop.errors import ConfigError

Response = Literal["both", "bright", "dark"]


def settled(value: float | None) -> float:
    """A setting that has been given a number. Raises ConfigError where it has not."""
    if value is None:
        raise ConfigError("this setting is still open; settle the settings first")
    return value


class ChannelSettings(Config):
    """What every filter asks.

    ``USUAL``: lengths that may be left open, and the voxels of the finest filtered axis that they then are.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    USUAL: ClassVar[dict[str, float]] = {}

    dimensions: Literal["auto", "2d", "3d"] = setting(
        "auto",
        "filter within planes or through the stack; auto: through the stack, within planes for frames and pictures",
        advanced=True,
    )


class SigmaSettings(ChannelSettings):
    """A Gaussian."""

    USUAL: ClassVar[dict[str, float]] = {"sigma_um": 2.0}

    sigma_um: float | None = setting(
        None, "width of the Gaussian; empty: two voxels", label="sigma", unit="µm", gt=0, log=True
    )


class DifferenceSettings(SigmaSettings):
    """Two Gaussians."""

    ratio: float = setting(1.6, "the second Gaussian's width, as a multiple of the first", gt=1, le=10)
    response: Response = setting("both", "keep what is brighter than around, darker, or both with their signs")


class EigenvalueSettings(SigmaSettings):
    """A Gaussian, and which of the eigenvalues."""

    which: Literal["largest", "middle", "smallest"] = setting(
        "largest", "which eigenvalue; within planes there is no middle one"
    )


class StructureSettings(EigenvalueSettings):
    """Two Gaussians, and which of the eigenvalues."""

    USUAL: ClassVar[dict[str, float]] = {"sigma_um": 1.0, "area_um": 3.0}

    sigma_um: float | None = setting(
        None, "width of the Gaussian derivative; empty: a voxel", label="derivative", unit="µm", gt=0, log=True
    )
    area_um: float | None = setting(
        None, "width over which directions are gathered; empty: three voxels", label="area", unit="µm", gt=0, log=True
    )


class RadiusSettings(ChannelSettings):
    """A box around each voxel."""

    USUAL: ClassVar[dict[str, float]] = {"radius_um": 4.0}

    radius_um: float | None = setting(
        None, "half the side of the box around a voxel; empty: four voxels", label="radius", unit="µm", gt=0, log=True
    )


class BallSettings(ChannelSettings):
    """A ball, or within planes a disc."""

    USUAL: ClassVar[dict[str, float]] = {"radius_um": 2.0}

    radius_um: float | None = setting(
        None, "radius of the ball or disc; empty: two voxels", label="radius", unit="µm", gt=0, log=True
    )


class MeasuredSettings(ChannelSettings):
    """Intensities in standard deviations of the source."""

    mean: float | None = setting(None, "mean intensity of the source; empty: measured once", advanced=True)
    deviation: float | None = setting(
        None, "standard deviation of the source; empty: measured once", advanced=True, gt=0
    )


class TotalVariationSettings(MeasuredSettings):
    """Chambolle's smoothing."""

    weight: float = setting(0.5, "how smooth, in standard deviations of the source; edges stay", gt=0, le=100, log=True)
    iterations: int = setting(30, "steps towards the smoothest picture", ge=1, le=200, advanced=True)


class BilateralSettings(MeasuredSettings):
    """A Gaussian in space and one in intensity."""

    USUAL: ClassVar[dict[str, float]] = {"sigma_um": 2.0}

    sigma_um: float | None = setting(
        None, "width in space; empty: two voxels", label="sigma", unit="µm", gt=0, log=True
    )
    contrast: float = setting(
        0.5, "voxels that differ by more standard deviations of the source are not mixed", gt=0, le=100, log=True
    )


class PatchSettings(MeasuredSettings):
    """Non-local means."""

    patch: int = setting(5, "side of the patches that are compared", unit="voxels", ge=1, le=15)
    distance: int = setting(6, "how far away alike patches are looked for", unit="voxels", ge=1, le=30)
    strength: float = setting(
        0.6, "how different patches may be, in standard deviations of the source", gt=0, le=100, log=True
    )


class TubeSettings(MeasuredSettings):
    """Frangi's measure at one scale."""

    USUAL: ClassVar[dict[str, float]] = {"sigma_um": 2.0}

    sigma_um: float | None = setting(
        None, "about the radius of the tubes; empty: two voxels", label="sigma", unit="µm", gt=0, log=True
    )
    response: Response = setting("both", "bright tubes, dark ones, or both with their signs")


class ScaleSpaceSettings(MeasuredSettings):
    """One filter at several scales."""

    USUAL: ClassVar[dict[str, float]] = {"first_um": 1.0, "step_um": 2.0, "last_um": 10.0}

    base: Literal["gaussian", "log", "dog", "determinant", "frangi"] = setting("log", "the filter", label="filter")
    first_um: float | None = setting(None, "smallest sigma; empty: a voxel", label="first", unit="µm", gt=0, log=True)
    step_um: float | None = setting(
        None, "from one sigma to the next; empty: two voxels", label="step", unit="µm", gt=0
    )
    last_um: float | None = setting(None, "largest sigma; empty: ten voxels", label="last", unit="µm", gt=0, log=True)
    combine: Literal["strongest", "largest", "smallest", "mean"] = setting(
        "strongest", "what of the scales is kept at each voxel; strongest: furthest from zero, with its sign"
    )


class GaborSettings(ChannelSettings):
    """Stripes of one width, within planes."""

    USUAL: ClassVar[dict[str, float]] = {"wavelength_um": 8.0}

    dimensions: Literal["2d"] = setting("2d", "stripes are looked for within planes", advanced=True)
    wavelength_um: float | None = setting(
        None, "from one stripe to the next; empty: eight voxels", label="wavelength", unit="µm", gt=0, log=True
    )
    angles: int = setting(4, "directions that are tried; the strongest answer is kept", ge=1, le=36)


class WaveletSettings(ChannelSettings):
    """Detail of one size."""

    band: int = setting(2, "detail of about this power of two voxels", ge=1, le=6)


class ThresholdSettings(ChannelSettings):
    """A range of intensities."""

    low: float | None = setting(None, "smallest intensity inside; empty: no limit")
    high: float | None = setting(None, "largest intensity inside; empty: no limit")
    outside: bool = setting(False, "turn inside and outside round")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ConfigError(f"low={self.low:g} lies above high={self.high:g}, so nothing is inside")
        return self


class DistanceSettings(ThresholdSettings):
    """Distance to the border of a range of intensities."""

    USUAL: ClassVar[dict[str, float]] = {"up_to_um": 20.0}

    side: Literal["inside", "outside", "both"] = setting(
        "both", "distance within what is inside, away from it, or both, negative outside"
    )
    up_to_um: float | None = setting(
        None,
        "what is further away counts as this far, so that parts say the same as the whole; empty: 20 voxels",
        label="up to",
        unit="µm",
        gt=0,
        log=True,
    )


class EqualiseSettings(MeasuredSettings):
    """Contrast-limited adaptive histogram equalisation."""

    dimensions: Literal["2d"] = setting("2d", "contrast is evened out within planes", advanced=True)
    tiles: int = setting(8, "tiles along each side of a plane whose contrast is evened out", ge=1, le=64)
    clip: float = setting(0.01, "how much noise may be lifted", gt=0, le=1, log=True)


class RectifySettings(ChannelSettings):
    """What is below zero."""

    slope: float = setting(0.0, "what is below zero is multiplied by this", ge=0, le=1)
