"""Which classes are thin, told by strokes and picture: membranes and walls narrower than three voxels. Pure.

Narrow strokes alone do not tell: a fine brush on a large thing leaves the same. So the picture is looked at across the
stroke: what is thin looks alike on both sides of it, and different in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from voxloop.deep.data.windows import TrainingImage
from voxloop.geometry import Box

#: strokes of each class that are looked at, and how far around them, voxels
_STROKES, _AROUND = 64, 10
#: of a stroke three voxels wide a third is its middle; crossings and bends of a thinner one have a few such voxels too
_MIDDLE = 0.1
#: voxels across a stroke at which the picture is compared with that in it
_ACROSS = 4
#: difference between both, in standard deviations of the picture, from which what is painted stands out
_STANDS_OUT = 0.5
#: steps along rows, columns and both diagonals
_DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1))


def thin_labels(images: Sequence[TrainingImage], labels: Iterable[int], seed: int = 0) -> tuple[int, ...]:
    """Those of the labels of windows, from 1, whose strokes are nowhere three voxels wide, on what stands out so."""
    return tuple(label for label in labels if _is_thin(images, label, seed))


def _is_thin(images: Sequence[TrainingImage], label: int, seed: int) -> bool:
    rng = np.random.default_rng((seed, 6))
    middles = total = 0
    differences: list[np.ndarray] = []
    spreads: list[float] = []
    for pixels, marked in _pieces(images, label, rng):
        own = marked == label
        middles += int(_middle(own).sum())
        total += int(own.sum())
        if middles > _MIDDLE * max(total, 200):
            return False
        differences.append(across(pixels, own))
        spreads.append(float(pixels.std()))
    found = np.concatenate(differences) if differences else np.empty(0)
    if not total or middles >= _MIDDLE * total or len(found) < 20:
        return False
    return bool(abs(float(np.median(found))) >= _STANDS_OUT * max(float(np.median(spreads)), 1e-12))


def across(pixels: np.ndarray, own: np.ndarray) -> np.ndarray:
    """How much brighter both sides of a stroke are than it, voxel by voxel: (n,) of those that are far from the edge.

    ``pixels`` and ``own`` (bool) are planes of one size. Across is where fewest neighbours are of the stroke.
    """
    at = np.argwhere(own)
    inside = ((at >= _ACROSS) & (at < np.array(own.shape) - _ACROSS)).all(axis=1)
    at = at[inside]
    if not len(at):
        return np.empty(0)
    steps = range(-_ACROSS, _ACROSS + 1)
    along = np.stack(
        [sum(own[at[:, 0] + k * down, at[:, 1] + k * right].astype(int) for k in steps) for down, right in _DIRECTIONS]
    )
    down, right = _ACROSS * np.array(_DIRECTIONS)[along.argmin(axis=0)].T
    sides = pixels[at[:, 0] + down, at[:, 1] + right] + pixels[at[:, 0] - down, at[:, 1] - right]
    return np.asarray(sides / 2 - pixels[at[:, 0], at[:, 1]])


def _pieces(
    images: Sequence[TrainingImage], label: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Planes around some strokes of a class: the mean of the channels, smoothed a little, and the labels."""
    from scipy.ndimage import gaussian_filter

    share = -(-_STROKES // max(1, len(images)))
    for image in images:
        parts = [anchors[label - 1] for anchors in image.labelled.anchors.values() if len(anchors) >= label]
        anchors = np.concatenate(parts) if parts else np.empty((0, 3), int)
        for index in rng.permutation(len(anchors))[:share]:
            z, y, x = (int(value) for value in anchors[index])
            box = Box.at((z, y, x), (1, 1, 1)).grow((0, _AROUND, _AROUND)).clip(image.shape)
            plane = image.pixels(box)[:, 0].astype(np.float32).mean(axis=0)
            yield gaussian_filter(np.nan_to_num(plane), 0.7), image.labels(box)[0]


def _middle(own: np.ndarray) -> np.ndarray:
    """Voxels of which all eight neighbours are alike."""
    from scipy.ndimage import binary_erosion

    return np.asarray(binary_erosion(own, np.ones((3, 3), bool)))
