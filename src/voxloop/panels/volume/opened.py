"""A source opened as a volume, with all that opens it again. Knows no widgets; reads no more than one plane."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.panels.form.source_chooser import ChosenSource

if TYPE_CHECKING:
    from xarray import DataArray

    from voxloop.workspace.workspace import Workspace

#: rows and columns of a plane that a first look reads at most: it must not read gigabytes
_LOOK_AT = 1024


@dataclass(frozen=True, slots=True)
class OpenedVolume:
    """A volume with what opens it again: the source and the arguments of ``open_volume``.

    ``classes`` are those of a sample, as ``Workspace.create`` takes them.
    """

    source: ChosenSource
    volume: DataArray
    arguments: dict[str, Any] = field(default_factory=dict)
    classes: tuple[dict[str, Any], ...] = ()

    @property
    def image(self) -> Any:
        """What a workspace is given: the path, so that nothing is copied, or the voxels of a sample."""
        return self.volume if self.source.kind == "sample" else self.source.text

    @property
    def image_code(self) -> str:
        """The source as Python."""
        if self.source.kind == "sample":
            return f"vl.samples.load({self.source.text!r}).volume"
        return repr(self.source.text)

    @property
    def name(self) -> str:
        """What a workspace may call it."""
        from voxloop.store.document import safe_name

        return safe_name(str(self.volume.name or "image"))

    def middle_plane(self) -> np.ndarray:
        """Voxels (c, 1, rows, columns) in the middle of the middle slice. Raises VolumeError where it is unreadable."""
        from voxloop.geometry import Box
        from voxloop.volumes import read_block, shape_zyx

        depth, height, width = shape_zyx(self.volume)
        rows, columns = min(height, _LOOK_AT), min(width, _LOOK_AT)
        start = (depth // 2, (height - rows) // 2, (width - columns) // 2)
        try:
            return read_block(self.volume, Box.at(start, (1, rows, columns)))
        except OSError as error:
            raise VolumeError(f"the middle slice cannot be read: {error}") from error


def open_image(ws: Workspace, name: str, arguments: dict[str, Any]) -> OpenedVolume:
    """Open an image of a workspace, with another voxel size where one is given. Raises VoxloopError."""
    from voxloop.volumes import open_volume

    source = ChosenSource("image", name)
    if not arguments:
        return OpenedVolume(source, ws.images.open(name))
    volume = open_volume(ws.images.path(name), **{**ws.images.info(name).arguments, **arguments})
    return OpenedVolume(source, volume, arguments)


def open_source(source: ChosenSource, arguments: dict[str, Any], before: OpenedVolume | None) -> OpenedVolume:
    """Open a path or a sample; ``before`` is what this source was opened as already. Raises VoxloopError."""
    from voxloop.volumes import open_volume, samples

    if source.kind == "path":
        return OpenedVolume(source, open_volume(source.text, **arguments), arguments)
    if before is not None:  # a sample is made, or fetched, once
        return OpenedVolume(source, open_volume(before.volume, **arguments), arguments, before.classes)
    sample = samples.load(source.text)
    keys = ("value", "name", "color", "background")
    classes = tuple({key: getattr(item, key) for key in keys} for item in sample.classes)
    return OpenedVolume(source, sample.volume, arguments, classes)


def datasets_in(message: str) -> list[str]:
    """The datasets that an error of ``open_volume`` lists."""
    listed = message.partition("name one with dataset=")[2]
    return re.findall(r"'([^']+)' \(", listed)


def timepoints_in(message: str) -> int:
    """How many time points an error of ``open_volume`` speaks of; 0 where it is about something else."""
    match = re.search(r"choose one with timepoint=0 to (\d+)", message)
    return int(match[1]) + 1 if match else 0
