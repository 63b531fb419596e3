"""What is linked: instances of frames as columns, in micrometres, whatever they were before. Numpy only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from scipy import ndimage as ndi


@dataclass(frozen=True, slots=True)
class Sightings:
    """A row an instance, by frame.

    Attributes
    ----------
    frame
        (n,) whole numbers.
    at
        (n, nodes, axes): where its nodes are, micrometres (y, x), of volumes (z, y, x);
        nodes that are not placed lie in the middle of the others.
    number
        (n,) what it is called in the frame: number of the instance, row of what was found, value in the mask.
    score
        (n,) how sure it is; NaN where nobody said.
    """

    frame: np.ndarray
    at: np.ndarray
    number: np.ndarray
    score: np.ndarray

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def middle(self) -> np.ndarray:
        """(n, axes) micrometres."""
        return np.asarray(self.at.mean(axis=1))

    @property
    def as_vectors(self) -> np.ndarray:
        """(n, 2 nodes): the length of a difference is the root of the mean squared way of the nodes."""
        return np.asarray(self.at.reshape(len(self), -1) / np.sqrt(self.at.shape[1]))

    def rows(self, keep: np.ndarray) -> Sightings:
        """Some of the rows."""
        return Sightings(**{one.name: getattr(self, one.name)[keep] for one in fields(self)})


def joined(parts: Sequence[Sightings], axes: int = 2) -> Sightings:
    """Parts as one, in their order; of none nothing."""
    nothing = Sightings(np.zeros(0, np.int64), np.zeros((0, 1, axes)), np.zeros(0, np.int64), np.zeros(0))
    names = [one.name for one in fields(Sightings)]
    return Sightings(**{name: np.concatenate([getattr(part, name) for part in parts or [nothing]]) for name in names})


def places_of(columns: dict[str, np.ndarray], number: np.ndarray, score: np.ndarray, spacing: np.ndarray) -> Sightings:
    """Places of instances as ``arrays()`` of labels, or of what was found, gives them.

    ``columns``: ``frame`` (n,) and ``points`` (n, nodes, axes; voxels, NaN where not placed); ``spacing``: µm an axis.
    """
    at = np.asarray(columns["points"], float) * spacing
    there = ~np.isnan(at).any(axis=2)
    keep = there.any(axis=1)
    at, there = at[keep], there[keep]
    middle = np.where(there[..., None], at, 0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)[:, None]
    at = np.where(there[..., None], at, middle[:, None])
    order = np.argsort(np.asarray(columns["frame"])[keep], kind="stable")
    frame = np.asarray(columns["frame"], np.int64)[keep][order]
    return Sightings(frame, at[order], np.asarray(number)[keep][order], np.asarray(score, float)[keep][order])


def places_of_masks(
    read: Callable[[int, int], np.ndarray],
    depth: int,
    spacing: np.ndarray,
    tell: Callable[[int, int], None],
    at_once: int = 16,
) -> Sightings:
    """Middles of the objects of each frame; ``read`` gives numbered pixels (t, y, x) of some frames, 0 is nothing."""
    frames, at, numbers = [np.zeros(0, np.int64)], [np.zeros((0, 1, 2))], [np.zeros(0, np.int64)]
    block = np.zeros((0, 0, 0))
    for frame in range(depth):
        if frame % at_once == 0:
            block = read(frame, min(frame + at_once, depth))
        mask = block[frame % at_once]
        there = np.unique(mask)
        there = there[there > 0]
        if len(there):
            middles: Any = ndi.center_of_mass(np.ones(mask.shape, np.uint8), mask, there)
            frames.append(np.full(len(there), frame))
            at.append(np.asarray(middles, float)[:, None] * spacing)
            numbers.append(there.astype(np.int64))
        tell(frame + 1, depth)
    when = np.concatenate(frames)
    return Sightings(when, np.concatenate(at), np.concatenate(numbers), np.full(len(when), np.nan))


def surest(places: Sightings, number: int) -> Sightings:
    """At most ``number`` instances of each frame, those with the highest scores; unknown scores are the lowest."""
    order = np.lexsort((-np.nan_to_num(places.score, nan=-np.inf), places.frame))
    frame = places.frame[order]
    first = np.searchsorted(frame, frame)
    keep = order[np.arange(len(order)) - first < number]
    return places.rows(np.sort(keep))
