"""How far a network looks while it is taught, for a split that holds labels further apart. Computes no gradient."""

from __future__ import annotations

import math

import torch

from voxloop.config.deep import DeepConfig
from voxloop.deep.begin.starting import Arrangement
from voxloop.deep.networks.network import build, field_of
from voxloop.geometry import Shape


def sight(arrangement: Arrangement, config: DeepConfig) -> Shape:
    """How far from a voxel the image may lie that its answer depends on, voxels of the image zyx.

    The receptive field, further where augmentation shrinks or turns what is seen, but no further than a window, beyond
    which nothing is seen in training. Networks of planes see their neighbouring slices across each axis.
    """
    geometry = arrangement.geometry
    with torch.random.fork_rng(devices=[]):  # a run that goes on must draw what it would have drawn
        reach = field_of(build(arrangement.description), arrangement.description)
    window = (geometry.depth - 1, geometry.height - 1, geometry.width - 1)
    further = _further(config)
    far = [
        most if seen is None else min(most, math.ceil(further * seen / factor) + 1)
        for most, seen, factor in zip(window, reach or (None,) * 3, arrangement.zoom, strict=True)
    ]
    if geometry.volumetric:
        return far[0], far[1], far[2]
    found = [0, 0, 0]
    for across in geometry.axes:
        for axis in range(3):
            found[axis] = max(found[axis], geometry.slices // 2 if axis == across else max(far[1:]))
    return found[0], found[1], found[2]


def _further(config: DeepConfig) -> float:
    """By how many times augmentation lets a network see further in the image."""
    affine, elastic = config.augmentation.affine, config.augmentation.elastic
    times = 1.0
    if affine.on:
        times = (math.sqrt(2) if affine.rotation or affine.shear else 1.0) / affine.scale[0]
    return 1.25 * times if elastic.on else times
