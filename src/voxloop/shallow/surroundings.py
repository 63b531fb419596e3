"""Voxels near the strokes, labelled or not: what the rest of the image is like. Knows no classifier."""

from __future__ import annotations

import numpy as np

from voxloop.geometry import Box, Shape
from voxloop.shallow.features import FeatureBank
from voxloop.shallow.gathering import SLAB_2D, SLAB_3D, groups, multiple

#: pieces of labelled planes that are looked into, their side, and voxels of all of them
PIECES, SIDE, VOXELS = 48, 64, 12_000


def surroundings(at: np.ndarray, shape: Shape, bank: FeatureBank, share: float, rng: np.random.Generator) -> np.ndarray:
    """Voxels (n, 3) zyx at random in the planes and parts of an image that are read for labelled voxels ``at`` anyway.

    ``share`` of :data:`VOXELS` are drawn, in so few small pieces that their features cost about as much as those of
    the strokes, whether filters go through the stack or not.
    """
    pieces: list[Box] = []
    for slab, members in groups(at, shape, multiple(SLAB_2D, SLAB_3D, bank, bank.stride)):
        for z in np.unique(at[members, 0]):
            pieces += list(slab.cut("z", int(z), int(z) + 1).blocks((1, SIDE, SIDE)))
    wanted = max(1, round(share * PIECES))
    picked = [pieces[number] for number in np.sort(rng.permutation(len(pieces))[:wanted])]
    sizes = np.array([piece.size for piece in picked], float)
    counts = np.ceil(share * VOXELS * sizes / sizes.sum()).astype(int)
    parts = [rng.integers(piece.start, piece.stop, (count, 3)) for piece, count in zip(picked, counts, strict=True)]
    return np.unique(np.concatenate(parts), axis=0)
