"""What an edit changed, as values, and its run-length code. Pure: knows no files.

A patch is a box inside one chunk with the voxels before and after; a voxel belongs to the edit where the two differ.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxloop.geometry import Box, Shape

#: voxels of the largest chunk
MAX_PATCH = 16 * 128 * 128

_HEAD = struct.Struct("<II")  # patches, runs


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """Voxels of one chunk that an edit may have changed: arrays (z, y, x) and the voxel of their first corner."""

    origin: Shape
    before: np.ndarray
    after: np.ndarray

    @property
    def box(self) -> Box:
        """Where it lies in the volume."""
        return Box.at(self.origin, self.before.shape)

    @property
    def changed(self) -> np.ndarray:
        changed: np.ndarray = np.not_equal(self.before, self.after)
        return changed

    @property
    def reversed(self) -> Patch:
        return Patch(self.origin, self.after, self.before)


def encode(patches: Sequence[Patch]) -> bytes:
    """Patches as bytes: their boxes, then runs of (length, before, after) over the voxels of each, then deflated.

    Voxels that did not change become 0 on both sides, so that they cost nothing and replaying never touches them.
    """
    lengths, values = [], []
    for patch in patches:  # one by one: they fit into the processor's cache, all of a large edit do not
        before, after = patch.before.ravel(), patch.after.ravel()
        changed = before != after
        before, after = before * changed, after * changed
        starts = np.flatnonzero((before[1:] != before[:-1]) | (after[1:] != after[:-1])) + 1
        starts = np.concatenate(([0], starts))
        lengths.append(np.diff(starts, append=before.size).astype("<u4"))
        values.append((_little(before[starts]).tobytes(), _little(after[starts]).tobytes()))
    boxes = np.array([(*patch.origin, *patch.before.shape) for patch in patches], dtype="<i4")
    body = b"".join(
        [_HEAD.pack(len(patches), sum(map(len, lengths))), boxes.tobytes()]
        + [one.tobytes() for one in lengths]
        + [one[0] for one in values]
        + [one[1] for one in values]
    )
    return zlib.compress(body, 1)


def decode(data: bytes, dtype: np.dtype, within: tuple[Shape, Shape] | None = None) -> list[Patch]:
    """The patches that :func:`encode` made. Raises ValueError, struct.error or zlib.error for anything else.

    ``within`` is the shape of the array and of its chunks: a patch must lie in one chunk of it.
    """
    body = zlib.decompress(data)
    count, runs = _HEAD.unpack_from(body)
    at = _HEAD.size
    boxes = np.frombuffer(body, "<i4", count * 6, at).reshape(count, 6)
    at += boxes.nbytes
    lengths = np.frombuffer(body, "<u4", runs, at)
    at += lengths.nbytes
    sizes = boxes[:, 3:].astype(np.int64).prod(axis=1)
    if boxes.min(initial=0) < 0 or (sizes > MAX_PATCH).any() or lengths.sum(dtype=np.uint64) != sizes.sum():
        raise ValueError("these are no patches")
    if within is not None:
        shape, chunks = within
        first, last = boxes[:, :3], boxes[:, :3] + boxes[:, 3:] - 1
        if (last >= shape).any() or (first // chunks != last // chunks).any():
            raise ValueError("voxels outside of the array")
    stored = np.dtype(dtype).newbyteorder("<")
    before = np.repeat(np.frombuffer(body, stored, runs, at).astype(dtype), lengths)
    after = np.repeat(np.frombuffer(body, stored, runs, at + runs * stored.itemsize).astype(dtype), lengths)
    patches, start = [], 0
    for *origin, z, y, x in boxes.tolist():
        stop = start + z * y * x
        patches.append(Patch(tuple(origin), before[start:stop].reshape(z, y, x), after[start:stop].reshape(z, y, x)))
        start = stop
    return patches


def streams(data: bytes) -> list[tuple[int, int]]:
    """Where in ``data`` each of the pieces that :func:`encode` made begins and ends; empty where it is not all whole.

    Each piece knows its own end, so they can be told apart where what named them is lost.
    """
    pieces, start = [], 0
    while start < len(data):
        unpacker = zlib.decompressobj()
        try:
            unpacker.decompress(data[start:])
        except zlib.error:
            return []
        if not unpacker.eof:
            return []
        stop = len(data) - len(unpacker.unused_data)
        pieces.append((start, stop))
        start = stop
    return pieces


def _little(values: np.ndarray) -> np.ndarray:
    return values.astype(values.dtype.newbyteorder("<"), copy=False)
