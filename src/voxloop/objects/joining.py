"""Pieces of blocks that are one object, and one name for each. Pure but for reading the records of pieces.

Pieces are nodes; a voxel that two blocks have named joins its two pieces; a group of joined pieces (union-find, as
scipy's connected components of that graph) is an object. An object is owned by its first voxel along x, then y, then
z, and objects are numbered by their owners: a number says nothing about blocks, their order, or who worked on them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from voxloop.geometry import Box
from voxloop.objects.fields import VoxelField
from voxloop.objects.pieces import Index, Pieces


@dataclass(frozen=True, slots=True)
class Groups:
    """Objects, in the order of their first voxels.

    Attributes
    ----------
    group
        The object of each piece of all blocks, from 0.
    start
        Position of the first piece of each block in ``group``, by block of the grid.
    first, keys, sizes, marked
        Of each object: number of its first voxel, value or name, voxels (0 where not counted), whether any of its
        pieces is marked.
    """

    group: np.ndarray
    start: np.ndarray
    first: np.ndarray
    keys: np.ndarray
    sizes: np.ndarray
    marked: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


def join(pieces: Pieces) -> Groups:
    """Join the pieces of all blocks across their faces. Memory grows with the number of pieces, not of voxels."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    start, first, keys, sizes, marked = _gather(pieces)
    pairs = [np.zeros((0, 2), np.int64)]
    for index, _ in pieces.blocks():
        pairs.extend(_pairs(pieces, start, index))
    one, other = np.concatenate(pairs).T
    graph = coo_array((np.ones(len(one), bool), (one, other)), shape=(len(first), len(first)))
    count, group = connected_components(graph, directed=False)
    return _order_groups(group, int(count), start, first, keys, sizes, marked)


def group_by_key(pieces: Pieces) -> Groups:
    """Pieces of one key are one object, wherever they lie."""
    start, first, keys, sizes, marked = _gather(pieces)
    names, group = np.unique(keys, return_inverse=True)
    return _order_groups(group, len(names), start, first, keys, sizes, marked)


def _gather(pieces: Pieces) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    start = np.zeros(pieces.grid, np.int64)
    first, keys, sizes, marked = [], [], [], []
    total = 0
    for index, _ in pieces.blocks():
        with pieces.record(index) as record:
            count = len(record["first"])
            start[index] = total
            first.append(record["first"])
            keys.append(record["keys"])
            counted = record["sizes"]
            if not len(counted):
                counted = np.zeros(count, np.int64)
            sizes.append(counted)
            is_marked = np.zeros(count, bool)
            is_marked[record["marked"] - 1] = True
            marked.append(is_marked)
        total += count
    return start, np.concatenate(first), np.concatenate(keys), np.concatenate(sizes), np.concatenate(marked)


def _order_groups(
    group: np.ndarray,
    count: int,
    start: np.ndarray,
    first: np.ndarray,
    keys: np.ndarray,
    sizes: np.ndarray,
    marked: np.ndarray,
) -> Groups:
    owner = np.full(count, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(owner, group, first)
    order = np.argsort(owner)
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(count)
    group = rank[group]
    name = np.zeros(count, keys.dtype)
    name[group] = keys
    voxels = np.bincount(group, weights=sizes, minlength=count).astype(np.int64)
    any_marked = np.zeros(count, bool)
    any_marked[group[marked]] = True
    return Groups(group, start, owner[order], name, voxels, any_marked)


def _pairs(pieces: Pieces, start: np.ndarray, index: Index) -> list[np.ndarray]:
    """Pieces that share a voxel: this block's, and those of the blocks before it that own the plane it looked at."""
    pairs = []
    with pieces.record(index) as record:
        for axis in range(3):
            if f"low{axis}" not in record:
                continue
            plane = record[f"low{axis}"]
            others = [a for a in range(3) if a != axis]
            # the plane begins one voxel early where the block looked past its near faces along it too
            early = [int(f"low{a}" in record) for a in others]
            for back in product(*(range(n + 1) for n in early)):
                near = list(index)
                near[axis] -= 1
                for a, n in zip(others, back, strict=True):
                    near[a] -= n
                with pieces.record((near[0], near[1], near[2])) as neighbour:
                    far_face = neighbour[f"high{axis}"]
                near_face = plane[tuple(slice(0, 1) if b else slice(e, None) for b, e in zip(back, early, strict=True))]
                far_face = far_face[tuple(slice(-1, None) if b else slice(None) for b in back)]
                pair = _distinct(near_face.ravel(), far_face.ravel())
                pairs.append(pair + np.array([start[index] - 1, start[tuple(near)] - 1]))
    return pairs


def _distinct(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Distinct pairs of names that share a voxel, (n, 2) int64; equal neighbours are dropped before the sorting."""
    both = one.astype(np.uint64) << np.uint64(32) | other.astype(np.uint64)
    both = both[np.flatnonzero(np.diff(both, prepend=np.uint64(0)))]
    both = np.unique(both[_first(both) > 0]) if len(both) else both
    return np.stack([_first(both), both & np.uint64(0xFFFFFFFF)], axis=1).astype(np.int64)


def _first(both: np.ndarray) -> np.ndarray:
    return both >> np.uint64(32)


def name_voxels(field: VoxelField, pieces: Pieces, groups: Groups, names: np.ndarray) -> VoxelField:
    """The volume in which every voxel of object ``i`` has the value ``names[i]``; 0 elsewhere. Reads scratch."""

    def read(box: Box) -> np.ndarray:
        out = np.zeros(box.shape, names.dtype)
        for part in box.blocks(pieces.block):
            index = part.cell(pieces.block)
            block = rename_block(pieces, groups, names, index)
            out[part.within(box).slices] = block[part.within(pieces.box(index)).slices]
        return out

    return replace(field, read=read)


def rename_block(pieces: Pieces, groups: Groups, names: np.ndarray, index: Index) -> np.ndarray:
    """One block of :func:`name_voxels`."""
    import fastremap

    table = table_of(pieces, groups, names, index)
    if len(table) == 1:
        return np.zeros(pieces.box(index).shape, names.dtype)
    local = pieces.names(index, len(table) - 1)
    if not table.any():
        return np.zeros(local.shape, names.dtype)
    flat = local.astype(names.dtype).reshape(-1)
    return np.asarray(fastremap.remap_from_array(flat, table)).reshape(local.shape)


def table_of(pieces: Pieces, groups: Groups, names: np.ndarray, index: Index) -> np.ndarray:
    """The name of each piece ``0..n`` of a block; piece 0 is nothing."""
    flat = int(np.ravel_multi_index(index, pieces.grid))
    begin = int(groups.start[index])
    end = int(groups.start.ravel()[flat + 1]) if flat + 1 < groups.start.size else len(groups.group)
    return np.concatenate([np.zeros(1, names.dtype), names[groups.group[begin:end]]])
