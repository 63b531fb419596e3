"""What a network that learns objects is to say of a crop: foreground, boundary, depth. Pure numpy; 2-D and 3-D."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

#: values in coded crops: what nobody labelled, and what is no object; objects count from 2
UNLABELLED, BACKGROUND, FIRST = 0, 1, 2
#: objects that a coded crop tells apart; numbers that differ by a multiple of this look the same in it
CODES = 254


@dataclass(frozen=True, slots=True)
class Targets:
    """Targets of a crop, and where each is known.

    Attributes
    ----------
    values
        ``(3, ...)`` float32: foreground and boundary as 0 or 1, depth from 0 (outside) to 1 (middle of an object).
    known
        ``(3, ...)`` bool: where the labels say so; elsewhere nothing is learnt.
    """

    values: np.ndarray
    known: np.ndarray


#: coded labels and voxel size to targets
Make = Callable[[np.ndarray, Sequence[float]], Targets]


class Codes:
    """A table from numbers of a label array to codes, as :func:`code`; ``kinds`` makes all objects one value."""

    def __init__(self, background: int | None, *, kinds: bool = False) -> None:
        self._background, self._kinds = background, kinds

    def __getitem__(self, numbers: np.ndarray) -> np.ndarray:
        coded = code(numbers, self._background)
        return np.minimum(coded, FIRST) if self._kinds else coded


def code(numbers: np.ndarray, background: int | None) -> np.ndarray:
    """Numbers of a label array as uint8: 0 unlabelled, 1 background, objects from 2.

    ``background`` is the value that means no object; None: there is none, and what is not labelled stays unknown.
    """
    coded: np.ndarray = (numbers % CODES + FIRST).astype(np.uint8)
    coded[numbers == 0] = UNLABELLED
    if background is not None:
        coded[numbers == background] = BACKGROUND
    return coded


def instance_targets(
    coded: np.ndarray, spacing_um: Sequence[float] = (1.0, 1.0), *, boundary_um: float | None = None
) -> Targets:
    """Targets of a crop of coded labels.

    Parameters
    ----------
    coded
        ``(y, x)`` or ``(z, y, x)``: 0 unlabelled, 1 background, objects from 2.
    spacing_um
        Voxel size, one number an axis.
    boundary_um
        An object's voxels this near to what is not it are its boundary; 1.5 of the smallest voxel edges where not
        given.

    Notes
    -----
    Depth is the distance to the nearest voxel of another label over the largest such distance in the object (edt). An
    object may go on where nothing is labelled: there, boundary and depth are known only as far as a labelled voxel is
    nearer than an unlabelled one. An object cut by the edge of the crop has no known middle, so no known depth.
    """
    import edt

    width = 1.5 * min(spacing_um) if boundary_um is None else boundary_um
    coded = np.ascontiguousarray(coded)
    inside, labelled = coded >= FIRST, coded > UNLABELLED
    away = np.where(inside, edt.edt(coded, anisotropy=tuple(spacing_um), black_border=False), 0)
    away = np.where(np.isfinite(away), away, np.float32(0))
    sure = labelled.copy()
    if not labelled.all():
        gap = edt.edt(labelled.astype(np.uint8), anisotropy=tuple(spacing_um), black_border=False)
        sure &= ~inside | (away < gap)
    deepest = np.zeros(int(coded.max(initial=0)) + 1, np.float32)
    np.maximum.at(deepest, coded[inside], away[inside])
    cut = np.zeros(len(deepest), bool)
    cut[_at_edges(coded)] = True
    unsure = np.zeros(len(deepest), bool)
    unsure[coded[inside & ~sure]] = True  # the middle may be behind what is not labelled
    with np.errstate(invalid="ignore", divide="ignore"):
        depth = np.where(inside, away / deepest[coded], 0)
    depth_known = labelled & (~inside | ~(cut | unsure)[coded])
    values = np.stack([inside, inside & (away <= width), np.nan_to_num(depth)]).astype(np.float32)
    far = inside & (away > width)  # no boundary, whatever lies behind
    return Targets(values, np.stack([labelled, sure | far, depth_known]))


def flow_targets(coded: np.ndarray, spacing_um: Sequence[float] = (1.0, 1.0)) -> Targets:
    """Targets ``(4, ...)`` of a crop of coded labels: foreground, then arrows zyx, 0 along z in a plane.

    An arrow points from a voxel of an object to the mean of its voxels, in micrometres; its length is 1, less within
    two voxels of the middle. Outside of objects there is none to learn. An object that the edge of the crop cuts, or
    that touches what nobody labelled, has no known middle, so no known arrows.
    """
    from scipy import ndimage as ndi

    coded = np.ascontiguousarray(coded)
    inside, labelled = coded >= FIRST, coded > UNLABELLED
    values = np.zeros((4, *coded.shape), np.float32)
    values[0] = inside
    known = np.zeros(values.shape, bool)
    known[0] = labelled
    hidden = np.zeros(int(coded.max(initial=0)) + 1, bool)
    hidden[_at_edges(coded)] = True
    hidden[np.unique(coded[ndi.binary_dilation(~labelled, np.ones((3,) * coded.ndim))])] = True
    sure = inside & ~hidden[coded]
    at = np.nonzero(sure)
    if not len(at[0]):
        return Targets(values, known)
    own = coded[at]
    count = np.bincount(own)
    away = np.stack(
        [step * (np.bincount(own, place)[own] / count[own] - place) for place, step in zip(at, spacing_um, strict=True)]
    )
    length = np.maximum(np.sqrt(np.square(away).sum(0)), 2 * min(spacing_um))
    for axis, part in enumerate(away / length, start=4 - coded.ndim):
        values[axis][at] = part
    known[1:] = sure
    return Targets(values, known)


def evened(coded: np.ndarray) -> np.ndarray:
    """How much each voxel of a crop counts, float32: one of an object by the root of the voxels that it has there.

    An object is found or missed as a whole, and one of a tenth of the voxels would hardly be heard. All objects of the
    crop together count as many as they have voxels, no voxel less than a quarter or more than six times; what is no
    object counts 1.
    """
    sizes = np.bincount(coded.ravel(), minlength=FIRST).astype(np.float64)
    counts = np.ones(len(sizes))
    objects = sizes[FIRST:]
    if objects.any():
        each = 1 / np.sqrt(np.maximum(objects, 1))
        counts[FIRST:] = np.clip(each * objects.sum() / (each * objects).sum(), 0.25, 6)
    weights: np.ndarray = counts.astype(np.float32)[coded]
    return weights


def plane_targets(coded: np.ndarray, spacing_um: Sequence[float], make: Make = instance_targets) -> Targets:
    """Targets of a crop (z, y, x), each of its planes by itself; ``spacing_um`` zyx."""
    found = {z: make(coded[z], spacing_um[1:]) for z in np.flatnonzero(coded.any(axis=(1, 2)))}
    channels = len(next(iter(found.values())).values) if found else len(make(coded[0], spacing_um[1:]).values)
    values = np.zeros((channels, *coded.shape), np.float32)
    known = np.zeros(values.shape, bool)
    for z, plane in found.items():
        values[:, z], known[:, z] = plane.values, plane.known
    return Targets(values, known)


def _at_edges(coded: np.ndarray) -> np.ndarray:
    planes = [
        np.take(coded, at, axis=axis).ravel() for axis in range(coded.ndim) if coded.shape[axis] > 1 for at in (0, -1)
    ]
    every = np.unique(np.concatenate(planes)) if planes else np.zeros(0, coded.dtype)
    return np.asarray(every[every >= FIRST])
