"""Settings of training augmentation: each with a switch, a probability and a range. Pure."""

from __future__ import annotations

from typing import Any

from pydantic import field_validator

from voxloop.config.base import Config, setting
from voxloop.errors import ConfigError

Range = tuple[float, float]


def _switch(default: bool) -> Any:
    return setting(default, "use it")


def _chance(default: float) -> Any:
    return setting(default, "share of the windows it is applied to", ge=0, le=1, step=0.05)


class _Augment(Config):
    @field_validator("*")
    @classmethod
    def _ordered(cls, value: object) -> object:
        if isinstance(value, tuple) and len(value) == 2 and value[0] > value[1]:
            raise ConfigError(f"range {value[0]:g} to {value[1]:g} runs backwards; write {value[1]:g}, {value[0]:g}")
        return value


class Flip(_Augment):
    """Mirror windows."""

    on: bool = _switch(True)
    probability: float = _chance(0.5)
    horizontal: bool = setting(True, "mirror left and right")
    vertical: bool = setting(True, "mirror top and bottom")
    depth: bool = setting(True, "mirror front and back, in 3-D")


class Quarter(_Augment):
    """Turn by 90, 180 or 270 degrees."""

    on: bool = _switch(True)
    probability: float = _chance(0.75)


class Affine(_Augment):
    """Rotate, scale and shear about the window's centre, in one resampling with the elastic deformation."""

    on: bool = _switch(True)
    probability: float = _chance(0.5)
    rotation: float = setting(30.0, "largest rotation either way", unit="degrees", ge=0, le=180)
    scale: Range = setting((0.8, 1.25), "smallest and largest magnification", unit="times")
    shear: float = setting(8.0, "largest shear either way", unit="degrees", ge=0, le=45)

    @field_validator("scale")
    @classmethod
    def _positive(cls, value: Range) -> Range:
        if not 0.1 <= value[0] <= value[1] <= 10:
            raise ConfigError(f"scale {value[0]:g} to {value[1]:g} must lie within 0.1 to 10")
        return value


class Elastic(_Augment):
    """Smooth random displacement."""

    on: bool = _switch(True)
    probability: float = _chance(0.3)
    strength: Range = setting((2.0, 8.0), "standard deviation of the displacement", unit="voxels")
    grid: int = setting(48, "distance of the points that are displaced", unit="voxels", ge=8, le=256)


class Gamma(_Augment):
    """Bend the gray values."""

    on: bool = _switch(True)
    probability: float = _chance(0.3)
    range: Range = setting((0.7, 1.5), "smallest and largest exponent")


class Contrast(_Augment):
    """Stretch the gray values about the window's mean."""

    on: bool = _switch(True)
    probability: float = _chance(0.5)
    range: Range = setting((0.7, 1.4), "smallest and largest factor", unit="times")


class Brightness(_Augment):
    """Shift the gray values."""

    on: bool = _switch(True)
    probability: float = _chance(0.5)
    range: Range = setting((-0.3, 0.3), "smallest and largest shift", unit="image standard deviations")


class Noise(_Augment):
    """Add Gaussian noise."""

    on: bool = _switch(True)
    probability: float = _chance(0.3)
    strength: Range = setting((0.0, 0.3), "its standard deviation", unit="image standard deviations")


class UniformNoise(_Augment):
    """Add uniform noise."""

    on: bool = _switch(False)
    probability: float = _chance(0.3)
    strength: Range = setting((0.0, 0.3), "its half width", unit="image standard deviations")


class Blur(_Augment):
    """Blur with a Gaussian."""

    on: bool = _switch(True)
    probability: float = _chance(0.2)
    sigma: Range = setting((0.5, 1.5), "its standard deviation", unit="voxels")


class MotionBlur(_Augment):
    """Blur along a line, as where the specimen moved."""

    on: bool = _switch(False)
    probability: float = _chance(0.2)
    length: Range = setting((3.0, 11.0), "length of the line", unit="voxels")


class Cutout(_Augment):
    """Replace squares of the picture by its mean; what lies under them is not trained on."""

    on: bool = _switch(False)
    probability: float = _chance(0.3)
    size: Range = setting((0.1, 0.3), "side of the square", unit="share of the window")


class LocalContrast(_Augment):
    """Equalise the gray values region by region, with a limit to how steep that may get (CLAHE)."""

    on: bool = _switch(False)
    probability: float = _chance(0.3)
    limit: Range = setting((0.005, 0.03), "share of a region's voxels that one gray value may count for")

    @field_validator("limit")
    @classmethod
    def _a_share(cls, value: Range) -> Range:
        if not 0 < value[0] <= value[1] <= 1:
            raise ConfigError(f"limit {value[0]:g} to {value[1]:g} must lie above 0 and not above 1")
        return value


class CutNoise(_Augment):
    """Add uniform noise within a box; labels stay."""

    on: bool = _switch(False)
    probability: float = _chance(0.3)
    size: Range = setting((0.1, 0.4), "side of the box", unit="share of the window")
    strength: Range = setting((0.2, 0.6), "half width of the noise", unit="image standard deviations")


class CutBlur(_Augment):
    """Show a box as if it had been recorded at coarser voxels; labels stay."""

    on: bool = _switch(False)
    probability: float = _chance(0.3)
    size: Range = setting((0.1, 0.4), "side of the box", unit="share of the window")
    factor: Range = setting((2.0, 8.0), "how much coarser, in the plane", unit="times")


class CopyPaste(_Augment):
    """Paste the objects of another window of the batch where there are none; for densely labelled images."""

    on: bool = _switch(False)
    probability: float = _chance(0.3)


class MissingSection(_Augment):
    """Blank whole slices, as where sections of electron microscopy were lost; the slice to be labelled is kept."""

    on: bool = _switch(False)
    probability: float = _chance(0.2)
    slices: Range = setting((1, 1), "how many neighbouring slices are lost", unit="slices")


class Misaligned(_Augment):
    """Shift the slices beyond a random one sideways, as between badly aligned sections. Needs several slices."""

    on: bool = _switch(False)
    probability: float = _chance(0.2)
    shift: Range = setting((1.0, 16.0), "by how much", unit="voxels")


class MissingParts(_Augment):
    """Blank a band across a slice, as under folds and cracks; what lies under it is not trained on."""

    on: bool = _switch(False)
    probability: float = _chance(0.2)
    width: Range = setting((2.0, 24.0), "width of the band", unit="voxels")


class Augmentation(Config):
    """What is done to windows before the network sees them. Labels follow; what turns in from outside is unlabelled."""

    flip: Flip = setting(Flip, "mirror windows")
    quarter: Quarter = setting(Quarter, "turn windows by quarters", label="quarter turns")
    affine: Affine = setting(Affine, "rotate, scale, shear")
    elastic: Elastic = setting(Elastic, "smooth random displacement")
    gamma: Gamma = setting(Gamma, "bend the gray values")
    contrast: Contrast = setting(Contrast, "stretch the gray values")
    brightness: Brightness = setting(Brightness, "shift the gray values")
    noise: Noise = setting(Noise, "add Gaussian noise")
    uniform_noise: UniformNoise = setting(UniformNoise, "add uniform noise", advanced=True)
    blur: Blur = setting(Blur, "blur")
    motion_blur: MotionBlur = setting(MotionBlur, "blur along a line", advanced=True)
    cutout: Cutout = setting(Cutout, "hide squares", advanced=True)
    local_contrast: LocalContrast = setting(
        LocalContrast, "equalise region by region (CLAHE)", label="local contrast (CLAHE)", advanced=True
    )
    cut_noise: CutNoise = setting(CutNoise, "noise within a box", advanced=True)
    cut_blur: CutBlur = setting(CutBlur, "coarser voxels within a box", advanced=True)
    copy_paste: CopyPaste = setting(CopyPaste, "paste objects of other windows", advanced=True)
    missing_section: MissingSection = setting(
        MissingSection, "lose slices (electron microscopy; 2.5-D and 3-D)", advanced=True
    )
    misaligned: Misaligned = setting(
        Misaligned,
        "shift slices sideways (electron microscopy; 2.5-D and 3-D)",
        label="misaligned sections",
        advanced=True,
    )
    missing_parts: MissingParts = setting(MissingParts, "lose a band of a slice (electron microscopy)", advanced=True)

    @classmethod
    def none(cls) -> Augmentation:
        """Every augmentation off."""
        return cls.only()

    @classmethod
    def only(cls, **on: dict[str, Any]) -> Augmentation:
        """The named augmentations on, with these settings of theirs, and no others."""
        off: dict[str, Any] = {name: {"on": False} for name in cls.model_fields}
        return cls(**{**off, **{name: {"on": True, **settings} for name, settings in on.items()}})
