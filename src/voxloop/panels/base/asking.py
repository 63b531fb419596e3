"""Questions of a panel to the resident process, answered on the UI thread. Knows no question."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.helper import Helper

if TYPE_CHECKING:
    from voxloop.panels.base.panel import Panel

Done = Callable[[dict[str, Any]], object]
Failed = Callable[[BaseException], object]


class Asking:
    """``asking(kind, done, failed, **fields)``: the first question starts the process; :meth:`close` ends it.

    ``done`` or ``failed`` is called on the UI thread, neither if a newer question came.
    """

    def __init__(self, owner: Panel, workspace: Path) -> None:
        self._owner, self._workspace = owner, workspace
        #: None before the first question
        self.helper: Helper | None = None

    def __call__(self, kind: str, done: Done, failed: Failed, **fields: Any) -> None:
        if self.helper is None:
            self.helper = Helper(self._workspace)

        def deliver(future: Future[dict[str, Any]]) -> None:
            error = future.exception()
            if error is not None:
                failed(error)
            elif future.result().get("state") != "dropped":
                done(future.result())

        answer = self.helper.request(kind, **fields)
        answer.future.add_done_callback(lambda future: self._owner.post(deliver, future))

    def close(self) -> None:
        """End the process, where it was started."""
        if self.helper is not None:
            self.helper.close()
