"""What is labelled, as a table, and below it what stands against a training. Counts nothing itself."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

from voxloop.panels.base.limit_line import LimitLine
from voxloop.panels.base.panel import Panel, column, show, swatch, table, text
from voxloop.panels.train.overview import ClassFacts, preflight
from voxloop.panels.train.training_forecast import note_of

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace


class FactsTable:
    """A row a class: voxels, strokes, slices; then to which region they are limited, and what stands against it."""

    def __init__(self, panel: Panel, ws: Workspace) -> None:
        self._counts, self._warnings = text(), text()
        self.widget = column(self._counts, LimitLine(panel, ws).widget, self._warnings)

    def show(self, facts: Sequence[ClassFacts], *, deep: bool) -> None:
        """Show these facts; ``deep``: what a network needs is warned of."""
        rows = [_row(one) for one in facts]
        self._counts.value = table(("Class", "Voxels", "Strokes", "Slices"), rows, right=(1, 2, 3)) if rows else ""
        notes = [note_of(kind, words) for kind, words in preflight(facts, deep=deep)]
        self._warnings.value = "".join(notes)
        show(self._warnings, bool(notes))


def _row(facts: ClassFacts) -> list[str]:
    counts = [f"{count:,}" if count else "–" for count in (facts.voxels, facts.strokes, facts.slices)]
    return [swatch(facts.color) + html.escape(facts.name), *counts]
