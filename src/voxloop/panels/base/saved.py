"""The line that says what is safe: time and number of the edits the journal has on disk. Reads the journal only."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from voxloop.panels.base.panel import clock, text

if TYPE_CHECKING:
    from voxloop.store import Labels


class Saved:
    """``saved 14:02:11, 212 strokes``. Edits are acknowledged after they are on disk, so what is counted is safe."""

    def __init__(self) -> None:
        self.widget = text("", "vx-saved", "vx-dim", "vx-small", "vx-number")
        self._labels: Labels | None = None
        self._count = 0
        self._known = 0
        self._pieces: set[int] = set()
        self._time: float | None = None

    def follow(self, labels: Labels) -> None:
        """Count the edits of these labels; those of earlier days are read from the journal."""
        if labels is self._labels:
            return
        self._labels, self._count, self._known, self._time = labels, 0, 0, None
        self._pieces.clear()
        self.show()

    def show(self) -> None:
        """Take up what the journal got since."""
        labels = self._labels
        if labels is None:
            return
        for sequence in range(self._known + 1, labels.sequence + 1):
            record = labels.history(sequence)
            self._count += self._counts_as(sequence, record)
            self._time = _stamp(record.get("time"))
        self._known = labels.sequence
        self.widget.value = self.words

    @property
    def words(self) -> str:
        """What the line says."""
        if self._labels is None or not self._known:
            return "nothing painted yet"
        repaired = "".join(f"; {words}" for words in self._labels.remarks)
        behind = self._labels.lag
        late = f"; the array on disk lags behind ({behind})" if behind is not None else ""
        strokes = "1 stroke" if self._count == 1 else f"{self._count} strokes"
        return f"saved {clock(self._time)}, {strokes}{late}{repaired}"

    def _counts_as(self, sequence: int, record: dict[str, Any]) -> int:
        """A further piece of a stroke is none of its own; undo takes one away, redo brings it back."""
        of = record.get("of")
        if of is not None:
            edits = set(of) if isinstance(of, list) else {int(of)}
            strokes = len(edits - self._pieces)
            return -strokes if record["tool"] == "undo" else strokes
        if record.get("joined"):
            self._pieces.add(sequence)
            return 0
        if record["tool"] == "lost":
            return 0
        return 1

    def close(self) -> None:
        """Stop counting."""
        self._labels = None


def _stamp(stamp: Any) -> float | None:
    if isinstance(stamp, str):
        return datetime.fromisoformat(stamp).timestamp()
    return None if stamp is None else float(stamp)
