"""What a filter knows of the voxels that it is given: their size, and along which axes it works. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from voxloop.geometry import Shape, Spacing
from voxloop.volumes import shape_zyx, spacing_of

if TYPE_CHECKING:
    from xarray import DataArray

    from voxloop.config.channels import ChannelSettings


@dataclass(frozen=True, slots=True)
class FilterGrid:
    """Voxels of a block.

    Attributes
    ----------
    spacing_um : voxel size zyx, micrometres.
    axes : numbers of the axes along which filters work: (0, 1, 2), or (1, 2) within planes.
    """

    spacing_um: Spacing
    axes: tuple[int, ...] = (0, 1, 2)

    @property
    def finest(self) -> float:
        """The smallest voxel side along the filtered axes, micrometres."""
        return min(self.spacing_um[axis] for axis in self.axes)

    @property
    def planar(self) -> bool:
        """Whether filters stay within planes."""
        return 0 not in self.axes

    @property
    def sampling(self) -> list[float]:
        """Voxel sides along the filtered axes, micrometres."""
        return [self.spacing_um[axis] for axis in self.axes]

    def voxels(self, length_um: float) -> Spacing:
        """A length in voxels of each axis; 0 along those that are not filtered."""
        z, y, x = (length_um / step if axis in self.axes else 0.0 for axis, step in enumerate(self.spacing_um))
        return z, y, x

    def everywhere(self, reach: int) -> Shape:
        """The same number of voxels along each filtered axis."""
        z, y, x = (reach if axis in self.axes else 0 for axis in range(3))
        return z, y, x

    def pieces(self, block: np.ndarray) -> Iterator[np.ndarray]:
        """What a library filters at once, with as many axes as it filters: the block, or its planes. Views."""
        if self.planar:
            yield from block
        else:
            yield block

    def together(self, pieces: list[np.ndarray]) -> np.ndarray:
        """Filtered :meth:`pieces` as a block (z, y, x) float32."""
        whole = np.stack(pieces) if self.planar else pieces[0]
        return np.asarray(whole, np.float32)


def grid_of(volume: DataArray, settings: ChannelSettings) -> FilterGrid:
    """The voxels of a volume that a filter of these settings sees, and along which axes it works."""
    planar = settings.dimensions == "2d"
    planar |= shape_zyx(volume)[0] == 1 or volume.attrs.get("z_kind") == "frame"
    return FilterGrid(spacing_of(volume), (1, 2) if planar else (0, 1, 2))
