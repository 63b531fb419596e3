"""``python -m voxloop.deep.rank RUN RANK PORT``: a further process of a run that several devices share.

It trains as the first does, with a part of every batch, and says nothing: events, orders and files are the first's.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from voxloop.deep.learner import train
from voxloop.deep.training.team import end_with
from voxloop.runs.context import QuietContext
from voxloop.store.layout import Layout, RunPlace


def main(arguments: list[str]) -> int:
    """Train as one of a team; 0 when the run ended as it was meant to."""
    end_with(os.getppid())
    path, rank, port = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    config = json.loads(RunPlace(path).config.read_text())
    train(QuietContext(Layout.of_run(path).root, config, name=path.name), rank=rank, port=port)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
