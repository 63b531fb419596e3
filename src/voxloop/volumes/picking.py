"""What of an array is shown: a time point, channels, colours. Knows no file format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxloop.errors import VolumeError, unknown
from voxloop.volumes.formats.contract import LazyArray
from voxloop.volumes.view import SourceView

#: pixels a side of a square that decides whether colours are equal, and how many squares lie in a plane, a side
_SQUARE = 256
_SQUARES = 5
#: planes of a stack that are looked at
_PLANES = 7


@dataclass(frozen=True, slots=True)
class Picked:
    """How to see an array as a volume, and what became of time and colour."""

    view: SourceView
    frames: bool
    channel_names: list[str] | None
    remarks: tuple[str, ...]


def pick(
    array: LazyArray,
    axes: str,
    *,
    timepoint: int | None,
    names: Sequence[str] | None,
    channels: int | str | Sequence[int | str] | None,
    text: str,
) -> Picked:
    """Pick the time point, drop alpha and gray colour, keep the channels that are wanted. Raises VolumeError."""
    sizes = dict(zip(axes, (int(n) for n in array.shape), strict=True))
    remarks: list[str] = []
    fixed, depth = _time(sizes, timepoint, text)
    channel: str | None = None
    count = 1
    if "s" in sizes:
        count, colours = _colours(array, axes, fixed, remarks)
        if count == 1:
            fixed["s"] = 0
        elif sizes.get("c", 1) > 1:
            raise VolumeError(f"{text} has {count} colours in each of {sizes['c']} channels; open one of them")
        else:
            channel, names = "s", colours
    if "c" in sizes and (channel or sizes["c"] == 1):
        fixed["c"] = 0
    elif "c" in sizes:
        channel, count = "c", sizes["c"]
    known = list(names) if names and len(names) == count else [f"channel {i}" for i in range(count)]
    kept = _positions(known, channels, text)
    if channel and isinstance(channels, int | str):
        fixed[channel], channel = kept[0], None
    view = SourceView(axes, fixed, depth, channel, tuple(kept) if channel else ())
    return Picked(view, depth == "t", [known[i] for i in kept] if channel else None, tuple(remarks))


def _time(sizes: dict[str, int], timepoint: int | None, text: str) -> tuple[dict[str, int], str | None]:
    """Axes of which one index is taken, and the axis that is z: time where there is no depth."""
    times, depth = sizes.get("t", 1), sizes.get("z", 1)
    if timepoint is not None and not 0 <= timepoint < times:
        raise VolumeError(f"timepoint={timepoint} is not among the {times} of {text}; give 0 to {times - 1}")
    own = "z" if "z" in sizes else None
    if "t" not in sizes:
        return {}, own
    if own is None and timepoint is None:
        return {}, "t"
    if timepoint is not None or times == 1:
        return {"t": timepoint or 0}, own
    if depth > 1:
        raise VolumeError(
            f"{text} has {times} time points of {depth} slices; choose one with timepoint=0 to {times - 1}, or "
            "add them all with ws.images.add_times"
        )
    return ({"z": 0} if own else {}), "t"


def _colours(array: LazyArray, axes: str, fixed: dict[str, int], remarks: list[str]) -> tuple[int, list[str]]:
    """Samples of a pixel that count: alpha dropped, equal colours one gray."""
    samples = int(array.shape[axes.index("s")])
    if samples in (2, 4):
        samples -= 1
        remarks.append(f"sample {samples + 1} of {samples + 1} is taken for transparency and left out")
    if samples == 3 and _is_gray(array, axes, fixed):
        samples = 1
        remarks.append("red, green and blue are equal and shown as one gray")
    return samples, ["red", "green", "blue"] if samples == 3 else [f"sample {i}" for i in range(samples)]


def _is_gray(array: LazyArray, axes: str, fixed: dict[str, int]) -> bool:
    """Whether red, green and blue agree: in squares all over a few planes, the first, the last and some between.

    The one place where opening reads voxels, and only of coloured pictures. A plane of one colour says nothing, so a
    blank middle or a black first frame does not decide; small planes are looked at whole.
    """
    sizes = dict(zip(axes, array.shape, strict=True))
    stack = [axis for axis in axes if axis in "tzc" and axis not in fixed]
    deep = max((sizes[axis] for axis in stack), default=1)
    planes = min(deep, _PLANES)
    for plane in range(planes):
        share = plane / (planes - 1) if planes > 1 else 0.0
        at = {axis: fixed.get(axis, round(share * (sizes[axis] - 1))) for axis in axes if axis in "tzc"}
        for rows in _looked_at(sizes["y"]):
            for columns in _looked_at(sizes["x"]):
                ranges = {axis: slice(index, index + 1) for axis, index in at.items()}
                ranges |= {"y": rows, "x": columns, "s": slice(0, 3)}
                part = np.moveaxis(np.asarray(array[tuple(ranges[axis] for axis in axes)]), axes.index("s"), 0)
                if not (np.array_equal(part[0], part[1]) and np.array_equal(part[1], part[2])):
                    return False
    return True


def _looked_at(size: int) -> list[slice]:
    """All of a short axis; squares from end to end of a long one."""
    if size <= _SQUARE * _SQUARES:
        return [slice(0, size)]
    starts = [round(i * (size - _SQUARE) / (_SQUARES - 1)) for i in range(_SQUARES)]
    return [slice(start, start + _SQUARE) for start in starts]


def _positions(names: list[str], channels: int | str | Sequence[int | str] | None, text: str) -> list[int]:
    """Where the channels asked for stand among ``names``; all of them where none is asked for."""
    if channels is None:
        return list(range(len(names)))
    if isinstance(channels, int | str):
        return [_position(channels, names, text)]
    positions = [_position(channel, names, text) for channel in channels]
    if not positions:
        raise VolumeError(f"channels=[] keeps nothing of {text}; there are {names}")
    return positions


def _position(channel: int | str, names: list[str], text: str) -> int:
    if isinstance(channel, str):
        if channel not in names:
            raise VolumeError(unknown("channel", channel, names) + f" in {text}")
        return names.index(channel)
    if not -len(names) <= channel < len(names):
        raise VolumeError(f"channel {channel} is not in {text}; there are 0 to {len(names) - 1}: {', '.join(names)}")
    return int(channel) % len(names)
