"""Which sigmas, at which resolution: the ladder in micrometres and its pyramid. Pure: numbers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from voxloop.channels.banded import radius_of
from voxloop.errors import ConfigError
from voxloop.geometry import Shape, Spacing

#: finest sigma of the automatic ladder, in voxels of the finest in-plane axis, and the ratio between its steps
FINEST, RATIO = 0.8, 2.0
#: a sigma moves to half the resolution once it spans this many voxels there; below, aliasing shows
COARSE_ENOUGH = 1.5
#: the second smoothing of the difference of Gaussians, as a multiple of the first
DOG_RATIO = 1.6
MAX_LEVELS = 6


@dataclass(frozen=True, slots=True)
class FilterScale:
    """One sigma and where it is computed.

    ``factors`` is the reduction of the level per axis; ``sigma`` the sigma in voxels of that level, less what averaging
    into cells and interpolating back blur anyway; an axis that is not filtered has 0. ``derive`` names the axes along
    which derivatives are taken; along the others the scale only smooths.
    """

    sigma_um: float
    level: int
    factors: Shape
    sigma: Spacing
    derive: tuple[int, ...]

    @property
    def radius(self) -> Shape:
        """Voxels of the level that one smoothing or derivative reads to one side of an axis."""
        z, y, x = (radius_of(sigma) if sigma else 0 for sigma in self.sigma)
        return z, y, x

    @property
    def again(self) -> Spacing:
        """Sigma of the second smoothing (structure tensor, difference of Gaussians): along derived axes only."""
        z, y, x = (sigma if axis in self.derive else 0.0 for axis, sigma in enumerate(self.sigma))
        return z, y, x

    @property
    def trim(self) -> Shape:
        """What that second smoothing reads."""
        z, y, x = (radius_of(sigma) if sigma else 0 for sigma in self.again)
        return z, y, x

    @property
    def reach(self) -> Shape:
        """Voxels of the level that features read to one side of a derived axis; 0 along one that is only smoothed."""
        z, y, x = (2 * radius for radius in self.trim)
        return z, y, x


def sigma_within(radius: int) -> float:
    """The largest sigma whose kernel stays within ``radius`` voxels."""
    return (radius - 0.5) / 3.0


def ladder(spacing_um: Spacing, count: int) -> tuple[float, ...]:
    """``count`` sigmas in micrometres, doubling, the finest at 0.8 voxels of the finest in-plane axis."""
    finest = FINEST * min(spacing_um[1:])
    return tuple(finest * RATIO**step for step in range(count))


def plan(sigmas_um: Sequence[float], spacing_um: Spacing, dimensions: int, context: int = 0) -> tuple[FilterScale, ...]:
    """Place every sigma on the coarsest level that still samples it well, finest first.

    With 2 dimensions, ``context`` planes to either side are smoothed over, with the scale's own sigma where it fits.

    Raises ConfigError for a sigma that is smaller than a third of a voxel or spans more than the pyramid reaches.
    """
    return tuple(_place(sigma, spacing_um, dimensions, context) for sigma in sorted(set(sigmas_um)))


def level_factors(spacing_um: Spacing, dimensions: int, level: int) -> Shape:
    """Reduction per axis after ``level`` halvings; only axes that are not yet coarser than the rest are halved."""
    factors = [1, 1, 1]
    axes = (0, 1, 2) if dimensions == 3 else (1, 2)
    for _ in range(level):
        size = [factor * step for factor, step in zip(factors, spacing_um, strict=True)]
        finest = min(size[axis] for axis in axes)
        for axis in axes:
            if size[axis] < sqrt(2.0) * finest:
                factors[axis] *= 2
    return factors[0], factors[1], factors[2]


def _place(sigma_um: float, spacing_um: Spacing, dimensions: int, context: int) -> FilterScale:
    finest = min(spacing_um[1:])
    if sigma_um < finest / 3:
        raise ConfigError(
            f"sigma {sigma_um:g} µm is below a third of a voxel ({finest:g} µm); the smallest that tells something "
            f"is {FINEST * finest:.3g} µm"
        )
    level, factors = 0, level_factors(spacing_um, dimensions, 0)
    while level < MAX_LEVELS:
        coarser = level_factors(spacing_um, dimensions, level + 1)
        steps = [f * s for f, s, old in zip(coarser, spacing_um, factors, strict=True) if f != old]
        if sigma_um < COARSE_ENOUGH * max(steps):
            break
        level, factors = level + 1, coarser
    largest = 3 * COARSE_ENOUGH * max(f * s for f, s in zip(factors, spacing_um, strict=True) if f > 1) if level else 0
    if level == MAX_LEVELS and sigma_um > largest:
        raise ConfigError(f"sigma {sigma_um:g} µm spans over {largest / finest:.0f} voxels; at most {largest:.3g} µm")
    sigma = [_in_voxels(sigma_um, s, f) for s, f in zip(spacing_um, factors, strict=True)]
    if dimensions == 3:
        return FilterScale(sigma_um, level, factors, (sigma[0], sigma[1], sigma[2]), (0, 1, 2))
    through = min(sigma[0], sigma_within(context)) if context else 0.0
    return FilterScale(sigma_um, level, factors, (through, sigma[1], sigma[2]), (1, 2))


def _in_voxels(sigma_um: float, spacing_um: float, factor: int) -> float:
    """Sigma in voxels of the level, less what going there and back blurs anyway.

    The mean over ``factor`` voxels has a variance of (factor² - 1) / 12; interpolating back with weights 3/4 and 1/4
    adds 3/16 of a cell's square at every doubling, (factor² - 1) / 4 in all.
    """
    variance = (sigma_um / spacing_um) ** 2 - (factor**2 - 1) / 3
    return sqrt(max(variance, 0.0)) / factor
