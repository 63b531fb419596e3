"""Work that a panel has done off the UI thread: looked for now and then, begun by a click, or asked for anew.

Each owns its guard, its button and its failure path, so that no panel stands still because one look failed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

import ipywidgets as w

if TYPE_CHECKING:
    from voxloop.panels.base.panel import Panel

T = TypeVar("T")
Failed = Callable[[BaseException], object]


class _Work(Generic[T]):
    """``work(*args)`` off the UI thread, ``done(value)`` or ``failed(error)`` on it, never twice at a time."""

    def __init__(
        self, panel: Panel, work: Callable[..., T], done: Callable[[T], object] | None, failed: Failed | None
    ) -> None:
        self._panel = panel
        self._work = work
        self._done = done
        self._failed = failed or panel.show_error
        self.busy = False

    def _begin(self, *args: object) -> None:
        self._hold(True)
        self._panel.in_thread(partial(self._work, *args), self._succeed, self._fail)

    def _succeed(self, value: T) -> None:
        self._hold(False)
        if self._done is not None:
            self._done(value)

    def _fail(self, error: BaseException) -> None:
        self._hold(False)
        self._failed(error)

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
        Called on the UI thread with what ``look`` or ``show`` raised; the panel's message line where not given.
    """

    def __init__(
        self,
        panel: Panel,
        look: Callable[..., T],
        show: Callable[[T], object],
        *,
        seconds: float | None = None,
        failed: Failed | None = None,
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
        failed: Failed | None = None,
    ) -> None:
        super().__init__(panel, work, done, failed)
        self.button = button

    def __call__(self, *args: object) -> None:
        """Begin, unless it is under way."""
        if not self.busy:
            self._begin(*args)

    def _hold(self, busy: bool) -> None:
        super()._hold(busy)
        if self.button is not None:
            self.button.disabled = busy


class Latest(Generic[T]):
    """Questions of which only the newest counts: answers and failures of older ones are dropped.

    Parameters
    ----------
    show
        Called on the UI thread with the newest answer.
    failed
        Called on the UI thread with what the newest question raised; the panel's message line where not given.
    """

    def __init__(self, panel: Panel, show: Callable[[T], object], *, failed: Failed | None = None) -> None:
        self._panel = panel
        self._show = show
        self._failed = failed or panel.show_error
        self._newest = 0
        self.busy = False

    def ask(self, work: Callable[[], T]) -> None:
        """Have ``work()`` done off the UI thread; what was asked before is forgotten."""
        self._newest += 1
        self.busy = True
        number = self._newest
        self._panel.in_thread(
            work, partial(self._answer, number, self._show), partial(self._answer, number, self._failed)
        )

    def forget(self) -> None:
        """Drop the answer to what is under way."""
        self._newest += 1
        self.busy = False

    def _answer(self, number: int, tell: Callable[..., object], found: object) -> None:
        if number == self._newest:
            self.busy = False
            tell(found)
