"""The task of a training run on points, boxes or animals. Knows no widget; speaks by its context."""

from __future__ import annotations

from voxloop.config.detect import DetectConfig
from voxloop.config.pictures import PictureConfig
from voxloop.config.pose import PoseConfig
from voxloop.deep.pose.classifying import PictureSubject
from voxloop.deep.pose.loop import PictureLoop, Subject
from voxloop.deep.pose.training import PlaceSubject
from voxloop.deep.training.saved import SavedTraining
from voxloop.runs.context import TaskContext


def train_pose(context: TaskContext) -> str:
    """Train on the animals that ``context.config`` names.

    Ends with ``"finished"``, or as ordered with ``"stopped"``, ``"cancelled"`` or ``"paused"``. Continues from
    ``checkpoints/last`` where there is one: on a CPU with the same number of threads bit for bit as if it had never
    been interrupted, unless ``max_minutes`` lets the clock decide on the end.
    """
    return _train_places(context, PoseConfig.from_json(context.settings))


def train_detect(context: TaskContext) -> str:
    """Train on the points or boxes that ``context.config`` names; otherwise as :func:`train_pose`."""
    return _train_places(context, DetectConfig.from_json(context.settings))


def train_pictures(context: TaskContext) -> str:
    """Train on the classes of pictures that ``context.config`` names; otherwise as :func:`train_pose`."""
    config = PictureConfig.from_json(context.settings)
    saved = SavedTraining(context, config)
    return _run(context, PictureSubject(context, config, saved), saved)


def _train_places(context: TaskContext, config: PoseConfig | DetectConfig) -> str:
    saved = SavedTraining(context, config)
    return _run(context, PlaceSubject(context, config, saved), saved)


def _run(context: TaskContext, subject: Subject, saved: SavedTraining) -> str:
    loop = PictureLoop(context, subject, saved)
    try:
        return loop.run()
    finally:
        loop.close()
