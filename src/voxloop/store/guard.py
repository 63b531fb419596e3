"""Where an edit may change labels: nothing that is locked, only inside the parent and the active region. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from voxloop.geometry import Box
from voxloop.store.locks import held
from voxloop.store.region_mask import mask_of
from voxloop.store.writer import Proposal

if TYPE_CHECKING:
    from voxloop.store.document import NamedRegion
    from voxloop.store.labels import Labels


@dataclass(frozen=True, slots=True)
class Guard:
    """What stays as it is, whatever is proposed.

    Attributes
    ----------
    locked : values, or objects, that nothing paints over.
    parent : labels that confine, and the value that they must have there (0: any but 0).
    region : the active one.
    """

    locked: tuple[int, ...] = ()
    parent: tuple[Labels, int] | None = None
    region: NamedRegion | None = None

    def over(self, proposal: Proposal) -> Proposal:
        """A proposal that changes nothing that is guarded."""
        if not self.locked and self.parent is None and self.region is None:
            return proposal

        def guarded(part: Box, current: np.ndarray) -> np.ndarray | None:
            if self.region is not None and self.region.box.meet(part) is None:
                return None
            new = proposal(part, current)
            if new is None:
                return None
            if self.locked:
                new = held(self.locked, current, new)
            if self.parent is not None:
                new = np.where(inside(*self.parent, part), new, current)
            if self.region is not None:
                new = np.where(mask_of(self.region, part), new, current)
            return new

        return guarded


def inside(parent: Labels, value: int, part: Box) -> np.ndarray:
    """Where a box lies inside of the parent: bool (z, y, x)."""
    there = parent.read(part)
    return np.asarray(there == value if value else there > 0)
