"""Connected components of a block, with what is needed to join them to those of its neighbours. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np

from voxloop.geometry import Box, Shape
from voxloop.objects.fields import VoxelField
from voxloop.objects.pieces import Index, PieceRecord, Pieces

#: connectivity -> as cc3d and as scikit-image number it
CONNECTIVITY: dict[str, Any] = {"faces": 6, "edges": 18, "corners": 26}
RANK = {"faces": 1, "edges": 2, "corners": 3}


def components(values: np.ndarray, connectivity: str = "faces", frames: bool = False) -> tuple[np.ndarray, int]:
    """Name every run of connected voxels of one non-zero value: (names from 1, their number). Method: cc3d.

    Parameters
    ----------
    values
        Integers or truth values (z, y, x); 0 is nothing.
    connectivity
        ``"faces"``, ``"edges"`` or ``"corners"``.
    frames
        Whether planes are kept apart.
    """
    import cc3d

    if frames and len(values) > 1:
        names: np.ndarray = np.zeros(values.shape, np.uint32)
        total = 0
        for plane, out in zip(values, names, strict=True):
            plane_names, count = components(plane[None], connectivity)
            np.add(plane_names[0], total, out=out, where=plane_names[0] > 0)
            total += count
        return names, total
    names, count = cc3d.connected_components(
        np.ascontiguousarray(values), connectivity=CONNECTIVITY[connectivity], return_N=True
    )
    return names, int(count)


def cut_block(
    field: VoxelField, pieces: Pieces, index: Index, connectivity: str, *, sizes: bool = False, mark_edge: bool = False
) -> None:
    """Name the pieces of one block and keep them.

    The block looks one voxel past its near faces. What it sees there its neighbours see too, so a voxel with a name
    in each says which pieces are one: across faces, edges and corners alike.
    """
    box = pieces.box(index)
    reach = [int(i > 0 and not (field.frames and axis == 0)) for axis, i in enumerate(index)]
    early = Box.from_json([(first - n, last) for (first, last), n in zip(box.to_json(), reach, strict=True)])
    values = field.read(early)
    names, count = components(values, connectivity, field.frames)
    first = first_voxels(names, count)
    core = names[tuple(slice(n, None) for n in reach)]
    short = np.uint16 if count < 2**16 else np.uint32
    record = PieceRecord(first=number_in_volume(first, early, field.shape), keys=values.ravel()[first])
    for axis in range(3):
        if reach[axis]:
            record.low[axis] = np.take(names, 0, axis=axis).astype(short)
        if index[axis] + 1 < pieces.grid[axis] and not (field.frames and axis == 0):
            record.high[axis] = np.take(core, -1, axis=axis).astype(short)
    if sizes:
        record.sizes = np.bincount(core.ravel(), minlength=count + 1)[1:]
    if mark_edge:
        record.marked = names_in_faces(core, box, field)
    pieces.write(index, core, record)


def first_voxels(names: np.ndarray, count: int) -> np.ndarray:
    """Where each name ``1..count`` occurs first in a C-ordered array, as flat positions (int64)."""
    rows = names.reshape(-1, names.shape[-1])
    top = np.maximum.accumulate(rows.max(axis=1, initial=0))
    before = np.concatenate([[0], top[:-1]]).astype(rows.dtype)
    new = np.flatnonzero(top > before)  # rows with a name that no row before them has
    highest = np.maximum.accumulate(np.maximum(rows[new], before[new, None]), axis=1)
    row, column = np.nonzero(np.diff(highest, axis=1, prepend=before[new, None]))
    positions = np.full(count + 1, -1, np.int64)
    positions[highest[row, column]] = new[row] * rows.shape[1] + column
    if (positions[1:] < 0).any():  # names do not rise in the order of the voxels
        values, positions = np.unique(names, return_index=True)
        return np.asarray(positions[values > 0])
    return np.asarray(positions[1:])


def number_in_volume(flat: np.ndarray, box: Box, full: Shape) -> np.ndarray:
    """Flat positions in a box as voxel numbers of the whole volume, uint64."""
    at = zip(np.unravel_index(flat, box.shape), box.start, strict=True)
    z, y, x = (position.astype(np.uint64) + np.uint64(first) for position, first in at)
    return np.asarray((z * np.uint64(full[1]) + y) * np.uint64(full[2]) + x)


def names_in_faces(names: np.ndarray, box: Box, field: VoxelField, *, of_volume: bool = True) -> np.ndarray:
    """Names in the planes of a block that are faces of the volume, or in those that are not and may have more behind.

    Where all there is are pictures, z has neither.
    """
    planes = [np.zeros(0, names.dtype)]
    for axis in range(int(field.flat), 3):
        if (box.start[axis] == 0) == of_volume:
            planes.append(np.take(names, 0, axis=axis).ravel())
        if (box.stop[axis] == field.shape[axis]) == of_volume:
            planes.append(np.take(names, -1, axis=axis).ravel())
    every = np.unique(np.concatenate(planes))
    return np.asarray(every[every > 0], np.int64)
