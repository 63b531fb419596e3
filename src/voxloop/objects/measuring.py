"""Measures of every object, summed block by block, in micrometres. Memory grows with objects, not with voxels."""

from __future__ import annotations

from itertools import product
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import PredictionError, VolumeError
from voxloop.geometry import Box
from voxloop.objects.fields import VoxelField, block_shape, field_of
from voxloop.objects.image import chunk_of
from voxloop.objects.working import each
from voxloop.volumes import as_volume, channels_of, read_block, shape_zyx

if TYPE_CHECKING:
    from pandas import DataFrame

#: sums over the voxels of an object: how many, coordinates, their products
_MOMENTS = 10
_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
_LARGEST = 2**27


def measure_objects(labels: Any, image: Any = None, *, workers: int | None = None) -> DataFrame:
    """A table of objects, one row each, read by the block.

    Parameters
    ----------
    labels
        Numbers of objects (z, y, x), 0 is none: anything :func:`voxloop.open_volume` takes.
    image
        Intensities on the same voxels, with or without channels; None: no intensity columns.

    Returns
    -------
    DataFrame
        Index ``object``. ``z_um, y_um, x_um`` centroid; ``voxels``; ``volume_um3`` and ``surface_um2`` (of a picture
        and of frames ``area_um2`` and ``perimeter_um``); ``z_from, z_to, ...`` bounding box in voxels, end excluded;
        ``axis_1_um, axis_2_um, axis_3_um`` full lengths of the axes of the ellipsoid with the same second moments,
        longest first; ``sphericity`` (``circularity``), ``extent`` (the share of the bounding box that is filled) and
        ``equivalent_diameter_um``; ``axis_1_z, axis_1_y, axis_1_x`` direction of the longest (unit vector in
        micrometres); ``touches_edge``; and for each channel ``mean, std, min, max`` of the intensities.

    Notes
    -----
    Surface and perimeter: Crofton's formula over 13 (4) directions, weighted by the solid angle each stands for with
    the voxel's shape (Lehmann and Legland 2012); exact on average over orientations, some per cent off for objects of a
    few voxels. The edge of the volume counts as surface.

    Raises
    ------
    VolumeError
        ``image`` lies on other voxels.
    PredictionError
        ``labels`` holds numbers too large to be counted (2**27).
    """
    field = field_of(labels)
    volume = None if image is None else as_volume(image)
    if volume is not None and shape_zyx(volume) != field.shape:
        raise VolumeError(
            f"labels have shape {field.shape} and the image {shape_zyx(volume)}; they must be the same (z, y, x)"
        )
    channels, names = 0, list[str]()
    if volume is not None:
        channels = channels_of(volume)
        names = list(volume.attrs.get("channel_names", ())) if volume.ndim == 4 else []
    sums = _Sums(field, channels)

    def add(box: Box) -> None:
        pixels = None if volume is None else read_block(volume, box)
        sums.add(box, pixels)

    each(add, Box.whole(field.shape).blocks(block_shape(field.shape, chunk=chunk_of(field))), workers)
    return sums.table(names)


class _Sums:
    """What is summed up of every object; any thread may add a block."""

    def __init__(self, field: VoxelField, channels: int) -> None:
        self._field, self._channels = field, channels
        self._steps, self._weights = _directions(field)
        self._lock = Lock()
        self._moments = np.zeros((0, _MOMENTS))
        self._surface = np.zeros(0)
        self._box = np.zeros((0, 6), np.int64)
        self._edge = np.zeros(0, bool)
        self._values = np.zeros((0, channels, 4))

    def add(self, block: Box, pixels: np.ndarray | None) -> None:
        import fastremap

        around = self._pad(block)
        core = around[1:-1, 1:-1, 1:-1]
        numbers = fastremap.unique(core)
        numbers = numbers[numbers > 0].astype(np.int64)
        if not len(numbers):
            return
        if numbers[-1] >= _LARGEST:
            raise PredictionError(
                f"object {numbers[-1]} is numbered too high to be measured; renumber the objects from 1"
            )
        where = np.nonzero(core)
        local = np.searchsorted(numbers, core[where].astype(np.int64))
        count = len(numbers)
        at = [axis.astype(np.float64) + first for axis, first in zip(where, block.start, strict=True)]
        moments = np.stack(
            [np.bincount(local, weights=w, minlength=count) for w in (None, *at, *(at[i] * at[j] for i, j in _PAIRS))],
            axis=1,
        )
        box = np.zeros((count, 6), np.int64)
        for axis in range(3):
            low, high = np.full(count, np.iinfo(np.int64).max), np.zeros(count, np.int64)
            np.minimum.at(low, local, where[axis] + block.start[axis])
            np.maximum.at(high, local, where[axis] + block.start[axis] + 1)
            box[:, 2 * axis], box[:, 2 * axis + 1] = low, high
        surface = self._crossings(around, numbers)
        values = np.zeros((count, self._channels, 4))
        for channel in range(self._channels):
            assert pixels is not None
            values[:, channel] = _intensities(pixels[channel][where].astype(np.float64), local, count)
        with self._lock:
            self._merge(numbers, moments, surface, box, values)

    def _pad(self, block: Box) -> np.ndarray:
        """The block with one voxel more on every side, 0 past the volume and in other frames."""
        around = block.grow((1, 1, 1))
        inside = block.grow((0 if self._field.frames else 1, 1, 1)).clip(self._field.shape)
        out = np.zeros(around.shape, np.int64)
        out[inside.within(around).slices] = self._field.read(inside)
        return out

    def _crossings(self, around: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Weighted count of the places where a line in each direction enters or leaves an object."""
        core = around[1:-1, 1:-1, 1:-1]
        total = np.zeros(len(numbers))
        for step, weight in zip(self._steps, self._weights, strict=True):
            for sign in (1, -1):
                there = around[
                    tuple(slice(1 + sign * s, n - 1 + sign * s) for s, n in zip(step, around.shape, strict=True))
                ]
                leaves = core[(core != there) & (core > 0)]
                total += weight * np.bincount(np.searchsorted(numbers, leaves), minlength=len(numbers))
        return total

    def _merge(
        self, numbers: np.ndarray, moments: np.ndarray, surface: np.ndarray, box: np.ndarray, values: np.ndarray
    ) -> None:
        more = int(numbers[-1]) + 1 - len(self._surface)
        if more > 0:
            more = max(more, len(self._surface) // 2)
            self._moments = np.pad(self._moments, [(0, more), (0, 0)])
            self._surface = np.pad(self._surface, (0, more))
            self._box = np.pad(self._box, [(0, more), (0, 0)])
            self._values = np.pad(self._values, [(0, more), (0, 0), (0, 0)])
            self._box[-more:, ::2] = np.iinfo(np.int64).max
            self._values[-more:, :, 2], self._values[-more:, :, 3] = np.inf, -np.inf
        self._moments[numbers] += moments
        self._surface[numbers] += surface
        self._box[numbers, ::2] = np.minimum(self._box[numbers, ::2], box[:, ::2])
        self._box[numbers, 1::2] = np.maximum(self._box[numbers, 1::2], box[:, 1::2])
        self._values[numbers, :, :2] += values[:, :, :2]
        self._values[numbers, :, 2] = np.minimum(self._values[numbers, :, 2], values[:, :, 2])
        self._values[numbers, :, 3] = np.maximum(self._values[numbers, :, 3], values[:, :, 3])

    def table(self, names: list[str]) -> DataFrame:
        import pandas as pd

        field = self._field
        numbers = np.flatnonzero(self._moments[:, 0] > 0)
        moments, box = self._moments[numbers], self._box[numbers]
        count = moments[:, 0]
        spacing, origin = np.array(field.spacing_um), np.array(field.origin_um)
        centre = moments[:, 1:4] / count[:, None]
        columns: dict[str, Any] = dict(zip(("z_um", "y_um", "x_um"), (origin + centre * spacing).T, strict=True))
        columns["voxels"] = count.astype(np.int64)
        size, surface = ("area_um2", "perimeter_um") if field.flat else ("volume_um3", "surface_um2")
        columns |= {size: count * field.voxel, surface: self._surface[numbers]}
        columns |= {
            f"{axis}_{end}": box[:, 2 * i + j] for i, axis in enumerate("zyx") for j, end in enumerate(("from", "to"))
        }
        lengths, direction = _axes(moments, centre, field)
        columns |= {f"axis_{i + 1}_um": lengths[:, i] for i in range(lengths.shape[1])}
        columns |= {f"axis_1_{axis}": direction[:, i] for i, axis in enumerate("zyx")}
        faces = range(1, 3) if field.flat else range(3)
        columns |= _compactness(columns[size], columns[surface], box, field)
        columns["touches_edge"] = np.logical_or.reduce(
            [(box[:, 2 * a] == 0) | (box[:, 2 * a + 1] == field.shape[a]) for a in faces]
        )
        for channel in range(self._channels):
            total, squares, low, high = self._values[numbers, channel].T
            mean = total / count
            spread = np.sqrt(np.maximum(squares / count - mean**2, 0))
            name = f"_{names[channel]}" if len(names) > 1 else ""
            columns |= {f"mean{name}": mean, f"std{name}": spread, f"min{name}": low, f"max{name}": high}
        return pd.DataFrame(columns, index=pd.Index(numbers, name="object"))


def _compactness(size: np.ndarray, surface: np.ndarray, box: np.ndarray, field: VoxelField) -> dict[str, np.ndarray]:
    """How like a ball (a disk where flat) objects are, the share of their boxes, and the diameter of equal size."""
    sides = (box[:, 1::2] - box[:, ::2]) * np.array(field.spacing_um)
    with np.errstate(all="ignore"):
        if field.flat:
            compact = {"circularity": np.where(surface > 0, 4 * np.pi * size / surface**2, 0.0)}
            across, diameter = sides[:, 1:].prod(axis=1), np.sqrt(4 * size / np.pi)
        else:
            ball = np.pi ** (1 / 3) * (6 * size) ** (2 / 3)
            compact = {"sphericity": np.where(surface > 0, ball / surface, 0.0)}
            across, diameter = sides.prod(axis=1), np.cbrt(6 * size / np.pi)
    return {**compact, "extent": size / across, "equivalent_diameter_um": diameter}


def _intensities(values: np.ndarray, local: np.ndarray, count: int) -> np.ndarray:
    """Sum, sum of squares, least and largest of the voxels of each object."""
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(low, local, values)
    np.maximum.at(high, local, values)
    total, squares = (np.bincount(local, weights=w, minlength=count) for w in (values, values**2))
    return np.stack([total, squares, low, high], axis=1)


def _axes(moments: np.ndarray, centre: np.ndarray, field: VoxelField) -> tuple[np.ndarray, np.ndarray]:
    """Full lengths of the axes of the ellipsoid (ellipse where flat) with the same second moments, and the longest."""
    spacing = np.array(field.spacing_um)
    covariance = np.zeros((len(moments), 3, 3))
    for position, (i, j) in enumerate(_PAIRS):
        mixed = moments[:, 4 + position] / moments[:, 0] - centre[:, i] * centre[:, j]
        covariance[:, i, j] = covariance[:, j, i] = mixed * spacing[i] * spacing[j]
    covariance += np.diag(spacing**2 / 12)  # a voxel is a box, not a point
    if field.flat:
        covariance = covariance[:, 1:, 1:]
    values, vectors = np.linalg.eigh(covariance)
    scale = 4.0 if field.flat else 2 * np.sqrt(5.0)
    longest = vectors[:, :, -1]
    longest *= np.where(longest.sum(axis=1, keepdims=True) < 0, -1, 1)
    if field.flat:
        longest = np.pad(longest, [(0, 0), (1, 0)])
    return scale * np.sqrt(np.maximum(values[:, ::-1], 0)), longest


def _directions(field: VoxelField) -> tuple[list[tuple[int, int, int]], np.ndarray]:
    """Steps to half of the neighbours, and what a crossing in each adds to the surface (perimeter where flat)."""
    along_z = (0,) if field.flat else (-1, 0, 1)
    steps = [step for step in product(along_z, (-1, 0, 1), (-1, 0, 1)) if step > (0, 0, 0)]
    vectors = np.array(steps) * np.array(field.spacing_um)
    length = np.linalg.norm(vectors, axis=1)
    if field.flat:
        angles = np.sort(np.arctan2(vectors[:, 1], vectors[:, 2]) % np.pi)
        order = np.argsort(np.argsort(np.arctan2(vectors[:, 1], vectors[:, 2]) % np.pi))
        gaps = np.diff(np.concatenate([angles, [angles[0] + np.pi]]))
        share = ((gaps + np.roll(gaps, 1)) / 2 / np.pi)[order]
        return steps, np.pi / 2 * share * field.voxel / length
    from scipy.spatial import SphericalVoronoi

    unit = vectors / length[:, None]
    share = SphericalVoronoi(np.concatenate([unit, -unit])).calculate_areas()[: len(unit)] / (2 * np.pi)
    return steps, 2 * share * field.voxel / length
