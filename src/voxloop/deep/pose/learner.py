"""The task of a training run on points, boxes or animals. Knows no widget; speaks by its context."""

from __future__ import annotations

from voxloop.config.detect import DetectConfig
from voxloop.config.pose import PoseConfig
from voxloop.deep.pose.training import PlaceTraining
from voxloop.runs.context import TaskContext


def train(context: TaskContext) -> str:
    """Train on the points or boxes that ``context.config`` names.

    Ends with ``"finished"``, or as ordered with ``"stopped"``, ``"cancelled"`` or ``"paused"``. Continues from
    ``checkpoints/last`` where there is one: on a CPU with the same number of threads bit for bit as if it had never
    been interrupted, unless ``max_minutes`` lets the clock decide on the end.
    """
    kind = PoseConfig if context.config.get("learner") == "pose" else DetectConfig
    training = PlaceTraining(context, kind.from_json(context.settings))
    try:
        return training.run()
    finally:
        training.close()
