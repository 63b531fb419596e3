"""Where a network runs and in which number format. Knows neither data nor networks."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import nn

from voxloop.deep.networks.convolution import hasten
from voxloop.deep.transfer import runtime
from voxloop.errors import ConfigError

#: first generations of NVIDIA's GPUs that compute in bfloat16, and that multiply matrices of float16
_BFLOAT16, _FLOAT16 = (8, 0), (7, 0)


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
    if (device.index or 0) >= _count(device.type):
        raise ConfigError(f"device {name!r} is not on this machine; use {', '.join(_present())} or auto")
    return device


def _count(kind: str) -> int:
    """How many devices of a kind this process can use."""
    if kind == "cpu":
        return 1
    if kind == "mps":
        return int(torch.backends.mps.is_available())
    module = getattr(torch, kind, None)
    there = module is not None and hasattr(module, "device_count") and module.is_available()
    return int(module.device_count()) if module is not None and there else 0


def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 by itself; elsewhere it is slower than float32."""
    asked = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(ask() for ask in asked if ask is not None)


def resolve_precision(name: str, device: torch.device, predicting: bool = False) -> torch.dtype:
    """Number format of the forward pass; ``auto``: bfloat16 on a GPU that has it, else float16, else float32.

    ``predicting``: classes of voxels are told, so that a processor that has bfloat16 may compute in it as well. Not
    where places are found: those lie between pixels, by how neighbours differ, and bfloat16 keeps two digits of each.
    """
    if name == "auto" and predicting and device.type == "cpu":
        return torch.bfloat16 if has_bfloat16() else torch.float32
    if name == "auto":
        capability = getattr(runtime(device), "get_device_capability", lambda _: None)(device)
        if not isinstance(capability, tuple) or capability < _FLOAT16:
            return torch.float32
        return torch.bfloat16 if capability >= _BFLOAT16 else torch.float16
    if name == "float16" and device.type == "cpu":
        raise ConfigError("precision 'float16' needs a GPU; on a CPU use 'float32', or 'bfloat16' where it has it")
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def tune(device: torch.device, precision: str) -> str:
    """Let a GPU look for its fastest kernels, and say in which format it computes what is not in half precision.

    For a process that computes windows of one size alone. ``precision`` is the setting: ``"float32"`` means all of it.
    """
    if runtime(device) is None:
        return ""
    exact = precision == "float32"
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = not exact
    torch.backends.cuda.matmul.allow_tf32 = not exact
    return "float32 in full" if exact else "the rest of it in TF32"


def give_back(device: torch.device) -> None:
    """Let others have the memory of a GPU that torch keeps for reuse."""
    module = runtime(device)
    if module is not None:
        module.empty_cache()


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
        if device.type == "cpu":
            hasten(module)
        return module.to(memory_format=_layout(device))  # type: ignore[call-overload, no-any-return]
    return module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def lay_out(pixels: torch.Tensor) -> torch.Tensor:
    """Planes (n, c, y, x) and blocks (n, c, z, y, x) with channels last in memory (:func:`move_network`)."""
    if pixels.ndim == 4:
        return pixels.contiguous(memory_format=torch.channels_last)
    return pixels.contiguous(memory_format=_layout(pixels.device))


def _layout(device: torch.device) -> torch.memory_format:
    """Of blocks; Apple's GPUs have no convolution of blocks with channels last."""
    return torch.contiguous_format if device.type == "mps" else torch.channels_last_3d


class GpuMemory:
    """What a GPU's memory is used for, for those who plan blocks."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._module: Any = runtime(device)
        self._before = 0

    def reset(self) -> None:
        self._module.reset_peak_memory_stats(self._device)
        self._before = self._module.memory_allocated(self._device)

    def peak(self) -> int:
        """The most bytes taken since :meth:`reset`, beyond what was taken then."""
        return int(self._module.max_memory_allocated(self._device)) - self._before

    def free(self) -> int:
        """Bytes that can still be taken, those that torch keeps for reuse included."""
        reusable = self._module.memory_reserved(self._device) - self._module.memory_allocated(self._device)
        return int(self._module.mem_get_info(self._device)[0] + reusable)


def memory(device: torch.device) -> tuple[int, int]:
    """Bytes that this process has in use on the device (the peak, on a GPU), and all that it may have."""
    module = runtime(device)
    if module is not None:
        return int(module.max_memory_allocated(device)), int(module.mem_get_info(device)[1])
    import psutil

    from voxloop.machine import machine

    return psutil.Process().memory_info().rss, machine().memory_bytes


def _present() -> list[str]:
    devices = ["cpu", *(f"cuda:{i}" for i in range(_count("cuda")))]
    return [*devices, "mps"] if _count("mps") else devices
