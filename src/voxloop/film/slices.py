"""The planes of a volume as pictures of one size, with label layers over them. Reads no more planes than it must."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.film.brush import Brush
from voxloop.film.colors import hues, rgb
from voxloop.film.contrast import TINTS, Limits, compose, palette_indices, pool, statistics
from voxloop.film.movie import LARGEST_SIDE
from voxloop.film.shapes import VectorShape
from voxloop.geometry import AXES, Box, plane_axes
from voxloop.volumes import channels_of, shape_zyx, spacing_of
from voxloop.volumes.volume import read_lazy, stored_chunk

if TYPE_CHECKING:
    from xarray import DataArray

#: bytes of planes that are read together, since the file stores them together
SLAB_BYTES = 48 * 2**20
#: longest side of a picture where no scale is asked for
USUAL_SIDE = 1280
#: voxels of a plane up to which a thin stroke stays visible when it is made smaller; larger planes are sampled
POOLED = 2**24


@dataclass(frozen=True, slots=True)
class SliceLayer:
    """Label values over the picture: ``values`` (z, y, x), and what colour each palette index has."""

    name: str
    values: DataArray
    #: (256, 3) uint8
    colors: np.ndarray
    #: (256,) which indices show
    shows: np.ndarray
    opacity: float = 0.5


def class_layer(name: str, values: DataArray, classes: Sequence[Any], opacity: float = 0.5) -> SliceLayer:
    """Classes by value in their colours; hidden ones and, of predictions, the background do not show."""
    colors, shows = np.zeros((256, 3), np.uint8), np.zeros(256, bool)
    for item in classes:
        colors[item.value] = rgb(item.color)
        shows[item.value] = getattr(item, "visible", True)
    return SliceLayer(name, values, colors, shows, opacity)


def object_layer(name: str, values: DataArray, opacity: float = 0.5) -> SliceLayer:
    """Numbers of objects in hues that differ from one to the next."""
    return SliceLayer(name, values, hues(), np.arange(256) > 0, opacity)


class PlaneSeries:
    """Planes of an array across one axis, read in the groups in which the file holds them."""

    def __init__(
        self, volume: DataArray, axis: str, box: Box, step: tuple[int, int] = (1, 1), room: int = SLAB_BYTES
    ) -> None:
        self._volume, self._axis, self._box, self._step = volume, axis, box, step
        self._across = AXES.index(axis)
        chunk = stored_chunk(volume)
        voxels = math.prod(n for n, name in zip(box.shape, AXES, strict=True) if name != axis)
        plane = max(1, voxels // (step[0] * step[1]) * channels_of(volume) * volume.dtype.itemsize)
        self._depth = max(1, min(1 if chunk is None else chunk[self._across], room // plane))
        self._slab: tuple[int, np.ndarray] | None = None

    def plane(self, index: int) -> np.ndarray:
        """Voxels (c, rows, columns) of plane ``index``."""
        first = index // self._depth * self._depth
        if self._slab is None or self._slab[0] != first:
            self._slab = None  # the old one goes before the new one comes
            key = list(self._box.slices)
            size = shape_zyx(self._volume)[self._across]
            key[self._across] = slice(first, min(size, first + self._depth))
            for step, name in zip(self._step, plane_axes(self._axis), strict=True):
                part = key[AXES.index(name)]
                key[AXES.index(name)] = slice(part.start, part.stop, step)
            block = read_lazy(self._volume.data, (*(slice(None) for _ in self._volume.shape[:-3]), *key))
            block = block if block.ndim == 4 else block[np.newaxis]
            self._slab = first, np.moveaxis(block, 1 + self._across, 0)
        return np.asarray(self._slab[1][index - first])


class SlicePictures:
    """The planes of an image across an axis as uint8 pictures (rows, columns, 3), in physical proportions.

    Parameters
    ----------
    resolutions
        The image, finest first.
    axis, box
        Across what, and the part that is shown.
    scale
        Pixels for the finer voxel side in the plane; None: 1, or less where the longer side would pass 1280.
    contrast
        Intensities shown black and white; None: what suits the middle plane, kept for all.
    channels
        Which are shown; None: all three as red, green and blue, or the first four, tinted.
    room
        Bytes of planes that are read together.

    Raises
    ------
    VolumeError
        Pictures would be larger than films are.
    """

    def __init__(
        self,
        resolutions: Sequence[DataArray],
        axis: str,
        box: Box,
        *,
        scale: float | None = None,
        contrast: Limits | None = None,
        channels: Sequence[int] | None = None,
        layers: Sequence[SliceLayer] = (),
        room: int = SLAB_BYTES,
    ) -> None:
        finest = resolutions[0]
        self.axis, self.box, self.layers = axis, box, list(layers)
        self._across, names = AXES.index(axis), plane_axes(axis)
        rows, columns = (box.along(name) for name in names)
        um = [spacing_of(finest)[AXES.index(name)] for name in names]
        high, wide = (rows.stop - rows.start) * um[0], (columns.stop - columns.start) * um[1]
        if scale is None:
            scale = min(1.0, USUAL_SIDE * min(um) / max(high, wide))
        #: micrometres of a pixel
        self.pixel_um = min(um) / scale
        self.shape = max(1, round(high / self.pixel_um)), max(1, round(wide / self.pixel_um))
        if max(self.shape) > LARGEST_SIDE:
            raise VolumeError(
                f"scale={scale:g} makes pictures of {self.shape[1]} x {self.shape[0]}, films have {LARGEST_SIDE} on a "
                f"side at most; use scale={0.99 * scale * LARGEST_SIDE / max(self.shape):.2g}"
            )
        self._corner = rows.start, columns.start
        #: pixels of a voxel
        self.step = self.shape[0] / (rows.stop - rows.start), self.shape[1] / (columns.stop - columns.start)
        count = channels_of(finest)
        self.channels = list(range(min(count, 3 if count == 3 else len(TINTS)))) if channels is None else list(channels)
        coarse, part = _suited(resolutions, axis, box, self.pixel_um)
        self._factor = shape_zyx(finest)[self._across] / shape_zyx(coarse)[self._across]
        self._planes = PlaneSeries(coarse, axis, part, room=room)
        self._depth = shape_zyx(coarse)[self._across]
        skip = max(1, int(1 / self.step[0])), max(1, int(1 / self.step[1]))
        self._pool = (rows.stop - rows.start) * (columns.stop - columns.start) <= POOLED
        self._skip = skip
        taken = (1, 1) if self._pool else skip
        self._values = [PlaneSeries(layer.values, axis, box, taken) for layer in self.layers]
        self._limits: list[Limits] | None = None if contrast is None else [contrast] * count

    def picture(self, index: int) -> np.ndarray:
        """Plane ``index``, counted in the finest resolution, with the layers over it."""
        if self._limits is None:
            along = self.box.along(self.axis)
            middle = self._read((along.start + along.stop) // 2)
            self._limits = [one.auto for one in statistics(middle)]
        gray = compose(self._read(index), self._limits, self.channels)
        out = _resized(gray, self.shape)
        if out.ndim == 2:
            out = np.repeat(out[..., None], 3, axis=2)
        for layer, values in zip(self.layers, self._values, strict=True):
            _lay(out, layer, self._indices(values.plane(index)[0]))
        return out

    def brush(self, picture: np.ndarray, shapes: Sequence[VectorShape]) -> Brush:
        """A brush that has drawn shapes, whose points are voxels of the image."""
        size = max(1.0, max(self.shape) / 720)
        top, left = self._corner
        brush = Brush(picture, self.step, size)
        brush.draw(shape.moved(-top, -left) for shape in shapes)
        return brush

    def _read(self, index: int) -> np.ndarray:
        return self._planes.plane(min(self._depth - 1, int((index + 0.5) / self._factor)))

    def _indices(self, plane: np.ndarray) -> np.ndarray:
        """Palette indices of the size of the picture; a stroke thinner than a pixel still shows."""
        indices = palette_indices(plane)
        if self._pool:
            indices = pool(indices, self._skip)
        rows, columns = (
            np.minimum(n - 1, ((np.arange(size) + 0.5) * n / size).astype(int))
            for n, size in zip(indices.shape, self.shape, strict=True)
        )
        return np.asarray(indices[rows[:, None], columns[None, :]])


def _suited(resolutions: Sequence[DataArray], axis: str, box: Box, pixel_um: float) -> tuple[DataArray, Box]:
    """The coarsest resolution that still has a voxel for every pixel, and the box in it."""
    finest = shape_zyx(resolutions[0])
    chosen = resolutions[0]
    for volume in resolutions[1:]:
        if min(spacing_of(volume)[AXES.index(name)] for name in plane_axes(axis)) <= pixel_um * 1.001:
            chosen = volume
    shape = shape_zyx(chosen)
    if shape == finest:
        return chosen, box
    bounds = []
    for start, stop, fine, coarse in zip(box.start, box.stop, finest, shape, strict=True):
        first = min(coarse - 1, int(start * coarse / fine))
        bounds.append((first, max(first + 1, min(coarse, math.ceil(stop * coarse / fine)))))
    return chosen, Box.from_json(bounds)


def _resized(picture: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Means of pixels where it becomes smaller, the same pixels where it becomes larger."""
    if picture.shape[:2] == shape:
        return picture.copy()
    from PIL import Image

    return np.array(Image.fromarray(picture).resize((shape[1], shape[0]), Image.Resampling.BOX))


def _lay(picture: np.ndarray, layer: SliceLayer, indices: np.ndarray) -> None:
    """Mix colours into the picture where the layer shows."""
    where = layer.shows[indices]
    if where.any():
        mixed = picture[where] * (1 - layer.opacity) + layer.colors[indices[where]] * layer.opacity
        picture[where] = mixed.round().astype(np.uint8)
