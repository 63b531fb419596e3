"""Labels as a volume, with what a writer needs to know of classes and image. Knows no file format."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import VoxloopError

if TYPE_CHECKING:
    import xarray as xr

    from voxloop.geometry import Box
    from voxloop.store.labels import Labels


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What an image is and how it was opened; defaults where it cannot be opened any more."""

    frames: bool = False
    source: str | tuple[str, ...] | None = None
    timepoint: int | None = None
    spacing_from: str = "metadata"
    spacing_from_zyx: str = "metadata metadata metadata"


def image_facts(volume: Callable[[], xr.DataArray]) -> ImageFacts:
    """The facts of an image. Labels outlive their image, so one that is gone is no error."""
    from voxloop.volumes import opened_with

    try:
        image = volume()
    except VoxloopError:
        return ImageFacts()
    arguments = opened_with(image) or {}
    source = arguments.get("source")
    return ImageFacts(
        frames=image.attrs.get("z_kind") == "frame",
        source=tuple(source) if isinstance(source, list) else source,
        timepoint=arguments.get("timepoint"),
        spacing_from=str(image.attrs.get("spacing_from", "metadata")),
        spacing_from_zyx=str(image.attrs.get("spacing_from_zyx", "metadata metadata metadata")),
    )


def as_volume(labels: Labels) -> xr.DataArray:
    """Labels as a lazy volume (z, y, x) in micrometres, with the names and colours of their classes."""
    import dask.array as da

    from voxloop.volumes import as_volume

    chunks = tuple(min(n * k, size) for n, k, size in zip(labels.chunks, (1, 4, 4), labels.shape, strict=True))
    lazy = da.from_array(_Lazy(labels), chunks=chunks, meta=np.empty((0, 0, 0), labels.dtype), name=False)
    facts = labels.facts()
    kind = "frame" if facts.frames else "space"
    volume = as_volume(lazy, spacing=labels.spacing_um, axes="zyx", z_kind=kind)
    volume.attrs |= {"spacing_from": facts.spacing_from, "spacing_from_zyx": facts.spacing_from_zyx}
    if labels.level.classes:
        listed: list[dict[str, Any]] = [
            {"value": one.value, "name": one.name, "color": one.color} for one in labels.level.classes
        ]
        volume.attrs["classes"] = json.dumps(listed)
    return volume.assign_attrs(kind="labels").rename(labels.level.name)


class _Lazy:
    """What dask slices."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self.shape, self.dtype, self.ndim = labels.shape, labels.dtype, 3

    def __getitem__(self, region: Box | tuple[slice, ...]) -> np.ndarray:
        return self._labels.read(region)
