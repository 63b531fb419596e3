"""How much of each class is labelled, kept up with edits. Reads label arrays; draws nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from voxloop.panels.train.overview import ClassFacts, StrokeTally, class_facts

if TYPE_CHECKING:
    from voxloop.store import Edit
    from voxloop.workspace.workspace import Workspace


class LabelWatch:
    """Facts on the labels of a level, over all images.

    ``edited`` is called with every edit of a level that was looked at; ``on_close`` takes what ends that.
    """

    def __init__(
        self, ws: Workspace, edited: Callable[[Edit], None], on_close: Callable[[Callable[[], object]], object]
    ) -> None:
        self._ws, self._edited, self._on_close = ws, edited, on_close
        self._tallies: dict[tuple[str, str], StrokeTally] = {}

    def look(self, level: str) -> list[ClassFacts]:
        """Count anew; of the journal only what came since the last look is read."""
        counts: dict[int, int] = {}
        tallies = []
        for image in self._ws.images.names:
            labels = self._ws.labels(level, image)
            if (level, image) not in self._tallies:
                self._on_close(labels.on_edit(self._edited))
            labels.refresh()
            for value, voxels in labels.counts().items():
                counts[value] = counts.get(value, 0) + voxels
            tally = self._tallies.setdefault((level, image), StrokeTally())
            for sequence in range(tally.sequence + 1, labels.sequence + 1):
                tally.add(labels.history(sequence))
            tallies.append(tally)
        return class_facts(self._ws.levels[level].classes, counts, tallies)
