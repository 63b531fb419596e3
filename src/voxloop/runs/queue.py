"""The line in front of a device: one running run a device and user, first come first served, the dead fall out.

A lock file a device, and a locked ticket a waiter, in a folder of this machine (not of the workspace: two workspaces
share one device). Knows devices by name only.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from voxloop.locks import Holder, Lock, holder


def device_key(device: str, environ: Mapping[str, str] = os.environ) -> str:
    """The name of what ``device`` stands for on this machine: ``auto`` resolved, CUDA numbers made physical."""
    device = _automatic() if device == "auto" else device.lower()
    kind, _, index = device.partition(":")
    if kind == "cuda":
        number = int(index) if index.isdecimal() else 0
        visible = [name.strip() for name in environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
        index = visible[number] if number < len(visible) else str(number)
        return f"cuda-{re.sub(r'[^A-Za-z0-9-]', '', index)}"
    return re.sub(r"[^a-z0-9]+", "-", device) or "cpu"


def _automatic() -> str:
    gpus = Path("/proc/driver/nvidia/gpus")
    if gpus.is_dir() and any(gpus.iterdir()):
        return "cuda"
    return "mps" if sys.platform == "darwin" else "cpu"


def queue_folder() -> Path:
    """Where the lines of this machine and user are kept; ``VOXLOOP_QUEUE`` names another place."""
    return Path(os.environ.get("VOXLOOP_QUEUE") or Path(tempfile.gettempdir()) / f"voxloop-{os.getuid()}")


def device_holder(device: str) -> Holder | None:
    """Who runs on the device now; ``note["run"]`` is the folder of the run."""
    return holder(queue_folder() / f"{device_key(device)}.lock")


class Turn:
    """One waiter's place in the line of a device, and then its turn. Ends with :meth:`leave` or with the process."""

    def __init__(self, device: str, run: str) -> None:
        folder = queue_folder()
        self._run = run
        self._line = folder / device_key(device)
        self._line.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._device = Lock(folder / f"{device_key(device)}.lock")
        self._ticket = Lock(self._line / f"{time.time_ns():019d}-{os.getpid()}.ticket")
        self._ticket.acquire(run=run)

    def place(self) -> int:
        """How many are before this one, the one that is running included; 0: it is our turn now, until we leave."""
        if self._device.held:
            return 0
        before = self._before()
        if not before and self._device.acquire(run=self._run):
            self._drop_ticket()
            return 0
        return before + 1

    def leave(self) -> None:
        self._drop_ticket()
        self._device.release()

    def _before(self) -> int:
        waiting = 0
        for path in sorted(self._line.glob("*.ticket")):
            if path.name >= self._ticket.path.name:
                break
            if holder(path) is None:
                path.unlink(missing_ok=True)  # its process has died
            else:
                waiting += 1
        return waiting

    def _drop_ticket(self) -> None:
        self._ticket.path.unlink(missing_ok=True)
        self._ticket.release()
