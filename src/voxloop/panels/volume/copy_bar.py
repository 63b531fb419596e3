"""How far copying an image is, and the button that stops it. Copies nothing itself."""

from __future__ import annotations

import html
import threading

from voxloop.panels.base.panel import Panel, button, row, show, text
from voxloop.panels.form.file_list import size_text


class CopyBar:
    """A line that is there while voxels are copied. :meth:`progress` is what a copy tells, from any thread."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._stopped = threading.Event()
        self._words = text()
        self._last = ""
        self.button = button("Stop copying", panel.handler(self._stop), tooltip="Leave off; nothing half made stays")
        self.widget = row(self._words, self.button)
        show(self.widget, False)

    def begin(self) -> None:
        """Forget what was stopped before."""
        self._stopped.clear()
        self._last = ""

    def progress(self, done: int, total: int) -> None:
        """Show bytes done of all. Raises InterruptedError once the button was pressed, which ends the copy."""
        if self._stopped.is_set() or self._panel.closed:
            raise InterruptedError
        words = f"Copying {size_text(done)} of {size_text(total)}"
        if done == total:
            words = f"Copied {size_text(total)}; making coarser scales"
        if words != self._last:
            self._last = words
            self._panel.post(self._show, words)

    def end(self) -> None:
        """Take the line away."""
        show(self.widget, False)

    def _show(self, words: str) -> None:
        self._words.value = html.escape(words)
        show(self.widget, True)

    def _stop(self) -> None:
        self._stopped.set()
        self._words.value = "Stopping …"
