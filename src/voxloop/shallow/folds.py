"""Parts of the labelled voxels that are held out in turn: whole slices, or quarters of one picture. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: parts in which labels are held out
FOLDS = 4
#: labelled slices no further apart than this are held out together
TOGETHER = 2


@dataclass(frozen=True)
class Folds:
    """Which part a voxel is of, from 0 on.

    Attributes
    ----------
    count : how many parts.
    edges : (groups - 1,) z at which one group of slices ends and the next begins; empty with quarters.
    owners : (groups,) the part of each group.
    centre : (y, x) at which a picture is cut into quarters; None with slices.
    """

    count: int
    edges: np.ndarray
    owners: np.ndarray
    centre: tuple[float, float] | None = None

    def of(self, at: np.ndarray) -> np.ndarray:
        """Parts (n,) of voxels (n, 3) zyx."""
        if self.centre is not None:
            below, right = at[:, 1] > self.centre[0], at[:, 2] > self.centre[1]
            return np.asarray(2 * below + right)
        return np.asarray(self.owners[np.searchsorted(self.edges, at[:, 0], side="right")])


def folds_for(at: np.ndarray, targets: np.ndarray | None = None) -> Folds:
    """Parts of about as many of the voxels ``at`` (n, 3) zyx each.

    Slices that are close to each other stay together, since they look alike; where there is one such group alone, its
    planes are cut into quarters. A class ``targets`` (n,) that would then lie in a single quarter could never be held
    out: where there is one, the cuts go through the middle of the rarest such class.
    """
    planes, counts = np.unique(at[:, 0], return_counts=True)
    starts = np.flatnonzero(np.diff(planes) > TOGETHER) + 1
    if not len(starts):
        quarters = _quarters(at)
        if targets is None:
            return quarters
        alone = _in_one_part(quarters.of(at), targets)
        return _quarters(at[targets == alone[0]]) if len(alone) else quarters
    sizes = np.add.reduceat(counts, np.concatenate([[0], starts]))
    count = min(FOLDS, len(sizes))
    owners = np.zeros(len(sizes), int)
    filled = np.zeros(count)
    for group in np.argsort(-sizes, kind="stable"):
        owners[group] = filled.argmin()
        filled[owners[group]] += sizes[group]
    edges = (planes[starts - 1] + planes[starts]) / 2
    return Folds(count, edges, owners)


def _quarters(at: np.ndarray) -> Folds:
    """Planes cut where half of the voxels lie above, and half to the left."""
    centre = (float(np.median(at[:, 1])), float(np.median(at[:, 2])))
    return Folds(FOLDS, np.empty(0), np.zeros(1, int), centre)


def _in_one_part(parts: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Classes that lie in a single part, the rarest first."""
    classes, counts = np.unique(targets, return_counts=True)
    alone = np.array([len(np.unique(parts[targets == value])) == 1 for value in classes])
    return np.asarray(classes[alone][np.argsort(counts[alone], kind="stable")])
