"""Gaussian derivatives of a block, and filters made of them: edges, blobs, sheets, tubes. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voxloop.channels.banded import correlate, kernel, radius_of
from voxloop.channels.eigenvalues import eigenvalues
from voxloop.channels.grid import FilterGrid
from voxloop.channels.tubes import vesselness
from voxloop.config.channels import (
    DifferenceSettings,
    EigenvalueSettings,
    Response,
    SigmaSettings,
    StructureSettings,
    TubeSettings,
    settled,
)
from voxloop.geometry import Shape


class GaussianDerivatives:
    """Derivatives of one block (..., z, y, x) at one scale; passes along z and y are shared between them.

    Multiplied by sigma to the power of their order, so that scales compare.

    Parameters
    ----------
    sigma
        Voxels zyx; an axis with 0 is not filtered.
    mirrored
        The block is mirrored at its faces, so that what comes out has its shape; else every filtered axis loses its
        radius at both ends.
    """

    def __init__(self, block: np.ndarray, sigma: Sequence[float], *, mirrored: bool) -> None:
        self._sigma, self._mirrored = sigma, mirrored
        self._passes: dict[tuple[int, ...], np.ndarray] = {(): block}

    def of(self, *axes: int) -> np.ndarray:
        """Differentiate once along each of ``axes`` (0 z, 1 y, 2 x): float32."""
        return self._pass((axes.count(0), axes.count(1), axes.count(2)))

    def _pass(self, orders: tuple[int, ...]) -> np.ndarray:
        if orders not in self._passes:
            number = len(orders) - 1
            before, sigma = self._pass(orders[:-1]), self._sigma[number]
            axis = before.ndim - 3 + number
            self._passes[orders] = self._along(before, sigma, orders[-1], axis) if sigma else before
        return self._passes[orders]

    def _along(self, block: np.ndarray, sigma: float, order: int, axis: int) -> np.ndarray:
        if self._mirrored:
            around = [(0, 0)] * block.ndim
            around[axis] = (radius_of(sigma), radius_of(sigma))
            block = np.pad(block, around, mode="symmetric")
        return correlate(block, kernel(sigma, order), axis)


def derivatives_of(block: np.ndarray, grid: FilterGrid, sigma_um: float) -> GaussianDerivatives:
    """Those of a block (z, y, x) of a grid, mirrored at its faces."""
    return GaussianDerivatives(block, grid.voxels(sigma_um), mirrored=True)


def gradient(block: np.ndarray, grid: FilterGrid, settings: SigmaSettings) -> np.ndarray:
    """How steep intensities are."""
    bell = derivatives_of(block, grid, settled(settings.sigma_um))
    return np.asarray(np.sqrt(sum(bell.of(axis) ** 2 for axis in grid.axes)))


def laplacian(block: np.ndarray, grid: FilterGrid, settings: SigmaSettings) -> np.ndarray:
    """The sum of second derivatives: negative on bright blobs."""
    bell = derivatives_of(block, grid, settled(settings.sigma_um))
    return np.asarray(sum(bell.of(axis, axis) for axis in grid.axes))


def difference(block: np.ndarray, grid: FilterGrid, settings: DifferenceSettings) -> np.ndarray:
    """A Gaussian less a wider one: positive on what is brighter than around."""
    narrow = derivatives_of(block, grid, settled(settings.sigma_um)).of()
    wide = derivatives_of(block, grid, settled(settings.sigma_um) * settings.ratio).of()
    return respond(narrow - wide, settings.response)


def difference_reach(grid: FilterGrid, settings: DifferenceSettings) -> Shape:
    """That of the wider Gaussian."""
    return sigma_reach(grid, settled(settings.sigma_um) * settings.ratio)


def respond(values: np.ndarray, response: Response) -> np.ndarray:
    """What is kept of values that are positive on what is bright: both signs, or one of them as positive numbers."""
    if response == "bright":
        return np.asarray(np.maximum(values, 0))
    if response == "dark":
        return np.asarray(np.maximum(-values, 0))
    return values


def determinant(block: np.ndarray, grid: FilterGrid, settings: SigmaSettings) -> np.ndarray:
    """The product of all curvatures: far from zero on blobs and saddles."""
    return np.asarray(np.prod(curvatures(block, grid, settled(settings.sigma_um)), axis=0))


def curvature(block: np.ndarray, grid: FilterGrid, settings: EigenvalueSettings) -> np.ndarray:
    """An eigenvalue of the Hessian."""
    return _chosen(curvatures(block, grid, settled(settings.sigma_um)), settings.which)


def structure(block: np.ndarray, grid: FilterGrid, settings: StructureSettings) -> np.ndarray:
    """The root of an eigenvalue of the structure tensor."""
    return _chosen(_energies(block, grid, settings), settings.which)


def structure_determinant(block: np.ndarray, grid: FilterGrid, settings: StructureSettings) -> np.ndarray:
    """The root of the determinant of the structure tensor: corners."""
    return np.asarray(np.prod(_energies(block, grid, settings), axis=0))


def structure_reach(grid: FilterGrid, settings: StructureSettings) -> Shape:
    """Both Gaussians, one after the other."""
    one, other = (sigma_reach(grid, settled(sigma)) for sigma in (settings.sigma_um, settings.area_um))
    z, y, x = (a + b for a, b in zip(one, other, strict=True))
    return z, y, x


def tubes(block: np.ndarray, grid: FilterGrid, settings: TubeSettings) -> np.ndarray:
    """How much like a tube: 0 to 1 bright, 0 to -1 dark (Frangi et al. 1998)."""
    found = curvatures(block / np.float32(settled(settings.deviation)), grid, settled(settings.sigma_um))
    return respond(vesselness(found), settings.response)


def curvatures(block: np.ndarray, grid: FilterGrid, sigma_um: float) -> list[np.ndarray]:
    """Eigenvalues of the Hessian, largest first."""
    bell = derivatives_of(block, grid, sigma_um)
    return eigenvalues({(a, b): bell.of(a, b) for a in grid.axes for b in grid.axes if a <= b}, grid.axes)


def sigma_reach(grid: FilterGrid, sigma_um: float) -> Shape:
    """Voxels that one Gaussian or its derivatives look to one side."""
    z, y, x = (radius_of(sigma) if sigma else 0 for sigma in grid.voxels(sigma_um))
    return z, y, x


def _energies(block: np.ndarray, grid: FilterGrid, settings: StructureSettings) -> list[np.ndarray]:
    """Roots of the eigenvalues of the structure tensor, largest first: on the scale of intensities."""
    slope = derivatives_of(block, grid, settled(settings.sigma_um))
    area = settled(settings.area_um)
    tensor = {
        (a, b): derivatives_of(slope.of(a) * slope.of(b), grid, area).of()
        for a in grid.axes
        for b in grid.axes
        if a <= b
    }
    return [np.sqrt(np.maximum(values, 0)) for values in eigenvalues(tensor, grid.axes)]


def _chosen(values: list[np.ndarray], which: str) -> np.ndarray:
    if which == "largest":
        return values[0]
    return values[-1] if which == "smallest" else values[len(values) // 2]
