"""Whose answer lies over the picture: that of the strokes, or of a run's model as it learns. Opens no model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ipywidgets as w

from voxloop.panels.base.panel import Panel, labelled
from voxloop.panels.label.live_overlay import LiveOverlay
from voxloop.panels.monitor.run_words import AT_WORK

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace

#: seconds between two looks at the models
LOOK_S = 2.0


@dataclass(frozen=True, slots=True)
class Offer:
    """A run whose model can be shown; ``stamp`` changes whenever a better one takes its place."""

    name: str
    words: str
    stamp: int


class OverlayChoice:
    """A list: strokes, and the runs that learnt the classes of the level.

    Parameters
    ----------
    panel
        Whose part it is.
    level
        The level on show.
    overlay
        What is told whose answer to show.
    """

    def __init__(self, panel: Panel, ws: Workspace, level: Callable[[], str], overlay: LiveOverlay) -> None:
        self._panel, self._ws, self._level, self._overlay = panel, ws, level, overlay
        self._offers: dict[str, Offer] = {}
        self._looking = self._listing = False
        self.list = w.Dropdown(
            options=[("strokes", "")],
            **labelled("Overlay by", "The strokes, or the model of a run: of one that still learns, its best so far"),
        )
        self.list.observe(panel.handler(self._chosen), "value")
        panel.every(LOOK_S, self.look)

    def look(self) -> None:
        """Look anew at the models, off the UI thread."""
        if not self._looking:
            self._looking = True
            level = self._level()
            self._panel.in_thread(lambda: self._found(level), self._show, self._failed)

    def _found(self, level: str) -> list[Offer]:
        found = []
        for run in reversed(list(self._ws.runs.values())):
            settings = run.config.get("settings") or {}
            learnt = run.kind == "train" and run.config.get("level") == level
            if not learnt or settings.get("target", "semantic") != "semantic":
                continue
            try:
                stamp = (run.path / "model" / "spec.json").stat().st_mtime_ns
            except OSError:
                continue
            words = f"{run.name}, best so far" if run.state in AT_WORK else run.name
            found.append(Offer(run.name, words, stamp))
        return found

    def _show(self, offers: list[Offer]) -> None:
        self._looking = False
        before = self._offers.get(self.list.value)
        self._offers = {offer.name: offer for offer in offers}
        options = (("strokes", ""), *((offer.words, offer.name) for offer in offers))
        if self.list.options != options:
            self._list(options)
        now = self._offers.get(self.list.value)
        if before is not None and now is not None and before.stamp != now.stamp:
            self._overlay.ask_again()

    def _list(self, options: tuple[tuple[str, str], ...]) -> None:
        """Change what is listed; the one chosen stays, or where it is gone the strokes are."""
        kept, self._listing = self.list.value, True
        with self.list.hold_sync():
            self.list.options = options
            self.list.value = kept if kept in self._offers else ""
        self._listing = False
        if self.list.value != kept:
            self._chosen()

    def _failed(self, _: BaseException) -> None:
        """A run deleted while it is looked at; the next look shows it."""
        self._looking = False

    def _chosen(self) -> None:
        if self._listing:
            return
        name = self.list.value
        self._overlay.by(str((self._ws.runs[name].path / "model").relative_to(self._ws.path)) if name else None)
