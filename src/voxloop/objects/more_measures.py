"""More measures of every object of a label image: whole objects in their boxes, contacts block by block.

Memory grows with objects, and with the largest one, not with voxels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import PredictionError, unknown
from voxloop.geometry import AXES, Box, cover
from voxloop.objects.fields import VoxelField, block_shape, field_of
from voxloop.objects.image import chunk_of
from voxloop.objects.shape_measures import OF_MASK, plane_or_volume
from voxloop.objects.working import each

if TYPE_CHECKING:
    from pandas import DataFrame

#: groups of measures beside those of :func:`measure_objects`
GROUPS = ("shape", "skeleton", "regionprops", "contacts")
#: voxels read at once for the objects of a block
_READ = 2**24


def measure_more(labels: Any, table: DataFrame, groups: Sequence[str], *, workers: int | None = None) -> DataFrame:
    """Measures beside those of :func:`measure_objects`, one row for each of its rows.

    Parameters
    ----------
    labels
        Numbers of objects (z, y, x): anything :func:`voxloop.open_volume` takes.
    table
        What :func:`measure_objects` says of them; boxes count from the start of ``labels``.
    groups
        ``"shape"``: solidity, Euler number, Feret, oriented box, ...; ``"skeleton"``: length of the centre
        line and its branches; ``"regionprops"``: every number that scikit-image measures, by its own name;
        ``"contacts"``: neighbours that share a face, and how large that is.

    Raises
    ------
    PredictionError
        There is no such group.
    """
    import pandas as pd

    for group in groups:
        if group not in GROUPS:
            raise PredictionError(unknown("group of measures", group, GROUPS))
    field = field_of(labels)
    parts = [pd.DataFrame(index=table.index)]
    of_mask = [group for group in groups if group in OF_MASK]
    if of_mask:
        parts.append(_of_masks(field, table, of_mask, workers))
    if "contacts" in groups:
        parts.append(_contact_columns(field, table))
    return pd.concat(parts, axis=1)


def contacts(labels: Any) -> DataFrame:
    """Which objects share faces: columns ``a`` and ``b`` (a < b) and ``um2`` of faces (``um`` of pictures).

    Read by the block; equal to the whole volume's whatever the blocks.
    """
    import pandas as pd

    field = field_of(labels)
    size = "um" if field.flat else "um2"
    found: list[np.ndarray] = []
    for box in Box.whole(field.shape).blocks(block_shape(field.shape, chunk=chunk_of(field))):
        found.append(_faces(field, box))
        if len(found) > 64:
            found = [_summed(found)]
    pairs = _summed(found)
    return pd.DataFrame({"a": pairs[:, 0].astype(np.int64), "b": pairs[:, 1].astype(np.int64), size: pairs[:, 2]})


def _of_masks(field: VoxelField, table: DataFrame, groups: Sequence[str], workers: int | None) -> DataFrame:
    import pandas as pd

    boxes = table[[f"{axis}_{end}" for axis in AXES for end in ("from", "to")]].to_numpy(np.int64)
    rows: list[dict[str, float] | None] = [None] * len(table)
    numbers = table.index.to_numpy()

    def measure(some: np.ndarray) -> None:
        for at, mask in _masks(field, numbers, boxes, some):
            if field.flat and len(mask) > 1:  # in several frames: no one shape
                continue
            values: dict[str, float] = {}
            one, spacing = plane_or_volume(mask, field.spacing_um, field.flat)
            for group in groups:
                values |= OF_MASK[group](one, spacing)
            rows[at] = values

    each(measure, _together(field, boxes), workers)
    names = next((list(row) for row in rows if row), [])
    data = np.full((len(rows), len(names)), np.nan)
    for at, row in enumerate(rows):
        if row is not None:
            data[at] = [row.get(name, np.nan) for name in names]
    return pd.DataFrame(data, index=table.index, columns=names)


def _together(field: VoxelField, boxes: np.ndarray) -> list[np.ndarray]:
    """Rows of the objects that begin in the same block, which are read together."""
    if not len(boxes):
        return []
    block = block_shape(field.shape, chunk=chunk_of(field))
    cells = boxes[:, ::2] // np.array(block)
    order = np.lexsort(cells.T[::-1])
    starts = np.flatnonzero(np.any(np.diff(cells[order], axis=0, prepend=-1), axis=1))
    return np.split(order, starts[1:])


def _masks(
    field: VoxelField, numbers: np.ndarray, boxes: np.ndarray, rows: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    """Row and mask, in its box, of each of these objects."""
    around = [Box.from_json(boxes[row].reshape(3, 2).tolist()) for row in rows]
    together = cover(around)
    read = field.read(together) if together.size <= _READ else None
    for row, box in zip(rows.tolist(), around, strict=True):
        voxels = field.read(box) if read is None else read[box.within(together).slices]
        yield row, voxels == numbers[row]


def _contact_columns(field: VoxelField, table: DataFrame) -> DataFrame:
    import pandas as pd

    pairs = contacts_of(field)
    size = "contact_um" if field.flat else "contact_um2"
    both = np.concatenate([pairs[:, 0], pairs[:, 1]]).astype(np.int64)
    at = table.index.get_indexer(both)
    count = np.bincount(at, minlength=len(table))[: len(table)]
    area = np.bincount(at, weights=np.tile(pairs[:, 2], 2), minlength=len(table))[: len(table)]
    return pd.DataFrame({"neighbours": count, size: area}, index=table.index)


def contacts_of(field: VoxelField) -> np.ndarray:
    """Pairs of objects that share faces, and how much: (n, 3)."""
    table = contacts(field)
    return np.asarray(table, np.float64)


def _faces(field: VoxelField, box: Box) -> np.ndarray:
    """Pairs of different objects on either side of a face that begins in a box: (n, 3) with the size of the faces."""
    reach = Box(box.start, (box.stop[0] + (not field.flat), box.stop[1] + 1, box.stop[2] + 1)).clip(field.shape)
    values = field.read(reach)
    inner = box.within(reach)
    found = []
    axes = (1, 2) if field.flat else (0, 1, 2)
    for axis in axes:
        here = [slice(0, stop) for stop in inner.stop]
        after = list(here)
        limit = min(inner.stop[axis], values.shape[axis] - 1)
        here[axis], after[axis] = slice(0, limit), slice(1, limit + 1)
        first, second = values[tuple(here)], values[tuple(after)]
        meet = (first != second) & (first > 0) & (second > 0)
        one, other = first[meet].astype(np.float64), second[meet].astype(np.float64)
        size = np.prod([step for at, step in enumerate(field.spacing_um) if at != axis and at in axes])
        found.append(np.stack([np.minimum(one, other), np.maximum(one, other), np.full(len(one), size)], axis=1))
    return _summed(found)


def _summed(found: Sequence[np.ndarray]) -> np.ndarray:
    """Sizes of equal pairs added up."""
    pairs = np.concatenate(found) if found else np.zeros((0, 3))
    if not len(pairs):
        return np.zeros((0, 3))
    keys, at = np.unique(pairs[:, :2], axis=0, return_inverse=True)
    return np.column_stack([keys, np.bincount(at.ravel(), weights=pairs[:, 2])])
