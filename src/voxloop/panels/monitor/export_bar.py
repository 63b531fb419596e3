"""Buttons that save what a monitor shows: numbers, a picture of the curves, a report. Each is one call of the run."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.panels.base.panel import button, classed, row, show, text

if TYPE_CHECKING:
    from voxloop.runs import Run

_TYPES = {".csv": "text/csv", ".png": "image/png", ".html": "text/html"}
#: bytes up to which a file is offered as a download too; larger ones are only named
_DOWNLOAD = 8 << 20


class ExportBar:
    """CSV, PNG, Report: written into the run's ``exports/``, named, and offered as a download."""

    def __init__(
        self,
        handler: Callable[[Callable[..., object]], Callable[..., None]],
        in_thread: Callable[[Callable[[], Any], Callable[[Any], object]], object],
        run: Callable[[], Run],
    ) -> None:
        self._in_thread, self._run = in_thread, run
        self.said = classed(text("", markup=True), "vx-small", "vx-dim")
        self.buttons = (
            button(
                "CSV",
                handler(lambda: self._save(lambda r: r.to_csv())),
                icon="table",
                tooltip="All steps and epochs as a table: run.to_csv()",
            ),
            button(
                "PNG",
                handler(lambda: self._save(lambda r: r.plot())),
                icon="image",
                tooltip="A picture of the curves: run.plot()",
            ),
            button(
                "Report",
                handler(lambda: self._save(lambda r: r.report())),
                icon="file-text-o",
                tooltip="Curves, settings, data, versions and scores as one page: run.report()",
            ),
        )
        self.widget = row(text("Save as", "vx-small", "vx-dim"), *self.buttons, self.said)
        show(self.widget, False)

    def show(self, anything: bool) -> None:
        """Offer to save once there are numbers."""
        show(self.widget, anything)

    def _save(self, write: Callable[[Run], Path]) -> None:
        run = self._run()
        for one in self.buttons:
            one.disabled = True
        self.said.value = "…"
        self._in_thread(lambda: _tried(write, run), self._saved)

    def _saved(self, found: tuple[Path, bytes] | Exception) -> None:
        for one in self.buttons:
            one.disabled = False
        if isinstance(found, Exception):
            self.said.value = ""
            raise found
        path, data = found
        words = html.escape(str(path))
        if len(data) <= _DOWNLOAD:
            kind = _TYPES.get(path.suffix, "application/octet-stream")
            link = f"data:{kind};base64,{base64.b64encode(data).decode()}"
            words += f' · <a download="{html.escape(path.name)}" href="{link}">Download</a>'
        self.said.value = words


def _tried(write: Callable[[Run], Path], run: Run) -> tuple[Path, bytes] | Exception:
    try:
        path = write(run)
        return path, path.read_bytes()
    except Exception as error:  # shown by the panel, on its own thread
        return error
