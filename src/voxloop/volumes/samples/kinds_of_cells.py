"""Made-up pictures of three kinds of things, from one seed: one thing a picture, and which kind it is."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from voxloop.model import ClassInfo
from voxloop.volumes.opening import open_volume
from voxloop.volumes.samples.sample import Sample

NUMBER = 240
SIZE = (96, 96)
CLASSES = (
    ClassInfo(value=1, name="round", color="#e69f00"),
    ClassInfo(value=2, name="ring", color="#009e73"),
    ClassInfo(value=3, name="dividing", color="#cc79a7"),
)
ABOUT = (
    "Made up: 240 pictures of 96x96 pixels, each of one cell that is round, a ring, or dividing; of all sizes, "
    "brightnesses and directions, among debris, with noise. The truth is the class of each. No licence is needed."
)


def load(seed: int = 0) -> Sample:
    """The sample ``pictures`` of one seed, in memory."""
    pictures, classes = make(seed)
    volume = open_volume(pictures, axes="zyx", z_kind="frame", spacing=(1, 1, 1))
    volume.name = "pictures"
    names = {item.value: item.name for item in CLASSES}
    return Sample(
        name="pictures",
        volume=volume,
        truth=None,
        about=ABOUT,
        classes=CLASSES,
        kind="pictures",
        assigned=tuple(names[value] for value in classes.tolist()),
    )


def make(seed: int = 0, number: int = NUMBER, size: tuple[int, int] = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (n, y, x; uint8) and the value of the class of each."""
    rng = np.random.default_rng(seed)
    classes = rng.permutation(np.arange(number) % 3) + 1
    return np.stack([_picture(rng, int(value), size) for value in classes]), classes.astype(np.uint8)


def _picture(rng: np.random.Generator, value: int, size: tuple[int, int]) -> np.ndarray:
    y, x = np.meshgrid(*(np.arange(n, dtype=float) for n in size), indexing="ij")
    centre = np.array(size) / 2 + rng.uniform(-14, 14, 2)
    radius, angle = rng.uniform(11, 19), rng.uniform(0, np.pi)
    light = 0.12 + 0.03 * _smooth(rng, size, 20)
    for place in rng.uniform(0, size, (rng.integers(0, 6), 2)):
        light += rng.uniform(0.1, 0.35) * _blob(y, x, place, rng.uniform(1.5, 4), 1.0, 0.0)
    bright = rng.uniform(0.4, 0.8)
    if value == 3:
        away = 0.62 * radius * np.array([np.sin(angle), np.cos(angle)])
        parts = [_blob(y, x, centre + side * away, 0.66 * radius, 0.8, angle) for side in (-1, 1)]
        body = np.maximum(*parts)
    else:
        body = _blob(y, x, centre, radius, rng.uniform(0.85, 1.0), angle)
    if value == 2:
        body = body - 0.85 * _blob(y, x, centre, rng.uniform(0.5, 0.7) * radius, 1.0, angle)
    texture = 1 + 0.12 * _smooth(rng, size, 2)
    seen = ndi.gaussian_filter(light + bright * body * texture, 0.8) + rng.normal(0, 0.06, size)
    return np.asarray(np.clip(255 * seen, 0, 255), np.uint8)


def _blob(y: np.ndarray, x: np.ndarray, place: np.ndarray, radius: float, squeeze: float, angle: float) -> np.ndarray:
    dy, dx = y - place[0], x - place[1]
    along, across = dy * np.sin(angle) + dx * np.cos(angle), dy * np.cos(angle) - dx * np.sin(angle)
    return np.asarray(np.clip(radius + 0.5 - np.hypot(along * squeeze, across), 0, 1))


def _smooth(rng: np.random.Generator, size: tuple[int, int], width: float) -> np.ndarray:
    slow = ndi.gaussian_filter(rng.standard_normal(size), width)
    return np.asarray(slow / np.abs(slow).max())
