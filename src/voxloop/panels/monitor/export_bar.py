"""Buttons that save what a monitor shows: numbers, a picture of the curves, a report. Each is one call of the run."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import ipywidgets as w

from voxloop.panels.base.panel import Panel, button, classed, row, show, text
from voxloop.panels.base.work import Attempt

if TYPE_CHECKING:
    from voxloop.runs import Run

_TYPES = {".csv": "text/csv", ".png": "image/png", ".html": "text/html"}
#: bytes up to which a file is offered as a download too; larger ones are only named
_DOWNLOAD = 8 << 20


class ExportBar:
    """CSV, PNG, Report: written into the run's ``exports/``, named, and offered as a download.

    ``run()`` is the run on show.
    """

    def __init__(self, panel: Panel, run: Callable[[], Run]) -> None:
        self._panel, self._run = panel, run
        self.words = classed(text("", markup=True), "vx-small", "vx-dim")
        buttons = (
            self._button("CSV", "table", "All steps and epochs as a table: run.to_csv()", lambda r: r.to_csv()),
            self._button("PNG", "image", "A picture of the curves: run.plot()", lambda r: r.plot()),
            self._button(
                "Report",
                "file-text-o",
                "Curves, settings, data, versions and scores as one page: run.report()",
                lambda r: r.report(),
            ),
        )
        self.widget = row(text("Save as", "vx-small", "vx-dim"), *buttons, self.words)
        show(self.widget, False)

    def show(self, anything: bool) -> None:
        """Offer to save once there are numbers."""
        show(self.widget, anything)

    def _button(self, label: str, icon: str, tooltip: str, write: Callable[[Run], Path]) -> w.Button:
        made = button(label, icon=icon, tooltip=tooltip)
        save = Attempt(self._panel, partial(_save, write), self._show, button=made, failed=self._failed)

        def clicked() -> None:
            self.words.value = "Saving …"
            save(self._run())

        made.on_click(self._panel.handler(clicked))
        return made

    def _show(self, saved: tuple[Path, bytes]) -> None:
        path, data = saved
        words = html.escape(str(path))
        if len(data) <= _DOWNLOAD:
            kind = _TYPES.get(path.suffix, "application/octet-stream")
            link = f"data:{kind};base64,{base64.b64encode(data).decode()}"
            words += f' · <a download="{html.escape(path.name)}" href="{link}">Download</a>'
        self.words.value = words

    def _failed(self, error: BaseException) -> None:
        self.words.value = ""
        self._panel.show_error(error)


def _save(write: Callable[[Run], Path], run: Run) -> tuple[Path, bytes]:
    path = write(run)
    return path, path.read_bytes()
