"""The task of a deep training run. Knows no widget; speaks by its context."""

from __future__ import annotations

from voxloop.config.deep import DeepConfig
from voxloop.deep.begin import warming
from voxloop.deep.training.team import team_of
from voxloop.deep.training.training import Training
from voxloop.runs.context import TaskContext


def train(context: TaskContext, *, rank: int = 0, port: int | None = None) -> str:
    """Train a network on the labels that ``context.config`` names.

    Ends with ``"finished"``, or as ordered with ``"stopped"``, ``"cancelled"`` or ``"paused"``.

    Continues from ``checkpoints/last`` where there is one. On a CPU with the same number of threads the weights are
    bit for bit those of a run that was never interrupted, unless ``max_minutes`` lets the clock decide on the end.

    Parameters
    ----------
    rank, port
        Of a further process of the run: its number, and where the first one waits for it.
    """
    config = DeepConfig.from_json(context.settings)
    with team_of(config, context, rank, port) as team:
        training = Training(context, config, team)
        try:
            return training.run()
        finally:
            training.close()


def warm() -> None:
    """Called by a spare process while it waits for a run."""
    warming.warm(train, f"{__name__}:{train.__name__}")
