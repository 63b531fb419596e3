"""The rounds of the loop as a table, and what can be done with one of them: go back to it, branch from it."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import ipywidgets as w

from voxloop.panels.base.panel import Panel, button, labelled, row, section, show, table, text
from voxloop.panels.base.work import Attempt
from voxloop.panels.review.subject import ReviewSubject

if TYPE_CHECKING:
    from voxloop.review import LoopRound
    from voxloop.store import Edit, Level

_HEAD = ("Round", "Strokes", "Minutes", "IoU", "CPU")


class RoundsTable:
    """Lists rounds; the buttons act on the one that is chosen.

    Parameters
    ----------
    tell_code
        Called with the line of Python that a button runs.
    changed
        Called once labels or levels have changed.
    """

    def __init__(
        self,
        panel: Panel,
        subject: ReviewSubject,
        *,
        tell_code: Callable[[str], object],
        changed: Callable[[], object],
    ) -> None:
        self._panel, self._subject = panel, subject
        self._tell_code, self._changed = tell_code, changed
        self.rounds: list[LoopRound] = []
        self._rows = text()
        self._which = w.Dropdown(options=[], **labelled("Round", "What the buttons below act on"))
        back = button("Go back to it", panel.handler(self._begin_back))
        back.tooltip = "Make the labels what they were then: an edit that undo takes back"
        fork = button("Branch", panel.handler(self._begin_branch))
        fork.tooltip = "A new level with the labels of then; those of now stay as they are"
        self._acts = row(back, fork)
        self.widget = section("Rounds", self._rows, self._which, self._acts)
        self._going_back = Attempt(panel, self._back, self._went_back, button=back)
        self._branching = Attempt(panel, self._branch, self._branched, button=fork)
        self.show([])

    def show(self, rounds: Sequence[LoopRound]) -> None:
        """Show these, oldest first."""
        self.rounds = list(rounds)
        rows = [_row(one) for one in self.rounds]
        self._rows.value = table(_HEAD, rows, right=(1, 2, 3, 4)) if rows else _EMPTY
        for part in (self._which, self._acts):
            show(part, bool(rows))
        numbers = [one.number for one in self.rounds]
        before = self._which.value
        if list(self._which.options) != numbers:
            self._which.options = numbers
            self._which.value = before if before in numbers else (numbers[-1] if numbers else None)

    def _chosen(self) -> LoopRound | None:
        return next((one for one in self.rounds if one.number == self._which.value), None)

    def _begin_back(self) -> None:
        if (chosen := self._chosen()) is not None:
            self._tell_code(f"ws.rounds.go_back({chosen.run!r})")
            self._going_back(chosen)

    def _begin_branch(self) -> None:
        if (chosen := self._chosen()) is not None:
            self._tell_code(f"ws.rounds.branch({chosen.run!r})")
            self._branching(chosen)

    def _back(self, chosen: LoopRound) -> tuple[LoopRound, list[Edit]]:
        return chosen, self._subject.ws.rounds.go_back(chosen.run)

    def _went_back(self, outcome: tuple[LoopRound, list[Edit]]) -> None:
        chosen, edits = outcome
        if edits:
            self._panel.say(f"The labels are those of round {chosen.number} again; undo takes that back.", "good")
        else:
            self._panel.say(f"The labels are those of round {chosen.number} already.")
        self._changed()

    def _branch(self, chosen: LoopRound) -> Level:
        return self._subject.ws.rounds.branch(chosen.run)

    def _branched(self, level: Level) -> None:
        self._panel.say(f"Level {level.name!r} has the labels of that round; train on it with its name.", "good")
        self._changed()


def _row(one: LoopRound) -> tuple[str, ...]:
    score = one.score
    words = "" if score is None or not score.known else f"{score.interval[0]:.2f}-{score.interval[1]:.2f}"
    title = html.escape(f"{one.run}, {one.prediction or 'not predicted'}: {score.words if score else ''}", quote=True)
    return (
        f'<span title="{title}">{one.number}</span>',
        f"{one.work.strokes:,}",
        f"{one.work.seconds / 60:.1f}",
        words or "?",
        "" if one.cpu_seconds is None else f"{one.cpu_seconds:.0f} s",
    )


_EMPTY = '<span class="vx-dim">No round yet: a training begins one.</span>'
