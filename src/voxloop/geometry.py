"""Boxes, planes and physical units. Pure: no files, no arrays larger than a handful of numbers.

Voxel tuples are ``zyx``; spacing is in micrometres. Voxel centres lie at integer coordinates, so voxel ``i`` covers
``[i - 0.5, i + 0.5)``.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Self

from voxloop.errors import VolumeError

AXES = ("z", "y", "x")
Shape = tuple[int, int, int]
Spacing = tuple[float, float, float]

#: micrometres in one unit: the lengths that OME-NGFF and OME-XML know, as OME-NGFF spells them
UNITS_UM = {
    "angstrom": 1e-4, "attometer": 1e-12, "centimeter": 1e4, "decimeter": 1e5, "exameter": 1e24, "femtometer": 1e-9,
    "foot": 304_800.0, "gigameter": 1e15, "hectometer": 1e8, "inch": 25_400.0, "kilometer": 1e9, "megameter": 1e12,
    "meter": 1e6, "micrometer": 1.0, "mile": 1_609_344_000.0, "millimeter": 1e3, "nanometer": 1e-3,
    "parsec": 3.0856775814913673e22, "petameter": 1e21, "picometer": 1e-6, "terameter": 1e18, "yard": 914_400.0,
    "yoctometer": 1e-18, "yottameter": 1e30, "zeptometer": 1e-15, "zettameter": 1e27,
}  # fmt: skip
_SHORT = {
    "a": "angstrom", "å": "angstrom", "ångström": "angstrom", "ångstrom": "angstrom", "pm": "picometer",
    "nm": "nanometer", "um": "micrometer", "µm": "micrometer", "μm": "micrometer",
    "micron": "micrometer", "mm": "millimeter", "cm": "centimeter", "dm": "decimeter", "m": "meter",
    "km": "kilometer", "fm": "femtometer", "in": "inch", "inche": "inch", "ft": "foot", "feet": "foot", "yd": "yard",
}  # fmt: skip
_USUAL = ("angstrom", "nanometer", "micrometer", "millimeter", "centimeter", "meter")


def unit_um(unit: str) -> float:
    """Micrometres in one ``unit``; long OME-NGFF names and the usual short ones. Raises VolumeError."""
    if not isinstance(unit, str):
        raise VolumeError(f"unit {str(unit)[:40]!r} is not a length; use one of {', '.join(_USUAL)}")
    name = unit.strip().lower().replace("metre", "meter")
    if len(name) > 2:
        name = name.removesuffix("s")
    name = _SHORT.get(name, name)
    if name not in UNITS_UM:
        raise VolumeError(f"unit {unit!r} is not a length; use one of {', '.join(_USUAL)}")
    return UNITS_UM[name]


def plane_axes(axis: str) -> tuple[str, str]:
    """The two axes of a plane across ``axis``, in zyx order: ``z -> (y, x)``, ``y -> (z, x)``, ``x -> (z, y)``."""
    if not isinstance(axis, str) or axis not in AXES:
        raise VolumeError(f"axis {axis!r} is not one of 'z', 'y', 'x'")
    first, second = (name for name in AXES if name != axis)
    return first, second


@dataclass(frozen=True, slots=True)
class Box:
    """A box of voxels: ``start`` is the first voxel on each axis, ``stop`` the one after the last.

    Parameters
    ----------
    start, stop
        (z, y, x) in voxels of the volume that the box lies in; a box that was grown may reach below zero until it is
        clipped.
    """

    start: Shape
    stop: Shape

    @classmethod
    def whole(cls, shape: Sequence[int]) -> Self:
        """All of a volume of this shape."""
        return cls((0, 0, 0), _three(shape))

    @classmethod
    def at(cls, start: Sequence[int], shape: Sequence[int]) -> Self:
        """The box of this shape that begins at ``start``."""
        stop = [first + size for first, size in zip(start, shape, strict=True)]
        return cls(_three(start), _three(stop))

    @classmethod
    def of(cls, region: object, shape: Sequence[int]) -> Self:
        """What a caller may give as a region, as a box inside ``shape``.

        ``None`` means all; an int a single plane; missing trailing axes mean all of them. Negative bounds count from
        the end as in numpy. Raises VolumeError where the region is empty, has a step, or lies outside.
        """
        if region is None:
            return cls.whole(shape)
        if isinstance(region, Box):
            region = region.slices
        parts = region if isinstance(region, tuple | list) else (region,)
        if len(parts) > 3:
            raise VolumeError(f"a region has three slices (z, y, x), not {len(parts)}")
        parts = [*parts, *[slice(None)] * (3 - len(parts))]
        bounds = [_bounds(name, part, size) for name, part, size in zip(AXES, parts, shape, strict=True)]
        return cls.from_json(bounds)

    @classmethod
    def around(cls, places: Any) -> Self:
        """The smallest box that holds voxels: an array (n, 3) zyx, n at least 1."""
        start = [int(first) for first in places.min(axis=0)]
        stop = [int(last) + 1 for last in places.max(axis=0)]
        return cls(_three(start), _three(stop))

    @classmethod
    def from_json(cls, bounds: Sequence[Sequence[int]]) -> Self:
        """The box of ``[[start, stop], ...]``, z first."""
        return cls(_three([start for start, _ in bounds]), _three([stop for _, stop in bounds]))

    def to_json(self) -> list[list[int]]:
        """``[[start, stop], ...]``, z first; numpy integers become plain ones."""
        return [[int(start), int(stop)] for start, stop in zip(self.start, self.stop, strict=True)]

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """For indexing an array: ``array[box.slices]``."""
        z, y, x = (slice(start, stop) for start, stop in zip(self.start, self.stop, strict=True))
        return z, y, x

    @property
    def shape(self) -> Shape:
        """Voxels along each axis."""
        return _three([stop - start for start, stop in zip(self.start, self.stop, strict=True)])

    @property
    def size(self) -> int:
        """Voxels in all."""
        z, y, x = self.shape
        return z * y * x

    @property
    def centre(self) -> Shape:
        """The voxel in the middle."""
        return _three([(first + last) // 2 for first, last in zip(self.start, self.stop, strict=True)])

    def along(self, axis: str) -> slice:
        """The extent along ``"z"``, ``"y"`` or ``"x"``."""
        return self.slices[AXES.index(axis)]

    def code(self) -> str:
        """The line of Python that a public verb takes as a region."""
        return "({})".format(", ".join(f"slice({start}, {stop})" for start, stop in self.to_json()))

    def cell(self, block: Sequence[int]) -> Shape:
        """Which cell of the grid of ``block`` voxels (from voxel 0) it begins in."""
        return _three([first // size for first, size in zip(self.start, block, strict=True)])

    def scale(self, factors: Sequence[int]) -> Self:
        """The same voxels in a volume whose voxels are ``factors`` times smaller."""
        start = [first * by for first, by in zip(self.start, factors, strict=True)]
        stop = [last * by for last, by in zip(self.stop, factors, strict=True)]
        return type(self)(_three(start), _three(stop))

    def cut(self, axis: str, start: int, stop: int) -> Self:
        """The box with another extent along one axis."""
        bounds = self.to_json()
        bounds[AXES.index(axis)] = [start, stop]
        return self.from_json(bounds)

    def shift(self, offset: Sequence[int]) -> Self:
        """The box moved by ``offset`` voxels."""
        return type(self).at([first + by for first, by in zip(self.start, offset, strict=True)], self.shape)

    def within(self, outer: Box) -> Self:
        """The same voxels counted from the start of ``outer``: what to cut from a block that was read as ``outer``."""
        return self.shift([-first for first in outer.start])

    def grow(self, by: Sequence[int]) -> Self:
        """The box larger by ``by`` voxels on both sides of each axis; :meth:`clip` cuts it to a volume."""
        start = [first - more for first, more in zip(self.start, by, strict=True)]
        stop = [last + more for last, more in zip(self.stop, by, strict=True)]
        return type(self)(_three(start), _three(stop))

    def clip(self, shape: Sequence[int]) -> Self:
        """The part inside a volume of this shape; it must meet it."""
        start = [max(0, first) for first in self.start]
        stop = [min(last, size) for last, size in zip(self.stop, shape, strict=True)]
        return type(self)(_three(start), _three(stop))

    def aligned(self, stride: Sequence[int]) -> Self:
        """The smallest box around it whose faces lie on multiples of ``stride``."""
        start = [first // step * step for first, step in zip(self.start, stride, strict=True)]
        stop = [-(-last // step) * step for last, step in zip(self.stop, stride, strict=True)]
        return type(self)(_three(start), _three(stop))

    def meet(self, other: Box) -> Self | None:
        """The box that both cover, None where they do not meet."""
        start = _three([max(pair) for pair in zip(self.start, other.start, strict=True)])
        stop = _three([min(pair) for pair in zip(self.stop, other.stop, strict=True)])
        if any(first >= last for first, last in zip(start, stop, strict=True)):
            return None
        return type(self)(start, stop)

    def crosses(self, axis: str, index: int) -> bool:
        """Whether the plane ``index`` across ``axis`` goes through it."""
        part = self.along(axis)
        return bool(part.start <= index < part.stop)

    def holds(self, point: Sequence[float]) -> bool:
        """Whether a voxel lies in it."""
        return all(first <= at < last for first, at, last in zip(self.start, point, self.stop, strict=True))

    def distance(self, point: Sequence[float], spacing_um: Sequence[float]) -> float:
        """Micrometres from a voxel to the nearest of the box; 0 inside."""
        total = 0.0
        for first, at, last, step in zip(self.start, point, self.stop, spacing_um, strict=True):
            total += (max(first - at, at - last + 1, 0) * step) ** 2
        return float(total**0.5)

    def covers(self, other: Box) -> bool:
        """Whether every voxel of ``other`` lies in it."""
        return self.meet(other) == other

    def blocks(self, block: Sequence[int]) -> Iterator[Self]:
        """The cells of the grid of ``block`` voxels (from voxel 0) that the box touches, cut to it, z slowest."""
        edges = []
        for first, last, size in zip(self.start, self.stop, block, strict=True):
            starts = range(first // size * size, last, size)
            edges.append([(max(first, start), min(last, start + size)) for start in starts])
        for bounds in product(*edges):
            yield type(self).from_json(bounds)


def cover(boxes: Sequence[Box]) -> Box:
    """The smallest box around all of these; there must be one at least."""
    start = [min(firsts) for firsts in zip(*(box.start for box in boxes), strict=True)]
    stop = [max(lasts) for lasts in zip(*(box.stop for box in boxes), strict=True)]
    return Box(_three(start), _three(stop))


def _three(numbers: Sequence[int]) -> Shape:
    z, y, x = numbers
    return z, y, x


def _bounds(name: str, part: Any, size: int) -> tuple[int, int]:
    """First voxel and the one after the last on one axis. Raises VolumeError."""
    if isinstance(part, slice):
        if part.step not in (None, 1):
            raise VolumeError(f"region {name} has step {part.step}; only step 1 is possible")
        try:
            start, stop, _ = part.indices(size)
        except TypeError:
            raise VolumeError(f"region {name}={part.start!r}:{part.stop!r} is not between two voxels") from None
        if part.stop is not None and part.stop > size:
            raise VolumeError(f"region {name}={part.start}:{part.stop} reaches past the volume's {size} voxels")
    else:
        try:
            index = operator.index(part)
        except TypeError:
            raise VolumeError(f"region {name}={part!r} is neither a slice nor the number of a plane") from None
        start = index + size if index < 0 else index
        stop = start + 1
        if not 0 <= start < size:
            raise VolumeError(f"region {name}={index} lies outside the volume's {size} voxels")
    if stop <= start:
        raise VolumeError(f"region {name}={start}:{stop} is empty; the volume has {size} voxels on that axis")
    return start, stop
