"""Scores for the lists of panels: has those computed that nobody has yet, off the UI thread. Draws nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from voxloop.panels.base.panel import Panel
from voxloop.panels.base.work import Poll
from voxloop.panels.monitor.run_start import unless_gone

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace

#: seconds between looks for a score that is not known
SECONDS = 2.0


class ScoreWatch:
    """Computes scores while its panel is there, one after the other, then what to offer; ``changed()`` after each."""

    def __init__(self, panel: Panel, ws: Workspace, changed: Callable[[], object]) -> None:
        self._changed = changed
        self._ws = ws
        Poll(panel, self._compute, self._computed, seconds=SECONDS, failed=unless_gone(panel))

    def _compute(self) -> str | None:
        return self._ws.scores.compute_next() or self._ws.offers.compute_next()

    def _computed(self, name: str | None) -> None:
        if name is not None:
            self._changed()
