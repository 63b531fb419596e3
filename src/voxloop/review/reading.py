"""Anything that holds one number a voxel, read region by region. Knows what it may be given; keeps no voxels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import Any, Protocol

import numpy as np

from voxloop.errors import VolumeError
from voxloop.geometry import Box, Shape, Spacing


class Class(Protocol):
    """What a class of a level and of a model have in common."""

    @property
    def value(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def background(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Readable:
    """Label values of a volume: ``read(box)`` gives (z, y, x) in memory. ``classes`` and ``box`` where known."""

    shape: Shape
    read: Any
    classes: tuple[Class, ...] = ()
    box: Box | None = None
    spacing_um: Spacing | None = None
    instances: bool = False


def readable(source: Any, what: str) -> Readable:
    """Labels, a Prediction, a DataArray, a dask array or an array, as something to read. Raises VolumeError.

    ``what`` names it in messages.
    """
    if hasattr(source, "read") and hasattr(source, "level"):  # Labels
        level = source.level
        return Readable(
            tuple(source.shape),
            source.read,
            tuple(level.classes),
            spacing_um=source.spacing_um,
            instances=level.kind == "instances",
        )
    if hasattr(source, "labels") and hasattr(source, "classes"):  # Prediction
        inner = readable(source.labels, what)
        return Readable(inner.shape, inner.read, tuple(source.classes), source.box, inner.spacing_um)
    from voxloop.volumes import as_volume, read_block, shape_zyx, spacing_of

    # three axes are (z, y, x) here, however few voxels the last has: labels know no colours
    options: Any = {"axes": "zyx"} if not hasattr(source, "dims") and getattr(source, "ndim", 0) == 3 else {}
    volume = as_volume(source, **options)
    if volume.dtype.kind not in "ui":
        raise VolumeError(f"{what} holds {volume.dtype}; labels are whole numbers")
    if "c" in volume.dims:
        raise VolumeError(f"{what} has {volume.sizes['c']} channels; labels have one value a voxel")

    def read(box: Box) -> np.ndarray:
        block: np.ndarray = read_block(volume, box)[0]
        return block

    return Readable(shape_zyx(volume), read, spacing_um=spacing_of(volume))


def same_shape(one: Readable, other: Readable, names: tuple[str, str]) -> None:
    """Raise VolumeError where the two do not lie on the same voxels."""
    if one.shape != other.shape:
        raise VolumeError(
            f"{names[0]} has shape {one.shape} and {names[1]} {other.shape}; they must be the same (z, y, x)"
        )


def walk(box: Box, *, block: Sequence[int] = (16, 256, 256), at_most: int = 4096) -> Iterator[Box]:
    """Boxes that cover ``box``, of ``block`` voxels or larger where that would make more than ``at_most``."""
    sizes = list(block)
    shape = box.shape
    while prod(ceil(n / b) for n, b in zip(shape, sizes, strict=True)) > at_most and prod(sizes) < 2**26:
        axis = max(range(3), key=lambda a: shape[a] / sizes[a])
        sizes[axis] *= 2
    yield from box.blocks(sizes)
