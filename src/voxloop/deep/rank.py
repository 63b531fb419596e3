"""``python -m voxloop.deep.rank RUN RANK PORT``: a further process of a run that several devices share.

It trains as the first does, with a part of every batch, and says nothing: events, orders and files are the first's.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from voxloop.deep.learner import train
from voxloop.deep.training.team import end_with
from voxloop.runs.context import RunFacts


class Silent(RunFacts):
    """A run's context for those that have no word."""

    def __init__(self, path: Path, rank: int, port: int) -> None:
        super().__init__(path, json.loads((path / "config.json").read_text()))
        self.rank, self.port = rank, port

    def emit(self, kind: str, **fields: Any) -> None:
        """Say nothing."""

    def orders(self) -> list[Any]:
        """Those of the first process come by the team."""
        return []


def main(arguments: list[str]) -> int:
    """Train as one of a team; 0 when the run ended as it was meant to."""
    end_with(os.getppid())
    path, rank, port = arguments
    train(Silent(Path(path), int(rank), int(port)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
