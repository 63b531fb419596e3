"""One number a voxel, read region by region: the input and output of every step. Reads; keeps no voxels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.geometry import Box, Shape, Spacing
from voxloop.volumes import as_volume, read_block, shape_zyx, spacing_of
from voxloop.volumes.volume import origin_of

#: voxels to look at past the border of a block, on both sides, zyx
Halo = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class VoxelField:
    """Voxels behind a function: ``read(box)`` gives (z, y, x), or (c, z, y, x), in memory.

    Attributes
    ----------
    shape, spacing_um, origin_um
        Voxels, their size and the centre of the first one, zyx.
    frames
        Planes are separate pictures: nothing is connected, smoothed or measured across them.
    """

    shape: Shape
    read: Callable[[Box], np.ndarray]
    spacing_um: Spacing = (1.0, 1.0, 1.0)
    origin_um: Spacing = (0.0, 0.0, 0.0)
    frames: bool = False

    @property
    def flat(self) -> bool:
        """Whether sizes are areas: a single picture, or frames."""
        return self.frames or self.shape[0] == 1

    @property
    def voxel(self) -> float:
        """Size of a voxel: cubic micrometres, square ones where :attr:`flat`."""
        return prod(self.spacing_um[1:]) if self.flat else prod(self.spacing_um)

    def voxels(self, length_um: float) -> Halo:
        """A length in voxels along each axis, rounded up; none across frames."""
        z, y, x = (ceil(length_um / step) for step in self.spacing_um)
        return (0 if self.flat else z, y, x)


def field_of(source: Any, *, channel: int | None = None) -> VoxelField:
    """Anything that :func:`voxloop.open_volume` takes, as a field. Reads nothing.

    ``channel`` picks one of a volume with channels; None keeps them all. Raises VolumeError.
    """
    if isinstance(source, VoxelField):
        return source
    # three axes are (z, y, x) here, however few voxels the last has: labels know no colours
    options: Any = {"axes": "zyx"} if not hasattr(source, "dims") and getattr(source, "ndim", 0) == 3 else {}
    volume = as_volume(source, **options)
    many = "c" in volume.dims
    if channel is not None and not many:
        raise VolumeError(f"channel {channel} of a volume without channels; leave channel out")

    def read(box: Box) -> np.ndarray:
        block: np.ndarray = read_block(volume, box)
        return block if many else block[0]

    field = VoxelField(
        shape_zyx(volume), read, spacing_of(volume), origin_of(volume), volume.attrs.get("z_kind") == "frame"
    )
    if channel is None:
        return field
    one = volume.isel(c=channel)
    return replace(field, read=lambda box: read_block(one, box)[0])


def map_field(field: VoxelField, function: Callable[[np.ndarray], np.ndarray], halo: Halo = (0, 0, 0)) -> VoxelField:
    """``function`` of every block and ``halo`` voxels around it, the halo cut off again. Computes when read."""

    def read(box: Box) -> np.ndarray:
        outer = box.grow(halo).clip(field.shape)
        block: np.ndarray = function(field.read(outer))[..., *box.within(outer).slices]
        return block

    return replace(field, read=read)


def within(field: VoxelField, region: object) -> VoxelField:
    """A part of a field as a field of its own. Raises VolumeError where it lies outside."""
    box = Box.of(region, field.shape)
    if box == Box.whole(field.shape):
        return field
    z, y, x = (o + s * n for o, s, n in zip(field.origin_um, field.spacing_um, box.start, strict=True))
    return replace(
        field,
        shape=box.shape,
        read=lambda part: field.read(part.shift(box.start)),
        origin_um=(z, y, x),
    )


def block_shape(shape: Shape, *, halo: Sequence[int] = (0, 0, 0), chunk: Sequence[int] = (16, 256, 256)) -> Shape:
    """Voxels of a block: whole chunks, about 4 million, more where a halo would else be most of the work."""
    size = [min(c, -(-n // c) * c) for c, n in zip(chunk, shape, strict=True)]
    target = [max(c, 2 * h) for c, h in zip(size, halo, strict=True)]
    block = [-(-w // c) * c for w, c in zip(target, size, strict=True)]
    while prod(block) < 2**22 and any(b < n for b, n in zip(block, shape, strict=True)):
        # the axis of which the block covers least, counted in chunks of it
        axis = min((a for a in range(3) if block[a] < shape[a]), key=lambda a: block[a] / size[a])
        block[axis] += size[axis]
    z, y, x = block
    return z, y, x
