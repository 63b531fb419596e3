"""Memory that a training takes, from shapes alone, and the nearest setting that fits. Knows no labels."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import nn

from voxloop.config.deep import DeepConfig
from voxloop.config.parsing import WINDOW_STRIDE
from voxloop.deep.networks.device import GpuMemory, resolve_device, resolve_precision
from voxloop.deep.transfer import runtime
from voxloop.errors import ConfigError
from voxloop.geometry import Shape
from voxloop.machine import available_memory

#: bytes of a training process before it has a network: interpreter, torch, libraries
_BASE = 700 * 2**20
#: what gradients under way and scratch memory take, as a share of what is kept for them
_SCRATCH = 0.5
#: share of the free memory that a training may plan to use
_ROOM = 0.9
#: bytes that a voxel of a window takes in training of the heaviest network of planes (9 KiB kept, measured), twice over
_HEAVIEST = 32 * 2**10
#: tensors of the size of the weights: weights, gradients, and what the optimiser keeps
_SLOTS = {"SGD": 3, "RMSprop": 4, "Adafactor": 2, "Adagrad": 3, "ASGD": 4, "Rprop": 4}
#: how else torch, and the libraries below it, say that there is no memory
_NO_MEMORY = (
    "can't allocate memory",
    "out of memory",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
)


def check_memory(network: nn.Module, config: DeepConfig, window: Shape, device: torch.device) -> None:
    """Raises ConfigError where a training cannot fit into what is free now, with the nearest setting that does."""
    free = free_memory(device)
    if _surely_fits(network, config, window, free):
        return
    advice = advise(network, config, window, free)
    if advice:
        raise ConfigError(advice)


def _surely_fits(network: nn.Module, config: DeepConfig, window: Shape, available: int) -> bool:
    """Whether a batch is so small that no network of planes needs what is free: then nothing is counted, which takes a
    third of a second at the start of a run."""
    if config.volumetric:
        return False
    weights = sum(p.numel() * p.element_size() for p in network.parameters())
    return _BASE + 6 * weights + config.batch_size * math.prod(window) * _HEAVIEST < _ROOM * available


def ran_out(error: RuntimeError) -> bool:
    """Whether an error of torch means that there was not enough memory, on a GPU or on a CPU."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in _NO_MEMORY)


def free_memory(device: torch.device) -> int:
    """Bytes that a training may take on a device now."""
    return available_memory() if runtime(device) is None else GpuMemory(device).free()


def memory_of(network: nn.Module, config: DeepConfig, window: Shape) -> Callable[[int], int]:
    """Bytes of a training at its peak, by batch size: what a batch leaves for the backward pass, above all."""
    device = resolve_device(config.device)
    weights = sum(p.numel() * p.element_size() for p in network.parameters())
    slots = _SLOTS.get(config.optimiser, 4) + (1 if config.average_weights else 0)
    left = _Activations(network, window)
    base = _BASE + 2**28 if device.type == "cpu" else 2**29  # on a CPU, with some of the images
    short = 1.0 if resolve_precision(config.precision, device) == torch.float32 else 0.6
    return lambda batch: int(base + weights * slots + short * (1 + _SCRATCH) * left(batch))


def advise(network: nn.Module, config: DeepConfig, window: Shape, available: int) -> str:
    """Empty where a training fits; else a sentence with the largest batch, or else the largest window, that does."""
    room = _ROOM * available
    memory = memory_of(network, config, window)
    needed = memory(config.batch_size)
    if needed <= room:
        return ""
    shortage = (
        f"this training needs about {needed / 1e9:.1f} GB and {available / 1e9:.1f} GB are free: batch_size="
        f"{config.batch_size} with windows of {window_words(window)} does not fit"
    )
    batch = math.floor((room - memory(1)) / max(1, memory(2) - memory(1))) + 1
    if batch >= 1:
        more = math.ceil(config.batch_size * config.accumulation / batch)
        return f"{shortage}; use batch_size={batch}, with accumulation={more} for the same effective batch"
    for smaller in _smaller(window, config.volumetric):
        if memory_of(network, config, smaller)(1) <= room:
            return f"{shortage}; use window={','.join(map(str, smaller))} with batch_size=1"
    less = "width" if config.volumetric else "encoder and decoder_width"
    if memory(0) > room:
        taken = f"{memory(0) / 1e9:.1f} GB of that are taken whatever the window"
        return f"{shortage}; {taken}: free some memory, or use a smaller {less}"
    return f"{shortage}, nor does any window; use a smaller {less}, or free some memory"


def window_words(window: Sequence[int]) -> str:
    """A window as it is said: planes without their single slice."""
    return " x ".join(str(size) for size in (window[1:] if window[0] == 1 else window))


def _smaller(window: Shape, volumetric: bool) -> Iterator[Shape]:
    """Legal windows below one, largest first."""
    if not volumetric:
        for side in range((min(window[1:]) - 1) // WINDOW_STRIDE * WINDOW_STRIDE, WINDOW_STRIDE, -WINDOW_STRIDE):
            yield window[0], side, side
        return
    while (less := _less(window)) != window:
        window = less
        yield window


def _less(window: Shape) -> Shape:
    z, y, x = (
        max(least, size * 7 // 8 // 8 * 8) if size > least else size
        for size, least in zip(window, (min(8, window[0]), 16, 16), strict=True)
    )
    return z, y, x


class _Activations:
    """Bytes that a forward pass keeps for the backward one, from shapes: nothing is computed."""

    def __init__(self, network: nn.Module, window: Shape) -> None:
        self._network = copy.deepcopy(network).to("meta").train()
        first = next(m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Conv3d))
        spatial = window[1:] if isinstance(first, nn.Conv2d) else window
        channels = getattr(network, "channels", first.in_channels)  # modules need not come in the order of the data
        self._each = self._count((2, channels, *spatial)) / 2

    def __call__(self, batch: int) -> int:
        return int(batch * self._each)

    def _count(self, shape: tuple[int, ...]) -> int:
        own = {tensor.untyped_storage()._cdata for tensor in (*self._network.parameters(), *self._network.buffers())}
        found: dict[int, int] = {}
        held: list[Any] = []  # as long as they are held, no two storages share an address

        def note(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            held.append(storage)
            if storage._cdata not in own:
                found[storage._cdata] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            self._network(torch.zeros(shape, device="meta"))
        return sum(found.values())
