"""Work that a panel has done off the UI thread: looked for now and then, begun by a click, or asked for anew.

Each owns its guard, its button and its failure path, so that no panel stands still because one look failed.

:class:`Poll` looks now and then, :class:`Attempt` is what a click begins, :class:`Latest` answers the newest question
only, :class:`Backlog` works off one look at a time, :class:`Debounce` waits for the hand to rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

import ipywidgets as w

if TYPE_CHECKING:
    from voxloop.panels.base.panel import Panel

T = TypeVar("T")
_Failed = Callable[[BaseException], object]
#: seconds between two looks at whether the hand rests
_BEAT = 0.1
#: seconds after which a look of a backlog that failed is tried again
RETRY_S = 5.0


class _Complaint:
    """What a piece of work said when it failed, so that it can be taken back, and nobody else's words with it."""

    def __init__(self, panel: Panel, failed: _Failed) -> None:
        self._panel = panel
        self._failed = failed
        self._words = ""

    def make(self, error: BaseException) -> None:
        words_before = self._panel.message.words
        self._failed(error)
        if self._panel.message.words != words_before:
            self._words = self._panel.message.words

    def take_back(self) -> None:
        """What was complained of is no longer so."""
        if self._words and self._panel.message.words == self._words:
            self._panel.clear_error()
        self._words = ""


class _Work(Generic[T]):
    """``work(*args)`` off the UI thread, ``done(value)`` or ``failed(error)`` on it, never twice at a time."""

    def __init__(
        self, panel: Panel, work: Callable[..., T], done: Callable[[T], object] | None, failed: _Failed | None
    ) -> None:
        self._panel = panel
        self._work = work
        self._done = done
        self._complaint = _Complaint(panel, failed or panel.show_error)
        self.busy = False

    def _begin(self, *args: object) -> None:
        self._hold(True)
        self._panel.in_thread(partial(self._work, *args), self._succeed, self._fail)

    def _succeed(self, value: T) -> None:
        self._hold(False)
        self._take_back()
        if self._done is not None:
            self._done(value)

    def _fail(self, error: BaseException) -> None:
        self._hold(False)
        self._complaint.make(error)

    def _take_back(self) -> None:
        """What this work complained of is no longer so."""
        self._complaint.take_back()

    def _hold(self, busy: bool) -> None:
        self.busy = busy


class Poll(_Work[T]):
    """Look every few seconds and show what was found; a look that fails is followed by the next one all the same.

    Parameters
    ----------
    look
        Called off the UI thread, with what :meth:`now` was given.
    show
        Called on the UI thread with what ``look`` returned.
    seconds
        Between looks; None: only when :meth:`now` is called.
    failed
        Called on the UI thread with what ``look`` or ``show`` raised; the panel's message line where not given, which
        the next look that succeeds clears again.
    """

    def __init__(
        self,
        panel: Panel,
        look: Callable[..., T],
        show: Callable[[T], object],
        *,
        seconds: float | None = None,
        failed: _Failed | None = None,
    ) -> None:
        super().__init__(panel, look, show, failed)
        if seconds is not None:
            panel.every(seconds, self.now)

    def now(self, *args: object) -> None:
        """Look now, unless a look is under way."""
        if not self.busy:
            self._begin(*args)


class Attempt(_Work[T]):
    """What a click begins: done once at a time, its button disabled meanwhile, what it raises shown.

    Parameters
    ----------
    work
        Called off the UI thread, with what the attempt was called with.
    done
        Called on the UI thread with what ``work`` returned.
    button
        Disabled while the work is under way.
    failed
        Called on the UI thread with what was raised; the panel's message line where not given.
    """

    def __init__(
        self,
        panel: Panel,
        work: Callable[..., T],
        done: Callable[[T], object] | None = None,
        *,
        button: w.Button | None = None,
        failed: _Failed | None = None,
    ) -> None:
        super().__init__(panel, work, done, failed)
        self.button = button
        self._was_disabled = False

    def __call__(self, *args: object) -> None:
        """Begin, unless it is under way."""
        if not self.busy:
            self._begin(*args)

    def _hold(self, busy: bool) -> None:
        super()._hold(busy)
        if self.button is None:
            return
        if busy:
            self._was_disabled = self.button.disabled  # a key may begin what the button is not to begin
        self.button.disabled = busy or self._was_disabled

    def _take_back(self) -> None:
        """Whatever went wrong before, the user went on and succeeded."""
        self._panel.clear_error()


class Latest(Generic[T]):
    """Questions of which only the newest counts: answers and failures of older ones are dropped.

    Parameters
    ----------
    show
        Called on the UI thread with the newest answer.
    failed
        Called on the UI thread with what the newest question raised; the panel's message line where not given, which
        the next answer clears again.
    """

    def __init__(self, panel: Panel, show: Callable[[T], object], *, failed: _Failed | None = None) -> None:
        self._panel = panel
        self._show = show
        self._complaint = _Complaint(panel, failed or panel.show_error)
        self._newest = 0
        self.busy = False

    def ask(self, work: Callable[[], T]) -> None:
        """Have ``work()`` done off the UI thread; what was asked before is forgotten."""
        self._newest += 1
        self.busy = True
        number = self._newest
        self._panel.in_thread(
            work, partial(self._answer, number, self._succeed), partial(self._answer, number, self._complaint.make)
        )

    def forget(self) -> None:
        """Drop the answer to what is under way."""
        self._newest += 1
        self.busy = False

    def _succeed(self, value: T) -> None:
        self._complaint.take_back()
        self._show(value)

    def _answer(self, number: int, tell: Callable[..., object], answer: object) -> None:
        if number == self._newest:
            self.busy = False
            tell(answer)


class Backlog:
    """Looks that fall due again and again, worked off one at a time, the one named first before the others.

    One that failed falls due again after a while, so that a passing trouble is no lasting one.

    Parameters
    ----------
    seconds
        Between one look and the next.
    """

    def __init__(self, panel: Panel, *, seconds: float) -> None:
        self._panel = panel
        self._prepare: dict[str, Callable[[], Callable[[], object]]] = {}
        self._polls: dict[str, Poll] = {}
        self._due: set[str] = set()
        self._failed: set[str] = set()
        panel.every(seconds, self._next)
        panel.every(RETRY_S, self._retry)

    def add(
        self,
        name: str,
        prepare: Callable[[], Callable[[], T]],
        show: Callable[[T], object],
        *,
        failed: _Failed | None = None,
    ) -> None:
        """Add a kind of look, due at once.

        ``prepare`` is called on the UI thread when its turn comes, and gives what is done off it; ``show`` and
        ``failed`` as for :class:`Poll`.
        """
        complain = failed or self._panel.show_error

        def put_off(error: BaseException) -> None:
            self._failed.add(name)
            complain(error)

        self._polls[name] = Poll(self._panel, lambda work: work(), show, failed=put_off)
        self._prepare[name] = prepare
        self._due.add(name)

    def ask(self, *names: str) -> None:
        """Have these looked at anew (all where none is named)."""
        self._due.update(names or self._polls)

    def is_due(self, name: str) -> bool:
        """Whether it waits for its turn; any thread."""
        return name in self._due

    def _next(self) -> None:
        if any(poll.busy for poll in self._polls.values()):
            return
        for name, poll in self._polls.items():
            if name in self._due:
                self._due.discard(name)
                self._failed.discard(name)
                poll.now(self._prepare[name]())
                return

    def _retry(self) -> None:
        self._due |= self._failed


class Debounce:
    """Do something once the hand has rested, however often it was asked for meanwhile.

    Parameters
    ----------
    act
        Called on the UI thread.
    seconds
        How long nothing must have been asked for. Where time passes only when told (tests), the next beat counts.
    """

    def __init__(self, panel: Panel, act: Callable[[], object], *, seconds: float) -> None:
        self._act = act
        self._seconds = 0.0 if panel.ui.synchronous else seconds
        self._due: float | None = None
        panel.every(_BEAT, self._beat)

    @property
    def pending(self) -> bool:
        """Whether it is asked for and not done yet."""
        return self._due is not None

    def ask(self) -> None:
        """Do it once nobody has asked again for a while."""
        self._due = time.monotonic() + self._seconds

    def forget(self) -> None:
        """Do not do what was asked for."""
        self._due = None

    def _beat(self) -> None:
        if self._due is not None and time.monotonic() >= self._due:
            self._due = None
            self._act()
