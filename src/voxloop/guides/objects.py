"""The object that hints point at, found by one of several ways. Pure: a plane is two functions that read it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from voxloop.errors import LabelError, unknown
from voxloop.guides.hints import INSIDE, OUTSIDE, Hints, Spot, Window

#: what the live model says there; the edges of the picture; a random walk over it; GrabCut of OpenCV; two networks that
#: the user names
Way = Literal["live", "edges", "walker", "grabcut", "pair"]
WAYS: tuple[Way, ...] = get_args(Way)
#: pixels that are looked at at once; a larger window is looked at more coarsely
MOST = 768 * 768
#: and of a random walk, which takes longer
_MOST_WALKED = 160 * 160
#: how much a random walker minds an edge, and the width (voxels) of the smoothing before edges are looked for
_WALKER_BETA, _SMOOTH = 130.0, 2.0
#: voxels around an object that it is compared with
_RING = 5

#: rows and columns of the plane -> intensities (rows, columns)
Look = Callable[[slice, slice], np.ndarray]
#: rows and columns of the plane -> class values and confidence, uint8, and the values that are background
Said = tuple[np.ndarray, np.ndarray, frozenset[int]]


def step_of(window: Window, most: int = MOST) -> int:
    """Every how many voxels of a window are looked at."""
    area = (window[0].stop - window[0].start) * (window[1].stop - window[1].start)
    return max(1, int(np.ceil(np.sqrt(area / most))))


def by_picture(way: Way, hints: Hints, size: tuple[int, int], look: Look) -> Spot | None:
    """The object by ``"edges"``, ``"walker"`` or ``"grabcut"``; None where there is none."""
    if way not in WAYS:
        raise LabelError(unknown("way", way, WAYS))
    window = hints.window(size)
    step = step_of(window, _MOST_WALKED if way == "walker" else MOST)
    seeds = hints.seeds(window, size, step)
    picture = _reduced(look(*window).astype(np.float32), step)
    if way == "walker":
        mask = _walked(picture, seeds)
    elif way == "grabcut":
        from voxloop.guides.grab_cut import grabbed

        mask = grabbed(picture, seeds, hints)
    else:
        mask = _flooded(picture, seeds)
    mask = _at_seeds(mask, seeds)
    return _full(mask, window, step).trimmed()


def contrast(spot: Spot, size: tuple[int, int], look: Look) -> float:
    """How much brighter (or, below 0, darker) an object is than what is right around it, in intensities."""
    from scipy.ndimage import binary_dilation

    rows, columns = (
        slice(max(0, first - _RING), min(end + _RING, whole))
        for first, end, whole in zip(spot.origin, spot.ends, size, strict=True)
    )
    step = step_of((rows, columns))
    mask = spot.on((rows, columns))[::step, ::step]
    picture = look(rows, columns)[::step, ::step]
    ring = binary_dilation(mask, iterations=_RING) & ~mask
    if not ring.any() or not mask.any():
        return 0.0
    return float(np.median(picture[mask])) - float(np.median(picture[ring]))


def by_classes(hints: Hints, size: tuple[int, int], said: Callable[[slice, slice], Said]) -> Spot | None:
    """The object by what a model says of the plane; None where it says background or nothing there."""
    window = hints.window(size)
    classes, confidence, background = said(*window)
    seeds = hints.seeds(window, size)
    spoken = classes[(seeds == INSIDE) if hints.inside or hints.before else (seeds != OUTSIDE)]
    values = [int(value) for value in np.unique(spoken) if value and int(value) not in background]
    if not values:
        return None
    if not hints.inside:  # a box, or the slice beside: the class that most of it is
        values = [max(values, key=lambda value: int((spoken == value).sum()))]
    sure = confidence.astype(np.float32) / 255
    likely = np.where(np.isin(classes, values), sure, 1 - sure)
    allowed = seeds != OUTSIDE if hints.box or hints.before else np.ones(seeds.shape, bool)
    return Spot((window[0].start, window[1].start), connected(likely, seeds, allowed)).trimmed()


def connected(likely: np.ndarray, seeds: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Where it is likelier than not and connected to seeds inside; at a neck split from seeds outside."""
    from scipy.ndimage import distance_transform_edt
    from skimage.measure import label
    from skimage.segmentation import watershed

    parts = label((likely > 0.5) & allowed | (seeds == INSIDE), connectivity=1)
    numbers = np.unique(parts[seeds == INSIDE])
    if not numbers.size:
        return np.zeros(likely.shape, bool)
    mask: np.ndarray = np.isin(parts, numbers[numbers > 0])
    against = (seeds == OUTSIDE) & mask
    if against.any():
        markers = np.where(mask, seeds, 0).astype(np.int32)
        mask = watershed(-distance_transform_edt(mask), markers, mask=mask) == INSIDE
    return _at_seeds(mask, seeds)


def _at_seeds(mask: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """The parts that seeds inside lie in, without their holes; a hole that was pointed at from outside stays one."""
    from scipy.ndimage import binary_fill_holes
    from skimage.measure import label

    mask = mask & (seeds != OUTSIDE) | (seeds == INSIDE)
    parts = label(mask, connectivity=1)
    numbers = np.unique(parts[seeds == INSIDE])
    mask = np.isin(parts, numbers[numbers > 0])
    holes = label(binary_fill_holes(mask) & ~mask, connectivity=1)
    kept = np.unique(holes[seeds == OUTSIDE])
    return np.asarray(mask | (holes > 0) & ~np.isin(holes, kept[kept > 0]))


def _flooded(picture: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Watershed of the gradient: waters from inside and outside meet on the strongest edge between them."""
    from scipy.ndimage import gaussian_gradient_magnitude
    from skimage.segmentation import watershed

    gradient = gaussian_gradient_magnitude(picture, _SMOOTH)
    return np.asarray(watershed(gradient, seeds.astype(np.int32)) == INSIDE)


def _walked(picture: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Which seeds a random walker from each pixel meets first (Grady 2006)."""
    import warnings

    from scipy.ndimage import gaussian_filter
    from skimage.segmentation import random_walker

    if not (seeds == OUTSIDE).any() or not (seeds == INSIDE).any():
        return np.asarray(seeds == INSIDE)
    smooth = gaussian_filter(picture, _SMOOTH)
    if np.ptp(smooth) == 0:  # nothing to go by
        return _flooded(picture, seeds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of solvers that are not installed
        walked = random_walker(smooth, seeds.astype(np.int32), beta=_WALKER_BETA, mode="cg_j", tol=1e-3)
    return np.asarray(walked == INSIDE)


def _reduced(picture: np.ndarray, step: int) -> np.ndarray:
    """Means of ``step`` x ``step`` voxels."""
    if step == 1:
        return picture
    short = [-size % step for size in picture.shape]
    padded = np.pad(picture, [(0, n) for n in short], mode="edge")
    rows, columns = (size // step for size in padded.shape)
    return np.asarray(padded.reshape(rows, step, columns, step).mean(axis=(1, 3)))


def _full(mask: np.ndarray, window: Window, step: int) -> Spot:
    """A mask over every ``step``-th voxel of a window as one of all of them."""
    rows, columns = (part.stop - part.start for part in window)
    if step > 1:
        mask = mask.repeat(step, axis=0).repeat(step, axis=1)
    return Spot((window[0].start, window[1].start), mask[:rows, :columns])
