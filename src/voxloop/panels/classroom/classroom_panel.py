"""``Classroom``: who of a room is where, in one table that follows by itself. Reads only; opens no workspace."""

from __future__ import annotations

import html
import time
from pathlib import Path
from typing import TYPE_CHECKING

from voxloop.panels.base.panel import CopyCode, Panel, ago, badge, row, spacer, text
from voxloop.panels.base.rows import Row, RowList
from voxloop.panels.base.ui import on_ui
from voxloop.teaching.answers import AnswerLog
from voxloop.teaching.roster import Roster
from voxloop.teaching.seat import Seat

if TYPE_CHECKING:
    import pandas as pd

_HEAD = ("Who", "Where", "Exercises", "Edits", "Honest IoU", "Newest run", "Last seen", "Needs")
_RIGHT = (3,)
_NEEDS = 7
_LOOKS = {"finished": "good", "running": "busy", "queued": "busy", "stopping": "busy", "failed": "bad"}
#: answers of a learner that are shown below the table
_ANSWERS = 6


class Classroom(Panel):
    """All workspaces below a folder: step, exercises, honest score, newest run, last sign of life.

    Nothing is written and no lock is taken; what cannot be read is listed as broken, with the reason. A click on a row
    shows that learner's last answers; a click on *Needs* puts those first who may want help.

    Parameters
    ----------
    folder, within, quiet_minutes
        As :class:`~voxloop.teaching.Roster` takes them: ``vl.Classroom("/home", within="workspaces/lesson")``.
    seconds
        Between two looks.

    Raises
    ------
    WorkspaceError
        There is no such folder.

    Examples
    --------
    >>> panel = vl.Classroom(ws.path.parent)
    """

    @on_ui
    def __init__(
        self, folder: str | Path, *, within: str = "", quiet_minutes: float = 10.0, seconds: float = 2.0
    ) -> None:
        from voxloop.errors import WorkspaceError
        from voxloop.store.values import number

        self.roster = Roster(folder, within=within, quiet_minutes=quiet_minutes)
        wait = number("seconds", seconds, 0.2, error=WorkspaceError)
        super().__init__("Classroom")
        self.seats: list[Seat] = []
        self._reading = False
        self._words = text("Looking ...", "vx-dim")
        self._list = RowList(
            self._open, head=_HEAD, right=_RIGHT, empty="Nobody is here yet.", height=430, ranked=_NEEDS
        )
        self._detail = text()
        code = CopyCode()
        code.code = self.code
        self.body(self._words, self._list.widget, self._detail, row(spacer(), code))
        self.every(wait, self.refresh)
        self.refresh()

    @property
    def code(self) -> str:
        """The line of Python that gives the same as a table."""
        more = f", within={self.roster.within!r}" if self.roster.within else ""
        if self.roster.quiet_s != 600:
            more += f", quiet_minutes={self.roster.quiet_s / 60:g}"
        return f"vl.Classroom({str(self.roster.folder)!r}{more}).table"

    @property
    def table(self) -> pd.DataFrame:
        """A line a workspace, read now."""
        return self.roster.table

    def refresh(self) -> None:
        """Look again, away from the page's thread; nothing where a look is under way."""
        if not self._reading:
            self._reading = True
            self.in_thread(self.roster.read, self._show, self._failed)

    def _failed(self, error: BaseException) -> None:
        self._reading = False
        self.show_error(error)

    def _show(self, seats: list[Seat]) -> None:
        self._reading = False
        self.seats = seats
        now = time.time()
        words = self.roster.words(seats, now)
        if self._words.value != html.escape(words):
            self._words.value = html.escape(words)
        tails = {seat.name.partition("/")[2] for seat in seats}
        self._list.show([self._row(seat, now, with_tail=len(tails) > 1) for seat in seats])
        self._show_answers()

    def _row(self, seat: Seat, now: float, *, with_tail: bool) -> Row:
        who, _, rest = seat.name.partition("/")
        signed = f" ({seat.author})" if seat.author and seat.author != who else ""
        name = f"<b>{html.escape(who)}</b>{html.escape(signed)}"
        if rest and with_tail:
            name += f' <span class="vx-dim">{html.escape(rest)}</span>'
        if seat.broken:
            reason = html.escape(seat.broken)
            return Row(seat.name, (name, "", "", "", "", "", "", badge("broken", "bad") + f" {reason}"), rank=3.0)
        trouble = seat.trouble(now, self.roster.quiet_s)
        rank = {"": 0.0, "quiet": 1.0}.get(trouble, 2.0)
        run = f"{html.escape(seat.run)} {badge(seat.run_state, _LOOKS.get(seat.run_state, ''))}" if seat.run else ""  # type: ignore[arg-type]
        cells = (
            name,
            html.escape(seat.step),
            _exercises(seat),
            f"{seat.edits:,}",
            _score(seat),
            run,
            ago(now - seat.last) if seat.last else "",
            badge(trouble, "warn") if trouble else "",
        )
        return Row(seat.name, cells, title=str(seat.path), rank=rank)

    def _open(self, action: str, key: str) -> None:
        self._list.selected = "" if self._list.selected == key else key
        self._show_answers()

    def _show_answers(self) -> None:
        seat = next((one for one in self.seats if one.name == self._list.selected), None)
        self._detail.value = "" if seat is None else self._answers(seat)

    def _answers(self, seat: Seat) -> str:
        lines = [
            f"{'&#10004;' if one['right'] else '&#10007;'} {one['exercise']} {html.escape(one['name'])}: "
            f"{html.escape(one['words'])}"
            for one in AnswerLog(seat.path).read()[-_ANSWERS:]
        ]
        code = html.escape(f"vl.Workspace.open({str(seat.path)!r}, read_only=True)")
        answers = "<br>".join(lines) or "No answer yet."
        return f"<b>{html.escape(seat.name)}</b><br>{answers}<br><code>{code}</code>"


def _exercises(seat: Seat) -> str:
    """A mark an exercise: solved, tried last, or neither."""
    if not seat.of:
        return ""
    marks = "".join("&#9679;" if number in seat.solved else "&#9675;" for number in range(1, min(seat.of, 30) + 1))
    at = f" at {seat.exercise}" if not seat.finished and seat.exercise not in seat.solved else ""
    return f'<span title="{len(seat.solved)} of {seat.of} solved">{marks}{html.escape(at)}</span>'


def _score(seat: Seat) -> str:
    if seat.score is None:
        return ""
    words = html.escape(seat.score.words, quote=True)
    if not seat.score.known:
        return f'<span class="vx-dim" title="{words}">not known</span>'
    low, high = seat.score.interval
    return f'<span title="{words}">{low:.2f}-{high:.2f}</span>'
