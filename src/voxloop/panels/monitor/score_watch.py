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
    """Computes one score after the other while its panel is there; ``changed()`` is called after each."""

    def __init__(self, panel: Panel, ws: Workspace, changed: Callable[[], object]) -> None:
        self._changed = changed
        Poll(panel, ws.scores.compute_next, self._computed, seconds=SECONDS, failed=unless_gone(panel))

    def _computed(self, name: str | None) -> None:
        if name is not None:
            self._changed()
