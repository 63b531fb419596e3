"""A spare trainer: an idle process that has imported a task and waits to be given a run folder.

Importing torch takes seconds; a spare spends them before Train is pressed. It ends when the process that started it
does (its standard input closes), or when nobody needed it for a while; once it runs a run it outlives its parent.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxloop.errors import RunError
from voxloop.machine import machine
from voxloop.runs import process, runner, tasks
from voxloop.store.atomic import open_to_append

#: memory from which a spare is worth its place
NEEDED_GB = 6.0
IDLE_SECONDS = 15 * 60.0

_spares: dict[str, Spare] = {}
_guard = threading.Lock()


class Spare:
    """The parent's end of one waiting process."""

    def __init__(self, task: str) -> None:
        self.task = task
        self._environment = process.environment()
        self._folder = Path.cwd()
        self._child = process.start(["-m", "voxloop.runs", "--spare", task], None, stdin=subprocess.PIPE)

    @property
    def fits(self) -> bool:
        """Still waiting, and started under the environment and in the folder that a new process would get now."""
        same = self._environment == process.environment() and self._folder == Path.cwd()
        return same and self._child.poll() is None

    def give(self, path: Path, queue: bool) -> int:
        """Hand over a run folder; the pid. Raises OSError where the process has just ended."""
        stdin = self._child.stdin
        assert stdin is not None  # it was started with a pipe
        stdin.write(json.dumps({"run": str(path), "queue": queue}).encode() + b"\n")
        stdin.close()
        return self._child.pid

    def dismiss(self) -> None:
        if self._child.stdin is not None:
            with contextlib.suppress(OSError):
                self._child.stdin.close()


def warm(task: str) -> bool:
    """Have a spare ready for a task; False where memory is too small for one. Returns at once."""
    tasks.check(task)
    if machine().memory_gb < NEEDED_GB:
        return False
    with _guard:
        spare = _spares.get(task)
        if spare is None or not spare.fits:
            if spare is not None:
                spare.dismiss()
            _spares[task] = Spare(task)
    return True


def dismiss_all() -> None:
    """End every spare that waits."""
    with _guard:
        for spare in _spares.values():
            spare.dismiss()
        _spares.clear()


def take(task: str, path: Path, queue: bool) -> int | None:
    """Give a run to the spare of its task, or to another's; its pid, or None where there is no spare that fits.

    A spare that has imported another task can do this one too: a prediction needs most of what a training does.
    """
    with _guard:
        at_hand = task if task in _spares else next(iter(_spares), task)
        spare = _spares.pop(at_hand, None)
    if spare is None:
        return None
    if spare.fits:
        with contextlib.suppress(OSError):
            return spare.give(path, queue)
    spare.dismiss()
    return None


def main(arguments: list[str]) -> int:
    """``python -m voxloop.runs --spare TASK``: import, wait for one line on standard input, run what it names."""
    (task,) = arguments
    with contextlib.suppress(RunError, Exception):  # what is wrong with the task is said by the run that needs it
        tasks.warm(task)
    order = _first_line(IDLE_SECONDS)
    if order is None:
        return 0
    path = Path(order["run"])
    _output_to(path / "stdout.log")
    return runner.main([str(path), *([] if order["queue"] else ["--no-queue"])])


def _first_line(timeout: float) -> Mapping[str, Any] | None:
    """The order, None where the parent has gone or nothing came in time."""
    ready, _, _ = select.select([sys.stdin], [], [], timeout)
    line = sys.stdin.readline() if ready else ""
    return dict(json.loads(line)) if line.endswith("\n") else None


def _output_to(path: Path) -> None:
    with os.fdopen(open_to_append(path), "ab") as log, open(os.devnull, "rb") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
