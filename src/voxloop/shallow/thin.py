"""Which classes are thin, told by the strokes: membranes and walls that no brush of three voxels fits in. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voxloop.model import ClassInfo
from voxloop.shallow.samples import LabelledVoxels
from voxloop.shallow.table import Example

#: of a stroke three voxels wide a third is its middle; crossings and bends of a thinner one have a few such voxels too
_MIDDLE = 0.1


def thin_classes(examples: Sequence[Example], classes: Sequence[ClassInfo]) -> tuple[str, ...]:
    """Names of the classes, background aside, whose strokes are nowhere three voxels wide within their planes."""
    names = []
    for info in classes:
        if not info.background:
            pairs = [_middles(example.labelled, info.value) for example in examples if not example.judges]
            middle, total = (sum(counts) for counts in zip(*pairs, strict=True)) if pairs else (0, 0)
            if total and middle < _MIDDLE * total:
                names.append(info.name)
    return tuple(names)


def _middles(labelled: LabelledVoxels, value: int) -> tuple[int, int]:
    """How many voxels of a class have all eight neighbours in their plane labelled alike, and how many there are."""
    at = labelled.at[labelled.values == value]
    if not len(at):
        return 0, 0
    size = at[:, 1:].max(axis=0) + 3
    keys = (at[:, 0] * size[0] + at[:, 1] + 1) * size[1] + at[:, 2] + 1
    keys = np.unique(keys)
    inside = np.ones(len(keys), bool)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            inside &= np.isin(keys + down * size[1] + right, keys, assume_unique=True)
    return int(inside.sum()), len(keys)
