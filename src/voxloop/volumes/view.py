"""An array of any axes seen as (z, y, x) or (c, z, y, x). Reads what is sliced; decides nothing about the axes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from voxloop.errors import VolumeError, VoxloopError
from voxloop.volumes.graphs import blocks_over


@dataclass(frozen=True, slots=True)
class SourceView:
    """Which axis of an array is which of a volume's.

    ``axes`` are the letters of the array; ``fixed`` the axes of which one index is taken; ``depth`` the letter that is
    z (None: the array is one plane); ``channel`` the letter that is c (None: no channel axis), ``channels`` its indices
    that are kept.
    """

    axes: str
    fixed: Mapping[str, int]
    depth: str | None
    channel: str | None = None
    channels: tuple[int, ...] = ()

    def shape(self, full: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the volume over an array of shape ``full``."""
        return self.arrange(full, len(self.channels), 1)

    def arrange(self, values: tuple[int, ...], channels: int, plane: int) -> tuple[int, ...]:
        """Values per axis of the array in the order of the volume; ``plane`` where the array has no z."""
        known = dict(zip(self.axes, values, strict=True))
        volume = (known[self.depth] if self.depth else plane, known["y"], known["x"])
        return (channels, *volume) if self.channel else volume

    def take(self, array: Any, key: tuple[slice, ...]) -> Any:
        """The part of the volume that ``key`` slices, read from ``array`` (lazily where that is lazy)."""
        wanted = dict(zip("zyx", key[-3:], strict=True))
        ranges = {axis: slice(i, i + 1) for axis, i in self.fixed.items()}
        ranges |= {"y": wanted["y"], "x": wanted["x"]}
        if self.depth:
            ranges[self.depth] = wanted["z"]
        if self.channel is None:
            return self._ordered(array, ranges)
        kept = self.channels[key[0]]
        if kept == tuple(range(kept[0], kept[0] + len(kept))):
            return self._ordered(array, ranges | {self.channel: slice(kept[0], kept[0] + len(kept))})
        parts = [self._ordered(array, ranges | {self.channel: slice(i, i + 1)}) for i in kept]
        if isinstance(parts[0], np.ndarray):
            return np.concatenate(parts)
        import dask.array as da

        return da.concatenate(parts)

    def _ordered(self, array: Any, ranges: Mapping[str, slice]) -> Any:
        part = array[tuple(ranges[axis] for axis in self.axes)]
        order = [axis for axis in (self.channel, self.depth, "y", "x") if axis]
        part = part.transpose([self.axes.index(axis) for axis in [*order, *self.fixed]])
        part = part[(..., *(0 for _ in self.fixed))]
        return part if self.depth else part[..., np.newaxis, :, :]


class Viewed:
    """A view of an array as an array of its own, in this machine's byte order, truth values as 0 and 1.

    The one place where blocks of any source are read: whatever a library raises becomes a VolumeError that names
    ``text``, and numbers never become narrower.
    """

    def __init__(self, array: Any, view: SourceView, text: str = "the array") -> None:
        self._array, self._view, self._text = array, view, text
        self.shape = view.shape(tuple(array.shape))
        self.ndim = len(self.shape)
        self.dtype = plain_dtype(np.dtype(array.dtype))

    @property
    def exposure(self) -> Any:
        """What the source itself has noted of it; None where it has not."""
        return getattr(self._array, "exposure", None)

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """The chunk of the file, in the order of the volume; None where it has none."""
        own = getattr(self._array, "chunks", None)
        if not own or not all(isinstance(size, int) for size in own):
            return None
        return self._view.arrange(tuple(own), len(self._view.channels), 1)

    def __getitem__(self, key: Any) -> np.ndarray:
        """Any basic or orthogonal index: dask hands over what it was asked for, fused into one key."""
        box, rest = _box_and_rest(key, self.shape)
        part = self._read(box)
        for axis in reversed(range(self.ndim)):  # integers last to first, so that earlier axes keep their place
            part = part[(slice(None),) * axis + (rest[axis],)]
        return part

    def _read(self, box: tuple[slice, ...]) -> np.ndarray:
        place = ", ".join(f"{part.start}:{part.stop}" for part in box)
        try:
            part = np.asarray(self._view.take(_Asked(self._array), box))
        except VoxloopError:
            raise
        except Exception as error:  # every library and codec raises its own kind
            words = (str(error).splitlines() or [""])[0][:160] or type(error).__name__
            raise VolumeError(
                f"the voxels [{place}] of {self._text} cannot be read ({words}); it may be cut short or damaged"
            ) from error
        if part.shape != tuple(axis.stop - axis.start for axis in box):
            raise VolumeError(f"the voxels [{place}] of {self._text} came with shape {part.shape}; has it changed?")
        if plain_dtype(part.dtype) != self.dtype and not np.can_cast(part.dtype, self.dtype, "safe"):
            raise VolumeError(
                f"the voxels [{place}] of {self._text} are {part.dtype}, which does not fit into {self.dtype}"
            )
        return part.astype(self.dtype, copy=False)


def _box_and_rest(key: Any, shape: tuple[int, ...]) -> tuple[tuple[slice, ...], tuple[Any, ...]]:
    """The smallest box around what ``key`` asks for, and the index within that box, axis by axis."""
    parts = list(key) if isinstance(key, tuple) else [key]
    if Ellipsis in [part for part in parts if not isinstance(part, np.ndarray | list)]:
        at = parts.index(Ellipsis)
        parts[at : at + 1] = [slice(None)] * (len(shape) - len(parts) + 1)
    parts += [slice(None)] * (len(shape) - len(parts))
    box: list[slice] = []
    rest: list[Any] = []
    for part, size in zip(parts, shape, strict=True):
        wanted = np.arange(size)[part]
        if wanted.size == 0:
            box.append(slice(0, 0))
            rest.append(slice(None))
        elif wanted.ndim == 0:
            box.append(slice(int(wanted), int(wanted) + 1))
            rest.append(0)
        else:
            low, high = int(wanted.min()), int(wanted.max()) + 1
            box.append(slice(low, high))
            rest.append(slice(None) if isinstance(part, slice) and part.step in (None, 1) else wanted - low)
    return tuple(box), tuple(rest)


class _Asked:
    """Reads as numpy, whatever kind of array it is."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        return np.asarray(self._array[key])


def plain_dtype(dtype: np.dtype) -> np.dtype:
    """The same numbers in this machine's byte order, truth values as uint8."""
    return np.dtype(np.uint8) if dtype.kind == "b" else dtype.newbyteorder("=")


#: what a dask array reads from, by the array's name: a graph of a million blocks need not be cut down for one plane
_BEHIND: WeakValueDictionary[str, Any] = WeakValueDictionary()


def dask_over(array: Any, chunks: tuple[int, ...]) -> Any:
    """A dask array that reads ``array`` block by block, without a lock, since every format reads from any thread."""
    lazy = blocks_over(array, chunks, meta=np.empty((0,) * len(array.shape), array.dtype))
    _BEHIND[lazy.name] = array
    return lazy


def behind(lazy: Any) -> Any | None:
    """What the dask array reads from as it stands; None where operations lie between, or it is another's."""
    return _BEHIND.get(getattr(lazy, "name", ""))
