"""An image of which only some chunks lie in a store: what is not there is said, never read as zeros. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.geometry import Box, Shape
from voxloop.volumes.exposure import Exposure

#: voxels zyx that are there together or not: planes are looked at alone as often as blocks
CHUNK = (1, 256, 256)


def chunks_under(shape: Shape, boxes: Iterable[Box]) -> np.ndarray:
    """Which chunks of an image some boxes touch: bool, one number a chunk along z, y, x."""
    counts = [-(-size // step) for size, step in zip(shape, CHUNK, strict=True)]
    there = np.zeros(counts, bool)
    for box in boxes:
        inside = box.clip(shape)
        there[
            tuple(
                slice(low // step, -(-high // step))
                for low, high, step in zip(inside.start, inside.stop, CHUNK, strict=True)
            )
        ] = True
    return there


def parts_of(array: Any, axes: str, noted: Any) -> Any:
    """The array of a store as it may be read: one that says where it ends, where only parts of it are there.

    Raises VolumeError where what is noted of them is damaged.
    """
    if not isinstance(noted, Mapping) or "there" not in noted:
        return array
    try:
        sizes = dict(zip(axes, array.shape, strict=True))
        shape = (sizes.get("z", sizes.get("t", 1)), sizes["y"], sizes["x"])
        there = np.zeros(prod(counts := chunks_under(shape, []).shape), bool)
        for start, count in noted["there"]:
            if not 0 <= int(start) < int(start) + int(count) <= there.size:
                raise ValueError("chunks outside of it")
            there[int(start) : int(start) + int(count)] = True
        exposure = Exposure.from_json(noted["exposure"]) if "exposure" in noted else None
    except (ValueError, TypeError, KeyError) as error:
        raise VolumeError(f"what is noted of the parts of this image is damaged ({error})") from error
    return StoredParts(array, axes, there.reshape(counts), exposure)


class StoredParts:
    """A stored array that raises VolumeError where what is read is not there.

    Attributes
    ----------
    exposure : that of the whole image, where it was noted.
    """

    def __init__(self, array: Any, axes: str, there: np.ndarray, exposure: Exposure | None) -> None:
        self._array, self._there, self.exposure = array, there, exposure
        self.shape, self.dtype, self.ndim, self.chunks = array.shape, array.dtype, array.ndim, array.chunks
        depth = "z" if "z" in axes else "t"
        self._places = tuple(axes.find(axis) for axis in (depth, "y", "x"))

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        box = [key[place].indices(self.shape[place])[:2] if place >= 0 else (0, 1) for place in self._places]
        wanted = tuple(slice(low // step, -(-high // step)) for (low, high), step in zip(box, CHUNK, strict=True))
        if not self._there[wanted].all():
            words = ", ".join(f"{axis} {low}:{high}" for axis, (low, high) in zip("zyx", box, strict=True))
            raise VolumeError(
                f"only {self._there.mean():.1%} of this image was packed, and voxels {words} were not: pack it again "
                "with whole=True ('voxloop pack --whole')"
            )
        return np.asarray(self._array[key])
