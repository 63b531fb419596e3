"""Runs carried out in the process that starts them, since a benchmark starts very many. Knows no learner."""

from __future__ import annotations

from typing import Any

from voxloop.runs import Run, Runs
from voxloop.runs.runner import run as carry_out


class _HereRun(Run):
    def launch(self, queue: bool = True) -> Run:
        carry_out(self.path, queue)
        return self


class HereRuns(Runs):
    """The runs of a workspace; those that are started here end before ``launch`` returns."""

    def create(self, *arguments: Any, **facts: Any) -> Run:
        return _HereRun(super().create(*arguments, **facts).path)
