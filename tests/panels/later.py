"""Work of a panel that waits until a test lets it go on."""

from __future__ import annotations

import pytest

from voxloop.panels.base.panel import Panel


class Later:
    """In place of threads: what was begun waits until it is let go on."""

    def __init__(self, panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: list = []
        monkeypatch.setattr(
            panel, "in_thread", lambda fn, done=None, failed=None: self.begun.append((fn, done, failed))
        )

    def end(self, at: int = 0) -> None:
        work, done, failed = self.begun.pop(at)
        try:
            value = work()
        except Exception as error:
            failed(error)
        else:
            if done is not None:
                done(value)

    def end_all(self) -> None:
        while self.begun:
            self.end()
