"""What stands between a reader and a label array: it has the facts of these labels, and reads them in its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxloop.geometry import Shape, Spacing
from voxloop.store.classes import Level

if TYPE_CHECKING:
    from voxloop.store.labels import Labels


class ReadThrough:
    """Level, image, shape (z, y, x), voxel size and last edit of the labels that are read."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels

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
        """The last edit of anybody that is taken into account."""
        return self._labels.sequence
