"""Windows around labelled voxels. Which one a sample gets is a function of (seed, step, sample).

Knows neither networks nor runs; torch is not imported here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from voxloop.config.augment import Augmentation
from voxloop.deep.blocks import Blocks
from voxloop.deep.labelled import Labelled
from voxloop.deep.split import Split
from voxloop.geometry import Region, Shape, grow

if TYPE_CHECKING:
    from voxloop.store.confined import Area


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingImage:
    """One image with its labels, as windows are cut from it.

    ``pixels`` gives (c, z, y, x), ``labels`` (z, y, x) with 0 unlabelled and classes from 1 without gaps.
    """

    name: str
    pixels: Blocks
    labels: Blocks
    labelled: Labelled
    split: Split
    frames: bool = False
    judges: bool = False
    area: Area | None = None  # where labels count, None for everywhere; see :class:`voxloop.store.confined.Area`

    @property
    def shape(self) -> Shape:
        return self.pixels.shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Size of a window in voxels of the image, and how many slices go in together."""

    height: int
    width: int
    slices: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One window: image, plane, and the corner, which may lie outside the image where that is smaller."""

    image: int
    z: int
    y: int
    x: int


class WindowSampler:
    """Draws training windows: a class first, then a cell that holds it, then a voxel in the cell, then a shift.

    Parameters
    ----------
    balance
        Every class as often as the others; otherwise as often as it was labelled.
    """

    def __init__(
        self, images: Sequence[TrainingImage], geometry: Geometry, classes: int, *, seed: int, balance: bool = True,
        augmentation: Augmentation | None = None,
    ) -> None:  # fmt: skip
        self.images = images
        self.geometry = geometry
        self._seed = seed
        self._augmentation = augmentation or Augmentation.none()
        self._anchors: list[list[tuple[int, np.ndarray]]] = [[] for _ in range(classes)]
        self._odds: list[np.ndarray] = []
        self._index(classes)
        found = np.array([sum(len(a) for _, a in cells) for cells in self._anchors], float)
        odds = (found > 0).astype(float) if balance else found
        self._class_odds = odds / odds.sum()

    def batch(self, step: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Windows of one step: raw pixels float32 (n, c * slices, y, x), labels uint8 (n, y, x)."""
        pairs = [self.sample(step, sample) for sample in range(size)]
        return np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs])

    def sample(self, step: int, sample: int) -> tuple[np.ndarray, np.ndarray]:
        """One window of one step, mirrored and turned by quarters."""
        rng = np.random.default_rng((self._seed, step, sample))
        place = self.place(rng)
        pixels, labels = teaching_window(self.images, place, self.geometry)
        return _turned(pixels, labels, self._augmentation, rng)

    def place(self, rng: np.random.Generator) -> Place:
        """Where a window lies: the drawn voxel is somewhere in its middle half."""
        value = rng.choice(len(self._class_odds), p=self._class_odds)
        image, anchors = self._anchors[value][rng.choice(len(self._odds[value]), p=self._odds[value])]
        z, y, x = (int(v) for v in anchors[rng.integers(len(anchors))])
        shape = self.images[image].shape
        corner = []
        for centre, size, extent in ((y, self.geometry.height, shape[1]), (x, self.geometry.width, shape[2])):
            start = centre - size // 2 + int(rng.integers(-(size // 4), size // 4 + 1))
            corner.append(_clip(start, size, extent))
        return Place(image=image, z=z, y=corner[0], x=corner[1])

    def _index(self, classes: int) -> None:
        """Anchors that may teach, by class; a cell counts by the root of its voxels, so no slab drowns the rest."""
        for value in range(classes):
            weights = []
            for number, image in enumerate(self.images):
                for cell in sorted(image.labelled.anchors):
                    anchors = image.labelled.anchors[cell][value]
                    if cell in image.split.held or not len(anchors):
                        continue
                    self._anchors[value].append((number, anchors))
                    weights.append(np.sqrt(image.labelled.counts[cell][value]))
            odds = np.array(weights, float)
            self._odds.append(odds / odds.sum() if len(odds) else odds)


def teaching_window(images: Sequence[TrainingImage], place: Place, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Pixels float32 (c * slices, y, x) and labels uint8 (y, x) of a window, without those that judge."""
    image = images[place.image]
    region = window_region(place, geometry)
    labels = read_labels(image, region)
    labels[~_inside(image.split.teaches, region, image.shape)] = 0
    return read_pixels(image, region, geometry.slices), labels


def validation_places(images: Sequence[TrainingImage], geometry: Geometry, limit: int, seed: int) -> list[Place]:
    """Fixed windows that cover held-out labels, at most ``limit``, spread over cells and classes."""
    rng = np.random.default_rng((seed, 1))
    cells = [(number, cell) for number, image in enumerate(images) for cell in sorted(image.split.judging)]
    places: list[Place] = []
    covered: list[tuple[int, int, Region]] = []
    for index in rng.permutation(len(cells)):
        number, cell = cells[index]
        image = images[number]
        anchors = np.concatenate(image.labelled.anchors[cell]) if cell in image.labelled.anchors else np.empty((0, 3))
        for z in np.unique(anchors[:, 0]):
            on_plane = anchors[anchors[:, 0] == z]
            y, x = (int(v) for v in np.median(on_plane[:, 1:], axis=0))
            if any(n == number and pz == z and _holds(box, y, x) for n, pz, box in covered):
                continue
            place = Place(
                image=number, z=int(z), y=_clip(y - geometry.height // 2, geometry.height, image.shape[1]),
                x=_clip(x - geometry.width // 2, geometry.width, image.shape[2]),
            )  # fmt: skip
            if place in places:  # held-out voxels at the rim of the image: the window cannot move further
                continue
            places.append(place)
            covered.append((number, int(z), window_region(place, geometry)))
            if len(places) == limit:
                return places
    return places


def area_mask(image: TrainingImage, place: Place, geometry: Geometry) -> np.ndarray:
    """Where anything may be learnt in a window: bool (y, x)."""
    region = window_region(place, geometry)
    area = image.area
    if area is None or area.everything:
        return np.ones((geometry.height, geometry.width), bool)
    return _inside(lambda box, _shape: area.mask(box), region, image.shape)


def validation_window(
    images: Sequence[TrainingImage], place: Place, geometry: Geometry
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels float32 (c * slices, y, x) and the held-out labels uint8 (y, x) of a fixed window."""
    image = images[place.image]
    region = window_region(place, geometry)
    labels = read_labels(image, region)
    labels[~_inside(lambda box, _shape: image.split.judges(box), region, image.shape)] = 0
    return read_pixels(image, region, geometry.slices), labels


def spread_places(images: Sequence[TrainingImage], geometry: Geometry, count: int, seed: int) -> Iterator[Place]:
    """Windows anywhere, labelled or not: half of them around labels, as intensities are measured on."""
    rng = np.random.default_rng((seed, 2))
    for turn in range(count):
        number = turn % len(images)
        image = images[number]
        z, y, x = (int(rng.integers(size)) for size in image.shape)
        if turn % 2 and image.labelled.anchors:
            cells = sorted(image.labelled.anchors)
            anchors = np.concatenate(image.labelled.anchors[cells[int(rng.integers(len(cells)))]])
            z, y, x = (int(v) for v in anchors[rng.integers(len(anchors))])
        yield Place(
            image=number, z=z, y=_clip(y - geometry.height // 2, geometry.height, image.shape[1]),
            x=_clip(x - geometry.width // 2, geometry.width, image.shape[2]),
        )  # fmt: skip


def window_region(place: Place, geometry: Geometry) -> Region:
    """The box of a window; it may reach outside the image."""
    return (
        slice(place.z, place.z + 1),
        slice(place.y, place.y + geometry.height),
        slice(place.x, place.x + geometry.width),
    )


def read_pixels(image: TrainingImage, region: Region, slices: int) -> np.ndarray:
    """float32 (c * slices, y, x): channel by channel, its slices from below to above; edges repeat or mirror."""
    z, half = region[0].start, slices // 2
    box, pads = _clipped(region, image.shape)
    depth = grow((box[0], box[1], box[2]), (half, 0, 0), image.shape)
    found = image.pixels(depth).astype(np.float32, copy=False)
    planes = np.clip(np.arange(z - half, z + half + 1), 0, image.shape[0] - 1) - depth[0].start
    stack = found[:, planes].reshape(-1, *found.shape[-2:])
    return _padded(stack, pads)


def read_labels(image: TrainingImage, region: Region) -> np.ndarray:
    """uint8 (y, x): 0 unlabelled, also outside the image."""
    box, pads = _clipped(region, image.shape)
    return np.pad(image.labels(box)[0], pads)


def _turned(
    pixels: np.ndarray, labels: np.ndarray, augmentation: Augmentation, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Mirrored and turned by quarters: views, so they cost nothing here and stay exact."""
    flip, quarter = augmentation.flip, augmentation.quarter
    chances = rng.random(3)
    turns = int(rng.integers(1, 4))
    if flip.on and flip.horizontal and chances[0] < flip.probability:
        pixels, labels = pixels[..., ::-1], labels[..., ::-1]
    if flip.on and flip.vertical and chances[1] < flip.probability:
        pixels, labels = pixels[..., ::-1, :], labels[..., ::-1, :]
    if quarter.on and chances[2] < quarter.probability:
        turns = turns if labels.shape[0] == labels.shape[1] else 2
        pixels, labels = np.rot90(pixels, turns, (-2, -1)), np.rot90(labels, turns)
    return pixels, labels


def _inside(mask_of: Callable[[Region, Shape], np.ndarray], region: Region, shape: Shape) -> np.ndarray:
    box, pads = _clipped(region, shape)
    mask: np.ndarray = np.pad(mask_of(box, shape)[0], pads)
    return mask


def _clipped(region: Region, shape: Shape) -> tuple[Region, tuple[tuple[int, int], tuple[int, int]]]:
    """The part of a window inside the image, and what is missing on each side of y and x."""
    inside = [slice(max(0, p.start), min(size, p.stop)) for p, size in zip(region, shape, strict=True)]
    pads = [(i.start - p.start, p.stop - i.stop) for i, p in zip(inside, region, strict=True)]
    return (inside[0], inside[1], inside[2]), (pads[1], pads[2])


def _padded(stack: np.ndarray, pads: tuple[tuple[int, int], tuple[int, int]]) -> np.ndarray:
    if not any(n for pair in pads for n in pair):
        return stack
    return np.pad(stack, ((0, 0), *pads), mode="symmetric")


def _clip(start: int, size: int, extent: int) -> int:
    """Corner of a window moved inside the image; centred where the image is smaller."""
    return min(max(start, 0), extent - size) if size <= extent else -((size - extent) // 2)


def _holds(region: Region, y: int, x: int) -> bool:
    margin = 16  # a voxel at the very edge of a window is seen with half its surroundings
    _, rows, columns = region
    return bool(rows.start + margin <= y < rows.stop - margin and columns.start + margin <= x < columns.stop - margin)
