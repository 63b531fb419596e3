"""How far a training of a network looks into its images, before it does. Reads labels, and no pixel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from voxloop.config.deep import DeepConfig
from voxloop.deep.data.extent import largest_geometry
from voxloop.deep.data.grayvalues import measured_places
from voxloop.deep.data.pool import PlacePool, can_classify, wanted
from voxloop.deep.data.training_data import TrainingData
from voxloop.deep.data.windows import Geometry, Place, TrainingImage, clip, fit_geometry, window_box
from voxloop.geometry import Box, Shape

#: surroundings that a pixel classifier beside the network is given, voxels zyx: its farthest filters tell little, and
#: reach a hundred
BESIDE = (24, 48, 48)


@dataclass(frozen=True, slots=True)
class TeacherReach:
    """What is known of a teacher: whether it looks through the stack (both where nobody knows), and how far."""

    through: Sequence[bool] = (False, True)
    halo: Shape = BESIDE


def reach(data: TrainingData, config: DeepConfig, teacher: TeacherReach) -> list[list[Box]]:
    """Boxes of each image outside of which nothing is read, on whatever machine it is trained."""
    geometry = largest_geometry(config, data)
    judged = config.compare_with == "classifier" and can_classify(data)
    around = BESIDE if judged else (0, 0, 0)
    found = [list(_around_labels(image, geometry, around)) for image in data.images]
    for place, window in measured_places(data, geometry, config.seed):
        found[place.image].append(_box(data.images[place.image], place, window))
    if wanted(config, data):
        halo = [min(pair) for pair in zip(teacher.halo, BESIDE, strict=True)]
        for place in _asked(data, geometry, config, teacher.through):
            found[place.image].append(_box(data.images[place.image], place, geometry, halo))
    return [
        [image.pixels.read_for(box) for box in dict.fromkeys(boxes)]
        for image, boxes in zip(data.images, found, strict=True)
    ]


def _around_labels(image: TrainingImage, geometry: Geometry, around: Shape) -> Iterator[Box]:
    """Where windows may lie that are drawn for the labels of a cell, and for what is held out of it."""
    own = fit_geometry(image, geometry)
    for anchors in image.labelled.anchors.values():
        at = np.concatenate(anchors)
        for axis in geometry.axes:
            start, stop = [], []
            for size, extent, low, high in zip(own.sizes(axis), image.shape, at.min(0), at.max(0), strict=True):
                jitter = size // 4 if size > 1 else 0
                start.append(clip(int(low) - size // 2 - jitter, size, extent))
                stop.append(clip(int(high) - size // 2 + jitter, size, extent) + size)
            slices = [geometry.slices // 2 if i == axis else 0 for i in range(3)]
            further = [max(pair) for pair in zip(slices, around, strict=True)]
            yield Box.from_json(list(zip(start, stop, strict=True))).grow(further).clip(image.shape)


def _asked(data: TrainingData, geometry: Geometry, config: DeepConfig, through: Sequence[bool]) -> Iterator[Place]:
    """The places that a teacher is asked about."""
    for one in through:
        pool, count = PlacePool(data.training_images, geometry, config.seed), 0
        while count < config.teacher_windows:
            places = [place for stack in pool.next_stacks(through=one) for place in stack]
            if pool.knows(places):
                break
            yield from places
            pool.take(places)
            count += len(places)


def _box(image: TrainingImage, place: Place, geometry: Geometry, around: Sequence[int] = (0, 0, 0)) -> Box:
    """What is read for a window, and so far around it."""
    slices = [geometry.slices // 2 if i == place.axis else 0 for i in range(3)]
    further = [max(pair) for pair in zip(slices, around, strict=True)]
    return window_box(place, fit_geometry(image, geometry)).clip(image.shape).grow(further).clip(image.shape)
