"""What this machine lets us use: memory and cores within the limits of the process's own cgroups, of the hub that
started it and of SLURM. Pure reading.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PROC = Path("/proc/self")


@dataclass(frozen=True, slots=True)
class Machine:
    """Memory in GB (1e9 bytes) and cores this process may use; less than the hardware has inside a container."""

    memory_gb: float
    cores: int

    @property
    def memory_bytes(self) -> int:
        """The same memory in bytes."""
        return round(self.memory_gb * 1e9)

    @property
    def small(self) -> bool:
        """Under 3 GB: no spare processes, the shallow learner by default."""
        return self.memory_gb < 3.0


@dataclass(frozen=True, slots=True)
class Limit:
    """Bytes that may be taken, and those that are (``used``; page cache that is given back does not count)."""

    total: int
    used: int

    @property
    def left(self) -> int:
        return max(0, self.total - self.used)


@cache
def machine() -> Machine:
    """The machine as this process may use it."""
    return Machine(memory_gb=min(limit.total for limit in memory_limits()) / 1e9, cores=_cores())


def available_memory() -> int:
    """Bytes that can be taken now without swapping, within every limit that :func:`machine` knows."""
    return min(limit.left for limit in memory_limits())


def memory_limits(proc: Path = _PROC, environ: Mapping[str, str] = os.environ) -> list[Limit]:
    """Everything that bounds this process: the hardware, its cgroups and those around them, the hub, SLURM."""
    import psutil

    memory = psutil.virtual_memory()
    limits = [Limit(int(memory.total), int(memory.total - memory.available))]
    limits += [limit for folder, version in _cgroups("memory", proc) if (limit := _limit(folder, version)) is not None]
    asked = [total for total in (_hub_bytes(environ), _slurm_bytes(environ)) if total]
    if asked:
        limits.append(Limit(min(asked), _used_by_us()))
    return limits


def memory_kills(proc: Path = _PROC) -> int | None:
    """Processes that the kernel has ended for lack of memory so far, in this one's cgroup or else on this machine.

    None where it does not count them. One that is ended so gets no word in: whoever comes next compares the counts.
    """
    counts = [folder / ("memory.events" if version == 2 else "memory.oom_control") for folder, version in _own(proc)]
    for path in (*counts, proc.parent / "vmstat"):
        for line in _lines(path):
            name, _, number = line.partition(" ")
            if name == "oom_kill" and number.isdecimal():
                return int(number)
    return None


def _own(proc: Path) -> list[tuple[Path, int]]:
    """The process's own cgroup of memory, which counts what ends within it whoever set the limit."""
    return list(_cgroups("memory", proc))[:1]


def _limit(folder: Path, version: int) -> Limit | None:
    if version == 2:
        bounds = [n for name in ("memory.max", "memory.high") if (n := _number(folder / name)) is not None]
        usage, cached = "memory.current", "inactive_file"
    else:
        bounds = [n for name in ("memory.limit_in_bytes",) if (n := _number(folder / name)) is not None]
        usage, cached = "memory.usage_in_bytes", "total_inactive_file"
    if not bounds:
        return None
    used = (_number(folder / usage) or 0) - _statistic(folder / "memory.stat", cached)
    return Limit(min(bounds), max(0, used))


def _cgroups(controller: str, proc: Path) -> Iterator[tuple[Path, int]]:
    """Folders of the process's own cgroup and of all around it, with the version of the hierarchy."""
    groups = {}
    for line in _lines(proc / "cgroup"):
        _, names, path = line.split(":", 2)
        groups[names] = path
    for line in _lines(proc / "mountinfo"):
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        root, mounted = before.split(" ")[3:5]
        if kind == "cgroup2":
            path, version = groups.get("", ""), 2
        elif kind == "cgroup" and controller in options.split(" ")[-1].split(","):
            path, version = next((path for names, path in groups.items() if controller in names.split(",")), ""), 1
        else:
            continue
        top = Path(mounted)
        folder = top / path.removeprefix(root if root != "/" else "").lstrip("/")
        while folder.is_relative_to(top):
            yield folder, version
            folder = folder.parent


def _hub_bytes(environ: Mapping[str, str]) -> int:
    """What JupyterHub and Binder say; 0 where they say nothing."""
    text = environ.get("MEM_LIMIT", "").partition(".")[0]
    return int(text) if text.isdecimal() else 0


def _slurm_bytes(environ: Mapping[str, str]) -> int:
    """What the job asked for on this node; SLURM counts in MB of 2**20, and 0 is all of the node."""
    if "SLURM_JOB_ID" not in environ:
        return 0
    node = environ.get("SLURM_MEM_PER_NODE", "")
    if node.isdecimal() and int(node):
        return int(node) << 20
    each = environ.get("SLURM_MEM_PER_CPU", "")
    return (int(each) << 20) * max(1, _slurm_cores(environ)) if each.isdecimal() else 0


def _slurm_cores(environ: Mapping[str, str]) -> int:
    """Cores of the job on this node; 0 where SLURM says nothing."""
    for name in ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE"):
        text = environ.get(name, "")
        if "SLURM_JOB_ID" in environ and text.isdecimal():
            return int(text)
    return 0


def _used_by_us() -> int:
    """Resident bytes of this process and of those that it started."""
    import psutil

    us = psutil.Process()
    used = 0
    for process in (us, *us.children(recursive=True)):
        try:
            used += process.memory_info().rss
        except psutil.Error:
            continue
    return used


def _cores(proc: Path = _PROC, environ: Mapping[str, str] = os.environ) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for folder, version in _cgroups("cpu", proc):
        if version == 2:
            quota, _, period = _text(folder / "cpu.max").partition(" ")
        else:
            quota, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
        if quota.isdecimal() and period.isdecimal() and int(period):
            cores = min(cores, max(1, round(int(quota) / int(period))))
    return min(cores, _slurm_cores(environ) or cores)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _lines(path: Path) -> list[str]:
    return _text(path).splitlines()


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdecimal() else None


def _statistic(path: Path, name: str) -> int:
    return next((int(line.split()[1]) for line in _lines(path) if line.startswith(f"{name} ")), 0)
