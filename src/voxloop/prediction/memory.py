"""How much memory there is, and what a forward pass takes of it. Knows arrays and the operating system, no models."""

from __future__ import annotations

import contextlib
import ctypes
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil

from voxloop.geometry import Box, Shape
from voxloop.machine import available_memory
from voxloop.model import DeviceMemory

#: float32 copies of what comes out for a voxel that is kept
_KEPT_COPIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the model takes, measured: seconds a voxel it sees, bytes a voxel it sees at once, bytes at rest.

    ``device_bytes_per_voxel``: of a GPU's own memory, which had ``device_free`` bytes left; 0 without one. A model that
    leaves out what it only looks at takes ``kept_bytes`` for each voxel that is kept, ``bytes_per_voxel`` for each that
    it is given, and seconds for those that are kept; None for one that computes all of a block.
    """

    seconds_per_voxel: float
    bytes_per_voxel: float
    base_bytes: int
    device_bytes_per_voxel: float = 0.0
    device_free: int = 0
    kept_bytes: float | None = None

    @property
    def by_parts(self) -> bool:
        """Whether the model leaves out what it only looks at."""
        return self.kept_bytes is not None


def device_bytes(device_gb: float | Literal["auto"], free: int) -> int:
    """The budget of a GPU in bytes; auto is four fifths of what is free. Never more than is free."""
    return free * 4 // 5 if device_gb == "auto" else min(free, int(device_gb * 1e9))


def allowed_bytes(memory_gb: float | Literal["auto"], held: int = 0) -> int:
    """The budget in bytes; auto is half of what is free now. Never more than is free, and ``held`` by this process."""
    free = available_memory()
    return free // 2 if memory_gb == "auto" else min(free + held, int(memory_gb * 1e9))


class Peak:
    """The most memory that the process held since the block began, beyond what it held then; ``bytes``."""

    bytes = 0


@contextlib.contextmanager
def peak_memory() -> Iterator[Peak]:
    """Measure the peak of resident memory inside the block; where Linux cannot be asked, the growth of the maximum."""
    peak, process = Peak(), psutil.Process()
    _give_back()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    before = process.memory_info().rss
    yield peak
    peak.bytes = max(0, _high_water() - before)


def _give_back() -> None:
    """Hand memory that was freed, but kept for reuse, to the system: what takes it again would not be seen."""
    with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)


def _high_water() -> int:
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def measure_parts(
    forward: Callable[[np.ndarray, Box], np.ndarray],
    sample: Callable[[Shape], tuple[np.ndarray, Box]],
    shapes: Sequence[Shape],
    threads: int,
) -> Cost:
    """Time and memory of a model that leaves out what it only looks at; arguments as for :func:`measure`.

    What it holds while it works through a part is held once a thread, however large the part.

    Parameters
    ----------
    forward
        A block (c, z, y, x) and a part of it to the output (out, z, y, x) of that part.
    sample
        Gives a block with a part of the shape asked for, and where the part lies in it.
    """
    before, seen, at_work = 0.0, 0, 0
    slope = given = 0.0
    for shape in shapes:
        block, part = sample(shape)
        with peak_memory() as peak:
            out = forward(block, part)
        kept = _KEPT_COPIES * 4 * len(out)
        most = (1.1 * peak.bytes + block.nbytes) / prod(block.shape[1:])  # as if all were for what is looked at
        given = min(given or most, most)
        began = time.perf_counter()
        forward(block, part)
        seconds = time.perf_counter() - began
        slope = max((seconds - before) / max(1, part.size - seen), seconds / part.size / 4)
        before, seen = seconds, part.size
        at_work = max(at_work, int(peak.bytes - given * prod(block.shape[1:])))
    return Cost(
        seconds_per_voxel=slope,
        bytes_per_voxel=given,
        base_bytes=int(psutil.Process().memory_info().rss) + at_work * threads,
        kept_bytes=kept,
    )


def _bytes(output: Any) -> int:
    """Of one output: of an array, or of the arrays of a dataclass."""
    if isinstance(output, np.ndarray):
        return output.nbytes
    return sum(getattr(getattr(output, field.name), "nbytes", 0) for field in fields(output))


def measure(
    forward: Callable[[np.ndarray], Any],
    sample: Callable[[Shape], np.ndarray],
    shapes: Sequence[Shape],
    patience: float = 1.0,
    device: DeviceMemory | None = None,
) -> Cost:
    """Time and memory of a model, from a few calls on blocks of growing size.

    Parameters
    ----------
    forward
        (n, c, z, y, x) to arrays, or to objects with arrays in them, one a block.
    sample
        Gives a block (c, z, y, x) of the shape asked for.
    shapes
        Of the blocks, ascending, multiples of the stride.
    patience
        Seconds: no block is tried that would take longer.
    device
        Memory of the GPU that the model runs on; None: it runs on the processor.
    """
    free = device.free() if device is not None else 0
    before, seen = 0.0, 0
    for shape in shapes:
        block = sample(shape)[None]
        if device is not None:
            device.reset()
        with peak_memory() as peak:
            out = forward(block)  # the first call of a shape prepares for it
        taken = device.peak() if device is not None else 0
        began = time.perf_counter()
        forward(block)
        seconds = (time.perf_counter() - began) / prod(shape)
        slope = (seconds * prod(shape) - before) / max(1, prod(shape) - seen)
        before, seen = seconds * prod(shape), prod(shape)
        following = next((prod(other) for other in shapes if prod(other) > prod(shape)), None)
        if following is None or following * seconds > patience:
            break
    # what is certain to be held: the input, and the output once as it is and once while it is decoded
    least = block.nbytes + 2 * sum(_bytes(part) for part in out)
    return Cost(
        # a call costs something however small the block; what a voxel more costs is what a large block pays
        seconds_per_voxel=max(slope, seconds / 4),
        bytes_per_voxel=max(least, peak.bytes * 1.1) / prod(shape),
        base_bytes=int(psutil.Process().memory_info().rss),
        device_bytes_per_voxel=taken * 1.1 / prod(shape),
        device_free=free,
    )
