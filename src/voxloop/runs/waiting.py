"""Waiting for a run with a bar where somebody looks: on a terminal, and in a cell. Leaves the run alone."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from voxloop.errors import RunError
from voxloop.given import shown
from voxloop.runs.history import ALIVE
from voxloop.screen import screen
from voxloop.store.values import number

if TYPE_CHECKING:
    from voxloop.runs.run import Run

log = logging.getLogger("voxloop.runs")
_FORM = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
#: characters of what a run said last, beside the bar
_WORDS = 48
#: seconds between looks: quick for short runs, rare for long ones
_FIRST_LOOK, _LAST_LOOK = 0.05, 0.5


class WaitingInterrupted(KeyboardInterrupt):
    """Ctrl-C while waiting for a run; says in one line that the run goes on."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return [str(self)]


def wait_for(run: Run, pauses: Iterator[float]) -> None:
    """Wait for a run, with a bar where somebody looks; ``pauses`` gives the seconds until the next look.

    Ctrl-C ends the waiting, not the run. In a thread, and so in panels, no bar is drawn.
    """
    try:
        with _bar(run) as show:
            for pause in pauses:
                show()
                time.sleep(pause)
    except KeyboardInterrupt:
        raise WaitingInterrupted(words_of_leaving(run)) from None


async def follow(run: Run, pauses: Iterator[float]) -> None:
    """:func:`wait_for` that leaves the kernel free meanwhile."""
    with _bar(run) as show:
        for pause in pauses:
            show()
            await asyncio.sleep(pause)


def pauses(run: Run, timeout: float | None) -> Iterator[float]:
    """Seconds until one should look again, until no process is at work on a run any more.

    Raises TimeoutError after ``timeout`` seconds, RunError where it has not been started.
    """
    end = None if timeout is None else time.monotonic() + number("timeout", timeout, endless=True, error=RunError)
    pause = _FIRST_LOOK
    if run.state == "created":
        raise RunError(f"run {run.name!r} has not been started; run.launch() starts it")
    while run.state in ALIVE:
        if end is not None and time.monotonic() > end:
            raise TimeoutError(f"run {run.name!r} is still {run.state} after {timeout:g} s; it goes on")
        yield pause
        pause = min(_LAST_LOOK, 1.3 * pause)


def call_when_ended(run: Run, fn: Callable[[Run], object]) -> None:
    """Call ``fn(run)`` from a thread of this process once no process is at work on the run any more.

    What ``fn`` raises goes to the log: nobody waits for it. Raises RunError where it cannot be called.
    """
    if not callable(fn):
        raise RunError(f"fn={shown(fn)} cannot be called")

    def wait_and_call() -> None:
        try:
            run.wait()
            fn(run)
        except Exception:
            log.exception("on_finished of run %s failed", run.name)

    threading.Thread(target=wait_and_call, name=f"on-finished-{run.name}", daemon=True).start()


def words_of_leaving(run: Run) -> str:
    """What is said to somebody who waits no longer."""
    return f"run {run.name!r} goes on ({run.progress:.0%} done); run.result waits again, run.cancel() ends it"


def draw(run: Run, stream: TextIO) -> None:
    """Wait for a run behind a bar."""
    with _drawn(run, stream) as show:
        for pause in run.pauses():
            show()
            time.sleep(pause)


def looks(run: Run) -> Iterator[float]:
    """The progress of a run, from time to time, until no process is at work on it."""
    for pause in run.pauses():
        yield run.progress
        time.sleep(pause)


@contextmanager
def _bar(run: Run) -> Iterator[Callable[[], None]]:
    """What draws the progress of a run whenever it is called; nothing where nobody looks."""
    stream = screen()
    if stream is None:
        yield lambda: None
        return
    with _drawn(run, stream) as show:
        yield show


@contextmanager
def _drawn(run: Run, stream: TextIO) -> Iterator[Callable[[], None]]:
    from tqdm import tqdm

    with tqdm(total=100, desc=run.name, bar_format=_FORM, file=stream, dynamic_ncols=True) as bar:

        def show() -> None:
            bar.set_postfix_str(_last_words(run), refresh=False)
            bar.update(round(100 * run.progress) - bar.n)

        yield show
        show()


def _last_words(run: Run) -> str:
    """What it waits for, or said last."""
    if run.history.phase == "queued":
        return "waits for the device"
    said = next((str(event["text"]) for event in reversed(run.history.log) if event.get("text")), "")
    return said if len(said) <= _WORDS else f"{said[: _WORDS - 1]}…"
