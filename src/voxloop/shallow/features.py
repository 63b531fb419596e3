"""Multi-scale filter features of a block, each scale at the resolution it needs. Pure: knows no labels, no classifier.

Blocks are mirrored at their faces. Where a block begins at a multiple of ``stride`` and carries ``halo`` voxels around
what is wanted (or ends where the volume does), what comes out is the same however the volume is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, sqrt

import numpy as np

from voxloop.channels.banded import correlate, double, halve, kernel
from voxloop.channels.derivatives import GaussianDerivatives
from voxloop.channels.eigenvalues import eigenvalues
from voxloop.channels.tubes import vesselness
from voxloop.config.features import FEATURE_KINDS
from voxloop.geometry import Box, Shape, Spacing
from voxloop.shallow.scales import DOG_RATIO, FilterScale, level_factors, plan

#: kinds that are made from the eigenvalues of the Hessian
_CURVED = {"hessian", "determinant", "vesselness"}

#: a block as each scale needs it: at its resolution, mirrored at the faces
Reduced = dict[FilterScale, np.ndarray]
#: intensities of any type to float32, each voxel by itself
Normalise = Callable[[np.ndarray], np.ndarray]


def _as_it_is(block: np.ndarray) -> np.ndarray:
    return np.asarray(block, dtype=np.float32)


@dataclass(frozen=True)
class FeatureBank:
    """What is computed of an image with ``channels`` channels and this spacing.

    Attributes
    ----------
    spacing_um : voxel size, zyx, micrometres.
    sigmas_um : scales of the filters, micrometres.
    dimensions : 2 filters within planes, 3 through the stack.
    kinds : some of :data:`voxloop.config.shallow.FEATURE_KINDS`.
    context : planes to either side over which filters within planes smooth as well (0: none); 2-D only.
    """

    channels: int
    spacing_um: Spacing
    sigmas_um: tuple[float, ...]
    dimensions: int = 2
    kinds: tuple[str, ...] = FEATURE_KINDS
    context: int = 0

    @cached_property
    def scales(self) -> tuple[FilterScale, ...]:
        return plan(self.sigmas_um, self.spacing_um, self.dimensions, self.context)

    @cached_property
    def levels(self) -> int:
        return self.scales[-1].level + 1

    @cached_property
    def stride(self) -> Shape:
        """What origins of blocks must be multiples of, voxels zyx."""
        return self.factors(self.levels - 1)

    @cached_property
    def halo(self) -> Shape:
        """Voxels around a block that its features depend on, zyx; a multiple of the stride."""
        reach = [0, 0, 0]
        for scale in self.scales:
            margin = self._margin(scale)
            for axis, (cells, factor) in enumerate(zip(margin, scale.factors, strict=True)):
                reach[axis] = max(reach[axis], cells * factor, scale.radius[0] if axis == 0 else 0)
        z, y, x = (ceil(size / step) * step for size, step in zip(reach, self.stride, strict=True))
        return z, y, x

    @cached_property
    def names(self) -> tuple[str, ...]:
        """One name a feature, in the order of the first axis of :meth:`full`."""
        return tuple(name for level in range(self.levels) for name in self._names_at(level))

    @cached_property
    def sigma_of_each(self) -> tuple[float, ...]:
        """The sigma of each feature, micrometres, in the order of :attr:`names`."""
        scales = [scale for level in range(self.levels) for scale in self.scales if scale.level == level]
        each = len(self.names) // len(scales)
        return tuple(scale.sigma_um for scale in scales for _ in range(each))

    @property
    def count(self) -> int:
        return len(self.names)

    def counts(self) -> list[int]:
        """Features of each level, finest first."""
        return [len(self._names_at(level)) for level in range(self.levels)]

    def factors(self, level: int) -> Shape:
        return level_factors(self.spacing_um, self.dimensions, level)

    def reduce(self, block: np.ndarray, planes: slice | None = None, normalise: Normalise = _as_it_is) -> Reduced:
        """A block (c, z, y, x) as every scale needs it, normalised, for :meth:`pyramid`.

        The block is mirrored at its faces: up to the stride, and by what each scale reads beyond. With 2 dimensions the
        smoothing over neighbouring slices is done here, and ``planes`` of the block are kept (None: all); later regions
        count their planes from the first of these. A block that is not normalised yet is so, voxel by voxel, by
        ``normalise``, and held as float32 but once.
        """
        block = to_stride(block, self.stride)
        if self.dimensions == 3:
            return self._reduce_volume(block, normalise)
        block = normalise(block)
        planes = planes or slice(0, block.shape[1])
        out: Reduced = {}
        for level in range(self.levels):
            if level:
                block = halve(block, self._step(level))
            for scale in (s for s in self.scales if s.level == level):
                source = _smoothed_over_planes(block, scale, planes)
                out[scale] = _mirror(source, [(n, n) for n in self._margin(scale)])
        return out

    def _reduce_volume(self, block: np.ndarray, normalise: Normalise) -> Reduced:
        """One copy a level, mirrored for the scale that reads furthest; the other scales are within it."""
        out: Reduced = {}
        for level in range(self.levels):
            margins = {scale: self._margin(scale) for scale in self.scales if scale.level == level}
            widest = [max(along) for along in zip((0, 0, 0), *margins.values(), strict=True)]
            if level:
                block = halve(block, self._step(level))
            whole = _mirror(block, [(n, n) for n in widest])
            if not level:
                whole = normalise(whole)
            block = _trim(whole, widest)
            for scale, margin in margins.items():
                out[scale] = _trim(whole, [most - n for most, n in zip(widest, margin, strict=True)])
        return out

    def pyramid(self, reduced: Reduced, core: Box) -> list[np.ndarray]:
        """Features per level of a part of what :meth:`reduce` made.

        ``core`` counts from the block's first voxel; its bounds must be multiples of the stride. Returns one array
        (features, z, y, x) a level, finest first; coarse levels keep one cell on either side of every reduced axis,
        which :meth:`refine` needs.
        """
        return [self._level(reduced, core, level) for level in range(self.levels)]

    def merge(self, levels: Sequence[np.ndarray]) -> np.ndarray:
        """Interpolate every level of :meth:`pyramid` to full resolution: (features, z, y, x) float32."""
        parts = []
        for level, values in enumerate(levels):
            for finer in range(level, 0, -1):
                values = self.refine(values, finer)
            parts.append(values)
        return np.concatenate(parts)

    def refine(self, values: np.ndarray, level: int) -> np.ndarray:
        """(k, z, y, x) of ``level`` with its spare cells to the next finer level, with the spare cells of that one."""
        step, finer = self._step(level), self.factors(level - 1)
        values = double(values, step)
        cut = [slice(None)]
        for axis in range(3):
            # doubling leaves one cell of the finer level around; level 0 and axes not yet reduced there carry none
            spare = step[axis] == 2 and finer[axis] == 1
            cut.append(slice(1, -1) if spare else slice(None))
        return values[tuple(cut)]

    def full(self, block: np.ndarray) -> np.ndarray:
        """Features (features, z, y, x) of a whole normalised block (c, z, y, x), mirrored at its faces."""
        shape = block.shape[1:]
        features = self.merge(self.pyramid(self.reduce(block), Box.whole(shape).aligned(self.stride)))
        return features[:, *Box.whole(shape).slices]

    def _margin(self, scale: FilterScale) -> Shape:
        """Cells that features of a scale read beyond the block once planes are smoothed, the spare cell included."""
        z, y, x = (reach + (factor > 1) for reach, factor in zip(scale.reach, scale.factors, strict=True))
        return (z, y, x) if self.dimensions == 3 else (0, y, x)

    def _step(self, level: int) -> Shape:
        z, y, x = (a // b for a, b in zip(self.factors(level), self.factors(level - 1), strict=True))
        return z, y, x

    def _names_at(self, level: int) -> list[str]:
        sources = [f"channel {c}" for c in range(self.channels)]
        out = []
        for scale in self.scales:
            if scale.level == level:
                for kind in FEATURE_KINDS:
                    if kind in self.kinds:
                        many = range(self.dimensions) if kind in ("hessian", "structure") else [None]
                        out += [
                            f"{kind}{'' if n is None else f' {n}'} {scale.sigma_um:.3g} µm {source}"
                            for n in many
                            for source in sources
                        ]
        return out

    def _level(self, reduced: Reduced, core: Box, level: int) -> np.ndarray:
        factors = self.factors(level)
        spare = [int(factor > 1) for factor in factors]
        parts = []
        for scale in self.scales:
            if scale.level == level:
                # a part that begins at cell n of the block begins at n + margin of the mirrored one, and reaches back
                # by margin for its derivatives and spare cell: the two cancel
                cut = [
                    slice(part.start // factor, part.stop // factor + 2 * beyond)
                    for part, factor, beyond in zip(core.slices, factors, self._margin(scale), strict=True)
                ]
                parts += _features(reduced[scale][:, *cut], scale, self.kinds)
        shape = [size // f + 2 * s for size, f, s in zip(core.shape, factors, spare, strict=True)]
        return np.concatenate(parts) if parts else np.empty((0, *shape), dtype=np.float32)


def _smoothed_over_planes(block: np.ndarray, scale: FilterScale, planes: slice) -> np.ndarray:
    """``planes`` of a block, smoothed over their neighbours as far as the scale does; mirrored at the block's ends."""
    sigma, reach = scale.sigma[0], scale.radius[0]
    if not sigma:
        return block[:, planes]
    low, high = planes.start - reach, planes.stop + reach
    part = block[:, max(0, low) : high]
    part = _mirror(part, [(max(0, -low), max(0, high - block.shape[1])), (0, 0), (0, 0)])
    return correlate(part, kernel(sigma, 0), 1)


def _features(block: np.ndarray, scale: FilterScale, kinds: Sequence[str]) -> list[np.ndarray]:
    """Features of one scale, each (channels, z, y, x), of a block that carries ``scale.reach``."""
    axes, half = scale.derive, scale.trim
    # smoothing along axes that are not derived was done before
    bell = GaussianDerivatives(block, scale.again, mirrored=False)
    pairs = [(a, b) for a in axes for b in axes if a <= b]
    smooth = bell.of()
    out = []
    if "gaussian" in kinds:
        out.append(_trim(smooth, half))
    if {"log", *_CURVED} & set(kinds):
        second = {pair: _trim(bell.of(*pair), half) for pair in pairs}
        if "log" in kinds:
            out.append(_sum([second[a, a] for a in axes]))
    if "gradient" in kinds:
        out.append(np.sqrt(_sum([_trim(bell.of(a), half) ** 2 for a in axes])))
    if "dog" in kinds:
        out.append(_trim(smooth, half) - _wider(smooth, scale))
    curvature = eigenvalues(second, axes) if _CURVED & set(kinds) else []
    if "hessian" in kinds:
        out += curvature
    if "structure" in kinds:
        tensor = {
            (a, b): GaussianDerivatives(bell.of(a) * bell.of(b), scale.again, mirrored=False).of() for a, b in pairs
        }
        # energies grow with the square of contrast; their roots are on the scale of intensities like all the others
        out += [np.sqrt(np.maximum(values, 0)) for values in eigenvalues(tensor, axes)]
    if "deviation" in kinds:
        square = GaussianDerivatives(block * block, scale.again, mirrored=False).of()
        out.append(np.sqrt(np.maximum(_trim(square - smooth * smooth, half), 0)))
    if "determinant" in kinds:
        out.append(np.prod(curvature, axis=0))
    if "vesselness" in kinds:
        out.append(vesselness(curvature))
    return out


def _sum(arrays: Sequence[np.ndarray]) -> np.ndarray:
    total = arrays[0].copy()
    for values in arrays[1:]:
        total += values
    return total


def _wider(smooth: np.ndarray, scale: FilterScale) -> np.ndarray:
    """What the smoothed block becomes at 1.6 times the sigma: one more kernel, of the difference of the variances."""
    more = sqrt(DOG_RATIO**2 - 1.0)
    for axis, (sigma, radius) in enumerate(zip(scale.again, scale.trim, strict=True), start=1):
        if sigma:
            weights = kernel(more * sigma, 0)
            excess = weights.size // 2 - radius
            if excess > 0:
                weights = weights[excess:-excess] / weights[excess:-excess].sum()
            smooth = correlate(smooth, weights, axis)
    return smooth


def to_stride(block: np.ndarray, stride: Sequence[int]) -> np.ndarray:
    """A block (c, z, y, x) that goes on past its far faces to the next multiple of the stride.

    Mirrored without its last voxel, as in predictions: a model sees the same where it is taught.
    """
    up = [(0, -size % step) for size, step in zip(block.shape[1:], stride, strict=True)]
    return np.pad(block, [(0, 0), *up], mode="reflect") if any(map(any, up)) else block


def _mirror(block: np.ndarray, by: Sequence[tuple[int, int]]) -> np.ndarray:
    return np.pad(block, [(0, 0), *by], mode="symmetric") if any(map(any, by)) else block


def _trim(block: np.ndarray, by: Sequence[int]) -> np.ndarray:
    return block[:, *(slice(n, size - n) for n, size in zip(by, block.shape[1:], strict=True))]
