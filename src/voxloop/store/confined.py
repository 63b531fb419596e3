"""Labels as a training may see them: within boxes, outside of others, inside a class of another level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from voxloop.geometry import Region, Shape, intersect, shift
from voxloop.store.labels import Touched

if TYPE_CHECKING:
    from voxloop.geometry import Spacing
    from voxloop.store.classes import Level
    from voxloop.store.labels import Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Which voxels of an image count.

    ``boxes``: any of these (None: all); ``without``: none of these; ``inside``: labels and the value that they must
    have there (None: any value but 0).
    """

    boxes: tuple[Region, ...] | None = None
    without: tuple[Region, ...] = ()
    inside: tuple[Labels, int | None] | None = None

    @property
    def everything(self) -> bool:
        return self.boxes is None and not self.without and self.inside is None

    def mask(self, region: Region) -> np.ndarray:
        """Where a region (slices z, y, x) counts: bool (z, y, x)."""
        out = np.full([part.stop - part.start for part in region], self.boxes is None)
        origin = [-part.start for part in region]
        for boxes, value in ((self.boxes or (), True), (self.without, False)):
            for box in boxes:
                if (part := intersect(box, region)) is not None:
                    out[shift(part, origin)] = value
        if self.inside is not None and out.any():
            labels, wanted = self.inside
            found = labels.read(region)
            out &= found != 0 if wanted is None else found == wanted
        return out

    def touches(self, region: Region) -> bool:
        """Whether any voxel of a region counts; reads labels only where boxes do not tell."""
        if self.boxes is not None and not any(intersect(box, region) for box in self.boxes):
            return False
        if self.inside is None:
            return bool(self.boxes is None and not self.without) or bool(self.mask(region).any())
        labels, wanted = self.inside
        parts = (
            intersect(chunk.region, region)
            for chunk in labels.touched()
            if any(count and value and wanted in (None, value) for value, count in chunk.counts.items())
        )
        return any(part is not None and self.mask(part).any() for part in parts)

    def holds(self, region: Region) -> bool:
        """Whether boxes alone say that every voxel of a region counts."""
        if self.inside is not None or any(intersect(box, region) for box in self.without):
            return False
        return self.boxes is None or any(intersect(box, region) == region for box in self.boxes)


class Confined:
    """A label array in which everything outside of an :class:`Area` reads as unlabelled. Writes nothing."""

    def __init__(self, labels: Labels, area: Area) -> None:
        self._labels = labels
        self.area = area

    @property
    def level(self) -> Level:
        return self._labels.level

    @property
    def image(self) -> str:
        return self._labels.image

    @property
    def shape(self) -> Shape:
        return self._labels.shape

    @property
    def spacing_um(self) -> Spacing:
        return self._labels.spacing_um

    @property
    def sequence(self) -> int:
        return self._labels.sequence

    def read(self, region: Region) -> np.ndarray:
        """Voxels of slices (z, y, x)."""
        found = self._labels.read(region)
        return found if self.area.holds(region) else np.where(self.area.mask(region), found, 0)

    def touched(self) -> Sequence[Touched]:
        """The chunks that hold labels that count; those cut by the area are read and counted anew."""
        out = []
        for chunk in self._labels.touched():
            if self.area.holds(chunk.region):
                out.append(chunk)
            elif self.area.touches(chunk.region):
                values, counts = np.unique(self.read(chunk.region), return_counts=True)
                found = {int(v): int(n) for v, n in zip(values, counts, strict=True) if v}
                if found:
                    out.append(Touched(chunk.region, found))
        return out

    def counts(self) -> dict[int, int]:
        """Labelled voxels of every value."""
        out: dict[int, int] = {}
        for chunk in self.touched():
            for value, count in chunk.counts.items():
                out[value] = out.get(value, 0) + count
        return out
