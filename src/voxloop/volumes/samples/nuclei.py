"""Made-up fluorescent nuclei that touch, from one seed: one id per nucleus, blur of a microscope, photon noise."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from voxloop.geometry import Shape, Spacing
from voxloop.model import ClassInfo
from voxloop.volumes.opening import open_volume
from voxloop.volumes.samples.sample import Sample

SHAPE: Shape = (40, 192, 192)
SPACING: Spacing = (0.6, 0.2, 0.2)
CLASSES = (ClassInfo(value=1, name="nuclei"),)
ABOUT = (
    "Made up: touching nuclei in a stack of 40x192x192 voxels of 600/200/200 nm, blurred as by a confocal microscope, "
    "with photon noise. The truth has one id per nucleus, 0 between them. No licence is needed."
)
_RADIUS_UM = 3.4
_BLUR_UM = (0.75, 0.22, 0.22)


def load(seed: int = 0) -> Sample:
    """The sample ``nuclei`` of one seed, in memory."""
    picture, truth = make(seed)
    volume, labels = (open_volume(array, spacing=SPACING, axes="zyx") for array in (picture, truth))
    volume.name = labels.name = "nuclei"
    labels.attrs["kind"] = "labels"
    return Sample(name="nuclei", volume=volume, truth=labels, about=ABOUT, classes=CLASSES, kind="instances")


def make(seed: int = 0, shape: Shape = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    """Picture (uint16) and truth (uint16, one id per nucleus, 0 background), both zyx."""
    rng = np.random.default_rng(seed)
    centres = _centres(np.array(shape) * SPACING, rng)
    truth = _ellipsoids(centres, shape, rng)
    return _imaged(truth, rng), truth


def _centres(extent: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Points thrown at random and kept where they come no nearer than nuclei that touch."""
    kept: list[np.ndarray] = []
    for point in rng.uniform(0.06, 0.94, (1500, 3)) * extent:
        if all(np.linalg.norm(point - other) > 1.55 * _RADIUS_UM for other in kept):
            kept.append(point)
    tissue = np.linalg.norm((np.array(kept) / extent - 0.5) * (1.2, 2.0, 2.0), axis=1)
    return np.asarray(np.array(kept)[tissue < 0.92])


def _ellipsoids(centres: np.ndarray, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Each nucleus where it is the deepest: neighbours share a face instead of overlapping."""
    truth = np.zeros(shape, np.uint16)
    depth = np.ones(shape, np.float32)
    for number, centre in enumerate(centres, start=1):
        axes = _RADIUS_UM * rng.uniform(0.8, 1.2, 3)
        turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
        reach = np.ceil(axes.max() / np.array(SPACING)).astype(int) + 1
        voxel = (centre / SPACING).astype(int)
        box = tuple(slice(max(0, v - r), v + r + 1) for v, r in zip(voxel, reach, strict=True))
        grid = np.stack(
            np.meshgrid(*(np.arange(s.start, min(s.stop, n)) for s, n in zip(box, shape, strict=True)), indexing="ij")
        )
        local = np.tensordot(turn, grid * np.reshape(SPACING, (3, 1, 1, 1)) - centre.reshape(3, 1, 1, 1), 1)
        away = np.sqrt(((local / axes.reshape(3, 1, 1, 1)) ** 2).sum(axis=0))
        deeper = away < depth[box]
        depth[box][deeper] = away[deeper]
        truth[box][deeper] = number
    return truth


def _imaged(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Brightness of its own for each nucleus, chromatin inside, blur, fading with depth, background, photon noise."""
    shape = truth.shape
    brightness = np.concatenate([[0.0], rng.uniform(0.55, 1.3, int(truth.max()))]).astype(np.float32)
    chromatin = ndi.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), (0.8, 2.2, 2.2))
    signal = brightness[truth] * np.clip(1 + 0.28 * chromatin / chromatin.std(), 0.2, None)
    seen = ndi.gaussian_filter(signal, [b / s for b, s in zip(_BLUR_UM, SPACING, strict=True)])
    haze = ndi.gaussian_filter(seen, [4.0 / s for s in SPACING])
    fading = np.linspace(1.0, 0.6, shape[0], dtype=np.float32)[:, None, None]
    photons = rng.poisson(np.clip(90 * fading * seen + 45 * haze + 14, 0, None))
    return np.asarray(np.clip(100 + 12 * photons + rng.normal(0, 18, shape), 0, 65535).round(), np.uint16)
