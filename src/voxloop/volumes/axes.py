"""Which axis is which: unnamed axes, time, samples of colour, channels. Knows no file format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from voxloop.errors import VolumeError, unknown
from voxloop.volumes.formats.contract import LazyArray
from voxloop.volumes.view import View

#: unnamed axes by their number
_BY_COUNT = {2: "yx", 3: "zyx", 4: "czyx", 5: "tczyx"}
_LOOKED_AT = 1024  # pixels a side of the part that decides whether colours are equal


def check_dtype(dtype: Any, text: str) -> None:
    """Raise VolumeError for what is not a picture's numbers."""
    kind = np.dtype(dtype).kind
    if kind == "c":
        raise VolumeError(f"{text} holds complex numbers; open its magnitude, for example numpy.abs(array)")
    if kind not in "buif":
        raise VolumeError(f"{text} has dtype {dtype}; a volume holds integers or floats, for example uint8")


def resolve_axes(axes: str, shape: Sequence[int], text: str) -> str:
    """A letter for each axis. Unnamed ones are, from the last, x y z c t; a last one of 3 or 4 is colour.

    Raises VolumeError for shapes that cannot be a volume.
    """
    shape = tuple(int(size) for size in shape)
    if any(size == 0 for size in shape):
        raise VolumeError(f"{text} has shape {shape}: there is nothing in it")
    if "?" in axes:
        named = [letter for letter in axes if letter != "?"]
        colour = "s" if not named and len(shape) >= 3 and shape[-1] in (3, 4) and min(shape[-3:-1]) > 4 else ""
        count = len(shape) - len(colour)
        if set(axes) == {"?"}:
            if count not in _BY_COUNT:
                raise VolumeError(
                    f"{text} has shape {shape}; a volume has 2 to 5 axes: (y, x), (z, y, x), (c, z, y, x)"
                )
            axes = _BY_COUNT[count] + colour
        else:
            free = [letter for letter in "zct" if letter not in named]
            if axes.count("?") > len(free):
                raise VolumeError(f"{text} has shape {shape} with axes {axes!r}; name at most one each of t, c, z")
            for letter in reversed(range(len(axes))):
                if axes[letter] == "?":
                    axes = axes[:letter] + free.pop(0) + axes[letter + 1 :]
    if len(axes) != len(shape) or len(set(axes)) != len(axes) or not {"y", "x"} <= set(axes):
        raise VolumeError(f"{text} has shape {shape} with axes {axes!r}; a volume needs y and x and each axis once")
    return axes


@dataclass(frozen=True, slots=True)
class Sorted:
    """How to see an array as a volume, and what became of time and colour."""

    view: View
    frames: bool
    channel_names: list[str] | None


def sort_axes(
    array: LazyArray,
    axes: str,
    *,
    timepoint: int | None,
    names: Sequence[str] | None,
    channels: int | str | Sequence[int | str] | None,
    text: str,
) -> Sorted:
    """Pick the time point, drop alpha and gray colour, keep the channels that are wanted. Raises VolumeError."""
    sizes = dict(zip(axes, (int(n) for n in array.shape), strict=True))
    fixed, depth = _time(sizes, timepoint, text)
    channel: str | None = None
    count = 1
    if "s" in sizes:
        count, known = _colours(array, axes, fixed)
        if count == 1:
            fixed["s"] = 0
        elif sizes.get("c", 1) > 1:
            raise VolumeError(f"{text} has {count} colours in each of {sizes['c']} channels; open one of them")
        else:
            channel, names = "s", known
    if "c" in sizes and (channel or sizes["c"] == 1):
        fixed["c"] = 0
    elif "c" in sizes:
        channel, count = "c", sizes["c"]
    known = list(names) if names and len(names) == count else [f"channel {i}" for i in range(count)]
    kept = _kept(known, channels, text)
    if channel and isinstance(channels, int | str):
        fixed[channel], channel = kept[0], None
    view = View(axes, fixed, depth, channel, tuple(kept) if channel else ())
    return Sorted(view, depth == "t", [known[i] for i in kept] if channel else None)


def _time(sizes: dict[str, int], timepoint: int | None, text: str) -> tuple[dict[str, int], str | None]:
    """Axes of which one index is taken, and the axis that is z: time where there is no depth."""
    times, depth = sizes.get("t", 1), sizes.get("z", 1)
    if timepoint is not None and not 0 <= timepoint < times:
        raise VolumeError(f"timepoint={timepoint} is not among the {times} of {text}; give 0 to {times - 1}")
    own = "z" if "z" in sizes else None
    if "t" not in sizes:
        return {}, own
    if timepoint is not None or times == 1:
        return {"t": timepoint or 0}, own
    if depth > 1:
        raise VolumeError(
            f"{text} has {times} time points of {depth} slices; choose one with timepoint=0 to {times - 1}"
        )
    return ({"z": 0} if own else {}), "t"


def _colours(array: LazyArray, axes: str, fixed: dict[str, int]) -> tuple[int, list[str]]:
    """Samples of a pixel that count: alpha dropped, equal colours one gray."""
    samples = int(array.shape[axes.index("s")])
    if samples in (2, 4):
        samples -= 1
    if samples == 3 and _is_gray(array, axes, fixed):
        samples = 1
    return samples, ["red", "green", "blue"] if samples == 3 else [f"sample {i}" for i in range(samples)]


def _is_gray(array: LazyArray, axes: str, fixed: dict[str, int]) -> bool:
    """Whether red, green and blue agree in the middle of the first, the middle and the last plane.

    The one place where opening reads voxels, and only of coloured pictures; at most 1024 x 1024 of three planes.
    """
    sizes = dict(zip(axes, array.shape, strict=True))
    middle = {a: slice(max(0, (sizes[a] - _LOOKED_AT) // 2), (sizes[a] + _LOOKED_AT) // 2 + 1) for a in "yx"}
    stack = [axis for axis in axes if axis in "tzc"]
    for share in (0.0, 0.5, 1.0):
        at = {a: fixed.get(a, round(share * (sizes[a] - 1))) for a in stack}
        key = tuple(middle[a] if a in middle else slice(0, 3) if a == "s" else slice(at[a], at[a] + 1) for a in axes)
        part = np.moveaxis(np.asarray(array[key]), axes.index("s"), 0)
        if not (np.array_equal(part[0], part[1]) and np.array_equal(part[1], part[2])):
            return False
    return True


def _kept(known: list[str], wanted: int | str | Sequence[int | str] | None, text: str) -> list[int]:
    if wanted is None:
        return list(range(len(known)))
    kept = [_channel(item, known, text) for item in ([wanted] if isinstance(wanted, int | str) else wanted)]
    if not kept:
        raise VolumeError(f"channels=[] keeps nothing of {text}; there are {known}")
    return kept


def _channel(item: int | str, known: list[str], text: str) -> int:
    if isinstance(item, str):
        if item not in known:
            raise VolumeError(unknown("channel", item, known) + f" in {text}")
        return known.index(item)
    if not -len(known) <= item < len(known):
        raise VolumeError(f"channel {item} is not in {text}; there are 0 to {len(known) - 1}: {', '.join(known)}")
    return int(item) % len(known)
