"""The learners of this package in one table: their settings, and the task that trains. Imports none of them."""

from __future__ import annotations

from dataclasses import dataclass

from voxloop.config.base import Config
from voxloop.config.deep import DeepConfig
from voxloop.config.detect import DetectConfig
from voxloop.config.pictures import PictureConfig
from voxloop.config.pose import PoseConfig
from voxloop.config.shallow import ShallowConfig
from voxloop.errors import RunError


@dataclass(frozen=True, slots=True)
class Learner:
    """A family of models. ``name`` is also the stem of the names of its runs, and what model folders call it.

    ``task``: ``"module:function"`` that trains, in a process of its own; ``packages``: what it needs beyond what always
    comes along.
    """

    name: str
    config: type[Config]
    task: str
    packages: tuple[str, ...] = ()


_NETWORKS = ("torch", "segmentation_models_pytorch", "timm", "safetensors")

LEARNERS: dict[str, Learner] = {
    learner.name: learner
    for learner in (
        Learner("shallow", ShallowConfig, "voxloop.shallow.learner:train"),
        Learner("deep", DeepConfig, "voxloop.deep.learner:train", _NETWORKS),
        Learner("pose", PoseConfig, "voxloop.deep.pose.learner:train_pose", _NETWORKS),
        Learner("pictures", PictureConfig, "voxloop.deep.pose.learner:train_pictures", _NETWORKS),
        Learner("detect", DetectConfig, "voxloop.deep.pose.learner:train_detect", _NETWORKS),
    )
}


#: those that learn from points, boxes or classes of pictures, and say nothing of each voxel
OF_MARKS = ("pose", "detect", "pictures")


def learner_of(config: Config) -> Learner:
    """The learner that trains with these settings. Raises RunError where none does."""
    for learner in LEARNERS.values():
        if isinstance(config, learner.config):
            return learner
    allowed = " or ".join(learner.config.__name__ for learner in LEARNERS.values())
    raise RunError(f"{type(config).__name__} is not trained; use {allowed}")
