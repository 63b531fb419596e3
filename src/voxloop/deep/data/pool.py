"""Whether a teacher is asked, and about which places of the images. Knows no teacher, reads no pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from voxloop.config.deep import DeepConfig
from voxloop.deep.data.training_data import TrainingData
from voxloop.deep.data.windows import Geometry, Place, TrainingImage, area_mask, spread_places

#: windows of a block; where features run through the stack, planes above each other, whose surroundings are shared
_DEPTH = 16
#: windows of a block in 3-D
_BLOCKS = 2
#: places that are looked at for the next block
_TRIES = 8
#: share of the windows of a block that are known from which on there is nothing new
_KNOWN = 0.5
#: labelled share of the labelled planes above which there is little left to say
_DENSE = 0.5


def can_classify(data: TrainingData) -> bool:
    """Whether a pixel classifier can learn these labels: classes, in images of one voxel size."""
    return not data.instances and not any(image.relative for image in data.images)


def wanted(config: DeepConfig, data: TrainingData) -> bool:
    """Whether a teacher has anything to say: not where it is switched off, nor where labels are dense."""
    if config.teacher == "none" or config.teacher_weight == 0 or not can_classify(data):
        return False
    return config.teacher != "auto" or _labelled_share(data.images) < _DENSE


class PlacePool:
    """Blocks of windows, each of what is known least; a function of images, size of a window and seed."""

    def __init__(self, images: Sequence[TrainingImage], geometry: Geometry, seed: int) -> None:
        self._images, self._geometry, self._seed = images, geometry, seed
        self.blocks: list[list[Place]] = []

    def take(self, places: list[Place]) -> None:
        """These are known from now on, as one block."""
        self.blocks.append(places)

    def next_stacks(self, *, through: bool) -> list[list[Place]]:
        """The windows of the next block: in 3-D a few, else a stack of planes, or planes.

        ``through``: the teacher looks through the stack, so that planes above each other share their surroundings.
        """
        flat = not through or self._geometry.volumetric
        count = _BLOCKS if self._geometry.volumetric else _DEPTH if flat else 1
        first = len(self.blocks) * count * _TRIES
        last = first + count * _TRIES
        candidates = list(spread_places(self._images, self._geometry, last, self._seed))[first:]
        stacks: list[list[Place]] = []
        for number in range(count):
            places = candidates[number * _TRIES : (number + 1) * _TRIES]
            places = [p for p in places if area_mask(self._images[p.image], p, self._geometry).any()] or places
            tries = [self._stack(p, 1 if flat else _DEPTH) for p in places]
            taken = {place for stack in stacks for place in stack}
            stacks.append(min(tries, key=lambda stack: self._share_known(stack) + (stack[0] in taken)))
        return stacks

    def knows(self, places: Sequence[Place]) -> bool:
        """Whether most of some windows were taken before."""
        return self._share_known(places) > _KNOWN

    def _stack(self, middle: Place, depth: int) -> list[Place]:
        """Planes above each other around a place, fewer where the image ends."""
        planes = self._images[middle.image].shape[0]
        start = min(max(0, middle.z - depth // 2), max(0, planes - depth))
        return [replace(middle, z=z) for z in range(start, min(planes, start + depth))]

    def _share_known(self, places: Sequence[Place]) -> float:
        """Share of the windows that are in the pool."""
        old = {place for block in self.blocks for place in block}
        return sum(place in old for place in places) / len(places)


def _labelled_share(images: Sequence[TrainingImage]) -> float:
    """Labelled voxels over those of the planes that carry labels."""
    labelled = planes = 0
    for image in images:
        labelled += sum(int(counts.sum()) for counts in image.labelled.counts.values())
        found = {int(z) for cells in image.labelled.anchors.values() for at in cells for z in at[:, 0]}
        planes += len(found) * image.shape[1] * image.shape[2]
    return labelled / planes if planes else 0.0
