"""A run started at a click, and what is said of it. Knows no learner and no settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import ipywidgets as w

from voxloop.errors import RunError
from voxloop.panels.base.panel import Panel
from voxloop.panels.base.work import Attempt

if TYPE_CHECKING:
    from voxloop.runs import Run


class RunStart:
    """Starts runs off the UI thread, one at a time, and says so; what refuses one is shown.

    Parameters
    ----------
    panel
        In whose message line it is said.
    button
        Disabled until the run is there.
    started
        Called with the run.
    ended
        Called before ``started``, and where the start was refused.
    """

    def __init__(
        self,
        panel: Panel,
        button: w.Button,
        started: Callable[[Run], object],
        ended: Callable[[], object] = lambda: None,
    ) -> None:
        self._panel, self._tell, self._ended = panel, started, ended
        self._attempt: Attempt[Run] = Attempt(panel, _call, self._started, button=button, failed=self._refused)

    @property
    def busy(self) -> bool:
        """Whether a run is being started."""
        return self._attempt.busy

    def __call__(self, start: Callable[[], Run]) -> None:
        """Call ``start()``, which returns the run, off the UI thread."""
        self._panel.say("Starting …")
        self._attempt(start)

    def _started(self, run: Run) -> None:
        self._ended()
        self._panel.say(f"{run.name} has started. It goes on when this page, or the notebook, is closed.", "good")
        self._tell(run)

    def _refused(self, error: BaseException) -> None:
        self._ended()
        self._panel.show_error(error)


def unless_gone(panel: Panel) -> Callable[[BaseException], None]:
    """What shows why a look at runs failed, but not that a run was deleted meanwhile: the next look shows that."""

    def failed(error: BaseException) -> None:
        if not isinstance(error, OSError | RunError):
            panel.show_error(error)

    return failed


def _call(start: Callable[[], Run]) -> Run:
    return start()
