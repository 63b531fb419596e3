"""Which parts of its images a training can touch: what a pack has to carry. Trains nothing, reads no pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.config import DeepConfig, ShallowConfig
from voxloop.geometry import Box
from voxloop.runs import Run
from voxloop.runs.context import QuietContext
from voxloop.store.fingerprint import looked_at
from voxloop.store.teaching import open_portions

if TYPE_CHECKING:
    from voxloop.deep.data.reach import TeacherReach
    from voxloop.deep.data.training_data import TrainingData

#: images by name, and the boxes of each that are read; None: all of it may be
BoxesByImage = Mapping[str, Sequence[Box] | None]


def parts_of(workspace: Path, run: Run) -> tuple[BoxesByImage, str]:
    """What a training of painted labels can touch, and in words why it is that much.

    Raises
    ------
    LabelError
        Nothing is left to learn from.
    """
    facts = run.config
    portions, _ = open_portions(workspace, facts)
    names = [portion.image for portion in portions]
    if facts.get("beside"):
        return dict.fromkeys(names), "whole: its channels are filters, some of which see all of an image"
    if run.learner == "shallow":
        config = ShallowConfig.from_json(run.config["settings"])
        return _of_images(workspace, names, _of_examples(workspace, facts, config)), "the surroundings of the labels"
    return _of_network(workspace, names, run)


def _of_network(workspace: Path, names: Sequence[str], run: Run) -> tuple[BoxesByImage, str]:
    from voxloop.deep.data.pool import can_classify, wanted
    from voxloop.deep.data.reach import TeacherReach, reach
    from voxloop.deep.data.training_data import open_data

    config = DeepConfig.from_json(run.config["settings"])
    data = open_data(QuietContext(workspace, run.config, run.name), config, None)
    teaches = wanted(config, data)
    beside = can_classify(data) and (config.compare_with == "classifier" or (teaches and config.teacher == "auto"))
    if beside and config.split == "apart":
        return dict.fromkeys(names), "whole: what is held apart depends on how far the network sees"
    teacher = _teacher_of(data) if teaches and config.teacher == "auto" else TeacherReach()
    boxes = [[*own] for own in reach(data, config, teacher)]
    if beside:
        splits = {image.name: (image.split, image.shape) for image in data.images}

        def without_held_out(name: str, at: np.ndarray) -> np.ndarray:
            split, shape = splits[name]
            return split.in_training(at, shape)

        def without_test(name: str, at: np.ndarray) -> np.ndarray:
            split, shape = splits[name]
            return split.without_validation().in_training(at, shape)

        settings = ShallowConfig(seed=config.seed, constrain=config.constrain, validation=0.0)
        fixed = settings.changed(choose="fixed")
        # what is put beside the network chooses its settings; what was chosen, and what teaches, may filter otherwise
        for one in (fixed, settings) if config.compare_with == "classifier" else (fixed,):
            own = _of_examples(workspace, run.config, one, (without_held_out, without_test))
            boxes = [[*here, *there] for here, there in zip(boxes, own, strict=True)]
    words = "windows around the labels, and those that intensities are measured on"
    if teaches:
        words += f", and the {config.teacher_windows} windows anywhere that a teacher is asked about"
    return _of_images(workspace, names, boxes), words


def _teacher_of(data: TrainingData) -> TeacherReach:
    """What the pixel classifier that teaches looks at."""
    from voxloop.deep.data.reach import TeacherReach
    from voxloop.shallow.planning import bank_for
    from voxloop.shallow.reach import margin_of

    config = ShallowConfig(choose="fixed")
    banks = [
        bank_for(config, data.channels, data.spacing_um, image.shape[0], frames=image.frames)
        for image in data.training_images
    ]
    through = any(bank.dimensions == 3 for bank in banks)
    sides = zip(*(margin_of(config, bank) for bank in banks), strict=True)
    z, y, x = (max(side) for side in sides)
    return TeacherReach((through,), (z, y, x))


def _of_examples(
    workspace: Path, facts: Mapping[str, Any], config: ShallowConfig, keeps: Sequence[Any] = ()
) -> list[list[Box]]:
    from voxloop.shallow.reach import reach

    return [boxes for _, boxes in reach(workspace, facts, config, keeps)]


def _of_images(workspace: Path, names: Sequence[str], boxes: Sequence[Sequence[Box]]) -> BoxesByImage:
    """Boxes by image, with the little by which a picture is known again; several portions may be of one image."""
    from voxloop.store import Store

    found: dict[str, list[Box]] = {}
    with Store.open(workspace, read_only=True) as store:
        for name, own in zip(names, boxes, strict=True):
            found.setdefault(name, [looked_at(store.images.info(name).shape)]).extend(own)
    return found
