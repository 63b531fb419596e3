"""A film or a picture that is being written: how far, a button that stops it, nothing left where it is stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ipywidgets as w

from voxloop.errors import VoxloopError
from voxloop.panels.base.panel import Panel, button, classed, row, show, text
from voxloop.panels.base.work import Attempt

Told = Callable[[int, int], object]


class FilmStopped(VoxloopError):
    """The user stopped a film."""


class FilmWork:
    """Runs ``write(told) -> path`` off the UI thread, one at a time; ``widget`` shows how far it is."""

    def __init__(self, panel: Panel, begin: w.Button) -> None:
        self._panel = panel
        self._stopped = False
        self._bar = w.FloatProgress(min=0, max=1, layout={"width": "120px"})
        self._words = classed(text(), "vx-dim", "vx-small")
        stop = button("Stop", panel.handler(self.stop), tooltip="Stop; nothing is left of the film")
        self.widget = row(self._bar, self._words, stop)
        show(self.widget, False)
        self._attempt = Attempt(panel, self._write, self._done, button=begin, failed=self._failed)
        panel.on_close(self.stop)

    @property
    def busy(self) -> bool:
        return self._attempt.busy

    def start(self, write: Callable[[Told], Path]) -> None:
        """Begin to write."""
        if self._attempt.busy:
            return
        self._stopped = False
        self._show(0, 1)
        show(self.widget, True)
        self._attempt(write)

    def stop(self) -> None:
        """Stop what is being written."""
        self._stopped = True

    def _write(self, write: Callable[[Told], Path]) -> Path:
        last = -1

        def told(done: int, total: int) -> None:
            nonlocal last
            if self._stopped:
                raise FilmStopped("Stopped; nothing is left of the film.")
            percent = 100 * done // total
            if percent != last:
                last = percent
                self._panel.post(self._show, done, total)

        return write(told)

    def _show(self, done: int, total: int) -> None:
        self._bar.value = done / total
        self._words.value = f"{done} of {total} pictures" if done else "beginning"

    def _done(self, path: Path) -> None:
        show(self.widget, False)
        self._panel.say(f"Written: {path}", "good")

    def _failed(self, error: BaseException) -> None:
        show(self.widget, False)
        if isinstance(error, FilmStopped):
            self._panel.say(str(error), "info")
        else:
            self._panel.show_error(error)
