"""The list of trainings and the monitor of those that are looked at. Starts no run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.panels.base.panel import Panel, section
from voxloop.panels.base.rows import Row, RowList
from voxloop.panels.monitor.run_table import HEAD, RANKED, rows_of
from voxloop.panels.monitor.score_watch import ScoreWatch

if TYPE_CHECKING:
    from voxloop.runs import Run
    from voxloop.workspace.workspace import Workspace

#: pixels of the list of runs, and where several are drawn over each other, each with its settings
_LIST, _LIST_DRAWN = 176, 264


class RunStage:
    """Runs to open, to draw over each other and to delete; below them the monitor of what is shown.

    Parameters
    ----------
    owner
        Whose part it is.
    opened
        Called with a run when its monitor is shown.
    changed
        Called when the list has to be looked at anew.
    """

    def __init__(
        self, owner: Panel, ws: Workspace, opened: Callable[[Run], object], changed: Callable[[], object]
    ) -> None:
        self._owner, self._ws, self._opened, self._changed = owner, ws, opened, changed
        self.run: Run | None = None
        self.shown: tuple[str, ...] = ()
        self.monitor: Any = None
        self._overlaid: list[str] = []
        self.list: RowList = RowList(
            owner.handler(self._on_action),
            head=HEAD,
            ranked=RANKED,
            empty="No runs yet. The first one appears here.",
            height=_LIST,
        )
        self._stage = w.VBox()
        ScoreWatch(owner, ws, changed)
        self.widget = section("Runs", self.list.widget, self._stage)

    @property
    def colors(self) -> dict[str, str]:
        """The colours of the runs whose curves are drawn over each other; empty where there is one."""
        return dict(self.monitor.colors) if len(self.shown) > 1 else {}

    def rows(self, runs: Sequence[Run], colors: dict[str, str]) -> list[Row]:
        """Off the UI thread: one row a run."""
        chosen = self.run.name if self.run else ""
        return rows_of(runs, self._ws.runs, chosen, colors, self._ws.scores.of_run)

    def show(self, rows: Sequence[Row]) -> None:
        self.list.show(rows)
        height = _LIST_DRAWN if len(self.shown) > 1 else _LIST
        if self.list.widget.height != height:
            self.list.widget.height = height

    def open(self, name: str) -> None:
        """Show the monitor of a run; the curves drawn over each other stay where its own are among them."""
        if name in self.shown:
            self._overlaid = [one for one in self.shown if one != name]
        self.watch(self._ws.runs[name])

    def overlay(self, name: str) -> None:
        """Draw the curves of a further run beside those of the one shown, or take them out again."""
        if name in self._overlaid:
            self._overlaid.remove(name)
        else:
            self._overlaid.append(name)
        self.watch(self.run or self._ws.runs[name])
        self._changed()

    def watch(self, run: Run) -> None:
        """Show the monitor of a run, with those that are drawn over it."""
        from voxloop.panels.monitor.monitor_panel import MonitorPanel

        beside = [name for name in self._overlaid if name != run.name and name in self._ws.runs]
        shown = (*beside, run.name)
        if shown == self.shown and self.monitor is not None:
            return
        runs = [*(self._ws.runs[name] for name in beside), run]
        watched = runs if beside else run
        old, self.monitor = self.monitor, MonitorPanel(watched, embedded=True)
        self.shown = shown
        self._stage.children = (self.monitor.widget,)
        if old is not None:
            old.close()
        self.run = run
        self.list.selected = run.name
        self._opened(run)

    def _on_action(self, action: str, name: str) -> None:
        if action == "open":
            self.open(name)
            return
        if action == "overlay":
            self.overlay(name)
            return
        self._ws.runs[name].delete()
        self._overlaid = [one for one in self._overlaid if one != name]
        if self.run is not None and self.run.name == name:
            self.close()
        elif self.run is not None and name in self.shown:
            self.watch(self.run)
        self._owner.say(f"{name} is deleted.", "good")
        self._changed()

    def close(self) -> None:
        """Close the monitor."""
        self._stage.children = ()
        if self.monitor is not None:
            self.monitor.close()
        self.monitor, self.run, self.shown = None, None, ()
