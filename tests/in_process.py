"""Runs without a process of their own, for tests of what a run makes: to import what it needs takes longer than it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from voxloop.runs import runner
from voxloop.runs.run import Run


@contextmanager
def in_process() -> Iterator[None]:
    """Runs end before ``launch`` returns."""

    def launch(self: Run, queue: bool = True) -> Run:
        runner.run(self.path)
        return self

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "launch", launch)
        patch.setattr("voxloop.runs.spare.warm", lambda task: False)
        yield
