"""Where a network runs and in which number format. Knows neither data nor networks."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import nn

from voxloop.deep.networks.convolution import hasten
from voxloop.errors import ConfigError

#: first generation of NVIDIA's GPUs that computes in bfloat16
_BFLOAT16 = (8, 0)


def resolve_device(name: str) -> torch.device:
    """``auto`` is the best there is. Raises ConfigError where the named one is not there."""
    name = name.strip().lower()
    if name == "auto":
        name = "mps" if torch.backends.mps.is_available() else "cpu"
        if torch.cuda.is_available():
            name = "cuda"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"device {name!r} is not known; use auto, cpu, cuda, cuda:0 or mps") from None
    there = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }.get(device.type, 0)
    if (device.index or 0) >= there:
        raise ConfigError(f"device {name!r} is not on this machine; use {', '.join(_present())} or auto")
    return device


def resolve_precision(name: str, device: torch.device) -> torch.dtype:
    """Number format of the forward pass; ``auto`` is bfloat16 on a GPU that has it, else float32."""
    if name == "auto":
        fast = device.type == "cuda" and torch.cuda.get_device_capability(device) >= _BFLOAT16
        return torch.bfloat16 if fast else torch.float32
    if name == "float16" and device.type == "cpu":
        raise ConfigError("precision 'float16' needs a GPU; on a CPU use 'float32', or 'bfloat16' where it has it")
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def autocast(device: torch.device, precision: torch.dtype) -> Any:
    """Context in which matrix products run in ``precision``; parameters stay float32."""
    return torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32)


def move_network(module: nn.Module, device: torch.device) -> nn.Module:
    """The module itself on ``device``, its weights laid out as convolutions run fastest."""
    if any(parameter.ndim == 5 for parameter in module.parameters()):
        module = module.to(device)
        return hasten(module).to(memory_format=torch.channels_last_3d) if device.type == "cpu" else module  # type: ignore[call-overload]
    return module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


class CudaMemory:
    """What a GPU's memory is used for, for those who plan blocks."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._before = 0

    def reset(self) -> None:
        torch.cuda.reset_peak_memory_stats(self._device)
        self._before = torch.cuda.memory_allocated(self._device)

    def peak(self) -> int:
        """The most bytes taken since :meth:`reset`, beyond what was taken then."""
        return int(torch.cuda.max_memory_allocated(self._device)) - self._before

    def free(self) -> int:
        """Bytes that can still be taken, those that torch keeps for reuse included."""
        reusable = torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(self._device)
        return int(torch.cuda.mem_get_info(self._device)[0] + reusable)


def memory(device: torch.device) -> tuple[int, int]:
    """Bytes that this process has in use on the device (the peak, on a GPU), and all that it may have."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device), torch.cuda.get_device_properties(device).total_memory
    import psutil

    from voxloop.machine import machine

    return psutil.Process().memory_info().rss, machine().memory_bytes


def lay_out(pixels: torch.Tensor) -> torch.Tensor:
    """Planes (n, c, y, x) with channels last in memory, and blocks (n, c, z, y, x) on a CPU (:func:`move_network`)."""
    if pixels.ndim == 4:
        return pixels.contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last_3d if pixels.device.type == "cpu" else torch.contiguous_format
    return pixels.contiguous(memory_format=layout)


def _present() -> list[str]:
    devices = ["cpu"]
    if torch.cuda.is_available():
        devices += [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("mps")
    return devices
