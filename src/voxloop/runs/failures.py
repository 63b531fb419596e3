"""What went wrong, in words, and what to do about it. Pure: looks at an exception, imports no learner."""

from __future__ import annotations

import errno

from voxloop.errors import VoxloopError
from voxloop.extras import install_line
from voxloop.runs.events import FULL
from voxloop.runs.history import History

_MEMORY = "use a smaller window, a smaller batch, or fewer workers; or close other notebooks"
_DEVICE_MEMORY = "use a smaller window or batch, mixed precision, or device='cpu'; other programs may hold this device"
_DISK = "free some space, then resume: the run goes on from its last checkpoint"
_WORKER = "a worker that loads data was killed, most often as memory ran out; use fewer workers (0 always works)"
#: share of all memory from which a process is likely to have been ended for it
_FULL_SHARE = 0.9
_LOG = "the end of stdout.log in the run's folder says where"


def describe(error: BaseException) -> tuple[str, str | None]:
    """``(error, hint)`` as they stand in a ``failed`` event; each one line."""
    if isinstance(error, VoxloopError):
        return _line(str(error)), None
    name = type(error).__name__
    text = f"{name}: {error}" if str(error) else name
    return _line(text), _hint(error)


def ended_for_memory(history: History, kills: int | None, host: str) -> bool:
    """Whether the process before this one was, as far as one can tell, ended by the kernel for lack of memory.

    It got no word in, and since it began the kernel has ended a process where it ran; or it computed on a processor and
    had all but used up its memory when it was last heard.

    Parameters
    ----------
    kills
        :func:`voxloop.machine.memory_kills` now.
    host
        The name of this machine.
    """
    started = history.started or {}
    if history.phase != "running" or started.get("host") != host:
        return False
    before = started.get("memory_kills")
    if isinstance(before, int) and kills is not None and kills > before:
        return True
    used, most = history.memory
    return started.get("device") == "cpu" and most > 0 and used >= _FULL_SHARE * most


def _hint(error: BaseException) -> str:
    text = str(error)
    # torch's own class derives from RuntimeError and is not imported here, so it is known by its name
    if type(error).__name__ == "OutOfMemoryError" or "out of memory" in text:
        return _DEVICE_MEMORY
    if isinstance(error, MemoryError) or "can't allocate memory" in text or getattr(error, "errno", 0) == errno.ENOMEM:
        return _MEMORY
    if isinstance(error, OSError) and error.errno in FULL:
        return _DISK
    if "DataLoader worker" in text:
        return _WORKER
    if isinstance(error, PermissionError):
        return "the folder cannot be written; check who owns it"
    if isinstance(error, ModuleNotFoundError):
        return f"install what is missing: {install_line(error.name or 'it')}"
    return _LOG


def _line(text: str, limit: int = 500) -> str:
    one = " ".join(text.split())
    return one if len(one) <= limit else one[: limit - 1] + "…"
