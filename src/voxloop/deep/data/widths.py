"""How wide labelled objects are in their planes. Reads labels around a few of them; knows no settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from voxloop.deep.data.targets import FIRST
from voxloop.deep.data.windows import TrainingImage
from voxloop.geometry import Box

#: objects that are looked at in all, in each image at least, and how far around each
_OBJECTS, _FEWEST, _FAR = 128, 4, 256


def object_widths(images: Sequence[TrainingImage]) -> tuple[int, ...]:
    """Longest sides, in voxels of the images, of labelled objects in their planes; of some where there are many."""
    rng = np.random.default_rng(0)
    found: list[int] = []
    for image in images:
        anchors = [at for parts in image.labelled.anchors.values() for at in parts[-1]]  # the objects come last
        for index in rng.permutation(len(anchors))[: max(_FEWEST, _OBJECTS // len(images))]:
            found += _extent(image, anchors[index])
    return tuple(found)


def _extent(image: TrainingImage, at: np.ndarray) -> Iterator[int]:
    """Longest side, in its plane, of the object at a voxel; nothing where it has none."""
    from scipy import ndimage  # only where objects are learnt

    z, y, x = (int(v) for v in at)
    voxel = Box.at((z, y, x), (1, 1, 1))
    around = voxel.grow((0, _FAR, _FAR)).clip(image.shape)
    plane = image.labels(around)[0]
    here = voxel.within(around).start[1:]
    if plane[here] >= FIRST:
        parts, _ = ndimage.label(plane == plane[here])
        sides = ndimage.find_objects(parts)[parts[here] - 1]
        yield max(side.stop - side.start for side in sides)
