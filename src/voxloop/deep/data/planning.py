"""Levels of a 3-D network from the size of a voxel: which axes are pooled, and how far its kernels reach. Pure.

As nnU-Net has it (Isensee et al. 2021): axes that are sampled finely are pooled first, until voxels are about as deep
as they are wide; until then kernels do not reach across the coarse axis.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from voxloop.geometry import Shape

#: voxels that the coarsest level keeps along an axis, at least
SMALLEST = 4
#: an axis is coarse where its voxels are this many times longer than the shortest edge
COARSE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLevels:
    """Kernel and stride zyx of each level, finest first; the stride is that of its first convolution."""

    kernels: tuple[Shape, ...]
    strides: tuple[Shape, ...]

    @property
    def stride(self) -> Shape:
        """How many voxels one of the coarsest level stands for, zyx."""
        z, y, x = (math.prod(part) for part in zip(*self.strides, strict=True))
        return z, y, x


def plan_levels(spacing: Sequence[float], window: Sequence[int], most: int) -> NetworkLevels:
    """The levels of a network for windows of a size, in voxels of a spacing.

    Parameters
    ----------
    spacing
        Voxel size zyx as the network sees it; only ratios matter.
    window
        Voxels zyx; an axis is halved while :data:`SMALLEST` are left.
    most
        Levels at most.

    Returns
    -------
    NetworkLevels
        At least one, of stride 1.
    """
    edge = [float(step) for step in spacing]
    size = [int(n) for n in window]
    wide = [n > 1 and step < COARSE * _shortest(edge, size) for step, n in zip(edge, size, strict=True)]
    kernels, strides = [_shape(3 if on else 1 for on in wide)], [(1, 1, 1)]
    while len(kernels) < most:
        room = [axis for axis in range(3) if size[axis] >= 2 * SMALLEST]
        pooled = [axis for axis in room if edge[axis] < COARSE * min(edge[other] for other in room)]
        if not pooled:
            break
        for axis in pooled:
            edge[axis] *= 2
            size[axis] = -(-size[axis] // 2)
        # what once reached across an axis goes on to
        wide = [
            before or (n > 1 and step < COARSE * _shortest(edge, size))
            for before, step, n in zip(wide, edge, size, strict=True)
        ]
        kernels.append(_shape(3 if on else 1 for on in wide))
        strides.append(_shape(2 if axis in pooled else 1 for axis in range(3)))
    return NetworkLevels(kernels=tuple(kernels), strides=tuple(strides))


def plan_window(spacing: Sequence[float], extent: Sequence[int], voxels: int, multiple: int = 8) -> Shape:
    """A window of about so many voxels that is as deep as it is wide, in micrometres.

    Parameters
    ----------
    extent
        Voxels zyx beyond which a window shows nothing new; what it cannot use along one axis goes to the others.
    multiple
        Sizes are rounded to multiples of this, and to multiples of two below it.
    """
    size = [0, 0, 0]
    free, left = [0, 1, 2], float(voxels)
    while free:
        side = (left * math.prod(spacing[axis] for axis in free)) ** (1 / len(free))
        full = [axis for axis in free if side / spacing[axis] >= extent[axis]]
        if not full:
            for axis in free:
                size[axis] = min(_rounded(side / spacing[axis], multiple), _up(extent[axis], multiple))
            break
        for axis in full:
            size[axis] = _up(extent[axis], multiple)
            left = max(1.0, left / size[axis])
        free = [axis for axis in free if axis not in full]
    return _shape(size)


def whole_steps(window: Sequence[int], steps: Sequence[int], least: Sequence[int]) -> Shape:
    """The window of about as many voxels whose sides are multiples of what a network computes in.

    Parameters
    ----------
    window
        Voxels zyx, as planned.
    steps, least
        What sides are multiples of, and the smallest there is, zyx; what one axis is given is taken from the next.
    """
    size: list[int] = []
    for axis, (step, fewest) in enumerate(zip(steps, least, strict=True)):
        rest = window[axis:]
        share = math.prod(window) / (math.prod(size) * math.prod(rest))
        size.append(max(fewest, round(rest[0] * share ** (1 / len(rest)) / step) * step))
    return _shape(size)


def _shortest(edge: Sequence[float], size: Sequence[int]) -> float:
    """Of the axes along which there is more than one voxel."""
    return min((step for step, n in zip(edge, size, strict=True) if n > 1), default=min(edge))


def _rounded(value: float, multiple: int) -> int:
    if value < multiple:
        return max(1, round(value / 2) * 2)
    return round(value / multiple) * multiple


def _up(size: int, multiple: int) -> int:
    """The next size that is legal: of a short axis the next even number, or the axis itself where it is one."""
    if size < multiple:
        return size + size % 2 if size > 1 else 1
    return -(-size // multiple) * multiple


def _shape(values: Iterable[int]) -> Shape:
    z, y, x = values
    return int(z), int(y), int(x)
