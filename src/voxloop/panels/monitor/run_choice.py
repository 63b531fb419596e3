"""The list of several runs laid over each other, and which of them is steered. Draws no curve."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import ipywidgets as w

from voxloop.panels.base.panel import Panel, badge, classed, column, row, swatch, table, text
from voxloop.panels.monitor import run_words
from voxloop.panels.monitor.curve_plot import Colors
from voxloop.panels.monitor.run_words import value_text
from voxloop.panels.monitor.score_words import score_cell
from voxloop.panels.monitor.snapshot import Snapshot
from voxloop.runs.comparison import differences, usual

if TYPE_CHECKING:
    from voxloop.runs import Run

#: settings that the list shows, at most
_DIFFERENCES = 6
_HEAD = ("Run", "State", "Score", "Epoch", "From", "Time")


class RunChoice:
    """Colour, state, score and the settings in which the runs differ; ``chosen(index)`` is called with the one chosen.

    The last is chosen at first.
    """

    def __init__(
        self, panel: Panel, runs: Sequence[Run], colors: Sequence[Colors], chosen: Callable[[int], object]
    ) -> None:
        self._names = [run.name for run in runs]
        self._colors = colors
        differing = differences(runs)
        self._differing = dict(list(differing.items())[:_DIFFERENCES])
        self._more = len(differing) - len(self._differing)
        self._parents = [str(run.config.get("parent") or "fresh") for run in runs]
        self.table = classed(w.HTML(), "vx-run-list")
        self.choice = w.Dropdown(
            options=[(name, index) for index, name in enumerate(self._names)], layout={"width": "auto"}
        )
        self.choice.value = len(runs) - 1
        self.choice.observe(panel.handler(lambda: chosen(self.choice.value)), "value")
        self.widget = column(self.table, row(text("Details of", "vx-dim"), self.choice))

    def show(self, snapshots: Sequence[Snapshot]) -> None:
        """Show the runs as they are now, in their order."""
        heads = [*_HEAD, *(name.replace("_", " ") for name in self._differing)]
        if self._more:
            heads.append(f"+{self._more} more")
        rows = [self._row(index, snapshot) for index, snapshot in enumerate(snapshots)]
        self.table.value = table(heads, rows, right=(3, 5))

    def _row(self, index: int, snapshot: Snapshot) -> list[str]:
        facts = dict(run_words.facts(snapshot.state, snapshot.history))
        name = f"{swatch(self._colors[index].val)}{html.escape(self._names[index])}"
        if index == self.choice.value:
            name = f"<b>{name}</b>"
        return [
            name,
            badge(snapshot.state, run_words.LOOKS.get(snapshot.state, "")),
            score_cell(snapshot.score),
            facts.get("epoch", ""),
            html.escape(self._parents[index]),
            facts.get("time", ""),
            *self._settings(index),
        ]

    def _settings(self, index: int) -> list[str]:
        """The settings of a run that differ from those of others; set off where they are not what most have."""
        cells = []
        for values in self._differing.values():
            words = html.escape(value_text(values[index]))
            if values[index] != usual(values):
                words = f'<span class="vx-differs"><b>{words}</b></span>'
            cells.append(words)
        if self._more:
            cells.append("")
        return cells
