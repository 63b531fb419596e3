"""How large training windows are where nobody says: from objects, network, image and memory. Knows no loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch

from voxloop.config.deep import DeepConfig
from voxloop.config.parsing import SMALLEST_BLOCK, WINDOW_STRIDE
from voxloop.deep.begin.memory import free_memory, memory_of
from voxloop.deep.data.planning import plan_window, whole_steps
from voxloop.deep.data.targets import FIRST
from voxloop.deep.data.training_data import TrainingData
from voxloop.deep.data.windows import TrainingImage
from voxloop.deep.networks.device import resolve_device
from voxloop.deep.networks.network import NetworkConfig, build
from voxloop.deep.predict.predictor import Zoom
from voxloop.geometry import Box, Shape, Spacing, cover

#: in-plane size of an automatic window where nothing is known of objects; the smallest and the largest where it is
_AUTO, _LEAST, _MOST = 256, 128, 512
#: a window shows an object and as much again on both sides of it
_AROUND = 3
#: voxels of its coarsest level that a window has along a side, at most: about as far as a network of planes sees
_COARSE = 16
#: objects that are looked at in all, in each image at least, and how far around each
_OBJECTS, _FEWEST, _FAR = 128, 4, 256
#: bytes that a voxel of a window takes in training, at most, in all but the largest networks
_HEAVY = 10 * 2**10
#: side from which planes are halved: what is resolved there is many voxels wide as a rule
_LARGE = 384
#: voxels of an automatic window of a 3-D network, on a CPU and elsewhere
_VOXELS, _VOXELS_GPU = 2**16, 2**20
#: share of the free memory that an automatic window may plan to use
_ROOM = 0.5
#: windows that are looked at until one is a multiple of the stride of the network that is planned for it
_TRIES = 4


def network_scale(config: DeepConfig, data: TrainingData) -> float:
    """In-plane size at which the network works; ``auto`` halves planes that are large in every image."""
    if not isinstance(config.scale, str):
        return config.scale
    return 0.5 if _smallest_side(data) >= _LARGE else 1.0


def window_size(config: DeepConfig, data: TrainingData, scale: float, describe: Callable[[], NetworkConfig]) -> Shape:
    """The window of a network of planes in its voxels, zyx.

    ``auto``: three times as wide as the larger of the labelled objects, 256 where there are none; no wider than the
    network sees, than the smallest image needs, and than fits into memory.

    Parameters
    ----------
    describe
        Says which network it is; asked only where memory may be short.
    """
    if not isinstance(config.window, str):
        return config.window
    wide = object_width(data) if data.instances else None
    size = float(_AUTO if wide is None else min(_MOST, max(_LEAST, _AROUND * wide * scale)))
    size = min(_up(size), _COARSE * 2**config.levels, max(2 * WINDOW_STRIDE, _up(_smallest_side(data) * scale)))
    return 1, *(2 * (_fitting(config, int(size), describe),))


def object_width(data: TrainingData) -> float | None:
    """In-plane extent, in voxels of the images, below which nine of ten labelled objects stay; None without any."""
    rng = np.random.default_rng(0)
    found: list[int] = []
    for image in data.training_images:
        anchors = [at for parts in image.labelled.anchors.values() for at in parts[-1]]  # the objects come last
        for index in rng.permutation(len(anchors))[: max(_FEWEST, _OBJECTS // len(data.training_images))]:
            found += _extent(image, anchors[index])
    return float(np.percentile(found, 90)) if found else None


def _extent(image: TrainingImage, at: np.ndarray) -> Iterator[int]:
    """Longest side, in its plane, of the object at a voxel; nothing where it has none."""
    from scipy import ndimage  # only where objects are learnt

    z, y, x = (int(v) for v in at)
    voxel = Box.at((z, y, x), (1, 1, 1))
    around = voxel.grow((0, _FAR, _FAR)).clip(image.shape)
    plane = image.labels(around)[0]
    here = voxel.within(around).start[1:]
    if plane[here] >= FIRST:
        parts, _ = ndimage.label(plane == plane[here])
        sides = ndimage.find_objects(parts)[parts[here] - 1]
        yield max(side.stop - side.start for side in sides)


def _fitting(config: DeepConfig, size: int, describe: Callable[[], NetworkConfig]) -> int:
    """A side that leaves room in memory: the one given, or the largest below it."""
    room = _ROOM * free_memory(resolve_device(config.device))
    if _HEAVY * config.batch_size * size**2 < room:
        return size
    with torch.random.fork_rng(devices=[]):  # a run that goes on must draw what it would have drawn
        network = build(describe())
    memory = memory_of(network, config, (1, size, size))
    share = (room - memory(0)) / max(1, memory(config.batch_size) - memory(0))
    side = int(size * max(0.0, min(1.0, share)) ** 0.5) // WINDOW_STRIDE * WINDOW_STRIDE
    return max(2 * WINDOW_STRIDE, side)


def _up(size: float) -> int:
    """The next legal side."""
    return max(2, -(-round(size) // WINDOW_STRIDE)) * WINDOW_STRIDE


def block_size(
    config: DeepConfig, data: TrainingData, zoom: Zoom, spacing: Spacing, describe: Callable[[Shape], NetworkConfig]
) -> Shape:
    """The window of a 3-D network, in its voxels; ``describe`` says which network one has.

    ``auto``: as deep as it is wide in micrometres, no larger than image and labels with their surroundings need, of a
    size that a step takes seconds for and the network need not pad, smaller where memory is short.
    """
    if not isinstance(config.window, str):
        return config.window
    device = resolve_device(config.device)
    extent = _useful_extent(data, zoom, spacing)
    voxels = _VOXELS if device.type == "cpu" else _VOXELS_GPU
    while True:
        window = _unpadded(plan_window(spacing, extent, voxels), describe)
        with torch.random.fork_rng(devices=[]):  # not as meta tensors: SwinUNETR asks some for their numbers
            network = build(describe(window))
        if voxels <= 2**12 or memory_of(network, config, window)(config.batch_size) <= _ROOM * free_memory(device):
            return window
        voxels //= 2


def _unpadded(window: Shape, describe: Callable[[Shape], NetworkConfig]) -> Shape:
    """The window nearest to one of which a network computes no more than it shows; levels follow the window."""
    window = (window[0], *(max(side, SMALLEST_BLOCK[1]) for side in window[1:]))  # type: ignore[assignment]
    for _ in range(_TRIES):
        network = describe(window)
        if network.padded(window) == window:
            break
        window = whole_steps(window, network.steps, network.smallest)
    return window


def _useful_extent(data: TrainingData, zoom: Zoom, spacing: Spacing) -> Shape:
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


def _largest(data: TrainingData, zoom: Zoom) -> list[int]:
    return [max(1, round(max(i.shape[axis] for i in data.images) * zoom[axis])) for axis in range(3)]


def _smallest_side(data: TrainingData) -> int:
    """In voxels of the training."""
    sides = [
        round(size * ratio)
        for image in data.images
        for size, ratio in zip(image.shape[1:], (image.relative or (1.0, 1.0, 1.0))[1:], strict=True)
    ]
    return min(sides)
