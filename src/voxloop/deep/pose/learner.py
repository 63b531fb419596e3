"""The task of a training run on points, boxes or animals. Knows no widget; speaks by its context."""

from __future__ import annotations

from voxloop.config.detect import DetectConfig
from voxloop.config.pose import PoseConfig
from voxloop.deep.pose.training import PlaceTraining
from voxloop.runs.context import TaskContext


def train_pose(context: TaskContext) -> str:
    """Train on the animals that ``context.config`` names.

    Ends with ``"finished"``, or as ordered with ``"stopped"``, ``"cancelled"`` or ``"paused"``. Continues from
    ``checkpoints/last`` where there is one: on a CPU with the same number of threads bit for bit as if it had never
    been interrupted, unless ``max_minutes`` lets the clock decide on the end.
    """
    return _train(PlaceTraining(context, PoseConfig.from_json(context.settings)))


def train_detect(context: TaskContext) -> str:
    """Train on the points or boxes that ``context.config`` names; otherwise as :func:`train_pose`."""
    return _train(PlaceTraining(context, DetectConfig.from_json(context.settings)))


def _train(training: PlaceTraining) -> str:
    try:
        return training.run()
    finally:
        training.close()
