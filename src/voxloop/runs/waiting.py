"""Waiting for a run with a bar where somebody looks: on a terminal, and in a cell. Leaves the run alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from voxloop.screen import screen

if TYPE_CHECKING:
    from voxloop.runs.run import Run

#: seconds between two looks
LOOK_EVERY = 0.3
_FORM = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"


class WaitingInterrupted(KeyboardInterrupt):
    """Ctrl-C while waiting for a run; says in one line that the run goes on."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return [str(self)]


def wait_for(run: Run) -> None:
    """Wait until no process is at work on a run, with a bar where somebody looks.

    Ctrl-C ends the waiting, not the run. In a thread, and so in panels, no bar is drawn.
    """
    stream = screen()
    try:
        if stream is None:
            run.wait()
        else:
            draw(run, stream)
    except KeyboardInterrupt:
        raise WaitingInterrupted(words_of_leaving(run)) from None


def words_of_leaving(run: Run) -> str:
    """What is said to somebody who waits no longer."""
    return f"run {run.name!r} goes on ({run.progress:.0%} done); run.result waits again, run.cancel() ends it"


def draw(run: Run, screen: TextIO) -> None:
    """Wait for a run behind a bar."""
    from tqdm import tqdm

    with tqdm(total=100, desc=run.name, bar_format=_FORM, file=screen, ncols=80) as bar:
        for progress in looks(run):
            bar.update(round(100 * progress) - bar.n)
        bar.update(round(100 * run.progress) - bar.n)


def looks(run: Run) -> Iterator[float]:
    """The progress of a run, from time to time, until no process is at work on it."""
    while True:
        try:
            run.wait(timeout=LOOK_EVERY)
        except TimeoutError:
            yield run.progress
        else:
            return
