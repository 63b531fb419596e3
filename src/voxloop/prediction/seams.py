"""What cutting a volume into tiles changes, measured: the halo that matters on this image, and the seam that is left.

Both compare outputs on the same voxels, once with what lies behind a cut and once without. Knows arrays and functions
of them, no models and no files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import numpy as np

from voxloop.geometry import AXES, Box, Shape
from voxloop.prediction.blending import blend_blocks
from voxloop.prediction.plan import Block, Plan

#: one box (outer; may reach past the volume) to class probabilities (class, z, y, x)
Predict = Callable[[Box], np.ndarray]
#: one block to class probabilities of its core
PredictCore = Callable[[Block], np.ndarray]

#: fast mode: the share of voxels that may differ by more than the tolerance, and the share of labels that may flip
SHARE_ABOVE = 0.001
#: voxels from a cut over which these shares are taken: half a tile
BAND = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Seam:
    """The difference between tiled and untiled at the faces of tiles, in probability.

    ``largest``: of all; ``usual``: 99.9 % are below; ``flips``: share of labels that change; ``voxels`` looked at.
    """

    largest: float = 0.0
    usual: float = 0.0
    flips: float = 0.0
    voxels: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def measure_halo(
    predict: Predict,
    shape: Shape,
    stride: Shape,
    axes: Sequence[int],
    *,
    tolerance: float,
    max_voxels: int,
    places: Sequence[Shape],
) -> tuple[Shape, bool]:
    """The smallest halo that keeps seams below a tolerance, on this model and image.

    At each place a long block is predicted whole and once more cut through the middle; the difference against the
    distance from the cut tells every halo at once. Chosen is the smallest multiple of the stride beyond which at most
    0.1 % of the voxels differ by more than ``tolerance`` and at most 0.1 % of the labels flip, shared among the axes.

    Returns
    -------
    halo
        Voxels zyx; 0 on axes that are not in ``axes``.
    kept
        False where even the longest halo that could be measured breaks the tolerance.
    """
    halo, within_tolerance = [0, 0, 0], True
    for axis in axes:
        share = SHARE_ABOVE / (2 * len(axes))
        halos = [
            _halo_at(predict, box, axis, stride[axis], tolerance, share)
            for box in _probes(shape, stride, axis, axes, max_voxels, places)
        ]
        measured = [value for value in halos if value is not None]
        if len(measured) == len(halos):
            halo[axis] = max(measured, default=0)
        else:
            within_tolerance = False
            halo[axis] = _probe_shape(shape, stride, axis, axes, max_voxels)[axis] // 2
    return (halo[0], halo[1], halo[2]), within_tolerance


def _halo_at(predict: Predict, box: Box, axis: int, step: int, tolerance: float, share: float) -> int | None:
    first, length = box.start[axis], box.shape[axis]
    middle = first + length // 2 // step * step
    if middle == first:
        return 0
    half = box.cut(AXES[axis], first, middle)
    cut = predict(half)
    whole = predict(box)[:, *half.within(box).slices]
    # nearest to the cut first
    difference = np.moveaxis(np.abs(whole - cut).max(axis=0), axis, 0)[::-1]
    flipped = np.moveaxis(whole.argmax(axis=0) != cut.argmax(axis=0), axis, 0)[::-1]
    above = difference > tolerance
    for halo in range(0, len(difference), step):
        band = slice(halo, halo + BAND)
        if above[band].mean() <= share and flipped[band].mean() <= share:
            return halo
    return None


def _probe_shape(shape: Shape, stride: Shape, axis: int, axes: Sequence[int], max_voxels: int) -> Shape:
    """Long along ``axis``, narrower across; within ``max_voxels``."""
    length, width = (1024, 192) if len(axes) < 3 else (160, 48)
    while True:
        size = [1, 1, 1]
        for i in axes:
            target = length if i == axis else width
            size[i] = min(-(-target // stride[i]), -(-shape[i] // stride[i])) * stride[i]
        if prod(size) <= max_voxels or length <= 2 * stride[axis]:
            return size[0], size[1], size[2]
        length, width = length * 3 // 4, max(1, width * 3 // 4)


def _probes(
    shape: Shape, stride: Shape, axis: int, axes: Sequence[int], max_voxels: int, places: Sequence[Shape]
) -> Iterator[Box]:
    size = _probe_shape(shape, stride, axis, axes, max_voxels)
    for place in places:
        yield box_around(place, size, shape, stride)


def box_around(place: Shape, size: Shape, shape: Shape, stride: Shape) -> Box:
    """A box of ``size`` about ``place``, moved inside the padded volume, at a multiple of the stride."""
    bounds = []
    for at, length, full, step in zip(place, size, shape, stride, strict=True):
        last = max(0, -(-full // step) * step - length)
        start = min(max(0, at - length // 2), last) // step * step
        bounds.append((start, start + length))
    return Box.from_json(bounds)


def measure_seam(
    predict: Predict,
    plan: Plan,
    reach: Shape,
    *,
    focus: Shape,
    max_voxels: int,
    band: int = 64,
    predict_core: PredictCore | None = None,
) -> Seam | None:
    """Compare tiled with untiled about one inner face of the plan for each axis that it cuts.

    Parameters
    ----------
    reach
        How far the untiled reference looks beyond the voxels compared: the model's field, or more than the plan's halo.
    band
        Voxels to either side of the face that are compared.
    predict_core
        Where the model can leave out what it only looks at. It reads no further than its halo by its making, so one
        block is enough to see that.

    Returns
    -------
    Seam or None
        None where the reference would not fit in ``max_voxels``; all zero where nothing is cut.
    """
    comparisons: list[tuple[np.ndarray, int]] = []
    for axis in (2, 1, 0):
        if comparisons and predict_core is not None:
            break
        if plan.block[axis] == 1 and plan.halo[axis] == 0:
            continue
        pair = _neighbours(plan, axis, focus)
        if pair is None:
            continue
        for block in pair if predict_core is None else pair[:1]:
            reference = _reference(plan, block, pair[1].core.start[axis], axis, reach[axis], band)
            if reference.outer.size > max_voxels:
                return None
            comparisons.append(_compare(predict, plan, block, reference, predict_core))
    if not comparisons:
        return Seam()
    difference = np.concatenate([difference for difference, _ in comparisons])
    flips = sum(flipped for _, flipped in comparisons)
    usual = float(np.quantile(difference, 1 - SHARE_ABOVE))
    return Seam(largest=float(difference.max()), usual=usual, flips=flips / len(difference), voxels=len(difference))


def _neighbours(plan: Plan, axis: int, focus: Shape) -> tuple[Block, Block] | None:
    """The two blocks that meet at the face across ``axis`` nearest to the focus."""
    first, last, size = plan.box.start[axis], plan.box.stop[axis], plan.block[axis]
    faces = range((first // size + 1) * size, last, size)
    if not faces:
        return None
    face = min(faces, key=lambda at: abs(at - focus[axis]))
    inside = [min(max(at, low), high - 1) for at, low, high in zip(focus, plan.box.start, plan.box.stop, strict=True)]
    near = Box.at(inside, (1, 1, 1)).aligned(plan.block).meet(plan.box)
    assert near is not None  # the place lies inside
    before = near.cut(AXES[axis], max(first, face - size), face)
    after = near.cut(AXES[axis], face, min(last, face + size))
    return plan.block_of(before), plan.block_of(after)


def _reference(plan: Plan, block: Block, face: int, axis: int, reach: int, band: int) -> Block:
    """The voxels of ``block`` near the face, seen with ``reach`` on both sides; like ``block`` on the other axes."""
    first, last = max(block.core.start[axis], face - band), min(block.core.stop[axis], face + band)
    step, padded = plan.stride[axis], plan.padded[axis]
    low = max(0, first - reach) // step * step
    high = min(padded, -(-(last + reach) // step) * step)
    name = AXES[axis]
    return Block(block.core.cut(name, first, last), block.outer.cut(name, low, high))


def _compare(
    predict: Predict, plan: Plan, block: Block, reference: Block, predict_core: PredictCore | None
) -> tuple[np.ndarray, int]:
    if predict_core is not None:
        tiled, whole = predict_core(Block(reference.core, block.outer)), predict_core(reference)
    else:
        if plan.blend:
            tiled = blend_blocks(predict, plan, reference.core)
        else:
            tiled = predict(block.outer)[:, *reference.core.within(block.outer).slices]
        whole = predict(reference.outer)[:, *reference.cut.slices]
    flipped = np.count_nonzero(tiled.argmax(axis=0) != whole.argmax(axis=0))
    return np.abs(tiled - whole).max(axis=0).ravel(), int(flipped)
