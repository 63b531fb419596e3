"""What a network learns from: images, labels, classes, split. Reads through the store; knows no network.

Opening goes once through the chunks that hold labels. Pixels stay where they are until a window asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.config.deep import DeepConfig
from voxloop.deep.data.blocks import CACHE_BYTES, Blocks
from voxloop.deep.data.division import Shares, divide, split_to_json
from voxloop.deep.data.labelled import ValueTable, lookup, totals
from voxloop.deep.data.labelled_image import ImageLabels, LabelledImage, check_images, notes_on
from voxloop.deep.data.targets import Codes
from voxloop.deep.data.widths import object_widths
from voxloop.deep.data.windows import TrainingImage
from voxloop.errors import ConfigError, LabelError
from voxloop.geometry import Shape, Spacing
from voxloop.model import ClassInfo
from voxloop.runs.context import TaskContext
from voxloop.volumes.exposure import are_alike, as_exposed, common_exposure, differ, measure_exposure
from voxloop.volumes.volume import channels_of, read_block, shape_zyx

if TYPE_CHECKING:
    from xarray import DataArray

#: in-plane voxels that are read from an image at once
_TILE = 512
#: image in RAM as a whole up to this many voxels, slice by slice beyond
_LABEL_BLOCK = (16, 256, 256)
#: targets that learn separate objects
OBJECTS = ("instances", "flow")


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingData:
    """Images with their labels and split. ``counts`` are the labelled voxels that are trained on, class by class."""

    images: tuple[TrainingImage, ...]
    classes: tuple[ClassInfo, ...]
    counts: tuple[int, ...]
    channels: int
    spacing_um: Spacing
    shares: Shares
    warnings: tuple[str, ...] = field(default=())
    exposure: dict[str, list[float]] | None = None  # what pictures of any exposure are brought to; None: as they are
    instances: bool = False  # labels of windows are codes of objects (targets.py), classes are background and objects

    @property
    def training_images(self) -> tuple[TrainingImage, ...]:
        """The images that are trained on; they come first."""
        return tuple(image for image in self.images if not image.validation_only)

    @property
    def background(self) -> int | None:
        """The label of windows that is no object; None where every class is one."""
        return next((label for label, info in enumerate(self.classes, start=1) if info.background), None)

    @cached_property
    def object_widths(self) -> tuple[int, ...]:
        """In-plane extents of labelled objects, in voxels of the images: read once, for scale and window alike."""
        return object_widths(self.training_images)

    def split_to_json(self) -> dict[str, Any]:
        """The split as JSON: what :func:`assemble` takes to make the same one again."""
        return {image.name: split_to_json(image.split) for image in self.images}


def open_data(
    context: TaskContext, config: DeepConfig, split: Mapping[str, Any] | None, sight: Shape | None = None
) -> TrainingData:
    """The images and labels that a run names, labels as they were when it was created; divided as :func:`assemble`."""
    from voxloop.store import Store
    from voxloop.store.teaching import open_portions

    portions, classes = open_portions(context.workspace, context.config)
    if not portions:
        raise LabelError("nothing is labelled; paint a few strokes of at least two classes")
    level = portions[0].labels.level
    objects = level.kind == "instances"
    if config.target == "auto" and objects:
        config = config.changed(target="instances")  # labels are read alike for every target of objects
    if config.target in OBJECTS and not objects:
        raise ConfigError(
            f"target={config.target!r} learns numbered objects, and level {level.name!r} holds classes; choose a level "
            "of instances, or target='semantic'"
        )
    with Store.open(context.workspace, read_only=True) as store:
        images = [
            LabelledImage(name=p.name, volume=store.images.open(p.image), labels=p.labels, validation_only=p.judges)
            for p in portions
        ]
    return assemble(images, classes, config, split, sight)


def assemble(
    images: Sequence[LabelledImage],
    classes: Sequence[ClassInfo],
    config: DeepConfig,
    split: Mapping[str, Any] | None = None,
    sight: Shape | None = None,
) -> TrainingData:
    """Go through the labels and divide them.

    Parameters
    ----------
    split
        A split made before (:meth:`TrainingData.split_to_json`); None: make one.
    sight
        How far the network sees, voxels of the first image zyx, for ``split="apart"``.

    Raises
    ------
    LabelError
        Nothing, or only one class, is labelled, or nothing of a class is left to train on.
    VolumeError
        Image and labels differ in shape, or images in their channels.
    """
    check_images(images, config)
    notes, spacing = notes_on(images, config), images[0].spacing
    background = next((info.value for info in classes if info.background), None)
    kinds: ValueTable
    codes: ValueTable
    if config.target not in OBJECTS:
        classes, missing = _labelled_classes(images, classes)
        if missing:
            notes.append(f"nothing is labelled as {', '.join(map(repr, missing))}: the model will not know it")
        kinds = codes = lookup([info.value for info in classes])
    else:
        classes = _objects(images, background)
        kinds, codes = Codes(background, kinds=True), Codes(background)
    shown, exposure = _expose(images, config, notes)
    parts, notes_on_split = divide(images, kinds, len(classes), config, split, sight)
    counts = np.sum([totals(part.training.counts, len(classes)) for part in parts], axis=0)
    for info, count in zip(classes, counts, strict=True):
        if not count:
            raise LabelError(
                f"class {info.name!r} has too few labels to learn from: of all labelled voxels {Shares.of(parts)}; "
                f"{_instead(config, sight)}"
            )
    return TrainingData(
        images=tuple(
            TrainingImage(
                name=image.name,
                pixels=_pixels(volume),
                raw=_pixels(image.volume) if exposure else None,
                labels=_label_blocks(image.labels, codes),
                labelled=part.labelled,
                training=part.training,
                split=part.split,
                frames=image.frames,
                relative=image.relative(spacing, config),
                validation_only=image.validation_only,
                area=getattr(image.labels, "area", None),
            )
            for image, part, volume in zip(images, parts, shown, strict=True)
        ),
        classes=tuple(classes),
        counts=tuple(int(count) for count in counts),
        channels=channels_of(images[0].volume),
        spacing_um=spacing,
        shares=Shares.of(parts),
        warnings=(*notes, *notes_on_split),
        exposure=exposure,
        instances=config.target in OBJECTS,
    )


def _instead(config: DeepConfig, sight: Shape | None) -> str:
    """What helps where a class has nothing left to learn from."""
    if config.split != "apart" or sight is None:
        return "paint another stroke of it elsewhere, or hold out less"
    return (
        f"split='apart' leaves out what lies within the {max(sight)} voxels that the network sees of what is held out; "
        "use split='block', a network that sees less far (levels=3), a smaller window, or label places further apart"
    )


def _expose(
    images: Sequence[LabelledImage], config: DeepConfig, notes: list[str]
) -> tuple[list[DataArray], dict[str, list[float]] | None]:
    """The volumes as they are shown, and what all are brought to, where each is scaled by itself."""
    volumes = [image.volume for image in images]
    pictures = sum(image.shape[0] if image.frames else 1 for image in images)
    if config.exposure == "common" or (config.exposure == "auto" and pictures < 2):
        return volumes, None
    exposures = [measure_exposure(volume) for volume in volumes]
    if config.exposure == "auto":
        if are_alike(exposures):
            return volumes, None
        notes.append(
            f"the pictures differ in exposure, up to {differ(exposures):.1f} times: each is brought to the same by its "
            "own intensities, here and in predictions (exposure='common' leaves them as they are)"
        )
    if any(exposure.flat.any() for exposure in exposures):
        notes.append("a picture without any contrast cannot be brought to an exposure and stays as it is")
    reference = common_exposure(exposures)
    shown = [as_exposed(volume, reference, one) for volume, one in zip(volumes, exposures, strict=True)]
    return shown, reference


def _labelled_classes(
    images: Sequence[LabelledImage], classes: Sequence[ClassInfo]
) -> tuple[list[ClassInfo], list[str]]:
    """The classes that are labelled, and the names of the others. Raises LabelError for fewer than two."""
    values: set[int] = set()
    for image in images:
        if not image.validation_only:
            values |= image.values()
    present = [info for info in classes if info.value in values]
    if not present:
        raise LabelError("nothing is labelled; paint a few strokes of at least two classes")
    if len(present) == 1:
        raise LabelError(f"only {present[0].name!r} is labelled; paint a few strokes of a second class as well")
    return present, [info.name for info in classes if info.value not in values]


def _objects(images: Sequence[LabelledImage], background: int | None) -> list[ClassInfo]:
    """Background and objects, both of which must be labelled."""
    numbers: set[int] = set().union(*(image.values() for image in images))
    if not numbers - {background}:
        raise LabelError("no object is labelled; paint a few, each with a number of its own")
    if background is None or background not in numbers:
        raise LabelError(
            "no background is labelled; give the level a class 'background' and paint some, or load masks with "
            "zero='background'"
        )
    return [
        ClassInfo(value=background, name="background", color="#56b4e9", background=True),
        ClassInfo(value=max(numbers - {background}), name="objects"),
    ]


def _pixels(volume: DataArray) -> Blocks:
    shape = shape_zyx(volume)
    block = (1, min(_TILE, shape[1]), min(_TILE, shape[2]))
    return Blocks(lambda region: read_block(volume, region), shape, block, CACHE_BYTES)


def _label_blocks(labels: ImageLabels, table: ValueTable) -> Blocks:
    z, y, x = labels.shape
    return Blocks(lambda box: table[labels.read(box)], (z, y, x), _LABEL_BLOCK, CACHE_BYTES // 4)
