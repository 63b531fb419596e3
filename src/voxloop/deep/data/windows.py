"""Windows of images with their labels, cut where they are asked for, and where those of the validation lie.

Knows neither networks nor runs; torch is not imported here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from voxloop.deep.data.blocks import Blocks
from voxloop.deep.data.labelled import Labelled
from voxloop.deep.data.split import Split
from voxloop.geometry import Box, Shape

if TYPE_CHECKING:
    from voxloop.store.confined import Area


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingImage:
    """One image with its labels, as windows are cut from it.

    ``pixels`` gives (c, z, y, x), ``labels`` (z, y, x) with 0 unlabelled and classes from 1 without gaps.
    """

    name: str
    pixels: Blocks
    raw: Blocks | None = None  # intensities as they are, where pixels are brought to another exposure
    labels: Blocks
    labelled: Labelled
    training: Labelled  # what of them is trained on
    split: Split
    frames: bool = False
    validation_only: bool = False
    relative: tuple[float, float, float] | None = None  # voxel size zyx over that of the training; None: the same
    area: Area | None = None  # where labels count, None for everywhere; see :class:`voxloop.store.confined.Area`

    @property
    def shape(self) -> Shape:
        return self.pixels.shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Size of a window in voxels of the image, and how many slices go in together.

    A window is a plane with its neighbours or, where ``volumetric``, a block as deep as ``depth``. ``axes`` are those
    that planes are cut across: 0 for z, 1 for y, 2 for x.
    """

    height: int
    width: int
    slices: int = 1
    depth: int = 1
    volumetric: bool = False
    axes: tuple[int, ...] = (0,)

    def sizes(self, axis: int = 0) -> Shape:
        """Voxels zyx of a window across ``axis``."""
        across = [self.height, self.width]
        across.insert(axis, self.depth)
        return across[0], across[1], across[2]

    @property
    def voxels(self) -> int:
        return self.depth * self.height * self.width

    @property
    def spatial(self) -> int:
        """Axes of a window as the network sees it."""
        return 3 if self.volumetric else 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One window: image, and the corner, which may lie outside the image where that is smaller.

    ``axis`` is what its plane is cut across.
    """

    image: int
    z: int
    y: int
    x: int
    axis: int = 0


def fit_geometry(image: TrainingImage, geometry: Geometry) -> Geometry:
    """A window in voxels of an image whose voxels are of another size than those of the training."""
    if image.relative is None:
        return geometry
    z, y, x = image.relative
    depth, height, width = (
        n if n == 1 else max(1, round(n / ratio))
        for n, ratio in zip((geometry.depth, geometry.height, geometry.width), (z, y, x), strict=True)
    )
    return replace(geometry, depth=depth, height=height, width=width)


def _sized(array: np.ndarray, size: Shape, *, smooth: bool) -> np.ndarray:
    """The last three axes at another size; the nearest voxel, or means where ``smooth``."""
    if array.shape[-3:] == size:
        return array
    from skimage.transform import resize

    shape = (*array.shape[:-3], *size)
    options = {"order": 1, "anti_aliasing": True} if smooth else {"order": 0, "anti_aliasing": False}
    found: np.ndarray = resize(array, shape, mode="edge", preserve_range=True, **options)
    return found.astype(array.dtype, copy=False)


def training_window(images: Sequence[TrainingImage], place: Place, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Pixels float32 (c * slices, y, x) and labels uint8 (y, x) of a window, without those that are held out.

    In 3-D pixels (c, z, y, x) and labels (z, y, x).
    """
    image = images[place.image]
    return _window(image, place, geometry, lambda box: image.split.training_mask(box, image.shape))


def area_mask(image: TrainingImage, place: Place, geometry: Geometry, *, apart: bool = False) -> np.ndarray:
    """Where anything may be learnt in a window: bool (y, x), in 3-D (z, y, x); ``apart``: and away from held-out
    labels."""
    area = image.area
    window = window_box(place, fit_geometry(image, geometry))
    box, pads = clip_region(window, image.shape)
    mask = np.ones(window.shape, bool)
    if area is not None and not area.everything:
        mask &= np.pad(area.mask(box), pads)
    if apart:
        mask &= np.pad(image.split.training_mask(box, image.shape), pads)
    mask = np.moveaxis(_sized(mask, geometry.sizes(place.axis), smooth=False), place.axis, 0)
    return mask if geometry.volumetric else mask[0]


def validation_window(
    images: Sequence[TrainingImage], place: Place, geometry: Geometry
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and labels as of :func:`training_window`, of those labels alone that are held out."""
    image = images[place.image]
    return _window(image, place, geometry, image.split.validation_mask)


def _window(
    image: TrainingImage, place: Place, geometry: Geometry, mask: Callable[[Box], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    box, pads = clip_region(window_box(place, fit_geometry(image, geometry)), image.shape)
    labels = np.pad(np.where(mask(box), image.labels(box), 0), pads)
    labels = np.moveaxis(_sized(labels, geometry.sizes(place.axis), smooth=False), place.axis, 0)
    return read_pixels(image, place, geometry), labels if geometry.volumetric else labels[0]


def validation_places(images: Sequence[TrainingImage], geometry: Geometry, limit: int, seed: int) -> list[Place]:
    """Fixed windows that cover held-out labels, at most ``limit``, spread over cells, classes and axes."""
    share = -(-limit // len(geometry.axes))
    return [p for axis in geometry.axes for p in _validation_places(images, geometry, share, seed, axis)][:limit]


def _validation_places(
    images: Sequence[TrainingImage], geometry: Geometry, limit: int, seed: int, axis: int
) -> list[Place]:
    rng = np.random.default_rng((seed, 1))
    cells = [(number, cell) for number, image in enumerate(images) for cell in sorted(image.split.validation)]
    places: list[Place] = []
    covered: list[tuple[int, Box]] = []
    for index in rng.permutation(len(cells)):
        number, cell = cells[index]
        image = images[number]
        own = fit_geometry(image, geometry)
        anchors = np.concatenate(image.labelled.anchors[cell]) if cell in image.labelled.anchors else np.empty((0, 3))
        for plane in np.unique(anchors[:, axis]):
            at = np.median(anchors[anchors[:, axis] == plane], axis=0).astype(int)
            if any(n == number and _holds(box, at) for n, box in covered):
                continue
            place = place_around(number, at, own, image.shape, axis)
            if place in places:  # held-out voxels at the rim of the image: the window cannot move further
                continue
            places.append(place)
            covered.append((number, window_box(place, own)))
            if len(places) == limit:
                return places
    return places


def spread_places(images: Sequence[TrainingImage], geometry: Geometry, count: int, seed: int) -> Iterator[Place]:
    """Windows across z anywhere, labelled or not: half of them around labels, as intensities are measured on."""
    rng = np.random.default_rng((seed, 2))
    for turn in range(count):
        number = turn % len(images)
        image = images[number]
        at = [int(rng.integers(size)) for size in image.shape]
        if turn % 2 and image.labelled.anchors:
            cells = sorted(image.labelled.anchors)
            anchors = np.concatenate(image.labelled.anchors[cells[int(rng.integers(len(cells)))]])
            at = [int(v) for v in anchors[rng.integers(len(anchors))]]
        yield place_around(number, at, fit_geometry(image, geometry), image.shape)


def place_around(image: int, at: Sequence[int], geometry: Geometry, shape: Shape, axis: int = 0) -> Place:
    """The window about a voxel zyx, moved inside the image."""
    z, y, x = (
        clip(int(centre) - size // 2, size, extent)
        for centre, size, extent in zip(at, geometry.sizes(axis), shape, strict=True)
    )
    return Place(image=image, z=z, y=y, x=x, axis=axis)


def window_box(place: Place, geometry: Geometry) -> Box:
    """The box of a window; it may reach outside the image."""
    return Box.at((place.z, place.y, place.x), geometry.sizes(place.axis))


def read_pixels(image: TrainingImage, place: Place, geometry: Geometry) -> np.ndarray:
    """float32 (c * slices, y, x): channel by channel, its slices from below to above; in 3-D (c, z, y, x).

    Beyond the image, slices repeat its last one; all else is mirrored, the edge not repeated, as in predictions: a
    network sees the same at a border where it is taught and where it is asked.
    """
    axis, half = place.axis, geometry.slices // 2
    box, pads = clip_region(window_box(place, fit_geometry(image, geometry)), image.shape)
    near = [half if i == axis else 0 for i in range(3)]
    outer = box.grow(near).clip(image.shape)
    found = image.pixels(outer).astype(np.float32, copy=False)
    if half:
        wanted = np.arange(box.start[axis] - half, box.start[axis] + half + 1)
        found = np.take(found, np.clip(wanted, 0, image.shape[axis] - 1) - outer.start[axis], axis=1 + axis)
    if any(n for pair in pads for n in pair):
        found = np.pad(found, ((0, 0), *pads), mode="reflect")
    if image.relative is not None:
        size = list(geometry.sizes(axis))
        size[axis] = found.shape[1 + axis] if not geometry.volumetric else size[axis]
        found = _sized(found, (size[0], size[1], size[2]), smooth=True)
    found = np.moveaxis(found, 1 + axis, 1)
    return found if geometry.volumetric else found.reshape(-1, *found.shape[2:])


def clip_region(window: Box, shape: Shape) -> tuple[Box, list[tuple[int, int]]]:
    """The part of a window inside the image, and what is missing on each side of each axis."""
    inside = window.clip(shape)
    before = [there - here for there, here in zip(inside.start, window.start, strict=True)]
    after = [here - there for there, here in zip(inside.stop, window.stop, strict=True)]
    return inside, list(zip(before, after, strict=True))


def clip(start: int, size: int, extent: int) -> int:
    """Corner of a window moved inside the image; centred where the image is smaller."""
    return min(max(start, 0), extent - size) if size <= extent else -((size - extent) // 2)


def _holds(window: Box, at: Sequence[int]) -> bool:
    """Whether a voxel lies in a window, not at its very edge, where it is seen with half its surroundings."""
    return window.grow([-min(16, size // 4) for size in window.shape]).holds(at)
