"""Processes of their own: start one that outlives the kernel, tell the living from the dead, be asked politely.

With ``locks.py`` the only file that a port to another system has to touch. Knows nothing of runs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from voxloop.errors import RunError
from voxloop.store.atomic import open_to_append

#: children of this process; kept so that asking whether they live also takes their exit status (no zombies)
_children: dict[int, subprocess.Popen[bytes]] = {}

#: signals that ask a process to end
_POLITE = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)

#: what a notebook sets for itself and a process of its own must not inherit
_KERNEL_ONLY = ("MPLBACKEND", "JPY_PARENT_PID", "JPY_SESSION_NAME", "IPYKERNEL_CELL_NAME")


def environment() -> dict[str, str]:
    """The environment of a process of its own: this one's, without what belongs to the notebook.

    glibc would keep a store of freed memory for every thread, a hundred megabytes where tiles are read, computed and
    written at once; two do (measured: 329 instead of 413 MB beyond what is imported, in the same time).
    """
    variables = {name: value for name, value in os.environ.items() if name not in _KERNEL_ONLY}
    return {"MALLOC_ARENA_MAX": "2", **variables, "PYTHONFAULTHANDLER": "1"}


def python(*arguments: str) -> list[str]:
    """The command line of every process that this package starts.

    The current folder is not importable (``-P``), so no stray ``random.py`` beside a notebook can break or hijack it.
    """
    return [sys.executable, "-P", *arguments]


def is_own() -> bool:
    """Whether this process runs a module of this package, and no notebook or script of somebody's."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return spec is not None and spec.name.partition(".")[0] == "voxloop"


def spawn(
    arguments: Sequence[str], *, detached: bool, variables: Mapping[str, str] | None = None, **streams: Any
) -> subprocess.Popen[bytes]:
    """Start ``python ARGUMENTS``.

    Parameters
    ----------
    detached
        In a session of its own: interrupting or ending this process does not reach it.
    variables
        Added to its :func:`environment`.
    **streams
        ``stdin``, ``stdout``, ``stderr`` of :class:`subprocess.Popen`.
    """
    environ = {**environment(), **(variables or {})}
    return subprocess.Popen(python(*arguments), env=environ, start_new_session=detached, **streams)


def start(arguments: Sequence[str], output: Path | None, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """:func:`spawn` what outlives this process; ``output`` is appended to."""
    with contextlib.ExitStack() as stack:
        log: Any = subprocess.DEVNULL
        if output is not None:
            try:
                log = open_to_append(output)
            except OSError as error:
                raise RunError(f"{output} cannot be written: {error.strerror}; remove it and try again") from error
            stack.callback(os.close, log)
        child = spawn(["-u", *arguments], detached=True, stdin=stdin, stdout=log, stderr=subprocess.STDOUT)
    _children[child.pid] = child
    return child


def identity(pid: int) -> dict[str, Any]:
    """What tells this process from a later one with the same pid, on this or another host."""
    import psutil

    with contextlib.suppress(psutil.Error):
        return {"pid": pid, "host": socket.gethostname(), "born": psutil.Process(pid).create_time()}
    return {"pid": pid, "host": socket.gethostname(), "born": 0.0}


def lives(identity_then: dict[str, Any]) -> bool:
    """Whether the process of an :func:`identity` still runs here. A zombie does not; other hosts cannot be asked."""
    import psutil

    if identity_then.get("host") != socket.gethostname():
        return False
    child = _children.get(identity_then["pid"])
    if child is not None and child.poll() is not None:
        return False
    try:
        process = psutil.Process(identity_then["pid"])
        same = abs(process.create_time() - identity_then["born"]) < 0.1
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


@contextlib.contextmanager
def catch_signals() -> Iterator[Callable[[], bool]]:
    """Turn SIGTERM, SIGUSR1 and the first Ctrl-C into a question that the caller asks when it suits.

    The queues of clusters send one of the first two some time before they end a job. Main thread only.
    """
    signals: list[int] = []
    owner = os.getpid()

    def note(number: int, _: object) -> None:
        if os.getpid() != owner or (signals and number == signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)  # a forked worker, or a second Ctrl-C: as if we were not here
            os.kill(os.getpid(), number)
        signals.append(number)

    before = {number: signal.signal(number, note) for number in _POLITE}
    try:
        yield lambda: bool(signals)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
