"""How many voxels Accept would take: of the plane on show, and of everything. Changes nothing."""

from __future__ import annotations

import html
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from voxloop.errors import VoxloopError
from voxloop.geometry import Box
from voxloop.panels.base.panel import Panel, table, text
from voxloop.panels.base.work import Backlog
from voxloop.panels.review.acceptance import ConfidenceTally, tally

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.store import Labels

PLANE, EVERYTHING = "plane", "everything"
_ROWS = {PLANE: "This plane", EVERYTHING: "Everything"}
#: what is to be counted; None where there is nothing to count
Subject = Callable[[], "tuple[Prediction, Labels, Box] | None"]


class AcceptCounts:
    """A table of counts, read off for every confidence and choice of classes without counting again.

    Parameters
    ----------
    backlog
        Whose turns the counting takes: ``"plane"`` and ``"everything"``.
    plane, everything
        The prediction, the labels and the voxels to count.
    """

    def __init__(self, panel: Panel, backlog: Backlog, *, plane: Subject, everything: Subject) -> None:
        self.widget = text("")
        self._panel, self._backlog = panel, backlog
        self._tallies: dict[str, ConfidenceTally] = {}
        self._above, self._values, self._every = 0.95, [], []  # type: tuple[float, list[int], list[int]]
        for name, subject in ((PLANE, plane), (EVERYTHING, everything)):
            backlog.add(
                name, partial(self._prepare, subject), partial(self._take, name), failed=partial(self._fail, name)
            )

    def show(self, above: float, values: list[int], every: list[int]) -> None:
        """Show how many voxels of the classes ``values``, of ``every`` class there is, are at least so sure."""
        self._above, self._values, self._every = above, values, every
        self._draw()

    def forget(self) -> None:
        """Something else is counted from now on."""
        self._tallies.clear()
        self._backlog.ask(PLANE, EVERYTHING)
        self._draw()

    def count(self, name: str) -> int | None:
        """How many would be accepted of ``"plane"`` or ``"everything"``; None before they are counted."""
        counted = self._tallies.get(name)
        return None if counted is None else counted.above(self._above, self._values)

    def _prepare(self, subject: Subject) -> Callable[[], ConfidenceTally | None]:
        chosen = subject()
        if chosen is None:
            return lambda: None
        prediction, labels, box = chosen
        return lambda: tally(prediction, labels, box, lambda: not self._backlog.is_due(PLANE))

    def _take(self, name: str, counted: ConfidenceTally | None) -> None:
        if counted is not None:
            self._tallies[name] = counted
            self._draw()
        elif self._backlog.is_due(PLANE):  # the view moved on while it was counted
            self._backlog.ask(name)

    def _fail(self, name: str, error: BaseException) -> None:
        self._tallies.pop(name, None)
        if not isinstance(error, VoxloopError):
            self._panel.show_error(error)
        self.widget.value = html.escape(str(error))

    def _draw(self) -> None:
        rows = [self._row(name, self._tallies[name]) for name in _ROWS if name in self._tallies]
        if rows:
            self.widget.value = table((), rows, right=(1, 2))
        else:
            self.widget.value = '<span class="vx-dim">Counting …</span>'

    def _row(self, name: str, counted: ConfidenceTally) -> list[str]:
        count = counted.above(self._above, self._values)
        unlabelled = counted.above(0.0, self._every)
        about = "about " if counted.share < 1 else ""
        share = f"{count / unlabelled:.0%}" if unlabelled else "–"
        cells = (_ROWS[name], f"{about}{count:,}", share)
        about_it = "Voxels that would be accepted, and their share of those without a label"
        return [f'<span style="white-space:nowrap" title="{about_it}">{cell}</span>' for cell in cells]
