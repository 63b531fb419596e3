"""Typed settings: the one place that form, command line, documentation and run folders are made from. Pure."""

from voxloop.config.base import Config, setting, settings_of
from voxloop.config.deep import DeepConfig
from voxloop.config.detect import DetectConfig
from voxloop.config.objects import ObjectsConfig
from voxloop.config.pictures import PictureConfig
from voxloop.config.pose import PoseConfig
from voxloop.config.predict import PredictConfig
from voxloop.config.presets import presets
from voxloop.config.shallow import ShallowConfig
from voxloop.config.tracks import TracksConfig

__all__ = [
    "Config",
    "DeepConfig",
    "DetectConfig",
    "ObjectsConfig",
    "PictureConfig",
    "PoseConfig",
    "PredictConfig",
    "ShallowConfig",
    "TracksConfig",
    "presets",
    "setting",
    "settings_of",
]
