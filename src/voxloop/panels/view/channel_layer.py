"""A channel over the picture, as strong as it is. Reads planes of a lazy volume and keeps what it read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.panels.view.layers import LayerKind, LayerPatch, layer_state
from voxloop.panels.view.planes import PlaneBox, VolumePlanes

if TYPE_CHECKING:
    from xarray import DataArray


class ChannelLayer:
    """A channel (z, y, x) from its dark to its bright end, both of the first piece that was on screen."""

    kind: LayerKind = "scalar"

    def __init__(self, name: str, volume: DataArray, id: str = "channel") -> None:
        self.id = id
        self.state: dict[str, Any] = layer_state(id, name, "scalar", opacity=0.5)
        self._planes = VolumePlanes([volume])
        self._limits: tuple[float, float] | None = None

    def read(self, axis: str, index: int, box: PlaneBox, voxels_per_pixel: tuple[float, float]) -> LayerPatch:
        top, left = box[:2]
        rows, columns = (max(1, int(size)) for size in voxels_per_pixel)
        values = self._planes.read(axis, index, box)[0][::rows, ::columns]
        if self._limits is None:
            low, high = (float(one) for one in np.nanpercentile(values, (1, 99)))
            self._limits = low, high if high > low else low + 1
        low, high = self._limits
        share = np.nan_to_num((values.astype(np.float32) - low) / (high - low))
        indices = (share * 255).round().clip(0, 255).astype(np.uint8)
        bottom, right = top + indices.shape[0] * rows, left + indices.shape[1] * columns
        return LayerPatch(indices, (float(top), float(left), float(bottom), float(right)))

    def describe(self, point: tuple[int, int, int]) -> dict[str, str] | None:
        z, y, x = point
        value = float(self._planes.read("z", z, (y, x, y + 1, x + 1))[0, 0, 0])
        return {"name": f"{self.state['name']} {value:.4g}", "color": "#e69f00"}

    def close(self) -> None:
        """Let go what was read."""
        self._planes.close()
