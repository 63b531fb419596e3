"""What this machine lets us use: memory and cores within the limits of container, cgroup and affinity. Pure reading."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Machine:
    """Memory in GB (1e9 bytes) and cores this process may use; less than the hardware has inside a container."""

    memory_gb: float
    cores: int

    @property
    def small(self) -> bool:
        """Under 3 GB: no spare processes, the shallow learner by default."""
        return self.memory_gb < 3.0


@cache
def machine() -> Machine:
    """The machine as this process may use it."""
    return Machine(memory_gb=_memory() / 1e9, cores=_cores())


def available_memory() -> int:
    """Bytes that can be taken now without swapping, within the container's limit."""
    import psutil

    free = int(psutil.virtual_memory().available)
    limit, used = _number("memory.max"), _number("memory.current")
    if limit is not None and used is not None:
        # page cache counts as used in a cgroup, but is given back
        free = min(free, limit - used + _inactive_file())
    return max(free, 0)


def _memory() -> int:
    import psutil

    limits = [int(psutil.virtual_memory().total)]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        limit = _number(name)
        if limit is not None:
            limits.append(limit)
    binder = os.environ.get("MEM_LIMIT")  # set by JupyterHub and Binder
    if binder and binder.isdigit():
        limits.append(int(binder))
    return min(limits)


def _cores() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = (_CGROUP / "cpu.max").read_text().split()
        if quota != "max":
            cores = min(cores, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):
        pass
    return cores


def _number(name: str) -> int | None:
    try:
        text = (_CGROUP / name).read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _inactive_file() -> int:
    try:
        lines = (_CGROUP / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("inactive_file ")), 0)
