"""Going through the places of an audit one after the other: which is next, how many are left, how long that takes.

Knows no widget and no picture.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voxloop.review import FieldAudit, PointAudit

#: seconds that a place usually takes
USUAL_S = {"points": 1.8, "fields": 15.0}
#: a longer pause is one in which somebody did something else
_LONGEST_S = 60.0
_REMEMBERED = 20


class AuditWalk:
    """The place on show, ``at``, of an audit; None once all are judged."""

    def __init__(self, audit: PointAudit | FieldAudit) -> None:
        self.audit = audit
        self.at: int | None = None
        self._seconds: list[float] = []
        self._since = time.monotonic()
        self.go_on()

    def go_on(self) -> None:
        """Go to the next place that nobody has judged, after this one or else the first; of judged ones to the next."""
        left = self.audit.left
        if left:
            after = [i for i in left if self.at is not None and i > self.at]
            self.at = (after or left)[0]
        elif self.at is not None:
            self.at = self.at + 1 if self.at + 1 < self.audit.count else None
        self._since = time.monotonic()

    def go_back(self) -> None:
        """Go to the place before this one, judged or not."""
        before = self.audit.count if self.at is None else self.at
        if before > 0:
            self.at = before - 1
        self._since = time.monotonic()

    def begin_anew(self) -> None:
        """Go to the first place."""
        self.at = 0
        self._since = time.monotonic()

    def note_judged(self) -> None:
        """The place on show was judged just now: the pace is known better."""
        seconds = time.monotonic() - self._since
        if seconds < _LONGEST_S:
            self._seconds = [*self._seconds[1 - _REMEMBERED :], seconds]

    @property
    def done(self) -> int:
        """How many places were judged or skipped."""
        return self.audit.count - len(self.audit.left)

    @property
    def share(self) -> float:
        return self.done / self.audit.count

    @property
    def words(self) -> str:
        """``37 of 100, about 2 minutes left``."""
        count = f"{self.done} of {self.audit.count}"
        left = len(self.audit.left)
        if not left:
            return f"{count} {self.audit.how} checked"
        return f"{count} {self.audit.how} checked, {minutes(left * self._pace_s)} left"

    @property
    def _pace_s(self) -> float:
        usual = USUAL_S[self.audit.how]
        return statistics.median(self._seconds) if len(self._seconds) > 2 else usual


def minutes(seconds: float) -> str:
    """``about 3 minutes``, ``less than a minute``."""
    whole = round(seconds / 60)
    if whole < 1:
        return "less than a minute"
    return "about a minute" if whole == 1 else f"about {whole} minutes"
