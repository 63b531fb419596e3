"""Any stack as a dask-backed xarray in micrometres: opening, scales, writing, samples. Knows no workspace."""

from voxloop.volumes import samples
from voxloop.volumes.opening import open_volume
from voxloop.volumes.pyramid import scales
from voxloop.volumes.saving import save_volume
from voxloop.volumes.volume import as_volume, channels_of, read_block, shape_zyx, spacing_of

__all__ = [
    "as_volume",
    "channels_of",
    "open_volume",
    "read_block",
    "samples",
    "save_volume",
    "scales",
    "shape_zyx",
    "spacing_of",
]
