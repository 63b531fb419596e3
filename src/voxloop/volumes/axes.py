"""Which axis is which: unnamed axes, time, samples of colour, channels. Pure but for the lazy array it rearranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from voxloop.errors import VolumeError, unknown

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
class Arranged:
    """A lazy array (z, y, x) or (c, z, y, x), and what became of time and colour."""

    array: Any
    frames: bool
    channel_names: list[str] | None


def arrange(array: Any, axes: str, *, timepoint: int | None, text: str) -> Arranged:
    """Bring a dask array into (c, z, y, x): pick the time point, drop alpha and gray colour, put in a missing z."""
    array, axes, frames = _time(array, axes, timepoint, text)
    names = None
    if "s" in axes:
        array, axes, names = _colour(array, axes)
    if "z" not in axes:
        array, axes = array[np.newaxis], "z" + axes
    order = [axis for axis in "czyx" if axis in axes]
    array = array.transpose([axes.index(axis) for axis in order])
    if array.ndim == 4 and array.shape[0] == 1:
        array, names = array[0], None
    return Arranged(array, frames, names)


def _time(array: Any, axes: str, timepoint: int | None, text: str) -> tuple[Any, str, bool]:
    sizes = dict(zip(axes, array.shape, strict=True))
    times, depth = sizes.get("t", 1), sizes.get("z", 1)
    if timepoint is not None and not 0 <= timepoint < times:
        raise VolumeError(f"timepoint={timepoint} is not among the {times} of {text}; give 0 to {times - 1}")
    if "t" not in axes:
        return array, axes, False
    index = axes.index("t")
    if timepoint is not None or times == 1:
        return array[(slice(None),) * index + (timepoint or 0,)], axes.replace("t", ""), False
    if depth > 1:
        raise VolumeError(
            f"{text} has {times} time points of {depth} slices; choose one with timepoint=0 to {times - 1}"
        )
    if "z" in axes:
        array, axes = array[(slice(None),) * axes.index("z") + (0,)], axes.replace("z", "")
    return array, axes.replace("t", "z"), True


def _colour(array: Any, axes: str) -> tuple[Any, str, list[str] | None]:
    """Samples of a pixel: alpha dropped, equal colours one gray, else channels."""
    last = axes.index("s")
    array = array.transpose([*(i for i in range(array.ndim) if i != last), last])
    axes = axes.replace("s", "")
    samples = array.shape[-1]
    if samples in (2, 4):
        samples -= 1
        array = array[..., :samples]
    if samples == 1 or (samples == 3 and _is_gray(array)):
        return array[..., 0], axes, None
    if "c" in axes:
        raise VolumeError(f"a picture of {samples} colours in each of several channels cannot be told apart; open one")
    array = array.transpose([array.ndim - 1, *range(array.ndim - 1)])
    names = ["red", "green", "blue"] if samples == 3 else [f"sample {i}" for i in range(samples)]
    return array, "c" + axes, names


def _is_gray(array: Any) -> bool:
    """Whether red, green and blue agree in the middle of the first, the middle and the last plane.

    The one place where opening reads voxels, and only of coloured pictures; at most 1024 x 1024 of three planes.
    """
    *stack, rows, columns, _ = array.shape
    middle = tuple(slice(max(0, (n - _LOOKED_AT) // 2), (n + _LOOKED_AT) // 2 + 1) for n in (rows, columns))
    looked_at = {tuple(0 for _ in stack), tuple(n // 2 for n in stack), tuple(n - 1 for n in stack)}
    for index in looked_at:
        part = np.asarray(array[(*index, *middle)])
        if not (np.array_equal(part[..., 0], part[..., 1]) and np.array_equal(part[..., 1], part[..., 2])):
            return False
    return True


def pick_channels(
    array: Any, names: Sequence[str] | None, wanted: int | str | Sequence[int | str] | None, text: str
) -> tuple[Any, list[str] | None]:
    """Keep the channels that ``wanted`` names; one given alone drops the axis. Raises VolumeError."""
    count = array.shape[0] if array.ndim == 4 else 1
    known = list(names) if names and len(names) == count else [f"channel {i}" for i in range(count)]
    if wanted is None:
        return array, known if array.ndim == 4 else None
    single = isinstance(wanted, int | str)
    indices = [_channel(item, known, text) for item in ([wanted] if isinstance(wanted, int | str) else wanted)]
    if not indices:
        raise VolumeError(f"channels=[] keeps nothing of {text}; there are {known}")
    if array.ndim == 3:
        return array, None
    if single:
        return array[indices[0]], None
    return array[indices], [known[i] for i in indices]


def _channel(item: int | str, known: list[str], text: str) -> int:
    if isinstance(item, str):
        if item not in known:
            raise VolumeError(unknown("channel", item, known) + f" in {text}")
        return known.index(item)
    if not -len(known) <= item < len(known):
        raise VolumeError(f"channel {item} is not in {text}; there are 0 to {len(known) - 1}: {', '.join(known)}")
    return int(item) % len(known)
