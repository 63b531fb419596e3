"""What goes from the processor to a GPU without either waiting for the other. Knows neither data nor networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

#: devices that share the memory and the queue of the processor, or that torch gives no say over either
_PLAIN = ("cpu", "mps")


def runtime(device: torch.device) -> Any | None:
    """What torch offers to manage a GPU (``torch.cuda`` of NVIDIA's); None where there is nothing to manage."""
    return None if device.type in _PLAIN else torch.get_device_module(device)


def pinned(array: np.ndarray) -> torch.Tensor:
    """An array as a tensor from which a GPU can copy while others compute."""
    return torch.from_numpy(np.ascontiguousarray(array)).pin_memory()


def sent(values: np.ndarray | torch.Tensor, device: torch.device, dtype: torch.dtype | None = None) -> torch.Tensor:
    """A few numbers, or a batch that was :func:`pinned`, on a device, without waiting for what it is busy with."""
    tensor = torch.from_numpy(np.ascontiguousarray(values)) if isinstance(values, np.ndarray) else values
    # of an array that is gone by then, another kind of GPU would read what is no longer there
    return tensor.to(device, dtype, non_blocking=device.type not in _PLAIN)
