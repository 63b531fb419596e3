"""A memory limit around a tree of processes: cgroup version 2 or 1 where this user may make one, else none."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_V2, _V1 = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/memory")


class Cage:
    """A control group with a limit of memory. ``kind`` is ``"cgroup v2"``, ``"cgroup v1"`` or ``"none"``."""

    def __init__(self, limit_mb: int) -> None:
        self.kind, self._folder = "none", Path()
        for kind, root, limit in (
            ("cgroup v2", _V2, "memory.max"),
            ("cgroup v1", _V1, "memory.limit_in_bytes"),
        ):
            folder = root / f"voxloop-benchmark-{os.getpid()}"
            with suppress(OSError):
                folder.mkdir()
                if (folder / limit).exists():
                    (folder / limit).write_text(str(limit_mb * 2**20))
                    self.kind, self._folder = kind, folder
                    return
                folder.rmdir()

    def put(self, pid: int) -> None:
        """A process, and those that it starts from now on."""
        if self.kind != "none":
            (self._folder / "cgroup.procs").write_text(str(pid))

    def peak_mb(self) -> float | None:
        """The most it held, pages of files that it read and wrote included, which the kernel would have given back."""
        for name in ("memory.peak", "memory.max_usage_in_bytes"):
            with suppress(OSError, ValueError):
                return int((self._folder / name).read_text()) / 2**20
        return None

    def at_the_limit(self) -> int:
        """How often something was wanted beyond the limit (pages of files were given back then, or a process ended)."""
        with suppress(OSError, ValueError):
            return int((self._folder / "memory.failcnt").read_text())
        with suppress(OSError, ValueError):
            events = dict(line.split() for line in (self._folder / "memory.events").read_text().splitlines())
            return int(events["max"])
        return 0

    def killed(self) -> int:
        """Processes that the kernel ended for want of memory."""
        for name in ("memory.oom_control", "memory.events"):
            with suppress(OSError, ValueError):
                told = dict(line.split() for line in (self._folder / name).read_text().splitlines())
                return int(told.get("oom_kill", 0))
        return 0

    def close(self) -> None:
        """Take it away; processes that are left go back to where all are."""
        if self.kind == "none":
            return
        with suppress(OSError):
            for pid in (self._folder / "cgroup.procs").read_text().split():
                with suppress(OSError):
                    (self._folder.parent / "cgroup.procs").write_text(pid)
            self._folder.rmdir()
