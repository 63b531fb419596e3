"""Labels as a training may see them: within boxes or a region, outside of others, inside a class of another level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from voxloop.geometry import Box
from voxloop.store.read_through import ReadThrough
from voxloop.store.region_mask import holds, mask_of
from voxloop.store.touched import Touched

if TYPE_CHECKING:
    from voxloop.store.changes import Change
    from voxloop.store.document import NamedRegion
    from voxloop.store.labels import Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Which voxels of an image count.

    ``boxes``: any of these (None: all); ``without``: none of these; ``inside``: labels and the value that they must
    have there (None: any value but 0); ``within``: a region, the one that was active.
    """

    boxes: tuple[Box, ...] | None = None
    without: tuple[Box, ...] = ()
    inside: tuple[Labels, int | None] | None = None
    within: NamedRegion | None = None

    @property
    def everything(self) -> bool:
        return self.boxes is None and not self.without and self.inside is None and self.within is None

    def mask(self, part: Box) -> np.ndarray:
        """Where a box counts: bool (z, y, x)."""
        out = np.full(part.shape, self.boxes is None)
        for boxes, value in ((self.boxes or (), True), (self.without, False)):
            for box in boxes:
                if (both := box.meet(part)) is not None:
                    out[both.within(part).slices] = value
        if self.within is not None:
            out &= mask_of(self.within, part)
        if self.inside is not None and out.any():
            labels, wanted = self.inside
            values = labels.read(part)
            out &= values != 0 if wanted is None else values == wanted
        return out

    def touches(self, part: Box) -> bool:
        """Whether any voxel of a box counts; reads labels only where boxes do not tell."""
        if self.boxes is not None and not any(box.meet(part) for box in self.boxes):
            return False
        if self.within is not None and self.within.box.meet(part) is None:
            return False
        if self.inside is None:
            all_of_it = self.boxes is None and not self.without and (self.within is None or not self.within.outline)
            return all_of_it or bool(self.mask(part).any())
        labels, wanted = self.inside
        for chunk in labels.touched():
            if not any(count and value and wanted in (None, value) for value, count in chunk.counts.items()):
                continue
            both = chunk.box.meet(part)
            if both is not None and self.mask(both).any():
                return True
        return False

    def holds(self, part: Box) -> bool:
        """Whether boxes alone say that every voxel of a box counts."""
        if self.inside is not None or any(box.meet(part) for box in self.without):
            return False
        if self.within is not None and not holds(self.within, part):
            return False
        return self.boxes is None or any(box.covers(part) for box in self.boxes)


class Confined(ReadThrough):
    """A label array in which everything outside of an :class:`Area` reads as unlabelled. Writes nothing."""

    def __init__(self, labels: Labels, area: Area) -> None:
        super().__init__(labels)
        self.area = area

    def read(self, region: object = None) -> np.ndarray:
        """Voxels of a region: a box, slices (z, y, x), or None for all."""
        box = Box.of(region, self.shape)
        values = self._labels.read(box)
        return values if self.area.holds(box) else np.where(self.area.mask(box), values, 0)

    def touched(self) -> Sequence[Touched]:
        """The chunks that hold labels that count; those cut by the area are read and counted anew."""
        out = []
        for chunk in self._labels.touched():
            if self.area.holds(chunk.box):
                out.append(chunk)
            elif self.area.touches(chunk.box):
                values, counts = np.unique(self.read(chunk.box), return_counts=True)
                per_value = {int(v): int(n) for v, n in zip(values, counts, strict=True) if v}
                if per_value:
                    out.append(Touched(chunk.box, per_value))
        return out

    def changes(self, since: int = 0, most: int = 4096) -> list[Change]:
        """What each edit set and nobody changed since, inside of the area or not."""
        return self._labels.changes(since, most)

    def counts(self) -> dict[int, int]:
        """Labelled voxels of every value."""
        out: dict[int, int] = {}
        for chunk in self.touched():
            for value, count in chunk.counts.items():
                out[value] = out.get(value, 0) + count
        return out
