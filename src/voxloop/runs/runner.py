"""The process of a run, from taking its lock to its last event. Loads the task by name; knows no learner.

Order of things: lock the run, wait in the device's line, say ``started``, call the task, say how it ended.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import platform
import shutil
import socket
import sys
import time
import traceback
from collections.abc import Callable, Collection
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from voxloop.errors import RunError, unknown
from voxloop.locks import Lock, holder
from voxloop.machine import machine, memory_kills
from voxloop.plain_files import read_plain
from voxloop.runs import sinks, tasks
from voxloop.runs.context import RunContext
from voxloop.runs.events import EventWriter
from voxloop.runs.failures import describe
from voxloop.runs.process import catch_signals
from voxloop.runs.queue import Turn
from voxloop.store.layout import RunPlace

OUTCOMES = ("finished", "stopped", "cancelled", "paused")
_VERSIONS = ("voxloop", "numpy", "torch", "scikit-learn", "zarr", "dask")
#: what a ``config.json``, which anybody may have written, is read as
_TYPES: dict[str, type | tuple[type, ...]] = {
    "settings": dict,
    "created": (int, float),
    **dict.fromkeys(("title", "device", "parent", "model", "level", "image", "discard", "result", "then"), str),
}
#: those that are lists of names
_NAMES = ("saved", "models", "images")
#: seconds between looks at the line: short at first, since most runs never wait
_FIRST_LOOK, _LAST_LOOK = 0.05, 1.0


def run(path: str | Path, queue: bool = True) -> str:
    """Run the run in ``path`` to its end, in this process; its last word.

    Raises
    ------
    RunError
        ``path`` is no run folder, or another process is running it. Nothing is written then.
    """
    path = Path(path).resolve()
    config = read_config(path)
    lock = Lock(path / "lock")
    try:
        held = lock.acquire()
    except OSError as error:
        raise RunError(f"run {path.name!r} cannot be locked in {path}: {error.strerror or error}") from error
    if not held:
        raise RunError(f"run {path.name!r} is already running: {holder(lock.path) or 'another process'} holds it")
    try:
        with catch_signals() as signalled:
            writer = EventWriter(path / "events.jsonl")
            try:
                return _run_locked(RunContext(path, config, writer, signalled), queue)
            finally:
                writer.close()
    finally:
        lock.release()


def read_config(path: Path) -> dict[str, Any]:
    """``config.json`` of a run folder; what is of another type than it must be counts as not stated.

    Raises RunError where it is missing or damaged.
    """
    try:
        config = json.loads(read_plain(RunPlace(path).config))
        if not isinstance(config, dict) or not {"name", "task"} <= config.keys():
            raise ValueError("it has no name or no task")
    except FileNotFoundError:
        raise RunError(f"{path} is not a run folder: it has no config.json") from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise RunError(f"{path / 'config.json'} is damaged: {error}") from error
    return {name: value for name, value in config.items() if _is_sound(name, value)}


def _is_sound(name: str, value: object) -> bool:
    if name in _NAMES:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return name not in _TYPES or value is None or isinstance(value, _TYPES[name])


def _run_locked(context: RunContext, queue: bool) -> str:
    began = _cpu_seconds()
    try:
        turn = Turn(context.device, str(context.path))
        try:
            outcome = _wait_for_turn(context, turn, queue) or _call_task(context)
        finally:
            turn.leave()
        if outcome == "cancelled":
            _discard(context)
        elif outcome in ("finished", "stopped") and context.config.get("then"):
            _start_what_follows(context)
        context.emit(outcome, orders=context.unanswered(), cpu_seconds=_cpu_seconds() - began)
    except (Exception, SystemExit) as error:
        message, hint = describe(error)
        spent = _cpu_seconds() - began
        context.emit("failed", error=message, hint=hint, orders=context.unanswered(), cpu_seconds=spent)
        with contextlib.suppress(OSError):  # a full disk takes no traceback, but the log has laid room aside
            traceback.print_exc()
        outcome = "failed"
    return outcome


def _cpu_seconds() -> float:
    """Of this process and of those it started that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _wait_for_turn(context: RunContext, turn: Turn, queue: bool) -> str | None:
    """None once it is our turn; the outcome where the run was ended or paused while it waited."""
    reported: tuple[int, str] | None = None
    place, pause = turn.place(), _FIRST_LOOK
    if place and not queue:
        raise RunError(f"{context.device} is busy with another run, and queue=False waits for no turn; use queue=True")
    while place:
        held_by = turn.held_by()
        if (place, held_by) != reported:
            where = {"device": context.device, "host": socket.gethostname(), "pid": os.getpid()}
            context.emit("queued", place=place, held_by=held_by, **where)
            reported = place, held_by
        if outcome := _ended_waiting(context):
            return outcome
        time.sleep(pause)
        pause = min(_LAST_LOOK, 1.5 * pause)
        place = turn.place()
    return None


def _ended_waiting(context: RunContext) -> str | None:
    kinds = {order.kind for order in context.peek()}
    if "cancel" in kinds:
        return "cancelled"
    if "pause" in kinds:
        return "paused"
    # a run that never started has nothing to keep; one that was resumed waits for its turn, then keeps its model
    return "cancelled" if "stop" in kinds and not context.resuming else None


def _call_task(context: RunContext) -> str:
    context.began = time.monotonic()  # waiting in line is none of its time
    context.emit("started", **_circumstances(context))
    task: Callable[[RunContext], str] = tasks.load(context.config["task"])
    _collect_garbage()
    with sinks.listening(context):
        outcome = task(context)
    if outcome not in OUTCOMES:
        raise RunError(f"{context.config['task']} ended with {unknown('word', outcome, OUTCOMES)}")
    return outcome


def _collect_garbage() -> None:
    """From now on, where the process began without; what was imported is none and is not looked at again."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def _start_what_follows(context: RunContext) -> None:
    """Call ``config["then"]`` with the run's path: it starts another run and says its name.

    This process starts it, so that nobody else has to be there; the run has ended well, whatever comes of that.
    """
    try:
        name = tasks.load(context.config["then"])(context.path)
        context.emit("log", text=f"{name} follows and has been started", follows=name)
    except Exception as error:
        traceback.print_exc()
        context.emit("warning", text=f"what was to follow could not be started: {describe(error)[0]}")


def _circumstances(context: RunContext) -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "device": context.device,
        "seed": context.settings.get("seed"),
        "threads": threads_of_process(),
        "versions": package_versions(),
        "resuming": context.resuming,
        "memory_kills": memory_kills(),
    }


def threads_of_process() -> int:
    """Threads that a training of this process computes with, where nothing else is set."""
    threads = os.environ.get("OMP_NUM_THREADS")
    return int(threads) if threads and threads.isdecimal() else machine().cores


def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide what a run computes."""
    versions = {"python": platform.python_version()}
    for name in _VERSIONS:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def discard(path: Path, config: dict[str, Any], keep: Collection[str] = ()) -> None:
    """Leave no model: what a run has made goes, its log and its settings stay.

    ``config["discard"]`` (a dotted name) is called with the run's path for what lies outside of the run's folder, and
    with the saved models that are to stay, where there are any.
    """
    for folder in RunPlace(path).made:
        shutil.rmtree(folder, ignore_errors=True)
    if config.get("discard"):
        tasks.load(config["discard"])(path, *([keep] if keep else []))


def _discard(context: RunContext) -> None:
    discard(context.path, context.config)


def main(arguments: list[str]) -> int:
    """``python -m voxloop.runs RUN [--no-queue]``: 0 when the run ended as it was meant to, 1 failed, 2 refused."""
    paths = [argument for argument in arguments if argument != "--no-queue"]
    if len(paths) != 1 or paths[0].startswith("-"):
        sys.stderr.write("usage: python -m voxloop.runs RUN [--no-queue]\n")
        return 2
    try:
        return 1 if run(paths[0], queue="--no-queue" not in arguments) == "failed" else 0
    except RunError as error:
        sys.stderr.write(f"{error}\n")
        return 2
