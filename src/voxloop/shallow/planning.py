"""From settings and a volume's geometry to a feature bank and supervoxels. Pure: numbers only."""

from __future__ import annotations

from dataclasses import replace

from voxloop.config.shallow import ShallowConfig
from voxloop.geometry import Spacing
from voxloop.shallow.descriptors import Descriptor
from voxloop.shallow.features import FeatureBank
from voxloop.shallow.refinement import SUPERVOXEL_ROUNDS
from voxloop.shallow.scales import ladder
from voxloop.shallow.supervoxels import Supervoxels

#: voxels count as nearly cubic up to this ratio of z to the finest in-plane spacing
NEARLY_CUBIC = 2.0
#: neighbouring slices of the automatic context
CONTEXT = 8


def bank_for(
    config: ShallowConfig, channels: int, spacing_um: Spacing, depth: int, *, frames: bool = False, live: bool = False
) -> FeatureBank:
    """The features that ``config`` asks for on a volume of ``depth`` planes.

    ``frames``: planes are pictures of their own and never mixed. ``live``: an answer within a second is worth more than
    filters through the stack, so "auto" stays within planes, smoothing over neighbouring slices.
    """
    single = depth == 1 or frames
    usual = nearly_cubic(spacing_um) or config.is_open
    through = config.dimensions == "3d" or (config.dimensions == "auto" and usual and not live)
    sigmas = ladder(spacing_um, config.scales) if config.sigmas_um == "auto" else config.sigmas_um
    context = CONTEXT if config.context == "auto" else config.context
    return FeatureBank(
        channels=channels,
        spacing_um=spacing_um,
        sigmas_um=tuple(sorted(set(sigmas))),
        dimensions=3 if through and not single else 2,
        kinds=config.kinds,
        context=0 if single or through else context,
    )


def nearly_cubic(spacing_um: Spacing) -> bool:
    """Whether planes are about as far apart as voxels are within them."""
    return 1 / NEARLY_CUBIC <= spacing_um[0] / min(spacing_um[1:]) <= NEARLY_CUBIC


def planes_of(config: ShallowConfig, bank: FeatureBank) -> FeatureBank | None:
    """The filters within planes that a blend counts beside those of ``bank``; None where it counts none.

    Where settings are still to be chosen these are tried unless voxels are nearly cubic: there planes alone tell
    nothing that filters through the stack do not, and cost as much.
    """
    tried = config.is_open and config.dimensions == "auto" and not nearly_cubic(bank.spacing_um)
    if bank.dimensions == 2 or not (tried or (config.classifier == "blend" and config.planes_share)):
        return None
    return replace(bank, dimensions=2, context=CONTEXT if config.context == "auto" else config.context)


def supervoxels_for(config: ShallowConfig, bank: FeatureBank, descriptor: Descriptor) -> Supervoxels:
    """The supervoxels that ``config`` asks for."""
    rounds = 0 if config.refine == "none" else SUPERVOXEL_ROUNDS
    return Supervoxels(bank, config.supervoxel_size, config.compactness, descriptor, config.neighbours, rounds)
