"""What answering an audit place by place shares, whatever its places are: skip, go back, go on. Draws no place."""

from __future__ import annotations

import html
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import ipywidgets as w

from voxloop.panels.base.panel import button, row, text
from voxloop.panels.review.audit_walk import AuditWalk

if TYPE_CHECKING:
    from voxloop.panels.base.panel import Panel


class AuditSteps:
    """The steps through an audit, for a class that shows its places.

    Parameters
    ----------
    scored
        Called when the audit says something new.
    tell_code
        Called with the line of Python for an answer.
    """

    def __init__(self, walk: AuditWalk, scored: Callable[[], object], tell_code: Callable[[str], object]) -> None:
        self.walk = walk
        self._scored, self._tell_code = scored, tell_code
        self._count, self._bar, self._question, self._score = text(), text(), text(), text("", "vx-dim")

    def skip(self) -> None:
        """Nobody could tell what is here."""
        at = self.walk.at
        if at is None:
            return
        self.walk.audit.skip(at)
        self._tell_code(f"{self._code}.skip({at})")
        self._go_on()

    def back(self) -> None:
        """Go to the place before, to judge it again."""
        self.walk.go_back()
        self._tidy()
        self._show()

    def _go_on(self) -> None:
        self.walk.note_judged()
        self.walk.go_on()
        self._tidy()
        self._show()
        self._scored()

    @property
    def _code(self) -> str:
        audit = self.walk.audit
        return f"ws.audit({audit.prediction.name!r}, how={audit.how!r}, n={audit.count})"

    def _tidy(self) -> None:
        """Put away what was for the place that is left."""

    @abstractmethod
    def _show(self, voxels: float | None = None) -> None:
        """Show the place of the walk; ``voxels`` in sight, the zoom as it is where not given."""

    def _show_walk(self) -> None:
        """How far it is."""
        self._count.value = html.escape(self.walk.words)
        self._bar.value = f'<div class="vx-progress"><div style="width:{self.walk.share:.1%}"></div></div>'

    def _say_all_checked(self) -> None:
        self._question.value = "All are checked. <b>Back</b> goes to the last one; <b>Leave</b> ends."

    def _show_words(self, words: str) -> None:
        self._score.value = html.escape(f"{words[0].upper()}{words[1:]}.")


def leave_row(panel: Panel, leave: Callable[[], object]) -> w.HBox:
    """The button that leaves an audit."""
    return row(button("Leave", panel.handler(leave), tooltip="Every answer is kept; go on whenever you like"))
