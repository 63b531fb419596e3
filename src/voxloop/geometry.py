"""Boxes, planes and physical units. Pure: no files, no arrays larger than a handful of numbers.

Voxel tuples are ``zyx``; a region is three slices with explicit, non-negative bounds and step one; spacing is in
micrometres. Voxel centres lie at integer coordinates, so voxel ``i`` covers ``[i - 0.5, i + 0.5)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from voxloop.errors import VolumeError

AXES = ("z", "y", "x")
Shape = tuple[int, int, int]
Spacing = tuple[float, float, float]
Region = tuple[slice, slice, slice]

#: micrometres in one unit, as OME-NGFF spells the units
UNITS_UM = {
    "angstrom": 1e-4,
    "nanometer": 1e-3,
    "micrometer": 1.0,
    "millimeter": 1e3,
    "centimeter": 1e4,
    "meter": 1e6,
}
_SHORT = {
    "a": "angstrom", "å": "angstrom", "nm": "nanometer", "um": "micrometer", "µm": "micrometer", "μm": "micrometer",
    "micron": "micrometer", "microns": "micrometer", "mm": "millimeter", "cm": "centimeter", "m": "meter",
}  # fmt: skip


def unit_um(unit: str) -> float:
    """Micrometres in one ``unit``; long OME-NGFF names and the usual short ones. Raises VolumeError."""
    name = unit.strip().lower().replace("metre", "meter").removesuffix("s") if len(unit) > 2 else unit.strip().lower()
    name = _SHORT.get(name, name)
    if name not in UNITS_UM:
        raise VolumeError(f"unit {unit!r} is not a length; use one of {', '.join(UNITS_UM)}")
    return UNITS_UM[name]


def plane_axes(axis: str) -> tuple[str, str]:
    """The two axes of a plane across ``axis``, in zyx order: ``z -> (y, x)``, ``y -> (z, x)``, ``x -> (z, y)``."""
    if axis not in AXES:
        raise VolumeError(f"axis {axis!r} is not one of 'z', 'y', 'x'")
    first, second = (name for name in AXES if name != axis)
    return first, second


def full_region(shape: Sequence[int]) -> Region:
    z, y, x = shape
    return slice(0, z), slice(0, y), slice(0, x)


def as_region(region: object, shape: Sequence[int]) -> Region:
    """Three explicit slices inside ``shape``.

    ``None`` means all; an int a single plane; missing trailing axes mean all of them. Negative bounds count from the
    end as in numpy. Raises VolumeError where the region is empty, has a step, or lies outside.
    """
    if region is None:
        return full_region(shape)
    parts = region if isinstance(region, tuple | list) else (region,)
    if len(parts) > 3:
        raise VolumeError(f"a region has three slices (z, y, x), not {len(parts)}")
    out = []
    for name, size, part in zip(AXES, shape, [*parts, *[slice(None)] * (3 - len(parts))], strict=True):
        if isinstance(part, slice):
            if part.step not in (None, 1):
                raise VolumeError(f"region {name} has step {part.step}; only step 1 is possible")
            start, stop, _ = part.indices(size)
            if part.stop is not None and part.stop > size:
                raise VolumeError(f"region {name}={part.start}:{part.stop} reaches past the volume's {size} voxels")
        else:
            index = int(part)
            start = index + size if index < 0 else index
            stop = start + 1
            if not 0 <= start < size:
                raise VolumeError(f"region {name}={index} lies outside the volume's {size} voxels")
        if stop <= start:
            raise VolumeError(f"region {name}={start}:{stop} is empty; the volume has {size} voxels on that axis")
        out.append(slice(start, stop))
    return out[0], out[1], out[2]


def region_shape(region: Region) -> Shape:
    z, y, x = (part.stop - part.start for part in region)
    return z, y, x


def intersect(a: Region, b: Region) -> Region | None:
    """The box that both cover, None where they do not meet."""
    parts = [slice(max(p.start, q.start), min(p.stop, q.stop)) for p, q in zip(a, b, strict=True)]
    return (parts[0], parts[1], parts[2]) if all(p.start < p.stop for p in parts) else None


def grow(region: Region, by: Sequence[int], shape: Sequence[int]) -> Region:
    """``region`` larger by ``by`` voxels on both sides of each axis, clipped to ``shape``."""
    z, y, x = (
        slice(max(0, part.start - n), min(size, part.stop + n)) for part, n, size in zip(region, by, shape, strict=True)
    )
    return z, y, x


def shift(region: Region, offset: Sequence[int]) -> Region:
    """``region`` moved by ``offset`` voxels."""
    z, y, x = (slice(part.start + n, part.stop + n) for part, n in zip(region, offset, strict=True))
    return z, y, x


def blocks(region: Region, block: Sequence[int]) -> Iterator[Region]:
    """The cells of the grid of ``block`` voxels (anchored at voxel 0) that ``region`` touches, cut to it, z slowest."""
    edges = []
    for part, size in zip(region, block, strict=True):
        starts = range(part.start // size * size, part.stop, size)
        edges.append([slice(max(part.start, s), min(part.stop, s + size)) for s in starts])
    yield from product(edges[0], edges[1], edges[2])
