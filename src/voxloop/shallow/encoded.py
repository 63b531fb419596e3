"""What a trained network sees at labelled voxels, handed in from outside: here is no torch. Knows no workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from voxloop.shallow.beside import Beside
from voxloop.shallow.gathering import BlockSource

#: directions in which what a network sees varies most, of its hundreds of channels
COMPONENTS = 32
_LOOKED_AT = 6000


class Encoder(Protocol):
    """A network that learns nothing any more."""

    def at(self, source: BlockSource, at: np.ndarray) -> np.ndarray:
        """What it sees at voxels ``at`` (n, 3) zyx of an image, as (n, features) float32."""
        ...


def with_encoded(
    beside: Beside,
    encoder: Encoder,
    sources: Sequence[BlockSource],
    labelled: Sequence[np.ndarray],
    near: Sequence[np.ndarray],
) -> Beside:
    """``beside`` with what an encoder sees, reduced to its :data:`COMPONENTS` main directions.

    ``labelled`` and ``near`` are voxels (n, 3) of each image, in the order of the rows of ``beside``.
    """
    parts = []
    for source, own, around in zip(sources, labelled, near, strict=True):
        if len(own):
            both = encoder.at(source, np.concatenate([own, around]))
            parts.append((both[: len(own)], both[len(own) :]))
    taught, around = (np.concatenate(side) for side in zip(*parts, strict=True))
    mean, directions = _directions(around if len(around) else taught)
    return replace(
        beside,
        network=((taught - mean) @ directions).astype(np.float32),
        network_around=((around - mean) @ directions).astype(np.float32),
    )


def _directions(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (features,) and scaled directions (features, components) so that the components have a deviation of 1."""
    some = rows[:: max(1, len(rows) // _LOOKED_AT)].astype(float)
    mean = some.mean(axis=0)
    spread, directions = np.linalg.eigh(np.atleast_2d(np.cov(some - mean, rowvar=False)))
    order = np.argsort(-spread)[:COMPONENTS]
    return mean, directions[:, order] / np.sqrt(np.maximum(spread[order], 1e-6))
