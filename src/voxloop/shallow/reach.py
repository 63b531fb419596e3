"""How far a training of a pixel classifier looks into its images, before it does. Reads labels, and no pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.config.shallow import ShallowConfig
from voxloop.geometry import Box, Shape
from voxloop.runs.outcome import model_named
from voxloop.shallow.descriptors import Descriptor
from voxloop.shallow.features import FeatureBank
from voxloop.shallow.fitting import common_bank, looked_at
from voxloop.shallow.gathering import SLAB_2D, SLAB_3D, groups, multiple
from voxloop.shallow.kept import load as load_samples
from voxloop.shallow.lattice import Lattice
from voxloop.shallow.learner import open_examples
from voxloop.shallow.model import smoothing_kernels, smoothing_sigma
from voxloop.shallow.picture import busiest
from voxloop.shallow.pieces import slab_of
from voxloop.shallow.planning import planes_of, supervoxels_for
from voxloop.shallow.refinement import Refinement
from voxloop.shallow.table import Example
from voxloop.store.layout import Layout

#: voxels of a plane that a network is shown around one that it is asked about, at most
_SHOWN = 1024


#: given the name of an example and voxels (n, 3) zyx, which of them are learnt from
Keep = Callable[[str, np.ndarray], np.ndarray]


def reach(
    workspace: Path, facts: Mapping[str, Any], config: ShallowConfig, keeps: Sequence[Keep] = ()
) -> list[tuple[str, list[Box]]]:
    """Boxes of each image, by the name of the example, outside of which nothing is read.

    ``keeps``: what is learnt from of all that is labelled, in each of several trainings; none: everything.

    Raises
    ------
    LabelError
        Nothing is labelled.
    """
    earlier = load_samples(model_named(Layout(workspace), config.start_from)) if config.start_from else None
    examples, _ = open_examples(workspace, facts)
    bank = common_bank(config, examples, earlier)
    return [(one.name, list(dict.fromkeys(_boxes(one, config, bank, keeps)))) for one in examples if len(one.labelled)]


def _boxes(example: Example, config: ShallowConfig, bank: FeatureBank, keeps: Sequence[Keep]) -> Iterator[Box]:
    shape, at = example.shape, example.labelled.at
    margin = margin_of(config, bank)
    for keep in keeps or (lambda name, at: np.ones(len(at), bool),):
        taught = replace(example, labelled=example.labelled.take(keep(example.name, at)))
        if len(taught.labelled) and not example.judges:
            yield from looked_at(taught)
        if len(taught.labelled):
            yield busiest(taught).grow(margin).clip(shape)
    if config.refine != "none":  # voxels are compared with the next ones in their plane, which may lie in the next slab
        at = np.unique(
            np.concatenate([at, *(np.minimum(at + step, np.array(shape) - 1) for step in np.eye(3, dtype=int))]), axis=0
        )
    flat = planes_of(config, bank)
    planes = list(_planes(at, shape, bank))
    for one in (bank, flat) if flat else (bank,):
        size = multiple(SLAB_2D, SLAB_3D, one, one.stride)
        further = margin_of(config, one)
        yield from (plane.aligned(size).grow(further).clip(shape) for plane in planes)
    if config.features != "filters":
        yield from (plane.grow((0, _SHOWN, _SHOWN)).clip(shape) for plane in planes)
    if config.unit == "supervoxels":
        for slab, _ in groups(at, shape, slab_of(_unit(config, bank), shape)):
            yield slab.grow(margin).clip(shape)


def _planes(at: np.ndarray, shape: Shape, bank: FeatureBank) -> Iterator[Box]:
    """The parts of labelled planes in which voxels are looked at: labelled ones, and some of their surroundings."""
    for slab, members in groups(at, shape, multiple(SLAB_2D, SLAB_3D, bank, bank.stride)):
        for z in np.unique(at[members, 0]):
            yield slab.cut("z", int(z), int(z) + 1)


def margin_of(config: ShallowConfig, bank: FeatureBank) -> Shape:
    """Voxels around what is asked for that the answer depends on, zyx."""
    units: list[Any] = [bank]
    if config.refine != "none":
        units.append(Lattice(bank, Refinement(config.refine, config.refine_strength)))
    if config.unit == "supervoxels":
        units.append(_unit(config, bank))
    kernels = smoothing_kernels(smoothing_sigma(bank, config.smoothing))
    smooth = [0 if weights is None else weights.size // 2 for weights in kernels]
    z, y, x = (
        max(unit.halo[axis] + unit.stride[axis] for unit in units) + smooth[axis] + bank.stride[axis]
        for axis in range(3)
    )
    return z, y, x


def _unit(config: ShallowConfig, bank: FeatureBank) -> Any:
    return supervoxels_for(config, bank, Descriptor(config.descriptor, bank.count, config.bins))
