"""Images with their labels, as the store gives them, and whether they fit each other. Knows no split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from voxloop.config.deep import DeepConfig
from voxloop.deep.data.labelled import LabelSource
from voxloop.deep.data.planning import COARSE
from voxloop.errors import ConfigError, VolumeError
from voxloop.geometry import Shape, Spacing
from voxloop.volumes.volume import channels_of, shape_zyx, spacing_of

if TYPE_CHECKING:
    from xarray import DataArray


class ImageLabels(LabelSource, Protocol):
    """The label array of one image."""

    def touched(self) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledImage:
    """One image to learn from."""

    name: str
    volume: DataArray
    labels: ImageLabels
    validation_only: bool = False  # part of a validation set: never trained on

    @property
    def shape(self) -> Shape:
        return shape_zyx(self.volume)

    @property
    def spacing(self) -> Spacing:
        return spacing_of(self.volume)

    @property
    def frames(self) -> bool:
        """Whether it is a stack of separate pictures."""
        return bool(self.volume.attrs.get("z_kind") == "frame")

    def values(self) -> set[int]:
        """The values that are labelled."""
        values: set[int] = set()
        for chunk in self.labels.touched():
            values |= {int(value) for value, count in chunk.counts.items() if value and count}
        return values

    def relative(self, spacing: Spacing, config: DeepConfig) -> Spacing | None:
        """Voxel size over that of the training; None where they differ by less than a hundredth."""
        z, y, x = (size / common for size, common in zip(self.spacing, spacing, strict=True))
        compared = (z, y, x) if config.volumetric or config.across != (0,) else (y, x)
        alike = all(abs(ratio - 1) < 0.01 for ratio in compared)
        return None if alike or not config.match_spacing else (z, y, x)


def check_images(images: Sequence[LabelledImage], config: DeepConfig) -> None:
    """Raises VolumeError or ConfigError where images do not fit their labels, each other, or the settings."""
    channels = {channels_of(image.volume) for image in images}
    if len(channels) > 1:
        raise VolumeError(
            f"the images have {' and '.join(map(str, sorted(channels)))} channels; train on images of one kind"
        )
    for image in images:
        if tuple(image.labels.shape) != image.shape:
            raise VolumeError(
                f"labels of {image.name!r} have shape {tuple(image.labels.shape)}, the image has {image.shape}"
            )
        if image.frames or image.shape[0] == 1:
            _check_flat(image, config)
    spacing = images[0].spacing
    if config.across != (0,) and any(image.relative(spacing, config) for image in images):
        raise ConfigError(f"axes={config.axes!r} needs images of one voxel size; use axes='z', or images of one kind")


def _check_flat(image: LabelledImage, config: DeepConfig) -> None:
    """Raises ConfigError where an image without neighbours along z is to be seen in 3-D."""
    kind = "a stack of separate pictures" if image.frames else "a single plane"
    if config.volumetric:
        raise ConfigError(
            f"architecture={config.architecture!r} sees in 3-D, and {image.name!r} is {kind}; use a network of planes "
            f"such as 'Unet'"
        )
    if config.across != (0,):
        raise ConfigError(f"axes={config.axes!r}: {image.name!r} is {kind}, with nothing across y and x; use axes='z'")
    if config.neighbours > 1 and image.frames:
        raise ConfigError(f"slices={config.slices}: {image.name!r} is {kind}; use slices=1")


def notes_on(images: Sequence[LabelledImage], config: DeepConfig) -> list[str]:
    """What users should know of images that can be trained on together."""
    spacing = images[0].spacing
    notes = []
    if any(image.relative(spacing, config) for image in images):
        notes.append(
            "the images differ in voxel size: windows show the same micrometres, at the voxel size of the first; there "
            "are no pseudo-labels, since the pixel classifier knows one voxel size"
        )
    if config.across != (0,) and max(spacing) > COARSE * min(spacing):
        notes.append(
            f"voxels are {max(spacing) / min(spacing):.1f} times as long along one axis as along another: planes "
            f"across y and x look squeezed; axes='z' or a 3-D network suits them better"
        )
    return notes
