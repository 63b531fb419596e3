"""Which model a training of a network keeps to predict with, and why: ``outcome.json`` of its run. Opens no model.

Such a run has two models: the network in ``model/`` and, in ``classifier/``, the pixel classifier that the same strokes
teach within seconds. Both are judged on the same held-out strokes. ``outcome.json`` holds

``kept``
    ``"network"`` or ``"classifier"``: what predicts where nobody asks for the other
``words``
    that in a sentence, with both scores
``network``, ``classifier``
    ``{"iou": {class: x}, "mean": x, "low": x, "high": x}``: IoU on held-out strokes, each stroke a unit, classes
    weighed by how much of the image they fill; ``mean`` over foreground classes, ``low`` to ``high`` holds it in nine
    of ten cases; null where nothing could be judged
``gain``
    ``{"mean", "low", "high"}`` of the network's ``mean`` over the classifier's, stroke by stroke; null likewise
``on``
    ``"test"``, where labels were kept apart for that, or ``"validation"``
``strokes``, ``voxels``
    how many of them were held out and judged
``steps``, ``minutes``
    optimiser steps taken, and the time the run took until then
``enough``
    whether these steps are enough for a network to have learned something

A run without it has one model, or has not ended yet.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from voxloop.errors import ConfigError, ModelError, unknown
from voxloop.model import read_spec
from voxloop.plain_files import read_plain
from voxloop.runs.events import plain
from voxloop.store.atomic import replace_json
from voxloop.store.layout import Layout, RunPlace

#: which model of a run is meant
Which = Literal["better", "network", "classifier"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a training keeps to predict with; the fields are those of the file."""

    kept: Literal["network", "classifier"]
    words: str
    network: dict[str, Any] | None = None
    classifier: dict[str, Any] | None = None
    gain: dict[str, float] | None = None
    on: str = "validation"
    strokes: int = 0
    voxels: int = 0
    steps: int = 0
    minutes: float = 0.0
    enough: bool = True

    @classmethod
    def read(cls, run: Path) -> Outcome | None:
        """That of a run folder; None where there is none, or it is damaged."""
        try:
            data = json.loads(read_plain(RunPlace(run).outcome))
            outcome = cls(**{item.name: data[item.name] for item in fields(cls) if item.name in data})
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        sound = outcome.kept in ("network", "classifier") and isinstance(outcome.words, str)
        return outcome if sound else None

    def write(self, run: Path) -> None:
        """Put it into a run folder, whole or not at all."""
        replace_json(RunPlace(run).outcome, plain(asdict(self)))


def model_named(layout: Layout, name: str, setting: str = "start_from") -> Path:
    """The model folder of an earlier run, or a model folder itself. Raises ConfigError, naming the setting."""
    of_run = RunPlace(layout.runs / name).model
    for folder in (of_run, layout.runs / name, Path(name), RunPlace(Path(name)).model, layout.root / name):
        if (folder / "spec.json").is_file():
            return folder
    raise ConfigError(f"{setting}={name!r} is neither a run with a model in {layout.runs} nor a model folder")


def file_of_weights(layout: Layout, given: str) -> str:
    """The file of weights that a setting names: as it came along in a pack, else where the setting says."""
    packed = layout.weights / Path(given).name
    return str(packed) if Path(given).suffix and packed.is_file() else given


def model_folder(run: Path, which: Which = "better") -> Path:
    """The folder of a run's model: the one that was kept, or the one asked for. It may not be there (yet).

    Raises ModelError where the run trains no such model.
    """
    place = RunPlace(run)
    if not isinstance(which, str) or which not in get_args(Which):
        raise ModelError(unknown("model", which, get_args(Which)))
    if which == "better":
        outcome = Outcome.read(run)
        behind = outcome is not None and outcome.kept == "classifier"
        return place.classifier if behind and _has_model(place.classifier) else place.model
    if which == "classifier" and _has_model(place.classifier):
        return place.classifier
    if _has_model(place.model):
        is_classifier = read_spec(place.model).learner == "shallow"
        if is_classifier != (which == "classifier"):
            there = "pixel classifier" if is_classifier else "network"
            raise ModelError(f"run {run.name!r} has a {there} and no {which}; leave which='better'")
    return place.model


def _has_model(folder: Path) -> bool:
    return (folder / "spec.json").is_file()
