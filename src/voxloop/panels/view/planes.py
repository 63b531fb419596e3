"""Planes of a volume at every scale, read by the tile, kept within a budget. Knows no widgets.

A plane lies across one axis; its rows and columns are the other two axes in zyx order. Boxes are
``(top, left, bottom, right)`` in voxel edges: voxel ``i`` of an axis covers ``[i, i + 1)``.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.geometry import AXES, Shape, Spacing

if TYPE_CHECKING:
    from xarray import DataArray

PlaneBox = tuple[int, int, int, int]
EdgeBox = tuple[float, float, float, float]

#: edge length of a cached tile in voxels: small enough to pan cheaply, large enough that a view touches few
TILE = 512
#: planes read together where a stored chunk holds several of them: the chunk is decoded only once
GROUP = 8
BUDGET_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class PlaneGeometry:
    """Where the planes across ``axis`` of one scale lie in the finest one.

    ``shape`` and ``spacing_um`` are (rows, columns); ``depth`` counts the planes; ``factor`` and ``offset`` give the
    finest scale's voxel edge ``factor * edge + offset`` along rows, columns and the axis itself.
    """

    axis: str
    shape: tuple[int, int]
    depth: int
    factor: tuple[float, float, float]
    offset: tuple[float, float, float]

    def plane_of(self, index: int) -> int:
        """The plane of this scale that holds plane ``index`` of the finest."""
        return min(self.depth - 1, max(0, math.floor((index + 0.5 - self.offset[2]) / self.factor[2])))

    def cover(self, box: EdgeBox) -> PlaneBox:
        """The voxels of this scale that ``box`` (finest scale) touches, at least one each way."""
        low = [math.floor((box[i] - self.offset[i]) / self.factor[i]) for i in (0, 1)]
        high = [math.ceil((box[2 + i] - self.offset[i]) / self.factor[i]) for i in (0, 1)]
        low = [min(max(0, value), size - 1) for value, size in zip(low, self.shape, strict=True)]
        high = [min(max(start + 1, value), size) for start, value, size in zip(low, high, self.shape, strict=True)]
        return low[0], low[1], high[0], high[1]

    def outer(self, box: PlaneBox) -> EdgeBox:
        """``box`` of this scale in edges of the finest."""
        top, left, bottom, right = (box[i] * self.factor[i % 2] + self.offset[i % 2] for i in range(4))
        return top, left, bottom, right


class VolumePlanes:
    """Planes of a volume and its coarser scales.

    Parameters
    ----------
    scales
        The volume, finest first, as :func:`voxloop.scales` gives them; nothing is read until asked for.
    budget
        Bytes of voxels kept in memory, least recently seen dropped first.
    """

    def __init__(self, scales: Sequence[DataArray], budget: int = BUDGET_BYTES) -> None:
        from voxloop.volumes.volume import channels_of, shape_zyx, spacing_of, stored_chunk

        self._scales = list(scales)
        self._shapes: list[Shape] = [shape_zyx(volume) for volume in self._scales]
        self._spacings: list[Spacing] = [spacing_of(volume) for volume in self._scales]
        self.channels = channels_of(self._scales[0])
        self.dtype = np.dtype(self._scales[0].dtype)
        # where nothing is known, a plane of the file is taken for what is decoded together
        chunk = stored_chunk(self._scales[0]) or (1, GROUP, GROUP)
        self._stored_depth = dict(zip(AXES, chunk, strict=True))
        self._tiles = TileCache(budget)
        self._reading = [threading.Lock() for _ in range(16)]

    @property
    def shape(self) -> Shape:
        return self._shapes[0]

    @property
    def spacing_um(self) -> Spacing:
        return self._spacings[0]

    @property
    def scale_count(self) -> int:
        return len(self._scales)

    def geometry(self, axis: str, scale: int = 0) -> PlaneGeometry:
        """Geometry of the planes across ``axis`` at ``scale``."""
        rows, columns = (i for i, name in enumerate(AXES) if name != axis)
        order = (rows, columns, AXES.index(axis))
        shape, fine, coarse = self._shapes[scale], self._spacings[0], self._spacings[scale]
        starts = [(self._edge(scale, i) - self._edge(0, i)) / fine[i] for i in order]
        ratios = [coarse[i] / fine[i] for i in order]
        return PlaneGeometry(
            axis,
            (shape[rows], shape[columns]),
            shape[order[2]],
            (ratios[0], ratios[1], ratios[2]),
            (starts[0], starts[1], starts[2]),
        )

    def _edge(self, scale: int, axis: int) -> float:
        """Micrometres at the outer edge of the first voxel."""
        first = float(self._scales[scale][AXES[axis]].values[0])
        return first - self._spacings[scale][axis] / 2

    def scale_for(self, axis: str, pixel_um: float) -> int:
        """The coarsest scale that still has a voxel for every screen pixel of ``pixel_um`` micrometres."""
        rows, columns = (i for i, name in enumerate(AXES) if name != axis)
        wanted = 0
        for scale, spacing in enumerate(self._spacings):
            # along the finer axis: a coarse z must not force the finest scale on an xz plane
            if min(spacing[rows], spacing[columns]) <= pixel_um * 1.001:
                wanted = scale
        return wanted

    def read(self, axis: str, index: int, box: PlaneBox, scale: int = 0) -> np.ndarray:
        """Voxels (c, rows, columns) of one plane; ``index`` and ``box`` in voxels of ``scale``."""
        tiles = _tiles_of(box)
        missing = [tile for tile in tiles if (scale, axis, index, *tile) not in self._tiles]
        if missing:
            self._fetch(axis, index, missing, scale)
        top, left, bottom, right = box
        out = np.empty((self.channels, bottom - top, right - left), self.dtype)
        for row, column in tiles:
            part = self._tiles.get((scale, axis, index, row, column))
            if part is None:  # dropped meanwhile: the budget is smaller than this view
                part = self._read_block(axis, (index, index + 1), self._tile_box(axis, scale, row, column), scale)[0]
            y, x = row * TILE, column * TILE
            y0, y1 = max(top, y), min(bottom, y + part.shape[1])
            x0, x1 = max(left, x), min(right, x + part.shape[2])
            out[:, y0 - top : y1 - top, x0 - left : x1 - left] = part[:, y0 - y : y1 - y, x0 - x : x1 - x]
        return out

    def _fetch(self, axis: str, index: int, tiles: Sequence[tuple[int, int]], scale: int) -> None:
        """Read the box around ``tiles``, with the neighbouring planes that share its chunks, and cut it up."""
        boxes = [self._tile_box(axis, scale, *tile) for tile in tiles]
        top, left = min(box[0] for box in boxes), min(box[1] for box in boxes)
        bottom, right = max(box[2] for box in boxes), max(box[3] for box in boxes)
        span = self._group(axis, index, scale, (bottom - top) * (right - left))
        with self._reading[hash((scale, axis, span)) % 16]:  # what another thread is reading is read once
            if all((scale, axis, index, *tile) in self._tiles for tile in tiles):
                return
            planes = self._read_block(axis, span, (top, left, bottom, right), scale)
        for (row, column), (y0, x0, y1, x1) in zip(tiles, boxes, strict=True):
            for plane, voxels in enumerate(planes, start=span[0]):
                part = voxels[:, y0 - top : y1 - top, x0 - left : x1 - left]
                self._tiles.put((scale, axis, plane, row, column), np.ascontiguousarray(part))

    def _group(self, axis: str, index: int, scale: int, voxels: int) -> tuple[int, int]:
        """The planes worth reading together with ``index``: those of its stored chunk, a handful, within the budget."""
        depth = self.geometry(axis, scale).depth
        room = self._tiles.budget // 4 // max(1, voxels * self.channels * self.dtype.itemsize)
        size = max(1, min(GROUP, self._stored_depth[axis], room))
        start = index // size * size
        return start, min(depth, start + size)

    def _tile_box(self, axis: str, scale: int, row: int, column: int) -> PlaneBox:
        rows, columns = self.geometry(axis, scale).shape
        y, x = row * TILE, column * TILE
        return y, x, min(rows, y + TILE), min(columns, x + TILE)

    def _read_block(self, axis: str, span: tuple[int, int], box: PlaneBox, scale: int) -> np.ndarray:
        """Voxels (plane, c, rows, columns)."""
        from voxloop.volumes import read_block

        parts = {axis: slice(*span)}
        rows, columns = (name for name in AXES if name != axis)
        parts[rows], parts[columns] = slice(box[0], box[2]), slice(box[1], box[3])
        block = read_block(self._scales[scale], (parts["z"], parts["y"], parts["x"]))
        return np.moveaxis(block, 1 + AXES.index(axis), 0)

    def close(self) -> None:
        """Let go of what was kept."""
        self._tiles.clear()


class TileCache:
    """Arrays by key, least recently used dropped first, never more than ``budget`` bytes; any thread."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.size = 0
        self._arrays: OrderedDict[tuple[Any, ...], np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, key: tuple[Any, ...]) -> bool:
        return key in self._arrays

    def get(self, key: tuple[Any, ...]) -> np.ndarray | None:
        with self._lock:
            array = self._arrays.get(key)
            if array is not None:
                self._arrays.move_to_end(key)
            return array

    def put(self, key: tuple[Any, ...], array: np.ndarray) -> None:
        with self._lock:
            old = self._arrays.pop(key, None)
            self.size += array.nbytes - (old.nbytes if old is not None else 0)
            self._arrays[key] = array
            while self.size > self.budget and self._arrays:
                self.size -= self._arrays.popitem(last=False)[1].nbytes

    def clear(self) -> None:
        with self._lock:
            self._arrays.clear()
            self.size = 0


def _tiles_of(box: PlaneBox) -> list[tuple[int, int]]:
    top, left, bottom, right = box
    rows = range(top // TILE, (bottom - 1) // TILE + 1)
    columns = range(left // TILE, (right - 1) // TILE + 1)
    return [(row, column) for row in rows for column in columns]
