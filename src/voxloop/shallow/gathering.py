"""Features of single voxels of a volume, computed where they lie and nowhere else. Knows no labels, no files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from voxloop.geometry import Box, Shape
from voxloop.shallow.features import FeatureBank, Reduced

Read = Callable[[Box], np.ndarray]
#: voxels read and reduced at once; features are computed in cells of it that hold a wanted voxel
SLAB_2D, SLAB_3D = (1, 1024, 1024), (64, 256, 256)
CELL_2D, CELL_3D = (1, 64, 64), (8, 64, 64)


@dataclass(frozen=True, slots=True)
class BlockSource:
    """Where intensities come from: ``read(box)`` gives a normalised float32 block (c, z, y, x)."""

    read: Read
    shape: Shape


def features_at(
    source: BlockSource,
    bank: FeatureBank,
    at: np.ndarray,
    threads: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """Features (n, features) float32 of voxels ``at`` (n, 3) zyx; ``progress(done, total)`` counts voxels."""
    out = np.empty((len(at), bank.count), dtype=np.float32)
    done = 0
    with ThreadPoolExecutor(threads) as pool, threadpool_limits(1, user_api="blas"):
        for slab, members in groups(at, source.shape, multiple(SLAB_2D, SLAB_3D, bank, bank.stride)):
            outer = slab.grow(bank.halo).clip(source.shape)
            reduced = bank.reduce(source.read(outer))
            local = at[members] - np.array(outer.start)

            cells = list(_cells(local, outer.shape, bank))
            jobs = [pool.submit(_gather, bank, reduced, cell, local[index]) for cell, index in cells]
            for job, (_, index) in zip(jobs, cells, strict=True):
                out[members[index]] = job.result()
                done += index.size
                progress(done, len(at))
    return out


def _gather(bank: FeatureBank, reduced: Reduced, cell: Box, at: np.ndarray) -> np.ndarray:
    features = bank.merge(bank.pyramid(reduced, cell))
    z, y, x = (at - np.array(cell.start)).T
    return np.ascontiguousarray(features[:, z, y, x].T)


def _cells(at: np.ndarray, shape: Shape, bank: FeatureBank) -> Iterator[tuple[Box, np.ndarray]]:
    """Cells of a block that hold a voxel, whole cells even where the block ends within one stride."""
    padded = Box.whole(shape).aligned(bank.stride)
    yield from groups(at, padded.shape, multiple(CELL_2D, CELL_3D, bank, bank.stride))


def groups(at: np.ndarray, shape: Shape, size: Shape) -> Iterator[tuple[Box, np.ndarray]]:
    """The grid cells of ``size`` that hold some of ``at``, each with the indices of those."""
    cells, inverse = np.unique(at // np.array(size), axis=0, return_inverse=True)
    order = np.argsort(inverse.reshape(-1), kind="stable")
    bounds = np.searchsorted(inverse.reshape(-1)[order], np.arange(len(cells) + 1))
    for number, corner in enumerate((cells * np.array(size)).tolist()):
        yield Box.at(corner, size).clip(shape), order[bounds[number] : bounds[number + 1]]


def multiple(planar: Shape, solid: Shape, bank: FeatureBank, stride: Shape) -> Shape:
    """The one of two sizes that suits the bank, up to the next multiple of ``stride``."""
    wanted = solid if bank.dimensions == 3 else planar
    z, y, x = (-(-size // step) * step for size, step in zip(wanted, stride, strict=True))
    return z, y, x
