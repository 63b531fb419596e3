"""Any stack as a dask-backed xarray in micrometres: opening, scales, writing, samples. Knows no workspace."""

from voxloop.volumes import samples
from voxloop.volumes.opening import as_volume, open_volume
from voxloop.volumes.pyramid import scales
from voxloop.volumes.saving import save_volume
from voxloop.volumes.volume import (
    channels_of,
    opened_with,
    read_block,
    shape_zyx,
    spacing_of,
    spacing_sources,
)

__all__ = [
    "as_volume",
    "channels_of",
    "open_volume",
    "opened_with",
    "read_block",
    "samples",
    "save_volume",
    "scales",
    "shape_zyx",
    "spacing_of",
    "spacing_sources",
]
