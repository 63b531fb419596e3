"""Gray morphology, and distances to the border of a range of intensities. Pure: blocks in, blocks out."""

from __future__ import annotations

import numpy as np

from voxloop.channels.grid import FilterGrid
from voxloop.channels.neighbourhoods import ball, ball_reach
from voxloop.channels.points import within
from voxloop.config.channels import BallSettings, DistanceSettings, settled
from voxloop.geometry import Shape


def erode(block: np.ndarray, grid: FilterGrid, settings: BallSettings) -> np.ndarray:
    """The smallest intensity in a ball."""
    from scipy import ndimage as ndi

    return np.asarray(ndi.grey_erosion(block, footprint=ball(grid, settings), mode="reflect"))


def dilate(block: np.ndarray, grid: FilterGrid, settings: BallSettings) -> np.ndarray:
    """The largest intensity in a ball."""
    from scipy import ndimage as ndi

    return np.asarray(ndi.grey_dilation(block, footprint=ball(grid, settings), mode="reflect"))


def opened(block: np.ndarray, grid: FilterGrid, settings: BallSettings) -> np.ndarray:
    """Without what is bright and smaller than a ball."""
    return dilate(erode(block, grid, settings), grid, settings)


def closed(block: np.ndarray, grid: FilterGrid, settings: BallSettings) -> np.ndarray:
    """Without what is dark and smaller than a ball."""
    return erode(dilate(block, grid, settings), grid, settings)


def top_hat(block: np.ndarray, grid: FilterGrid, settings: BallSettings) -> np.ndarray:
    """What is bright and smaller than a ball."""
    return np.asarray(block - opened(block, grid, settings))


def bottom_hat(block: np.ndarray, grid: FilterGrid, settings: BallSettings) -> np.ndarray:
    """What is dark and smaller than a ball."""
    return np.asarray(closed(block, grid, settings) - block)


def twice_reach(grid: FilterGrid, settings: BallSettings) -> Shape:
    """Two balls, one after the other."""
    z, y, x = (2 * reach for reach in ball_reach(grid, settings))
    return z, y, x


def distance(block: np.ndarray, grid: FilterGrid, settings: DistanceSettings) -> np.ndarray:
    """Micrometres to the nearest voxel on the other side of the border, at most ``up_to_um``; the face is no border."""
    inside = within(block, settings)
    most = np.float32(settled(settings.up_to_um))
    out = np.zeros(block.shape, np.float32)
    if settings.side != "outside":
        out += _away(inside, grid, most)
    if settings.side == "outside":
        out += _away(~inside, grid, most)
    if settings.side == "both":
        out -= _away(~inside, grid, most)
    return out


def distance_reach(grid: FilterGrid, settings: DistanceSettings) -> Shape:
    """As far as distances are told apart."""
    z, y, x = (int(np.ceil(length)) for length in grid.voxels(settled(settings.up_to_um)))
    return z, y, x


def _away(mask: np.ndarray, grid: FilterGrid, most: np.float32) -> np.ndarray:
    """Distance of each voxel of a mask to the nearest one outside, capped; capped everywhere where there is none."""
    import edt

    pieces = []
    for piece in grid.pieces(mask):
        if piece.all():
            pieces.append(np.full(piece.shape, most, np.float32))
            continue
        found = edt.edt(np.ascontiguousarray(piece), anisotropy=tuple(grid.sampling), black_border=False)
        pieces.append(np.minimum(found, most))
    return grid.together(pieces)
