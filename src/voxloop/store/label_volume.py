"""Labels as a volume, with what a writer needs to know of classes and image. Knows no file format."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import VoxloopError
from voxloop.store.label_contract import ImageFacts, OpenLabels

if TYPE_CHECKING:
    import xarray as xr

    from voxloop.geometry import Box


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
        anatomy=str(image.attrs.get("anatomy", "")),
        spacing_from=str(image.attrs.get("spacing_from", "metadata")),
        spacing_from_zyx=str(image.attrs.get("spacing_from_zyx", "metadata metadata metadata")),
    )


def as_volume(labels: OpenLabels) -> xr.DataArray:
    """Labels as a lazy volume (z, y, x) in micrometres, with the names and colours of their classes."""
    from voxloop.volumes import as_volume
    from voxloop.volumes.graphs import blocks_over

    chunks = tuple(min(n * k, size) for n, k, size in zip(labels.chunks, (1, 4, 4), labels.shape, strict=True))
    lazy = blocks_over(_Lazy(labels), chunks, meta=np.empty((0, 0, 0), labels.dtype))
    facts = labels.facts()
    kind = "frame" if facts.frames else "space"
    volume = as_volume(lazy, spacing=labels.spacing_um, axes="zyx", z_kind=kind)
    volume.attrs |= {"spacing_from": facts.spacing_from, "spacing_from_zyx": facts.spacing_from_zyx}
    if facts.anatomy:
        volume.attrs["anatomy"] = facts.anatomy
    if labels.level.classes:
        listed: list[dict[str, Any]] = [
            {"value": one.value, "name": one.name, "color": one.color} for one in labels.level.classes
        ]
        volume.attrs["classes"] = json.dumps(listed)
    return volume.assign_attrs(kind="labels").rename(labels.level.name)


class _Lazy:
    """What dask slices."""

    def __init__(self, labels: OpenLabels) -> None:
        self._labels = labels
        self.shape, self.dtype, self.ndim = labels.shape, labels.dtype, 3

    def __getitem__(self, region: Box | tuple[slice, ...]) -> np.ndarray:
        return self._labels.read(region)
