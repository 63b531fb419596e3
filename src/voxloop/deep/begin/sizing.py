"""How large training windows are where nobody says: from objects, network, image and memory. Knows no loop."""

from __future__ import annotations

from collections.abc import Callable

import torch

from voxloop.config.deep import DeepConfig
from voxloop.config.parsing import WINDOW_STRIDE
from voxloop.deep.begin.memory import free_memory, memory_of
from voxloop.deep.data.extent import FEWEST_VOXELS, VOXELS, VOXELS_GPU, block_sides, plane_side
from voxloop.deep.data.planning import whole_steps
from voxloop.deep.data.training_data import TrainingData
from voxloop.deep.networks.device import resolve_device
from voxloop.deep.networks.network import NetworkConfig, build
from voxloop.deep.predict.predictor import Zoom
from voxloop.geometry import Shape, Spacing

#: bytes that a voxel of a window takes in training, at most, in all but the largest networks
_HEAVY = 10 * 2**10
#: share of the free memory that an automatic window may plan to use
_ROOM = 0.5
#: windows that are looked at until one is a multiple of the stride of the network that is planned for it
_TRIES = 4


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
    return 1, *(2 * (_fitting(config, plane_side(config, data, scale), describe),))


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
    voxels = VOXELS if device.type == "cpu" else VOXELS_GPU
    while True:
        window = _unpadded(block_sides(data, zoom, spacing, voxels), describe)
        with torch.random.fork_rng(devices=[]):  # not as meta tensors: SwinUNETR asks some for their numbers
            network = build(describe(window))
        needed = memory_of(network, config, window)(config.batch_size)
        if voxels <= FEWEST_VOXELS or needed <= _ROOM * free_memory(device):
            return window
        voxels //= 2


def _unpadded(window: Shape, describe: Callable[[Shape], NetworkConfig]) -> Shape:
    """The window nearest to one of which a network computes no more than it shows; levels follow the window."""
    for _ in range(_TRIES):
        network = describe(window)
        if network.padded(window) == window:
            break
        window = whole_steps(window, network.steps, network.smallest)
    return window
