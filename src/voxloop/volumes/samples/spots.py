"""Made-up spots in a volume, from one seed: where each is, between haze, noise and blobs that are none."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from voxloop.geometry import Shape, Spacing
from voxloop.volumes.opening import open_volume
from voxloop.volumes.samples.sample import Sample

SHAPE: Shape = (32, 160, 160)
SPACING: Spacing = (0.3, 0.1, 0.1)
NUMBER = 120
ABOUT = (
    "Made up: 120 spots of the size of the microscope's blur in 32x160x160 voxels of 300/100/100 nm, of uneven "
    "brightness, with haze, wide blobs that are none, and photon noise. The truth is where each is. No licence is "
    "needed."
)
_BLUR_UM = (0.36, 0.13, 0.13)
_APART_UM = 0.7


def load(seed: int = 0) -> Sample:
    """The sample ``spots`` of one seed, in memory."""
    picture, places = make(seed)
    volume = open_volume(picture, axes="zyx", spacing=SPACING)
    volume.name = "spots"
    points = tuple({"frame": None, "points": {"point": tuple(place)}} for place in places.round(2).tolist())
    return Sample(
        name="spots",
        volume=volume,
        truth=None,
        about=ABOUT,
        classes=(),
        kind="points",
        points=points,
        skeleton={"nodes": ("point",)},
    )


def make(seed: int = 0, shape: Shape = SHAPE, number: int = NUMBER) -> tuple[np.ndarray, np.ndarray]:
    """Picture (zyx, uint16) and the places of the spots (n, zyx) in voxels."""
    rng = np.random.default_rng(seed)
    size, step = np.array(shape), np.array(SPACING)
    places: list[np.ndarray] = []
    for place in rng.uniform((2, 4, 4), size - (3, 5, 5), (60 * number, 3)):
        if len(places) < number and all(np.linalg.norm((place - other) * step) > _APART_UM for other in places):
            places.append(place)
    picture = np.zeros(shape, np.float32)
    for place in places:
        _add(picture, place, np.array(_BLUR_UM) / step, rng.uniform(0.6, 1.4))
    for place in rng.uniform(0, size, (12, 3)):
        _add(picture, place, rng.uniform(4, 6) * np.array(_BLUR_UM) / step, rng.uniform(0.25, 0.5))
    haze = ndi.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), (6, 24, 24))
    light = 60 * picture + 8 + 4 * haze / np.abs(haze).max()
    photons = rng.poisson(np.clip(light, 0, None))
    return np.clip(100 + 10 * photons + rng.normal(0, 12, shape), 0, 65535).round().astype(np.uint16), np.array(places)


def _add(picture: np.ndarray, place: np.ndarray, sigma: np.ndarray, light: float) -> None:
    start = np.maximum(np.floor(place - 4 * sigma).astype(int), 0)
    stop = np.minimum(np.ceil(place + 4 * sigma).astype(int) + 1, picture.shape)
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    axes = [
        np.exp(-(((np.arange(s.start, s.stop) - p) / w) ** 2) / 2) for s, p, w in zip(box, place, sigma, strict=True)
    ]
    picture[box] += light * np.einsum("i,j,k->ijk", *axes)
