"""Whose answer lies over the picture: that of the strokes, or of a run's model as it learns. Opens no model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ipywidgets as w

from voxloop.panels.base.panel import Panel, labelled
from voxloop.panels.base.work import Poll
from voxloop.panels.label.live_overlay import LiveOverlay
from voxloop.panels.monitor.run_words import AT_WORK
from voxloop.runs.outcome import model_folder
from voxloop.store.layout import RunPlace

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace

#: seconds between two looks at the models
LOOK_S = 2.0


@dataclass(frozen=True, slots=True)
class OverlayOffer:
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
        self._ws, self._level, self._overlay = ws, level, overlay
        self._offers: dict[str, OverlayOffer] = {}
        self._relisting = False
        self.list = w.Dropdown(
            options=[("strokes", "")],
            **labelled(
                "Overlay from", "Your strokes, or the model of a run; while a run still learns, its best model so far"
            ),
        )
        self.list.observe(panel.handler(self._chosen), "value")
        # a run deleted while it is looked at: the next look shows it
        self._poll: Poll[list[OverlayOffer]] = Poll(panel, self._look, self._show, failed=lambda error: None)
        panel.every(LOOK_S, lambda: self._poll.now(self._level()))

    def _look(self, level: str) -> list[OverlayOffer]:
        """The runs of this level that have a model, newest first."""
        offers = []
        classes = ("semantic",) if self._ws.levels[level].kind == "instances" else ("semantic", "auto")
        for run in reversed(list(self._ws.runs.values())):
            settings = run.config.get("settings") or {}
            is_of_level = run.kind == "train" and run.config.get("level") == level
            if not is_of_level or settings.get("target", "semantic") not in classes:
                continue
            try:
                stamp = RunPlace(run.path).spec.stat().st_mtime_ns
            except OSError:
                continue
            words = f"{run.name}, best so far" if run.state in AT_WORK else run.name
            offers.append(OverlayOffer(run.name, words, stamp))
        return offers

    def _show(self, offers: list[OverlayOffer]) -> None:
        before = self._offers.get(self.list.value)
        self._offers = {offer.name: offer for offer in offers}
        options = (("strokes", ""), *((offer.words, offer.name) for offer in offers))
        if self.list.options != options:
            self._relist(options)
        now = self._offers.get(self.list.value)
        if before is not None and now is not None and before.stamp != now.stamp:
            self._overlay.ask_again()

    def _relist(self, options: tuple[tuple[str, str], ...]) -> None:
        """Change what is listed; the one chosen stays, or where it is gone the strokes are."""
        chosen, self._relisting = self.list.value, True
        with self.list.hold_sync():
            self.list.options = options
            self.list.value = chosen if chosen in self._offers else ""
        self._relisting = False
        if self.list.value != chosen:
            self._chosen()

    def _chosen(self) -> None:
        if self._relisting:
            return
        name = self.list.value
        model = None
        if name:
            model = str(model_folder(self._ws.runs[name].path).relative_to(self._ws.path))
        self._overlay.by(model)
