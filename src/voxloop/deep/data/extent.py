"""How large things are that a training looks at: objects, images, what surrounds labels; windows at most. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

import numpy as np

from voxloop.config.deep import DeepConfig
from voxloop.config.parsing import SMALLEST_BLOCK, WINDOW_STRIDE
from voxloop.deep.data.planning import plan_window
from voxloop.deep.data.training_data import TrainingData
from voxloop.deep.data.windows import Geometry
from voxloop.geometry import Box, Shape, Spacing, cover

#: in-plane size of an automatic window where nothing is known of objects; the smallest and the largest where it is
_AUTO, _LEAST, _MOST = 256, 128, 512
#: a window shows an object and as much again on both sides of it
_AROUND = 3
#: voxels of its coarsest level that a window has along a side, at most: about as far as a network of planes sees
_COARSE = 16
#: side from which planes are halved: what is resolved there is many voxels wide as a rule
_LARGE = 384
#: voxels that objects are wide at least where planes are halved
_WIDE = 15
#: voxels of an automatic window of a 3-D network: where memory is short, on a CPU, and elsewhere
FEWEST_VOXELS, VOXELS, VOXELS_GPU = 2**12, 2**16, 2**20


def network_scale(config: DeepConfig, data: TrainingData) -> float:
    """In-plane size at which the network works; ``auto`` halves planes that are large in every image.

    Where objects are learnt, only if most are wide enough at half size.
    """
    if not isinstance(config.scale, str):
        return config.scale
    if smallest_side(data) < _LARGE:
        return 1.0
    wide = object_width(data, 50) if data.instances else None
    return 0.5 if wide is None or 0.5 * wide >= _WIDE else 1.0


def network_zoom(config: DeepConfig, data: TrainingData, scale: float) -> Spacing:
    """The scale along each axis: in 3-D slices are scaled too, where their distance is not the coarser anyhow."""
    spacing = data.spacing_um
    deep = config.volumetric and scale < 1 and spacing[0] <= spacing[1] / scale**0.5
    return (scale if deep else 1.0, scale, scale)


def plane_side(config: DeepConfig, data: TrainingData, scale: float) -> int:
    """Side of an automatic window of a network of planes, in its voxels, where memory is not short.

    Three times as wide as the larger of the labelled objects, 256 where there are none; no wider than the network sees
    and the smallest image needs.
    """
    wide = object_width(data) if data.instances else None
    size = float(_AUTO if wide is None else min(_MOST, max(_LEAST, _AROUND * wide * scale)))
    return int(min(_up(size), _COARSE * 2**config.levels, max(2 * WINDOW_STRIDE, _up(smallest_side(data) * scale))))


def block_sides(data: TrainingData, zoom: Spacing, spacing: Spacing, voxels: int) -> Shape:
    """An automatic window of a 3-D network of about so many voxels, in these: as deep as it is wide in micrometres."""
    z, y, x = plan_window(spacing, useful_extent(data, zoom, spacing), voxels)
    return z, max(SMALLEST_BLOCK[1], y), max(SMALLEST_BLOCK[2], x)


def largest_geometry(config: DeepConfig, data: TrainingData) -> Geometry:
    """Windows in voxels of the image as large as they may be on any machine."""
    scale = network_scale(config, data)
    zoom = network_zoom(config, data, scale)
    if not isinstance(config.window, str):
        sizes: Sequence[Sequence[int]] = [config.window]
    elif config.volumetric:
        z, y, x = (step / factor for step, factor in zip(data.spacing_um, zoom, strict=True))
        steps = takewhile(lambda voxels: voxels >= FEWEST_VOXELS, (VOXELS_GPU >> n for n in range(32)))
        planned = [block_sides(data, zoom, (z, y, x), voxels) for voxels in steps]
        # a network rounds sides to its steps, of 32 voxels at most, and gives the others what it takes from one
        sizes = [tuple(max(64, 3 * side // 2 + 32) if side > 1 else 1 for side in sides) for sides in planned]
    else:
        side = plane_side(config, data, scale)
        sizes = [(1, side, side)]
    most = [max(sides) for sides in zip(*sizes, strict=True)]
    return geometry_of(config, (most[0], most[1], most[2]), zoom)


def geometry_of(config: DeepConfig, window: Shape, zoom: Spacing) -> Geometry:
    """Windows in voxels of the image from those of the network, zyx."""
    depth, height, width = (max(1, round(n / factor)) for n, factor in zip(window, zoom, strict=True))
    return Geometry(
        depth=depth,
        height=height,
        width=width,
        slices=config.neighbours,
        volumetric=config.volumetric,
        axes=config.across,
    )


def object_width(data: TrainingData, percentile: float = 90) -> float | None:
    """In-plane extent, in voxels of the images, below which so many of labelled objects stay; None without any."""
    widths = data.object_widths
    return float(np.percentile(widths, percentile)) if widths else None


def _up(size: float) -> int:
    """The next legal side."""
    return max(2, -(-round(size) // WINDOW_STRIDE)) * WINDOW_STRIDE


def useful_extent(data: TrainingData, zoom: Spacing, spacing: Spacing) -> Shape:
    """Voxels of the network zyx beyond which a window shows nothing new in any image: the image, or what surrounds the
    labels by half their own extent, whichever is smaller."""
    found = []
    for image in data.training_images:
        boxes = [image.split.grid.box(cell) for cell in image.labelled.counts]
        around = cover(boxes).clip(image.shape) if boxes else Box.whole(image.shape)
        for axis in range(3):
            ratio = image.relative[axis] if image.relative else 1.0
            found.append((min(image.shape[axis], 2 * around.shape[axis]) * ratio, axis))
    z, y, x = (max(1, round(max(n for n, a in found if a == axis) * zoom[axis])) for axis in range(3))
    least = 16 * min(spacing)  # strokes on a slice are seen with some of what lies above and below
    z, y, x = (
        max(n, min(round(least / step), whole))
        for n, step, whole in zip((z, y, x), spacing, _largest(data, zoom), strict=True)
    )
    return z, y, x


def _largest(data: TrainingData, zoom: Spacing) -> list[int]:
    return [max(1, round(max(i.shape[axis] for i in data.images) * zoom[axis])) for axis in range(3)]


def smallest_side(data: TrainingData) -> int:
    """In voxels of the training."""
    sides = [
        round(size * ratio)
        for image in data.images
        for size, ratio in zip(image.shape[1:], (image.relative or (1.0, 1.0, 1.0))[1:], strict=True)
    ]
    return min(sides)
