"""What a run looked like at one moment, read off the UI thread. Draws nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxloop.runs.run import ALIVE

if TYPE_CHECKING:
    from voxloop.review import Score
    from voxloop.runs import History, Run


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshot:
    """State and history of a run, and how good what it made is.

    ``printed``: the end of what its process printed, where that explains the state. ``score``: None while it is being
    computed.
    """

    state: str
    history: History
    printed: str = ""
    score: Score | None = None

    @classmethod
    def of(cls, run: Run, score: Score | None = None) -> Snapshot:
        """Look at a run. Raises RunError or OSError where its folder is gone."""
        state, history = run.state, run.history
        printed = run.log_tail() if state in ("failed", "interrupted") else ""
        return cls(state=state, history=history, printed=printed, score=score)

    @property
    def alive(self) -> bool:
        """Whether a process is at work, or will be."""
        return self.state in ALIVE

    def same(self, other: Snapshot | None) -> bool:
        """Whether nothing happened between the two."""
        if other is None or _words(self.score) != _words(other.score):
            return False
        return self.state == other.state and self.history is other.history


def _words(score: Score | None) -> str:
    return "" if score is None else score.words
