"""What kind of work a run does, and for whom. Runs say it in their ``config.json``; older folders are read here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from voxloop.config.learners import LEARNERS

Kind = Literal["train", "predict", "objects", "batch", "channels", "supervoxels", "places", "tracks"]
KINDS: tuple[Kind, ...] = get_args(Kind)

#: kinds of runs that make what has no score
UNSCORED: tuple[Kind, ...] = ("objects", "channels", "supervoxels", "tracks")

#: what the tasks of this package do; runs that were made before they said so are told by this
_KINDS: dict[str, Kind] = {
    "voxloop.prediction.task:run": "predict",
    "voxloop.prediction.batch:run": "batch",
    "voxloop.objects.task:run": "objects",
    "voxloop.channels.task:run": "channels",
    "voxloop.supervoxels.task:run": "supervoxels",
    "voxloop.prediction.places:run": "places",
    "voxloop.tracks.task:run": "tracks",
}


def kind_of(config: Mapping[str, Any]) -> Kind:
    """One of :data:`KINDS`, from a ``config.json``: "predict" is of one image, "batch" of several."""
    kind = config.get("kind")
    return kind if kind in KINDS else _KINDS.get(str(config.get("task")), "train")


def learner_name(config: Mapping[str, Any]) -> str | None:
    """Who trains, from a ``config.json``: ``"shallow"``, ``"deep"`` or a plugin's name; None where nobody does."""
    if "learner" in config:
        name = config["learner"]
        return None if name is None else str(name)
    task = config.get("task")
    return next((learner.name for learner in LEARNERS.values() if learner.task == task), None)
