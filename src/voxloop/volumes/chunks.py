"""How large a lazy block is: whole planes where they fit, multiples of the file's own chunks. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod

from voxloop.errors import VolumeError

#: bytes of a block: enough that the graph stays small, little enough that one plane on screen does not read much
TARGET = 16 * 2**20
LIMIT = 64 * 2**20
#: blocks of a store far away that stay as small as its chunks, at most
_SMALL = 2**20


def chunk_plan(
    shape: Sequence[int],
    axes: str,
    itemsize: int,
    *,
    own: Sequence[int] | None = None,
    chunks: str | int | Sequence[int] = "auto",
) -> tuple[int, ...]:
    """Block shape for an array whose axes are the letters ``axes``.

    ``own`` is the chunk of the file, of which blocks are multiples. ``chunks`` is ``"auto"``, voxels along z, y, x, or
    ``"stored"``: a block is one chunk, since dask reads whole blocks where an index is followed by another.
    Raises VolumeError for chunks that are no numbers.
    """
    if isinstance(chunks, str):
        if chunks == "stored" and own and prod(-(-n // c) for n, c in zip(shape, own, strict=True)) <= _SMALL:
            return tuple(min(n, c) for n, c in zip(shape, own, strict=True))
        if chunks not in ("auto", "stored"):
            raise VolumeError(f"chunks {chunks!r} is neither 'auto' nor voxels along z, y, x")
        return _auto(tuple(shape), axes, itemsize, own)
    sizes = [chunks] * 3 if isinstance(chunks, int) else list(chunks)
    if len(sizes) != 3 or not all(isinstance(n, int) and (n > 0 or n == -1) for n in sizes):
        raise VolumeError(f"chunks {chunks!r} must be three whole numbers (z, y, x), -1 for a whole axis")
    wanted = dict(zip("zyx", sizes, strict=True))
    if "z" not in axes and "t" in axes:
        wanted["t"] = wanted["z"]
    full = dict(zip(axes, shape, strict=True))
    return tuple(
        n if axis == "s" else min(n, n if wanted.get(axis, 1) == -1 else wanted.get(axis, 1))
        for axis, n in full.items()
    )


def planes_at_once(plane_bytes: int) -> int:
    """How many planes of so many bytes are worked on together where there is no chunk to follow."""
    return max(1, TARGET // max(1, plane_bytes))


def _auto(shape: tuple[int, ...], axes: str, itemsize: int, own: Sequence[int] | None) -> tuple[int, ...]:
    """Grow the file's chunk (a voxel where it has none) first in the plane, then along z, up to the target."""
    block = {a: min(c, n) for a, c, n in zip(axes, own or [1] * len(shape), shape, strict=True)}
    full = dict(zip(axes, shape, strict=True))
    if "s" in block:
        block["s"] = full["s"]
    for axis, limit in (("x", LIMIT // 2), ("y", LIMIT // 2), ("z", TARGET), ("t", TARGET)):
        if axis in block:
            room = max(1, limit // (prod(block.values()) * itemsize))
            block[axis] = min(full[axis], block[axis] * room)
    return tuple(_even(block[a], n, c) for a, n, c in zip(axes, shape, own or [1] * len(shape), strict=True))


def _even(size: int, full: int, unit: int) -> int:
    """Equal parts rather than a sliver at the end, still a multiple of ``unit``."""
    if size >= full:
        return full
    parts = ceil(full / size)
    return min(size, ceil(ceil(full / parts) / unit) * unit)
