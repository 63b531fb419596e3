"""What the last run of the pixel classifier chose, and a click that keeps it. Reads no runs and trains nothing."""

from __future__ import annotations

import html
from collections.abc import Callable

from voxloop.config import Config
from voxloop.config.shallow import ShallowConfig
from voxloop.panels.base.panel import Panel, button, classed, column, show, text
from voxloop.shallow.last_choice import LastChoice


class ChoiceLine:
    """Words and a button, shown while the settings leave to a run what it blends.

    ``load`` puts settings into the form.
    """

    def __init__(self, panel: Panel, load: Callable[[Config], object]) -> None:
        self._load = load
        self._choice: LastChoice | None = None
        self._config: Config | None = None
        self._words = classed(text(), "vx-dim", "vx-small")
        self._keep = button(
            "Keep it fixed",
            panel.handler(self.keep),
            kind="link",
            tooltip="Train with what was chosen from now on, and choose nothing anew",
        )
        self.widget = column(self._words, self._keep)
        self._show()

    def offer(self, choice: LastChoice | None) -> None:
        """Take what the newest run chose; None where none has."""
        if choice != self._choice:
            self._choice = choice
            self._show()

    def follow(self, config: Config) -> None:
        """Take the settings that are shown."""
        self._config = config
        self._show()

    def keep(self) -> None:
        """Put what was chosen into the settings."""
        if self._choice is not None and isinstance(self._config, ShallowConfig):
            self._load(self._choice.kept(self._config))

    def _show(self) -> None:
        is_open = isinstance(self._config, ShallowConfig) and self._config.is_open
        if self._choice is None:
            words = "Each run chooses what it blends by strokes held out, and says so in its log."
        else:
            words = f"{self._choice.run}: {self._choice.words}"
        self._words.value = html.escape(words)
        show(self._keep, self._choice is not None)
        show(self.widget, is_open)
